"""A learning run's progress: bars at the terminal with evaluations as lines above them, and curves in TensorBoard."""

import time
from collections import deque
from collections.abc import Mapping
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from torch.utils.tensorboard import SummaryWriter

from tabletop_interaction.agents.learning.config import LearningConfig
from tabletop_interaction.agents.learning.learner import Update
from tabletop_interaction.agents.learning.run_folder import HistoryLine, RunFolder, read_history, read_updates
from tabletop_interaction.envs.backend import Primitive

_AVERAGED = 50
_SHARES: Mapping[Primitive, tuple[str, ...]] = {"pick": ("moved", "grasped"), "push": ("moved",)}
_SMOOTHED = 25
_UPDATE_CURVES = ("score_loss", "mask_loss", "mask_iou", "learning_rate", "objects", "background")


class LearningDisplay:
    """The bars `progress` of interactions and of training steps; they start from what the run's folder holds."""

    def __init__(self, config: LearningConfig, folder: RunFolder) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[beside]}"),
        )
        history, updates = read_history(folder), read_updates(folder)
        self._recent: deque[HistoryLine] = deque(history[-_AVERAGED:], maxlen=_AVERAGED)
        self.progress = Progress(*columns)
        self._interactions = self.progress.add_task(
            "interactions", total=config.interactions, completed=len(history), beside=""
        )
        done = updates[-1]["step"] if updates else 0
        self._steps = self.progress.add_task(
            "training steps", total=config.steps_planned, completed=done, beside="nothing learned yet"
        )
        self._shares = _SHARES[config.primitive]
        self._pushes: TaskID | None = None
        self._start: float | None = None
        self._made = 0

    def watched(self, done: int, total: int, masks: int) -> None:
        """Show pushes that were watched."""
        if self._pushes is None:
            self._pushes = self.progress.add_task("pushes watched", total=total, beside="")
        self.progress.update(self._pushes, completed=done, beside=f"masks {masks}")

    def interacted(self, line: HistoryLine, deaths: int) -> None:
        """Show counts, shares over the last fifty interactions, and the rate of acting and learning."""
        self._recent.append(line)
        self._start = self._start or time.monotonic()
        rate = self._made / max(time.monotonic() - self._start, 1e-9)
        self._made += 1
        share = {name: sum(getattr(one, name) for one in self._recent) / len(self._recent) for name in self._shares}
        beside = "  ".join(f"{name} {value:.0%}" for name, value in share.items())
        beside += f"  {rate:.2f}/s" if self._made > 1 else ""
        beside += f"  replaced processes {deaths}" if deaths else ""
        self.progress.update(self._interactions, completed=line.number, beside=beside)

    def stepped(self, step: int, planned: int) -> None:
        """Show a training step."""
        self.progress.update(self._steps, completed=step, total=planned)

    def updated(self, update: Update) -> None:
        """Show losses, and the number of masks."""
        beside = f"score loss {update.score_loss:.3f}  mask IoU {update.mask_iou:.2f}  masks {update.objects}"
        self.progress.update(self._steps, completed=update.step, beside=beside)

    def evaluated(self, document: dict[str, Any]) -> None:
        """Print a line that stays."""
        figures = "  ".join(f"{ap:.1f} at {iou}" for iou, ap in document["ap"].items())
        self.progress.console.print(
            f"after {document['interactions']} interactions, {document['seconds']:.0f} s: AP {figures} "
            f"({document['set']}, {document['pictures']} pictures)",
            highlight=False,
            soft_wrap=True,
        )


class Curves:
    """Curves of a run in TensorBoard, over the number of interactions.

    A session starts after `first` interactions; later points of an earlier session are removed.
    """

    def __init__(self, folder: RunFolder, first: int) -> None:
        self._board = SummaryWriter(str(folder.path / "tensorboard"), purge_step=first + 1)
        self._means: dict[str, float] = {}

    def interacted(self, line: HistoryLine) -> None:
        """Add running shares of moved objects, grasps and hypotheses."""
        shares = {"moved": line.moved, "grasped": line.grasped, "hypothesis": line.policy == "hypothesis"}
        for name, value in shares.items():
            before = self._means.get(name, float(value))
            self._means[name] = before + (value - before) / _SMOOTHED
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
