"""A learning run's progress: interactions, steps and evaluations on the console, and curves in TensorBoard."""

from collections import deque
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from torch.utils.tensorboard import SummaryWriter

from tabletop_interaction.agents.learning.config import LearningConfig
from tabletop_interaction.agents.learning.learner import Update
from tabletop_interaction.agents.learning.run_folder import HistoryLine, RunFolder, read_history, read_updates
from tabletop_interaction.envs.backend import Primitive
from tabletop_interaction.files import disk_full_named
from tabletop_interaction.progress import ProgressDisplay

_AVERAGED = 50
_SHARES: Mapping[Primitive, tuple[str, ...]] = {"pick": ("moved", "grasped"), "push": ("moved",)}
_SMOOTHED = 25
_UPDATE_CURVES = ("score_loss", "mask_loss", "mask_iou", "learning_rate", "objects", "background")


class LearningDisplay:
    """Shows a run's interactions and training steps in `progress`; they start from what the run's folder holds."""

    def __init__(self, config: LearningConfig, folder: RunFolder) -> None:
        history, updates = read_history(folder), read_updates(folder)
        self.progress = ProgressDisplay()
        self._recent: deque[HistoryLine] = deque(history[-_AVERAGED:], maxlen=_AVERAGED)
        self._shares = _SHARES[config.primitive]
        self._interactions, self._steps = config.interactions, config.steps_planned
        self.progress.show("interactions", len(history), self._interactions)
        done = updates[-1]["step"] if updates else 0
        self.progress.show("training steps", done, self._steps, "no network yet")

    def watched(self, done: int, total: int, masks: int) -> None:
        """Show pushes that were recorded and segmented."""
        self.progress.show("pushes", done, total, f"masks {masks}")

    def interacted(self, line: HistoryLine, deaths: int) -> None:
        """Show the number of interactions, and shares of the last fifty."""
        self._recent.append(line)
        share = {name: sum(getattr(one, name) for one in self._recent) / len(self._recent) for name in self._shares}
        note = "  ".join(f"{name} {value:.0%}" for name, value in share.items())
        note += f"  replaced processes {deaths}" if deaths else ""
        self.progress.show("interactions", line.number, self._interactions, note)

    def stepped(self, step: int, planned: int) -> None:
        """Show a training step."""
        self.progress.show("training steps", step, planned)

    def updated(self, update: Update) -> None:
        """Show losses, and the number of masks."""
        note = f"masks {update.objects}  mask IoU {update.mask_iou:.2f}  score loss {update.score_loss:.3f}"
        self.progress.show("training steps", update.step, self._steps, note)

    def evaluated(self, document: dict[str, Any]) -> None:
        """Print a line that stays."""
        figures = "  ".join(f"{ap:.1f} at {iou}" for iou, ap in document["ap"].items())
        print(
            f"after {document['interactions']} interactions, {document['seconds']:.0f} s: AP {figures} "
            f"({document['set']}, {document['pictures']} pictures)",
            flush=True,
        )


class Curves:
    """Curves of a run in TensorBoard, over the number of interactions.

    A session starts after `first` interactions; later points of an earlier session are removed.
    """

    def __init__(self, folder: RunFolder, first: int) -> None:
        self._folder = folder.path / "tensorboard"
        self._means: dict[str, float] = {}
        with self._writing():
            self._board = SummaryWriter(str(self._folder), purge_step=first + 1)

    def interacted(self, line: HistoryLine) -> None:
        """Add running shares of moved objects, grasps and hypotheses."""
        shares = {"moved": line.moved, "grasped": line.grasped, "hypothesis": line.policy == "hypothesis"}
        for name, value in shares.items():
            before = self._means.get(name, float(value))
            self._means[name] = before + (value - before) / _SMOOTHED
            self._add(f"interactions/{name}", self._means[name], line.number)

    def updated(self, update: Update) -> None:
        """Add losses and numbers of examples."""
        for name in _UPDATE_CURVES:
            self._add(f"training/{name}", getattr(update, name), update.interactions)

    def evaluated(self, document: dict[str, Any]) -> None:
        """Add average precision and recall."""
        for iou, ap in document["ap"].items():
            self._add(f"evaluation/ap_{iou}", ap, document["interactions"])
        for iou, row in document["recall_at_precision"].items():
            for precision, recall in row.items():
                self._add(f"evaluation/recall_{iou}_at_{precision}", recall, document["interactions"])

    def close(self) -> None:
        """Write pending points."""
        with self._writing():
            self._board.close()

    def _add(self, name: str, value: float, at: int) -> None:
        with self._writing():
            self._board.add_scalar(name, value, at)

    def _writing(self) -> AbstractContextManager[None]:
        # TensorBoard writes in a thread; an error of the system comes with a later call, and without a file's name.
        return disk_full_named(self._folder, kept="the run resumes from its last state")
