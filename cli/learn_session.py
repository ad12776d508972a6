"""A session of `tabletop learn`: the run's parts put together, its progress as bars, its evaluations as lines above."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from tabletop_interaction.agents.learning.actor import check_environment, open_actor
from tabletop_interaction.agents.learning.config import LearningConfig
from tabletop_interaction.agents.learning.learner import Update, first_network, open_learner, watched
from tabletop_interaction.agents.learning.loop import NewestNetwork, OneProcess, Workers, learn
from tabletop_interaction.agents.learning.ray_workers import open_ray_workers
from tabletop_interaction.agents.learning.run_folder import (
    HistoryLine,
    RunFolder,
    began_at,
    check_run,
    lock_run,
    open_run,
    read_history,
)
from tabletop_interaction.benchmarks.segmentation.during_learning import Evaluations, HeldOutPictures, open_held_out
from tabletop_interaction.cli.backends import Terminal
from tabletop_interaction.envs import Backend
from tabletop_interaction.json_lines import read_lines
from tabletop_interaction.reports import learning_page
from tabletop_interaction.reports.learning_run import read_learning_run
from tabletop_interaction.reports.tensorboard_curves import Curves
from tabletop_interaction.segmentation.config import Device

__all__ = ["Acting", "check", "learn_with_display", "open_held_out", "opened_run", "summary", "write_report"]

_AVERAGED = 50
_SHARES = ("moved", "grasped")


@dataclass(frozen=True)
class Acting:
    """Where a session acts and learns.

    Attributes:
        backend: what moves things, open or by name.
        workers: actors in processes of their own; 0 acts and learns in turn in this process.
        address: of a Ray cluster.
        device: of the training.
    """

    backend: str | Backend
    workers: int
    address: str | None
    device: Device


def check(out: Path, config: LearningConfig, *, resume: bool, is_robot: bool) -> None:
    """Find what is wrong before anything is written; errors as `check_run`, `first_network` and `check_environment`."""
    check_run(out, config, resume=resume)
    first_network(config)
    if not is_robot:
        # A robot is opened for the whole run instead, before anything is written.
        check_environment(config)


@contextmanager
def opened_run(out: Path, config: LearningConfig, others: Mapping[str, Any]) -> Iterator[RunFolder]:
    """The run's folder, locked in this block."""
    with lock_run(out):
        yield open_run(out, config, others)


def learn_with_display(
    config: LearningConfig,
    folder: RunFolder,
    acting: Acting,
    held_out: HeldOutPictures,
    evaluate_every: int,
    terminal: Terminal,
) -> None:
    """Learn, or resume, with bars, TensorBoard's curves and an evaluation every `evaluate_every` interactions."""
    began, first = began_at(folder), len(read_history(folder))
    evaluations = Evaluations(folder, held_out, evaluate_every, config.interactions)
    curves, display = Curves(folder, first), _Display(config, folder)
    with terminal.showing(display.progress):
        try:
            watched(config, folder, display.watched, acting.backend)
            with _opened_workers(config, folder, display, began, acting) as workers:
                learn(config, folder, workers, _Callback(display, curves, evaluations, workers), began)
        finally:
            curves.close()


def write_report(folder: RunFolder) -> tuple[list[Any], Path]:
    """Write the run's page; its most important figures, and where it is."""
    report = learning_page.write_report(folder.path)
    return list(learning_page.essentials(read_learning_run(folder.path))), report


def summary(folder: RunFolder) -> str:
    """One line about what was learned."""
    interactions = len(read_history(folder))
    if not folder.model.exists():
        return f"nothing was grasped in {interactions} interactions, so nothing was learned; try --pushes 100, or more"
    return f"{folder.model} learned from {interactions} interactions"


@contextmanager
def _opened_workers(
    config: LearningConfig, folder: RunFolder, display: _Display, began: float, acting: Acting
) -> Iterator[Workers]:
    if acting.workers:
        with open_ray_workers(
            config, folder, acting.workers, began, address=acting.address, device=acting.device
        ) as workers:
            yield workers
        return
    learner = open_learner(config, folder, acting.device, acting.backend)
    with open_actor(config, folder, len(read_history(folder)), backend=acting.backend) as actor:
        yield OneProcess(config, actor, learner, began, display.stepped)


class _Display:
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
        history, updates = read_history(folder), read_lines(folder.updates)
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


class _Callback:
    """Passes what happens on to the display, to TensorBoard and to the evaluations."""

    def __init__(self, display: _Display, curves: Curves, evaluations: Evaluations, workers: Workers) -> None:
        self._display = display
        self._curves = curves
        self._evaluations = evaluations
        self._workers = workers

    def interacted(self, line: HistoryLine) -> None:
        """Show an interaction."""
        self._display.interacted(line, int(getattr(self._workers, "deaths", 0)))
        self._curves.interacted(line)

    def updated(self, update: Update, network: NewestNetwork) -> None:
        """Show an update of the network, and evaluate the network when it is time."""
        self._display.updated(update)
        self._curves.updated(update)
        if (document := self._evaluations.updated(update, network)) is not None:
            self._curves.evaluated(document)
            self._display.evaluated(document)
