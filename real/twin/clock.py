"""Simulated time: sleeping moves the twin on, and takes no longer than the simulation does."""

from __future__ import annotations

from collections.abc import Callable

from tabletop_interaction.real.twin.robot import TwinRobot


class TwinClock:
    """The twin's clock.

    Args:
        robot: whose time it is.
        after_sleep: called whenever time has passed.
    """

    def __init__(self, robot: TwinRobot, after_sleep: Callable[[], None]) -> None:
        self._robot = robot
        self._after_sleep = after_sleep

    def now(self) -> float:
        """Simulated seconds."""
        return self._robot.time_s

    def sleep(self, seconds: float) -> None:
        """Simulate that much time."""
        if seconds > 0:
            self._robot.advance(seconds)
            self._after_sleep()
