"""What the commands that act share: which backend is asked for, checked before anything is written, and opened with a
person at the terminal beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import tyro
from rich.progress import Progress

from tabletop_interaction.envs import Backend
from tabletop_interaction.errors import InvalidConfiguration, RobotFault

BackendName = Annotated[str, tyro.conf.arg(metavar="simulation|sawyer")]

SAWYER = "sawyer"
_BACKENDS = ("simulation", SAWYER)


def check_backend(backend: str, config: Path | None, workers: int = 0) -> None:
    """Whether there is such a backend, the options go together, and the lab file can be read.

    Raises:
        InvalidConfiguration: one of these is not so.
    """
    if backend not in _BACKENDS:
        raise InvalidConfiguration(f"unknown backend {backend!r}; accepted are {' and '.join(_BACKENDS)}")
    if backend != SAWYER:
        if config is not None:
            raise InvalidConfiguration(
                f"--config {config} came with --backend {backend}; it names a robot's lab file, for --backend sawyer"
            )
        return
    if config is None:
        raise InvalidConfiguration(
            "--backend sawyer came without --config; name the lab file that `tabletop calibrate start` begins, or the "
            "word twin for a simulated robot"
        )
    if workers > 0:
        raise InvalidConfiguration(
            f"--workers {workers} came with --backend sawyer; there is one arm, and it acts in this process: use "
            "--workers 0"
        )
    # Neither ROS nor cameras are asked for before somebody wants a robot.
    from tabletop_interaction.real.opening import lab_of

    lab_of(config)


def config_kept(config: Path | None) -> str | None:
    """How a lab file is named in a run's settings: by its whole path, the twin's by its word."""
    if config is None or config == Path("twin"):
        return None if config is None else "twin"
    return str(config.resolve())


class Terminal:
    """Where a person is asked; a live display there makes way for the question."""

    def __init__(self) -> None:
        self._display: Progress | None = None

    @contextmanager
    def showing(self, display: Progress) -> Iterator[Progress]:
        """Show a display in this block."""
        self._display = display
        try:
            with display:
                yield display
        finally:
            self._display = None

    def ask(self, question: str) -> str:
        """The answer to a question, typed after it was put. Raises EOFError where nobody can answer."""
        from tabletop_interaction.real.operator import ask_afresh

        if self._display is None:
            return ask_afresh(question)
        self._display.stop()
        try:
            return ask_afresh(question)
        finally:
            self._display.start()


@contextmanager
def opened_backend(
    backend: str, config: Path | None, split: str, terminal: Terminal, scene: str = "other objects than before"
) -> Iterator[str | Backend]:
    """The open Sawyer, with an operator at the terminal; any other backend by its name, for whoever opens it.

    Args:
        backend, config: as `check_backend` has accepted them.
        split: what a simulation or a twin draws.
        terminal: where the operator is asked.
        scene: what the operator is asked to lay.

    Raises:
        InvalidConfiguration, CameraFault, RobotUnavailable, RobotFault: as `open_sawyer`; nothing stays open.
        RobotFault: whatever ended the block, with what to do next.
    """
    if backend != SAWYER:
        yield backend
        return
    from tabletop_interaction.real import open_sawyer
    from tabletop_interaction.real.operator import AtConsole

    with open_sawyer(split, config, AtConsole(ask=terminal.ask, scene=scene)) as sawyer:
        try:
            yield sawyer
        except RobotFault as fault:
            raise RobotFault(
                f"{fault}. Everything that was finished is on disk; once the robot is well (`tabletop doctor --config "
                f"{config}`), the same command goes on"
            ) from fault
