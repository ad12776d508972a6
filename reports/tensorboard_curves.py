"""A learning run's curves in TensorBoard, over the number of interactions."""

from __future__ import annotations

from typing import Any

from torch.utils.tensorboard import SummaryWriter

from tabletop_interaction.agents.learning.learner import Update
from tabletop_interaction.agents.learning.run_folder import HistoryLine, RunFolder

_AVERAGED = 25
_UPDATE_CURVES = ("score_loss", "mask_loss", "mask_iou", "learning_rate", "objects", "background")


class Curves:
    """Scalars of a run's interactions, updates and evaluations.

    Args:
        folder: of the run.
        first: interactions at the start of this session; later points of an earlier session are removed.
    """

    def __init__(self, folder: RunFolder, first: int) -> None:
        self._board = SummaryWriter(str(folder.path / "tensorboard"), purge_step=first + 1)
        self._means: dict[str, float] = {}

    def interacted(self, line: HistoryLine) -> None:
        """Add running shares of moved objects, grasps and hypotheses."""
        shares = {"moved": line.moved, "grasped": line.grasped, "hypothesis": line.policy == "hypothesis"}
        for name, value in shares.items():
            before = self._means.get(name, float(value))
            self._means[name] = before + (value - before) / _AVERAGED
            self._board.add_scalar(f"interactions/{name}", self._means[name], line.number)

    def updated(self, update: Update) -> None:
        """Add losses and numbers of examples."""
        for name in _UPDATE_CURVES:
            self._board.add_scalar(f"training/{name}", getattr(update, name), update.interactions)

    def evaluated(self, document: dict[str, Any]) -> None:
        """Add average precision and recall."""
        for iou, ap in document["ap"].items():
            self._board.add_scalar(f"evaluation/ap_{iou}", ap, document["interactions"])
        for iou, row in document["recall_at_precision"].items():
            for precision, recall in row.items():
                self._board.add_scalar(f"evaluation/recall_{iou}_at_{precision}", recall, document["interactions"])

    def close(self) -> None:
        """Write pending points."""
        self._board.close()
