"""A session of `tabletop learn`: connects actors, learner, display, curves and evaluations, then reports."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict
from functools import partial
from pathlib import Path

from tabletop_interaction.agents.learning.actor import check_environment
from tabletop_interaction.agents.learning.config import LearningConfig
from tabletop_interaction.agents.learning.learner import Update, first_network, watched
from tabletop_interaction.agents.learning.loop import NewestNetwork, Workers, learn, open_one_process
from tabletop_interaction.agents.learning.ray_workers import open_ray_workers
from tabletop_interaction.agents.learning.run_folder import (
    HistoryLine,
    RunFolder,
    check_run,
    lock_run,
    open_run,
    read_history,
)
from tabletop_interaction.benchmarks.segmentation.during_learning import (
    Evaluations,
    HeldOutPictures,
    choose_held_out,
    open_held_out,
)
from tabletop_interaction.benchmarks.segmentation.label_sets import ABOUT_TEST
from tabletop_interaction.cli.backends import BackendOptions, Terminal
from tabletop_interaction.cli.options import LearnSession
from tabletop_interaction.cli.progress import SPACE_REMEDY
from tabletop_interaction.cli.refused import refuse_ignored
from tabletop_interaction.disk_space import report_expected_space, report_needed_space, total_bytes
from tabletop_interaction.envs import Backend
from tabletop_interaction.envs.records.folder import written_bytes
from tabletop_interaction.reports import learning_page
from tabletop_interaction.reports.learning_display import Curves, LearningDisplay
from tabletop_interaction.reports.learning_run import read_learning_run


def run_session(
    out: Path, config: LearningConfig, asked: LearnSession, world: BackendOptions, sets_dir: Path, *, resume: bool
) -> None:
    """Check everything, learn or resume with a live display, write the report, and print its figures."""
    check_session(out, config, world, resume=resume)
    choice = choose_held_out(RunFolder(out), asked.set_name, asked.pictures)
    if choice.set_name == "test":
        print(ABOUT_TEST)
    terminal = Terminal()
    with world.opened(config.split, terminal) as backend:
        held_out = open_held_out(choice, sets_dir)
        with lock_run(out):
            folder = open_run(out, config, {"session": {**asdict(asked), **asdict(choice)}})
            _learn(asked, config, folder, backend, held_out, terminal, world)
            report = learning_page.write_report(folder.path)
            figures = learning_page.essentials(read_learning_run(folder.path))
    for figure in figures:
        print(f"{figure.name}: {figure.value} ({figure.note})")
    interactions = len(read_history(folder))
    if folder.model.exists():
        result = f"{folder.model} learned from {interactions} interactions"
    else:
        done = "grasped" if config.primitive == "pick" else "moved"
        result = (
            f"no object was {done} in {interactions} interactions, so there is no network; give a new --out with more "
            "--interactions, or with --pushes 100"
        )
    print(f"{result}; report: {report}")


def check_session(out: Path, config: LearningConfig, world: BackendOptions, *, resume: bool = False) -> None:
    """Find what is wrong before anything is written; errors as of the functions that are called."""
    if not check_run(out, config, resume=resume) and config.policy == "random":
        # Runs of earlier versions may have such settings, and resume only with the same.
        refuse_ignored(config, "with --policy random", "choice", "random_share", "follow_share")
    if config.pictures.picture_format == "png":
        refuse_ignored(config.pictures, "with --picture-format png", "jpeg_step")
    first_network(config)
    if not world.is_robot:
        # A robot is opened for the whole run instead, before anything is written.
        check_environment(config)


def _learn(
    asked: LearnSession,
    config: LearningConfig,
    folder: RunFolder,
    backend: str | Backend,
    held_out: HeldOutPictures,
    terminal: Terminal,
    world: BackendOptions,
) -> None:
    """Learn, or resume, with bars, TensorBoard's curves and evaluations."""
    evaluations = Evaluations(folder, held_out, asked.evaluate_every, config.interactions)
    curves, display = Curves(folder, len(read_history(folder))), LearningDisplay(config, folder)
    space = partial(_report_space, folder, config.interactions)
    with terminal.showing(display.progress):
        try:
            watched(config, folder, display.watched, backend)
            if not read_history(folder):
                recorded = world.interaction_bytes(backend, config.primitive, config.pictures)
                each = recorded + 3 * world.view_pixels(backend)
                report_expected_space("interactions", each, config.interactions, folder.path, SPACE_REMEDY)
            with _opened_workers(asked, config, folder, display, backend) as workers:
                learn(config, folder, workers, _Callback(display, curves, evaluations, workers, space))
        finally:
            curves.close()


def _report_space(folder: RunFolder, total: int, done: int) -> None:
    """Report what the interactions and their decoded pictures need on disk."""
    written = written_bytes(folder.records) + total_bytes([folder.pictures])
    report_needed_space("interactions", written, done, total, folder.path, SPACE_REMEDY)


def _opened_workers(
    asked: LearnSession, config: LearningConfig, folder: RunFolder, display: LearningDisplay, backend: str | Backend
) -> AbstractContextManager[Workers]:
    if asked.workers:
        return open_ray_workers(config, folder, asked.workers, address=asked.address, device=asked.device)
    return open_one_process(config, folder, backend=backend, device=asked.device, on_step=display.stepped)


class _Callback:
    """Passes what happens on to the display, to TensorBoard and to the evaluations."""

    def __init__(
        self,
        display: LearningDisplay,
        curves: Curves,
        evaluations: Evaluations,
        workers: Workers,
        report_space: Callable[[int], None],
    ) -> None:
        self._display = display
        self._curves = curves
        self._evaluations = evaluations
        self._workers = workers
        self._report_space: Callable[[int], None] | None = report_space

    def interacted(self, line: HistoryLine) -> None:
        self._display.interacted(line, self._workers.deaths)
        self._curves.interacted(line)

    def updated(self, update: Update, network: NewestNetwork) -> None:
        """Show an update; at the first one with interactions, report the disk space that the run will need."""
        if self._report_space is not None and update.interactions:
            self._report_space(update.interactions)
            self._report_space = None
        self._display.updated(update)
        self._curves.updated(update)
        if (document := self._evaluations.updated(update, network)) is not None:
            self._curves.evaluated(document)
            self._display.evaluated(document)
