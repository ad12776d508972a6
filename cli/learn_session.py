"""A session of `tabletop learn`: the parts of the run, connected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
from tabletop_interaction.reports import learning_page
from tabletop_interaction.reports.learning_display import LearningDisplay
from tabletop_interaction.reports.learning_run import read_learning_run
from tabletop_interaction.reports.tensorboard_curves import Curves
from tabletop_interaction.segmentation.config import Device

__all__ = ["Acting", "check", "learn_with_display", "open_held_out", "opened_run", "summary", "write_report"]


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
    curves, display = Curves(folder, first), LearningDisplay(config, folder)
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
    config: LearningConfig, folder: RunFolder, display: LearningDisplay, began: float, acting: Acting
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


class _Callback:
    """Passes what happens on to the display, to TensorBoard and to the evaluations."""

    def __init__(self, display: LearningDisplay, curves: Curves, evaluations: Evaluations, workers: Workers) -> None:
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
