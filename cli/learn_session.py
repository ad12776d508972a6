"""A session of `tabletop learn`: the parts of the run, connected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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
from tabletop_interaction.cli.options import LearnSession
from tabletop_interaction.envs import Backend
from tabletop_interaction.reports import learning_page
from tabletop_interaction.reports.learning_display import Curves, LearningDisplay
from tabletop_interaction.reports.learning_run import read_learning_run

__all__ = ["check", "learn_with_display", "open_held_out", "opened_run", "summary", "write_report"]


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
    asked: LearnSession,
    config: LearningConfig,
    folder: RunFolder,
    backend: str | Backend,
    held_out: HeldOutPictures,
    terminal: Terminal,
) -> None:
    """Learn, or resume, with bars, TensorBoard's curves and evaluations.

    Args:
        asked: options of the session.
        config: of the run.
        folder: of the run.
        backend: what moves things, open or by name.
        held_out: pictures of the evaluations.
        terminal: where the bars are.
    """
    began, first = began_at(folder), len(read_history(folder))
    evaluations = Evaluations(folder, held_out, asked.evaluate_every, config.interactions)
    curves, display = Curves(folder, first), LearningDisplay(config, folder)
    with terminal.showing(display.progress):
        try:
            watched(config, folder, display.watched, backend)
            with _opened_workers(asked, config, folder, display, began, backend) as workers:
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
    asked: LearnSession,
    config: LearningConfig,
    folder: RunFolder,
    display: LearningDisplay,
    began: float,
    backend: str | Backend,
) -> Iterator[Workers]:
    if asked.workers:
        with open_ray_workers(
            config, folder, asked.workers, began, address=asked.address, device=asked.device
        ) as workers:
            yield workers
        return
    learner = open_learner(config, folder, asked.device, backend)
    with open_actor(config, folder, len(read_history(folder)), backend=backend) as actor:
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
