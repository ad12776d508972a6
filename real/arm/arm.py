"""The arm with its gripper as one actor: it follows checked moves, and after any fault it waits for the operator.

A fault is remembered: until `acknowledge` every call raises it again, and nothing moves.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from tabletop_interaction.errors import RobotFault, UnreachableTarget
from tabletop_interaction.real.arm.clock import Clock
from tabletop_interaction.real.arm.driver import SawyerDriver
from tabletop_interaction.real.arm.faults import fault_of, halted
from tabletop_interaction.real.arm.gripping import close_fingers, grips, open_fingers
from tabletop_interaction.real.arm.motion import Outcome, ailment, follow
from tabletop_interaction.real.arm.moves import Moves
from tabletop_interaction.real.arm.settings import SawyerSettings

FloatArray = NDArray[np.float64]


class Arm:
    """Moves a Sawyer through whole, checked motions.

    Args:
        driver: the open connection.
        clock: the driver's.
        moves: plans for this table.
        settings: what stops the arm, and how it grips.
    """

    def __init__(self, driver: SawyerDriver, clock: Clock, moves: Moves, settings: SawyerSettings) -> None:
        self._driver = driver
        self.clock = clock
        self._settings = settings
        self._fault: RobotFault | None = None
        self._doing = ""
        self.moves = moves
        self.here = driver.state().positions
        """(7,) joint angles from which the next move starts: the last command, or where the arm was stopped."""
        self.stopped_at = time.monotonic()
        """When it last came to rest, `time.monotonic()` seconds: pictures newer than that show no motion."""

    def check(self) -> None:
        """Refuse to act while a fault is not acknowledged.

        Raises:
            RobotFault: the one that stopped the arm.
        """
        if self._fault is not None:
            raise RobotFault(str(self._fault), recoverable=False) from self._fault

    @contextmanager
    def acting(self, doing: str) -> Iterator[None]:
        """Move in this block. Whatever leaves it by an exception, Ctrl-C included, halts the arm for the operator.

        Args:
            doing: for messages, "picking".

        Raises:
            RobotFault: the arm is not fit to move, or was stopped.
        """
        self.check()
        self._doing = doing
        try:
            self._check_fit()
            yield
        except BaseException as error:
            self._halt(error)
            if isinstance(error, UnreachableTarget):
                assert self._fault is not None
                raise self._fault from error
            raise
        finally:
            self.stopped_at = time.monotonic()

    def follow(self, commands: FloatArray) -> None:
        """Go all the way.

        Raises:
            RobotFault: something stopped the arm.
        """
        outcome = self._follow(commands)
        if outcome is not Outcome.REACHED:
            raise fault_of(outcome, self._doing)

    def press(self, commands: FloatArray) -> bool:
        """Go all the way, or until the gripper presses on something.

        Returns:
            whether it went all the way.

        Raises:
            RobotFault: something else stopped the arm.
        """
        outcome = self._follow(commands)
        if outcome not in (Outcome.REACHED, Outcome.FORCE):
            raise fault_of(outcome, self._doing)
        return outcome is Outcome.REACHED

    def leave(self) -> None:
        """Rise straight to the travelling height and go out of every view, with what is gripped.

        Raises:
            RobotFault: something stopped the arm.
            UnreachableTarget: there is no safe way from where it is.
        """
        if self.moves.is_away(self.here):
            return
        self.follow(self.moves.up(self.here))
        self.follow(self.moves.away(self.here))

    def open(self) -> None:
        """Open the gripper.

        Raises:
            RobotFault: it does not open.
        """
        open_fingers(self._driver, self.clock, self._settings.safety, self._settings.gripper)

    def close(self) -> bool:
        """Close the gripper by the fixed amount; returns whether something is in between.

        Raises:
            RobotFault: it does not close.
        """
        return close_fingers(self._driver, self.clock, self._settings.safety, self._settings.gripper)

    def grips(self) -> bool:
        """Whether the gripper believes that it holds something."""
        return grips(self._driver.gripper(), self._settings.gripper)

    def is_away(self) -> bool:
        """Whether the arm is measured to be out of every view."""
        return self.moves.is_away(self._driver.state().positions)

    def needs_enabling(self) -> bool:
        """Whether its motors are off, or it stopped or reports an error."""
        state = self._driver.state()
        return state.stopped or state.error or not state.enabled

    def enable(self) -> None:
        """Clear a stop and enable the motors, because the operator says so.

        Raises:
            RobotFault: it cannot be enabled.
        """
        self._driver.enable()

    def acknowledge(self) -> None:
        """Go on after a fault, because the operator says so: leave the table, keeping what is gripped.

        Raises:
            RobotFault: the robot is not fit to move, or was stopped again.
        """
        self._fault = None
        self.here = self._driver.state().positions
        with self.acting("leaving after a fault"):
            self.leave()

    def _follow(self, commands: FloatArray) -> Outcome:
        settings = self._settings
        outcome = follow(self._driver, self.clock, commands, settings.safety, settings.motion)
        self.here = commands[-1] if outcome is Outcome.REACHED else self._driver.state().positions
        return outcome

    def _check_fit(self) -> None:
        state = self._driver.state()
        if (ill := ailment(state, self.clock.now(), self._settings.safety)) is not None:
            raise fault_of(ill, self._doing)
        # It may have been moved by hand since: then what was planned no longer starts where it is.
        if float(np.abs(state.positions - self.here).max()) > 2 * self._settings.motion.reached_rad:
            raise halted("the arm is no longer where it was left", self._doing)

    def _halt(self, error: BaseException) -> None:
        # Remembered first: a connection that is gone may fail to hold, and nothing may move after that either.
        if isinstance(error, RobotFault):
            self._fault = error
        else:
            self._fault = halted(f"interrupted by {type(error).__name__} {error}".rstrip(), self._doing)
        self._driver.hold()
