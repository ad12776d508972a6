"""What `tabletop learn` shows while it runs: interactions and steps as bars, evaluations as lines above them."""

from __future__ import annotations

import time
from collections import deque
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from tabletop_interaction.agents.learning.config import LearningConfig
from tabletop_interaction.agents.learning.learner import Update
from tabletop_interaction.agents.learning.loop import Crew, NewestNetwork
from tabletop_interaction.agents.learning.run_folder import HistoryLine, RunFolder, read_history
from tabletop_interaction.benchmarks.segmentation.during_learning import Evaluations
from tabletop_interaction.cli.backends import Terminal
from tabletop_interaction.json_lines import read_lines
from tabletop_interaction.reports.tensorboard_curves import Curves

_WINDOW = 50


class Display(AbstractContextManager["Display"]):
    """Bars of interactions and of training steps.

    Args:
        config: of the run.
        folder: of the run, for what it holds already.
        terminal: where it is shown.
    """

    def __init__(self, config: LearningConfig, folder: RunFolder, terminal: Terminal) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[beside]}"),
        )
        history, updates = read_history(folder), read_lines(folder.updates)
        self._recent: deque[HistoryLine] = deque(history[-_WINDOW:], maxlen=_WINDOW)
        self._progress = Progress(*columns)
        self._shown = terminal.showing(self._progress)
        self._interactions = self._progress.add_task(
            "interactions", total=config.interactions, completed=len(history), beside=""
        )
        done = updates[-1]["step"] if updates else 0
        self._steps = self._progress.add_task(
            "training steps", total=config.steps_planned, completed=done, beside="nothing learned yet"
        )
        self._pushes: TaskID | None = None
        self._start: float | None = None
        self._made = 0

    def watched(self, done: int, total: int, masks: int) -> None:
        """Pushes were watched."""
        if self._pushes is None:
            self._pushes = self._progress.add_task("pushes watched", total=total, beside="")
        self._progress.update(self._pushes, completed=done, beside=f"masks {masks}")

    def interacted(self, line: HistoryLine, deaths: int) -> None:
        """Counts, shares over the last fifty, and the rate while acting and learning."""
        self._recent.append(line)
        self._start = self._start or time.monotonic()
        rate = self._made / max(time.monotonic() - self._start, 1e-9)
        self._made += 1
        share = {name: sum(getattr(one, name) for one in self._recent) / len(self._recent) for name in _SHARES}
        beside = "  ".join(f"{name} {value:.0%}" for name, value in share.items())
        beside += f"  {rate:.2f}/s" if self._made > 1 else ""
        beside += f"  replaced processes {deaths}" if deaths else ""
        self._progress.update(self._interactions, completed=line.number, beside=beside)

    def stepped(self, step: int, planned: int) -> None:
        """A training step was made."""
        self._progress.update(self._steps, completed=step, total=planned)

    def updated(self, update: Update) -> None:
        """Losses, and how many masks there are."""
        beside = f"score loss {update.score_loss:.3f}  mask IoU {update.mask_iou:.2f}  masks {update.objects}"
        self._progress.update(self._steps, completed=update.step, beside=beside)

    def evaluated(self, document: dict[str, Any]) -> None:
        """A line that stays."""
        figures = "  ".join(f"{ap:.1f} at {iou}" for iou, ap in document["ap"].items())
        self._progress.console.print(
            f"after {document['interactions']} interactions, {document['seconds']:.0f} s: AP {figures} "
            f"({document['set']}, {document['pictures']} pictures)",
            highlight=False,
            soft_wrap=True,
        )

    def __enter__(self) -> Display:
        self._shown.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._shown.__exit__(kind, error, trace)


class LearnWatcher:
    """Hands on what happens to the display, to TensorBoard and to the evaluations."""

    def __init__(self, display: Display, curves: Curves, evaluations: Evaluations, crew: Crew) -> None:
        self._display = display
        self._curves = curves
        self._evaluations = evaluations
        self._crew = crew

    def interacted(self, line: HistoryLine) -> None:
        """An interaction was made."""
        self._display.interacted(line, int(getattr(self._crew, "deaths", 0)))
        self._curves.interacted(line)

    def updated(self, update: Update, network: NewestNetwork) -> None:
        """The network was updated: evaluate it when it is time."""
        self._display.updated(update)
        self._curves.updated(update)
        if (document := self._evaluations.updated(update, network)) is not None:
            self._curves.evaluated(document)
            self._display.evaluated(document)


_SHARES = ("moved", "grasped")
