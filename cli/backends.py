"""Options of the commands that act: the backend, checked before anything is written and opened with an operator."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro

from tabletop_interaction.cli.arguments import UNSET
from tabletop_interaction.cli.refused import refuse_ignored
from tabletop_interaction.cli.simulations import SimulationOptions
from tabletop_interaction.envs import Backend
from tabletop_interaction.envs.backend import Primitive
from tabletop_interaction.envs.records.picture_format import PictureFormat
from tabletop_interaction.errors import InvalidConfiguration, RobotFault
from tabletop_interaction.progress import ProgressDisplay

_BACKENDS = ("simulation", "sawyer")
_TWIN = Path("twin")


class Terminal:
    """The terminal at which a person answers; a live display makes way for the question."""

    def __init__(self) -> None:
        self._display: ProgressDisplay | None = None

    @contextmanager
    def showing(self, display: ProgressDisplay) -> Iterator[ProgressDisplay]:
        """Show a display in this block."""
        self._display = display
        try:
            with display:
                yield display
        finally:
            self._display = None

    def ask(self, question: str) -> str:
        """The answer that is typed after the question. Raises EOFError where nobody can answer."""
        from tabletop_interaction.real.operator import ask_at_terminal

        if self._display is None:
            return ask_at_terminal(question)
        with self._display.hidden():
            return ask_at_terminal(question)


@dataclass(frozen=True)
class BackendOptions:
    """The simulation or the robot that acts."""

    backend: Annotated[str, tyro.conf.arg(metavar="simulation|sawyer")] = "simulation"
    """Backend that acts: the simulation, or a Sawyer robot."""
    config: Annotated[Path | None, UNSET] = None
    """Lab file of the robot, for --backend sawyer; twin: the robot's own code with a simulated arm."""
    simulation: SimulationOptions = field(default_factory=SimulationOptions)

    @property
    def is_robot(self) -> bool:
        """Whether a Sawyer, or its twin, acts."""
        return self.backend == "sawyer"

    def settings(self) -> str | dict[str, Any] | None:
        """The `config` of the backend as a run's settings name it.

        A lab file is named by its absolute path, the twin's by its word. Raises as `SimulationOptions.settings`.
        """
        if not self.is_robot:
            return self.simulation.settings()
        return None if self.config is None else "twin" if self.config == _TWIN else str(self.config.resolve())

    def check(self, workers: int = 0) -> None:
        """Check that the backend exists, that the options go together, and that the files they name can be read.

        Raises:
            InvalidConfiguration: one of these is not so.
        """
        if self.backend not in _BACKENDS:
            raise InvalidConfiguration(f"unknown backend {self.backend!r}; accepted are {' and '.join(_BACKENDS)}")
        if not self.is_robot:
            if self.config is not None:
                raise InvalidConfiguration(
                    f"--config {self.config} came with --backend {self.backend}; it names a robot's lab file, for "
                    "--backend sawyer"
                )
            self.simulation.prepare()
            return
        refuse_ignored(self.simulation, "with --backend sawyer", *self.simulation.given)
        if self.config is None:
            raise InvalidConfiguration(
                "--backend sawyer came without --config; name the lab file that `tabletop calibrate start` begins, or "
                "the word twin for a simulated robot"
            )
        if workers > 0:
            raise InvalidConfiguration(
                f"--workers {workers} came with --backend sawyer; there is one arm, and it acts in this process: use "
                "--workers 0"
            )
        from tabletop_interaction.real.opening import lab_of

        lab_of(self.config)

    def view_pixels(self, backend: str | Backend) -> int:
        """Pixels of all views together, of the backend that `opened` gives."""
        if isinstance(backend, str):
            from tabletop_interaction.simulation.cameras import views_of
            from tabletop_interaction.simulation.scene import config_from_plain

            config = config_from_plain(self.simulation.settings() or {})
            views = views_of(config.views, config.picture_size)
        else:
            views = backend.views
        return sum(view.height * view.width for view in views)

    def interaction_bytes(self, backend: str | Backend, primitive: Primitive, pictures: PictureFormat) -> float:
        """Bytes that the pictures of a recorded interaction take on disk, estimated."""
        moments = 3 if primitive == "pick" else 2
        return pictures.bytes_per_pixel * moments * self.view_pixels(backend)

    def check_truth(self, option: str) -> None:
        """Check that the backend has ground truth, which an option needs; comes after `check`.

        Raises:
            InvalidConfiguration: a robot acts.
        """
        if not self.is_robot:
            return
        from tabletop_interaction.real.opening import lab_of

        if lab_of(self.config).driver != "twin":
            raise InvalidConfiguration(
                f"{option} came with --backend sawyer, but a robot has no ground truth; leave it out, or use the "
                "simulation or the twin"
            )

    @contextmanager
    def opened(
        self, split: str, terminal: Terminal, scene: str = "other objects than before"
    ) -> Iterator[str | Backend]:
        """The open Sawyer, with an operator at the terminal; any other backend by its name, to be opened later.

        Args:
            scene: what the operator is asked to lay on the table.

        Raises:
            InvalidConfiguration: a simulation's split has too few objects.
            InvalidConfiguration, CameraFault, RobotUnavailable, RobotFault: as `open_sawyer`; nothing stays open.
            RobotFault: the fault that ended the block, with what to do next.
        """
        if not self.is_robot:
            self.simulation.check(split)
            yield self.backend
            return
        from tabletop_interaction.real import open_sawyer
        from tabletop_interaction.real.operator import AtConsole

        with open_sawyer(split, self.config, AtConsole(ask=terminal.ask, scene=scene)) as sawyer:
            try:
                yield sawyer
            except RobotFault as fault:
                raise RobotFault(
                    f"{fault}. Every finished interaction is on disk; when `tabletop doctor "
                    f"--config {self.config}` finds no fault, repeat the command to resume"
                ) from fault


World = Annotated[BackendOptions, tyro.conf.arg(name="backend")]
"""`BackendOptions` as part of a command, under a heading of their own in its help."""
