"""A learning run's progress at the terminal: bars of interactions and training steps, evaluations as lines above."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from tabletop_interaction.agents.learning.config import LearningConfig
from tabletop_interaction.agents.learning.learner import Update
from tabletop_interaction.agents.learning.run_folder import HistoryLine, RunFolder, read_history
from tabletop_interaction.files import read_json_lines

_AVERAGED = 50
_SHARES = ("moved", "grasped")


class LearningDisplay:
    """Bars of interactions and of training steps.

    Args:
        config: of the run.
        folder: of the run, for what it holds already.

    Attributes:
        progress: the bars.
    """

    def __init__(self, config: LearningConfig, folder: RunFolder) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[beside]}"),
        )
        history, updates = read_history(folder), read_json_lines(folder.updates)
        self._recent: deque[HistoryLine] = deque(history[-_AVERAGED:], maxlen=_AVERAGED)
        self.progress = Progress(*columns)
        self._interactions = self.progress.add_task(
            "interactions", total=config.interactions, completed=len(history), beside=""
        )
        done = updates[-1]["step"] if updates else 0
        self._steps = self.progress.add_task(
            "training steps", total=config.steps_planned, completed=done, beside="nothing learned yet"
        )
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
        share = {name: sum(getattr(one, name) for one in self._recent) / len(self._recent) for name in _SHARES}
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
