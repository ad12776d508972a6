"""The twin's table: its cameras, which show the simulated table without the arm, and its operator."""

import time
from dataclasses import dataclass, field

import numpy as np

from tabletop_interaction.envs.backend import Pictures
from tabletop_interaction.errors import CameraFault, GripperNotReady, RobotFault
from tabletop_interaction.real.cameras.frames import Frame
from tabletop_interaction.real.twin.robot import TwinClock, TwinRobot
from tabletop_interaction.simulation import SimulationBackend

_FRAME_S = 0.2


@dataclass(eq=False)
class TwinShutter:
    """Takes the pictures of all views together when the first view needs a newer one."""

    table: SimulationBackend
    robot: TwinRobot
    clock: TwinClock
    _pictures: Pictures = field(default_factory=dict)
    _stamp: float = -1.0

    def read(self, view: str, newer_than: float, timeout_s: float) -> Frame:
        """See `Camera.read`; returns at once, or raises CameraFault if the camera is unplugged."""
        self.check(view, timeout_s)
        if self._stamp <= newer_than:
            self.clock.sleep(_FRAME_S)
            self._pictures, self._stamp = self.table.observe(), time.monotonic()
        return Frame(self._pictures[view], self._stamp)

    def check(self, view: str, timeout_s: float) -> None:
        """Raise CameraFault if the camera is unplugged."""
        if view in self.robot.faults.unplugged_views:
            raise CameraFault(
                f"camera {view} gave no new picture within {timeout_s:.1f} s; check its cable", recoverable=True
            )


@dataclass(frozen=True, eq=False)
class TwinCamera:
    """The camera of the view `name`, see `Camera`; all cameras share the shutter."""

    name: str
    shutter: TwinShutter

    def read(self, newer_than: float, timeout_s: float) -> Frame:
        """See `Camera.read`; returns at once."""
        return self.shutter.read(self.name, newer_than, timeout_s)

    def check(self, max_age_s: float, timeout_s: float) -> None:
        """Raise CameraFault if the camera is unplugged."""
        self.shutter.check(self.name, timeout_s)

    def close(self) -> None:
        """There is nothing to release."""


@dataclass(eq=False)
class TwinOperator:
    """See `Operator`: lays the scenes that the simulation draws from the same random generator."""

    table: SimulationBackend
    robot: TwinRobot

    @property
    def background(self) -> str:
        """Name of the table's present surface."""
        return self.table.background

    def lay_table(self, rng: np.random.Generator) -> None:
        """Draw a scene and lay it."""
        self.table.reset(rng, new_scene=True)
        self.robot.settle()

    def bring_back(self, rng: np.random.Generator) -> int:
        """Put back the objects that left the arena, at free places."""
        return self.table.reset(rng, new_scene=False)

    def may_continue(self, fault: RobotFault) -> bool:
        """No: nobody is there; the arm waits for `SawyerBackend.acknowledge`."""
        return False

    def may_calibrate(self, error: GripperNotReady) -> bool:
        """No: nobody is there."""
        return False
