"""What one training step is: the two losses, the optimiser, and a state that can be put away and taken up again.

The paper (section 4) trains a score branch and a mask branch together. Ours: crops with several score positions
(`crops`), AdamW with a warm-up and a cosine instead of SGD with two drops, because a run here is hundreds of steps
and not hundreds of thousands.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from tabletop_interaction.errors import TrainingError
from tabletop_interaction.segmentation.network import DeepMask
from tabletop_interaction.segmentation.proposals import fast_autocast_dtype
from tabletop_interaction.segmentation.robust_set_loss import robust_set_loss
from tabletop_interaction.segmentation.training.config import TrainingConfig
from tabletop_interaction.segmentation.training.crops import NEGATIVE, POSITIVE, Batch


class StepReport(NamedTuple):
    """What one step said; losses without their weights, 0 where the batch has nothing of that kind."""

    score_loss: float
    mask_loss: float
    mask_iou: float
    learning_rate: float
    gradient: float


class Trainer:
    """A network that learns batch by batch; what is fed is the caller's affair.

    Args:
        network: is changed in place.
        config: how it is trained; `network` and `crops` are not read here.

    Attributes:
        network: in training mode.
        step_number: steps done.
    """

    def __init__(self, network: DeepMask, config: TrainingConfig) -> None:
        self.network = network.train()
        self.config = config
        self.step_number = 0
        self._optimiser = torch.optim.AdamW(_groups(network, config.weight_decay), lr=config.learning_rate)
        self._device = next(network.parameters()).device
        self._autocast = fast_autocast_dtype(self._device)

    def step(self, batch: Batch) -> StepReport:
        """Learn from one batch; one without positives, negatives or masks is fine.

        Raises:
            TrainingError: the loss or its gradient is no finite number; the weights are as before.
        """
        rate = learning_rate(self.step_number, self.config)
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        self._optimiser.zero_grad(set_to_none=True)
        score_loss, mask_loss, iou = self._losses(Batch(*(part.to(self._device) for part in batch)))
        loss = self.config.score_weight * score_loss + self.config.mask_weight * mask_loss
        self._check_finite(loss, "the loss")
        loss.backward()
        gradient = torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.config.most_gradient)
        self._check_finite(gradient, "the gradient's norm")
        self._optimiser.step()
        self.step_number += 1
        return StepReport(float(score_loss.detach()), float(mask_loss.detach()), iou, rate, float(gradient))

    def state_dict(self) -> dict[str, Any]:
        """All that a later `load_state_dict` needs to go on as if nothing had happened."""
        return {
            "step_number": self.step_number,
            "network": self.network.state_dict(),
            "optimiser": self._optimiser.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up what `state_dict` gave, with the same kind of network."""
        self.step_number = int(state["step_number"])
        self.network.load_state_dict(state["network"])
        self._optimiser.load_state_dict(state["optimiser"])

    def _losses(self, batch: Batch) -> tuple[Tensor, Tensor, float]:
        with torch.autocast(self._device.type, dtype=self._autocast, enabled=self._autocast is not None):
            features = self.network(batch.images)
            scores = self.network.score_logits(features).float()
            masks = self.network.mask_logits(features, batch.positions).float() if len(batch.positions) else None
        score_loss = balanced_score_loss(scores, batch.scores)
        if masks is None:
            return score_loss, scores.sum() * 0.0, 0.0
        # A sum is finite only if its terms are, short of an overflow that is no less a divergence.
        self._check_finite(masks.sum(), "the sum of the mask logits")
        return score_loss, mask_loss(masks, batch.masks, self.config), _mean_iou(masks, batch.masks)

    def _check_finite(self, value: Tensor, what: str) -> None:
        if not torch.isfinite(value):
            raise TrainingError(
                f"{what} is {float(value.detach())} at step {self.step_number}; the weights are as before; lower the "
                "learning rate"
            )


def new_network(config: TrainingConfig) -> DeepMask:
    """The network that a run begins with; its weights depend on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return DeepMask(config.network)


class RateSchedule(Protocol):
    """What a configuration says of its learning rate: the highest, all steps, and those over which it rises."""

    @property
    def steps(self) -> int: ...
    @property
    def learning_rate(self) -> float: ...
    @property
    def warm_up_steps(self) -> int: ...


def learning_rate(step: int, config: RateSchedule) -> float:
    """Rises over the warm-up and falls as a cosine to nothing at the last step."""
    warm_up = min(config.warm_up_steps, config.steps // 10)
    if step < warm_up:
        return config.learning_rate * (step + 1) / (warm_up + 1)
    done = min(1.0, (step - warm_up) / max(1, config.steps - warm_up))
    return config.learning_rate * (0.01 + 0.99 * (1 + math.cos(math.pi * done)) / 2)


def balanced_score_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Half the mean cross-entropy over positives plus half that over negatives; a scalar.

    Args:
        logits: (B, P, P) floating point.
        targets: (B, P, P) int8, as of `Batch.scores`; a kind that is missing adds nothing.
    """
    every = functional.binary_cross_entropy_with_logits(logits, (targets == POSITIVE).float(), reduction="none")
    halves = [
        (every * chosen).sum() / chosen.sum().clamp(min=1) for chosen in (targets == POSITIVE, targets == NEGATIVE)
    ]
    return (halves[0] + halves[1]) / 2


def mask_loss(logits: Tensor, masks: Tensor, config: TrainingConfig) -> Tensor:
    """The loss of mask logits (N, M, M) against labels (N, M, M) bool; a scalar, a mean over pixels."""
    if config.loss == "robust-set":
        return robust_set_loss(logits, masks, config.iou_bound)
    return functional.binary_cross_entropy_with_logits(logits, masks.float())


def _mean_iou(logits: Tensor, masks: Tensor) -> float:
    found = logits.detach() > 0
    union = (found | masks).sum((1, 2)).clamp(min=1)
    return float(((found & masks).sum((1, 2)) / union).mean())


def _groups(network: DeepMask, weight_decay: float) -> list[dict[str, Any]]:
    """Biases and BatchNorm's scales are not decayed: nothing is gained by making them small."""
    parameters: Iterator[Tensor] = network.parameters()
    matrices = [parameter for parameter in parameters if parameter.ndim > 1]
    vectors = [parameter for parameter in network.parameters() if parameter.ndim <= 1]
    return [{"params": matrices, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]
