"""Training steps: the optimiser that all networks share, and the losses of the segmentation network.

The paper (section 4) trains a score branch and a mask branch together. Ours: crops with several score positions
(`crops`), and AdamW with a warm-up and a cosine instead of SGD with two drops, because a run here is hundreds of steps
and not hundreds of thousands.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Generic, NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from tabletop_interaction.errors import TrainingError
from tabletop_interaction.segmentation.network import DeepMask
from tabletop_interaction.segmentation.proposals import fast_autocast_dtype
from tabletop_interaction.segmentation.robust_set_loss import mask_ious, robust_set_loss
from tabletop_interaction.segmentation.training.batches import CERTAIN_NEGATIVE, NEGATIVE, POSITIVE, Batch
from tabletop_interaction.segmentation.training.config import OptimiserConfig, TrainingConfig

NetworkT = TypeVar("NetworkT", bound=nn.Module)
BatchT = TypeVar("BatchT", bound=NamedTuple)
ReportT = TypeVar("ReportT", bound=NamedTuple)


class NetworkTrainer(ABC, Generic[NetworkT, BatchT, ReportT]):
    """A network that learns batch by batch, by AdamW with a rising and falling rate and a clipped gradient.

    Args:
        network: is changed in place, and put into training mode.
        groups: parameters for AdamW, with their weight decay.
        report: makes a report of the values of `_loss`, the learning rate and the norm of the gradient.

    Attributes:
        step_number: number of steps done.
    """

    def __init__(
        self,
        network: NetworkT,
        config: OptimiserConfig,
        groups: Sequence[dict[str, Any]],
        report: Callable[..., ReportT],
    ) -> None:
        self.network = network.train()
        self.config = config
        self.step_number = 0
        self.device = next(network.parameters()).device
        self._optimiser = torch.optim.AdamW(groups, lr=config.learning_rate, fused=True)
        self._report = report

    @abstractmethod
    def _loss(self, batch: BatchT) -> tuple[Tensor, Sequence[float]]:
        """Return the loss of a batch on the network's device, a scalar, and the first values of the report."""

    def step(self, batch: BatchT) -> ReportT:
        """Learn from one batch.

        Raises:
            TrainingError: the loss or its gradient is not finite; the weights are as before.
        """
        rate = learning_rate(self.step_number, self.config)
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        self._optimiser.zero_grad(set_to_none=True)
        loss, values = self._loss(batch._make(part.to(self.device) for part in batch))
        self._check_finite(loss, "the loss")
        torch.autograd.backward(loss)
        gradient = torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.config.most_gradient)
        self._check_finite(gradient, "the gradient's norm")
        self._optimiser.step()
        self.step_number += 1
        return self._report(*values, rate, float(gradient))

    def state_dict(self) -> dict[str, Any]:
        """Return all that `load_state_dict` needs to resume."""
        return {
            "step_number": self.step_number,
            "network": self.network.state_dict(),
            "optimiser": self._optimiser.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from what `state_dict` returned for the same kind of network."""
        self.step_number = int(state["step_number"])
        # Earlier versions named the network of an inverse model "model".
        self.network.load_state_dict(state["network"] if "network" in state else state["model"])
        self._optimiser.load_state_dict(state["optimiser"])

    def _autocast(self) -> AbstractContextManager[Any]:
        dtype = fast_autocast_dtype(self.device)
        return torch.autocast(self.device.type, dtype=dtype, enabled=dtype is not None)

    def _check_finite(self, value: Tensor, what: str) -> None:
        if not torch.isfinite(value):
            raise TrainingError(
                f"{what} is {float(value.detach())} at step {self.step_number}; the weights are as before; lower the "
                "learning rate"
            )


class StepReport(NamedTuple):
    """Figures of one step; losses without their weights, 0 where the batch has nothing of that kind."""

    score_loss: float
    mask_loss: float
    mask_iou: float
    learning_rate: float
    gradient: float


class Trainer(NetworkTrainer[DeepMask, Batch, StepReport]):
    """Trains a segmentation network; a batch without positives, negatives or masks is accepted."""

    config: TrainingConfig

    def __init__(self, network: DeepMask, config: TrainingConfig) -> None:
        # Biases and the scales of BatchNorm are not decayed.
        groups = [
            {"params": [one for one in network.parameters() if (one.ndim > 1) is is_matrix], "weight_decay": decay}
            for is_matrix, decay in ((True, config.weight_decay), (False, 0.0))
        ]
        super().__init__(network, config, groups, StepReport)

    def _loss(self, batch: Batch) -> tuple[Tensor, Sequence[float]]:
        with self._autocast():
            features = self.network(batch.images)
            scores = self.network.score_logits(features).float()
            logits = self.network.mask_logits(features, batch.positions).float() if len(batch.positions) else None
        score = balanced_score_loss(scores, batch.scores, self.config.hard_weight)
        mask, iou = scores.sum() * 0.0, 0.0
        if logits is not None:
            # A sum is finite only if its terms are, short of an overflow, which is a divergence as well.
            self._check_finite(logits.sum(), "the sum of the mask logits")
            mask = mask_loss(logits, batch.masks, self.config)
            iou = float(mask_ious(logits.detach() > 0, batch.masks).mean())
        loss = self.config.score_weight * score + self.config.mask_weight * mask
        return loss, (float(score.detach()), float(mask.detach()), iou)


def new_network(config: TrainingConfig) -> DeepMask:
    """Return the network that a run begins with; its weights depend on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return DeepMask(config.network)


def learning_rate(step: int, config: OptimiserConfig) -> float:
    """Return the rate of a step: it rises over the warm-up and falls as a cosine to zero at the last step."""
    warm_up = min(config.warm_up_steps, config.steps // 10)
    if step < warm_up:
        return config.learning_rate * (step + 1) / (warm_up + 1)
    done = min(1.0, (step - warm_up) / max(1, config.steps - warm_up))
    return config.learning_rate * (0.01 + 0.99 * (1 + math.cos(math.pi * done)) / 2)


def balanced_score_loss(logits: Tensor, targets: Tensor, hard_weight: float = 0.0) -> Tensor:
    """Half the mean cross-entropy over positives plus half the weighted mean over negatives; a scalar.

    ```
    loss = mean over P of l / 2 + sum over N of w l / (2 |N|),
    w = 1 + hard_weight sigmoid(logit) for certain negatives, else 1; w has no gradient
    ```

    The weights are not normalised: false detections dominate the second term while there are many. Uncertain negatives
    keep the weight 1, since an unlabelled object may be there.

    Args:
        logits: (B, P, P) floating point.
        targets: (B, P, P) int8, as of `Batch.scores`; a kind that is missing adds nothing.
        hard_weight: 0 or more; 0 in the paper.
    """
    positive, certain = targets == POSITIVE, targets == CERTAIN_NEGATIVE
    negative = certain | (targets == NEGATIVE)
    every = functional.binary_cross_entropy_with_logits(logits, positive.float(), reduction="none")
    weight = 1 + hard_weight * logits.detach().sigmoid() * certain
    halves = [(every * weight * chosen).sum() / chosen.sum().clamp(min=1) for chosen in (positive, negative)]
    return (halves[0] + halves[1]) / 2


def mask_loss(logits: Tensor, masks: Tensor, config: TrainingConfig) -> Tensor:
    """The loss of mask logits (N, M, M) against labels (N, M, M) bool; a scalar, a mean over pixels."""
    if config.loss == "robust-set":
        return robust_set_loss(logits, masks, config.iou_bound)
    return functional.binary_cross_entropy_with_logits(logits, masks.float())
