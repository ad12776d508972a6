"""The arm with its gripper: it follows checked moves and, after any fault, waits for the operator.

A fault is stored: until `acknowledge`, every call raises it again and nothing moves.
"""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import numpy as np

from tabletop_interaction.arrays import Floats
from tabletop_interaction.errors import RobotFault, UnreachableTarget
from tabletop_interaction.real.arm.clock import Clock
from tabletop_interaction.real.arm.driver import ArmState, SawyerDriver
from tabletop_interaction.real.arm.gripping import close_fingers, closed, gripper_error, grips, open_fingers
from tabletop_interaction.real.arm.motion import (
    MotionOutcome,
    Stop,
    cause_to_stop,
    fault_of,
    follow,
    halted,
    state_now,
    wait_for_rest,
)
from tabletop_interaction.real.arm.moves import Moves
from tabletop_interaction.real.arm.settings import SawyerSettings


class SawyerArm:
    """Moves a Sawyer through whole, checked motions.

    Every method raises RobotFault if something stops the arm, if the gripper does not open or close, or if the robot
    must not move or cannot be enabled.
    """

    def __init__(self, driver: SawyerDriver, clock: Clock, moves: Moves, settings: SawyerSettings) -> None:
        self._driver = driver
        self.clock = clock
        self._settings = settings
        self._fault: RobotFault | None = None
        self._action = ""
        self.moves = moves
        self.here = driver.state().positions
        """(7,) joint angles where the next move starts: the last command, or where the arm was stopped."""
        self.stopped_at = time.monotonic()
        """End of the last motion, `time.monotonic()` seconds: newer pictures show no motion."""

    def check(self) -> None:
        """Raise the fault that stopped the arm until it is acknowledged."""
        if self._fault is not None:
            raise RobotFault(str(self._fault), recoverable=False) from self._fault

    @contextmanager
    def acting(self, action: str) -> Iterator[None]:
        """Move in this block. Any exception, Ctrl-C included, halts the arm until the operator acknowledges it.

        SIGTERM and SIGHUP raise SystemExit here where nothing else handles them.

        `action` is for messages, for example "picking".
        """
        self.check()
        self._action = action
        try:
            with _ending_by_exception():
                self._check_state()
                yield
        except BaseException as error:
            self._halt(error)
            if isinstance(error, UnreachableTarget):
                assert self._fault is not None
                raise self._fault from error
            raise
        finally:
            self.stopped_at = time.monotonic()

    def follow(self, commands: Floats) -> None:
        """Follow the commands to their end."""
        if (cause := self._follow(commands)) is not None:
            raise fault_of(cause, self._action)

    def press(self, commands: Floats) -> bool:
        """Follow the commands until the gripper presses on something; returns whether they reached their end."""
        cause = self._follow(commands)
        if cause is None:
            return True
        if cause.outcome is not MotionOutcome.FORCE:
            raise fault_of(cause, self._action)
        self._rest()
        return False

    def leave(self) -> None:
        """Rise straight to the travelling height and move out of every view; a held object stays in the gripper.

        Raises:
            UnreachableTarget: there is no safe path from the present position.
        """
        for commands in self._moves_now().leave(self.here):
            self.follow(commands)

    def open(self) -> None:
        """Open the gripper."""
        open_fingers(self._driver, self.clock, self._settings)

    def close(self) -> bool:
        """Close the gripper; returns whether something is between the fingers."""
        return close_fingers(self._driver, self.clock, self._settings)

    def grips(self) -> bool:
        """Whether the gripper reports that it holds something."""
        return grips(self._driver.gripper(), self._settings.gripper)

    def holds(self, *, held: bool) -> bool:
        """Whether the gripper holds something; one that `held` it does so until its fingers have closed on nothing.

        A report that flickers must not open the gripper high over the table.
        """
        return self.grips() or (held and not self.holds_nothing())

    def holds_nothing(self) -> bool:
        """Whether the fingers are closed on nothing; unlike `grips`, certain while the gripper presses on the table."""
        return closed(self._driver.gripper(), self._settings.gripper)

    def check_gripper(self) -> None:
        """Raise RobotFault if the gripper reports an error."""
        if self._driver.gripper().error:
            raise gripper_error(self._action)

    def is_away(self) -> bool:
        """Whether the measured joint angles put the arm out of every view."""
        return self.moves.is_away(self._driver.state().positions)

    def needs_enabling(self) -> bool:
        """Whether the motors are off, or the robot stopped or reports an error."""
        state = state_now(self._driver, self.clock, self._settings.safety)
        return state.stopped or state.error or not state.enabled

    def enable(self) -> None:
        """Clear a stop and enable the motors, on the operator's word."""
        self._driver.enable()

    def acknowledge(self) -> None:
        """Continue after a fault, on the operator's word: leave the table, keeping what is gripped."""
        self._driver.check_connection()
        self._fault = None
        self.here = self._driver.state().positions
        with self.acting("leaving after a fault"):
            self._rest()
            self.leave()

    def _rest(self) -> None:
        """Wait until the arm is at rest, by whatever it was moved; the next move starts there."""
        if (cause := wait_for_rest(self._driver, self.clock, self._settings)) is not None:
            raise fault_of(cause, self._action)
        self.here = self._driver.state().positions

    def _follow(self, commands: Floats) -> Stop | None:
        self._check_place(self._driver.state())
        cause = follow(self._driver, self.clock, commands, self._settings, self._moves_now().check)
        self.here = commands[-1] if cause is None else self._driver.state().positions
        return cause

    def _moves_now(self) -> Moves:
        """The moves of a gripper that holds something, or not, as it reports now."""
        return self.moves.carrying if self.grips() else self.moves

    def _check_state(self) -> None:
        state = state_now(self._driver, self.clock, self._settings.safety)
        if (cause := cause_to_stop(state, self.clock.now(), self._settings.safety)) is not None:
            raise fault_of(cause, self._action)
        self._check_place(state)

    def _check_place(self, state: ArmState) -> None:
        # If it was moved by hand since the last motion, planned paths no longer start where it is.
        if not float(np.abs(state.positions - self.here).max()) <= 2 * self._settings.motion.reached_rad:
            raise halted("the arm is no longer where the last motion ended", self._action)

    def _halt(self, error: BaseException) -> None:
        """Store the fault. The arm rests already: `follow` brings it to rest, also after an exception.

        It gets no command here, because it may not be where it was last commanded: a person may guide it.
        """
        if isinstance(error, RobotFault):
            self._fault = error
        else:
            self._fault = halted(f"interrupted by {type(error).__name__} {error}".rstrip(), self._action)


@contextmanager
def _ending_by_exception() -> Iterator[None]:
    """Let SIGTERM and SIGHUP raise SystemExit in this block instead of ending the process while the arm moves."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handled = [each for each in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(each) is signal.SIG_DFL]

    def end(number: int, frame: FrameType | None) -> None:
        # A second one must not interrupt what brings the arm to rest.
        for each in handled:
            signal.signal(each, signal.SIG_IGN)
        raise SystemExit(128 + number)

    for each in handled:
        signal.signal(each, end)
    try:
        yield
    finally:
        for each in handled:
            signal.signal(each, signal.SIG_DFL)
