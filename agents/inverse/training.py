"""What one step of training an inverse model is, and a state that can be put away and taken up again.

Cross-entropy on the pick's cell, the angle's bin and the place's cell, the latter two given the pick that was carried
out (Agrawal et al. 2016, section 3, without the forward model). AdamW with a warm-up and a cosine; the original says
little of its optimiser.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from tabletop_interaction.agents.inverse.batches import InverseBatch
from tabletop_interaction.agents.inverse.config import InverseTrainingConfig
from tabletop_interaction.agents.inverse.model import InverseModel
from tabletop_interaction.errors import TrainingError
from tabletop_interaction.segmentation.proposals import fast_autocast_dtype
from tabletop_interaction.segmentation.training.trainer import learning_rate


class InverseReport(NamedTuple):
    """What one step said; the losses in nats."""

    pick_loss: float
    angle_loss: float
    place_loss: float
    learning_rate: float
    gradient: float


class InverseTrainer:
    """An inverse model that learns batch by batch.

    Args:
        model: is changed in place.
        config: how it is trained.

    Attributes:
        model: in training mode.
        config: how it is trained.
        step_number: steps done.
    """

    def __init__(self, model: InverseModel, config: InverseTrainingConfig) -> None:
        self.model = model.train()
        self.step_number = 0
        self.config = config
        self._learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self._optimiser = torch.optim.AdamW(self._learning, lr=config.learning_rate, weight_decay=config.weight_decay)

    def step(self, batch: InverseBatch) -> InverseReport:
        """Learn from one batch.

        Raises:
            TrainingError: the loss or its gradient is no finite number; the weights are as before.
        """
        rate = learning_rate(self.step_number, self.config)
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        self._optimiser.zero_grad(set_to_none=True)
        losses = self._losses(batch)
        torch.autograd.backward(losses.sum())
        gradient = torch.nn.utils.clip_grad_norm_(self._learning, self.config.most_gradient)
        if not torch.isfinite(losses).all() or not torch.isfinite(gradient):
            raise TrainingError(
                f"the losses are {losses.tolist()} and the gradient's norm is {float(gradient)} at step "
                f"{self.step_number}; lower the learning rate"
            )
        self._optimiser.step()
        self.step_number += 1
        pick, angle, place = losses.tolist()
        return InverseReport(pick, angle, place, rate, float(gradient))

    def state_dict(self) -> dict[str, Any]:
        """All that a later `load_state_dict` needs to go on as if nothing had happened."""
        return {
            "step_number": self.step_number,
            "model": self.model.state_dict(),
            "optimiser": self._optimiser.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up what `state_dict` gave, with a model of the same sizes."""
        self.step_number = int(state["step_number"])
        self.model.load_state_dict(state["model"])
        self._optimiser.load_state_dict(state["optimiser"])

    def _losses(self, batch: InverseBatch) -> Tensor:
        """(3,): cross-entropy of pick, angle and place."""
        device = self._learning[0].device
        batch = InverseBatch(*(part.to(device) for part in batch))
        dtype = fast_autocast_dtype(device)
        with torch.autocast(device.type, dtype=dtype, enabled=dtype is not None):
            pick, given = self.model(batch.now, batch.goal, batch.pick_cells)
        pairs = ((pick, batch.pick), (given.angle_logits, batch.angle), (given.place_logits, batch.place))
        return torch.stack(
            [functional.cross_entropy(logits.float().flatten(1), wanted.flatten(1)) for logits, wanted in pairs]
        )
