"""The twin's cameras: the simulated table as the backend's cameras would show it, the arm being out of view."""

from __future__ import annotations

import time

from tabletop_interaction.envs.backend import Pictures
from tabletop_interaction.errors import CameraFault
from tabletop_interaction.real.cameras.frames import Frame
from tabletop_interaction.real.twin.clock import TwinClock
from tabletop_interaction.real.twin.robot import TwinRobot
from tabletop_interaction.simulation import SimulationBackend

_FRAME_S = 0.2


class TwinShutter:
    """Takes the pictures of all views at once, when the first of them is asked for a newer one.

    Args:
        table: what is seen.
        robot: its faults unplug cameras.
        clock: goes on from picture to picture.
    """

    def __init__(self, table: SimulationBackend, robot: TwinRobot, clock: TwinClock) -> None:
        self._table = table
        self._robot = robot
        self._clock = clock
        self._pictures: Pictures = {}
        self._stamp = -1.0

    def frame(self, view: str, newer_than: float) -> Frame:
        """A picture taken after `newer_than`, `time.monotonic()` seconds."""
        if self._stamp <= newer_than:
            self._clock.sleep(_FRAME_S)
            self._pictures, self._stamp = self._table.observe(), time.monotonic()
        return Frame(self._pictures[view], self._stamp)

    def is_unplugged(self, view: str) -> bool:
        """Whether that camera's cable was pulled."""
        return view in self._robot.faults.unplugged_views


class TwinCamera:
    """One of the cameras, see `Camera`.

    Args:
        name: the view's.
        shutter: the one that all cameras share.
    """

    def __init__(self, name: str, shutter: TwinShutter) -> None:
        self.name = name
        self._shutter = shutter

    def read(self, newer_than: float, timeout_s: float) -> Frame:
        """As `Camera.read`, at once.

        Raises:
            CameraFault: it is unplugged.
        """
        if self._shutter.is_unplugged(self.name):
            raise CameraFault(
                f"camera {self.name} gave no new picture within {timeout_s:.1f} s; check its cable", recoverable=True
            )
        return self._shutter.frame(self.name, newer_than)

    def close(self) -> None:
        """There is nothing to release."""
