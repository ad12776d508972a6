"""Stream joint commands to the arm at 100 Hz and stop at the first cause.

Unless `follow` returns REACHED, the arm holds its position afterwards, also after an exception or Ctrl-C.
"""

from enum import Enum

import numpy as np

from tabletop_interaction.arrays import Floats
from tabletop_interaction.errors import RobotFault
from tabletop_interaction.real.arm.clock import Clock, Ticks
from tabletop_interaction.real.arm.driver import ArmState, SawyerDriver
from tabletop_interaction.real.arm.settings import RATE_HZ, SafetySettings, SawyerSettings


class MotionOutcome(Enum):
    """How a motion ended: at its goal, or by a cause that stopped it."""

    REACHED = "it reached the end of the path"
    TIMEOUT = "it did not reach the end of the path in time"
    ESTOP = "the stop button was pressed"
    STOPPED = "the robot stopped, was disabled or reports an error"
    COLLISION = "the robot reports a collision"
    FORCE = "the force at the gripper's tip changed by more than is allowed"
    STALE_STATE = "the robot's joint states stopped arriving"
    TRACKING_ERROR = "a joint lags too far behind its command"


_ENABLE = "remove the cause, then call enable() and acknowledge()"
_ACKNOWLEDGE = "remove the cause, then call acknowledge()"
_REMEDIES = {
    MotionOutcome.TIMEOUT: _ACKNOWLEDGE,
    MotionOutcome.ESTOP: "remove the cause, release the button, then call enable() and acknowledge()",
    MotionOutcome.STOPPED: _ENABLE,
    MotionOutcome.COLLISION: f"free the arm by hand where it is stuck; {_ACKNOWLEDGE}",
    MotionOutcome.FORCE: f"look at what the gripper touches; {_ACKNOWLEDGE}",
    MotionOutcome.STALE_STATE: (
        "check the network and the robot (`rostopic hz /robot/joint_states`), then call acknowledge()"
    ),
    MotionOutcome.TRACKING_ERROR: f"look at what blocks the arm; {_ACKNOWLEDGE}",
}


def fault_of(cause: MotionOutcome, action: str) -> RobotFault:
    """The error for a motion that ended by `cause`, or for an arm found in that state, during `action`."""
    return halted(cause.value, action, _REMEDIES[cause])


def halted(cause: str, action: str, remedy: str = _ACKNOWLEDGE) -> RobotFault:
    """The error for any cause that stopped the arm during `action`; the arm then waits for the operator."""
    message = f"{action}: {cause}; the arm keeps its position and what it grips; {remedy}"
    return RobotFault(message, recoverable=False)


def cause_to_stop(state: ArmState, now: float, safety: SafetySettings) -> MotionOutcome | None:
    """Why an arm in this state must not move at `now`, seconds of the driver's clock; None if it may move."""
    if state.estop_pressed:
        return MotionOutcome.ESTOP
    if state.stopped or state.error or not state.enabled:
        return MotionOutcome.STOPPED
    if now - state.stamp > safety.max_state_age_s:
        return MotionOutcome.STALE_STATE
    return MotionOutcome.COLLISION if state.collided else None


def follow(driver: SawyerDriver, clock: Clock, commands: Floats, settings: SawyerSettings) -> MotionOutcome:
    """Stream commands (T, 7) and wait until the arm has reached the last one; otherwise hold.

    This takes T / 100 s plus at most `settle_s`. A cause to stop is detected within one tick of its report,
    missing joint states within `max_state_age_s`.
    """
    outcome = None
    try:
        outcome = _stream(driver, clock, commands, settings)
        return outcome
    finally:
        if outcome is not MotionOutcome.REACHED:
            driver.hold()


def _stream(driver: SawyerDriver, clock: Clock, commands: Floats, settings: SawyerSettings) -> MotionOutcome:
    start, motion = driver.state(), settings.motion
    monitor, ticks, commanded = _Monitor(settings.safety, start), Ticks(clock, 1 / RATE_HZ), start.positions
    for command in commands:
        if (cause := monitor.judge(driver.state(), commanded, clock.now())) is not None:
            return cause
        driver.command(command)
        commanded = command
        ticks.wait()
    for _ in range(round(motion.settle_s * RATE_HZ)):
        state = driver.state()
        if (cause := monitor.judge(state, commanded, clock.now())) is not None:
            return cause
        if float(np.abs(state.positions - commanded).max()) < motion.reached_rad:
            return MotionOutcome.REACHED
        # When commands stop, the robot holds its current position, not the commanded one.
        driver.command(commanded)
        ticks.wait()
    return MotionOutcome.TIMEOUT


class _Monitor:
    """Judges each state of a motion; stores the smallest force so far and for how many states a joint has lagged.

    A force that fades, as when the gripper rises from an object, becomes the new reference of the force change.
    """

    def __init__(self, safety: SafetySettings, start: ArmState) -> None:
        self._safety = safety
        self._force = start.tip_force
        self._stamp = start.stamp
        self._lagging = 0

    def judge(self, state: ArmState, commanded: Floats, now: float) -> MotionOutcome | None:
        """The cause that ends the motion here, or None; `commanded` (7,) are the last commanded joint angles."""
        if (cause := cause_to_stop(state, now, self._safety)) is not None:
            return cause
        if self._force_rises(state.tip_force):
            return MotionOutcome.FORCE
        return MotionOutcome.TRACKING_ERROR if self._lags(state, commanded) else None

    def _force_rises(self, force: Floats) -> bool:
        if np.linalg.norm(force) < np.linalg.norm(self._force):
            self._force = force
        return float(np.linalg.norm(force - self._force)) > self._safety.max_force_change_n

    def _lags(self, state: ArmState, commanded: Floats) -> bool:
        # A repeated state says nothing about the last command.
        if state.stamp <= self._stamp:
            return False
        self._stamp = state.stamp
        lag = float(np.abs(state.positions - commanded).max())
        self._lagging = self._lagging + 1 if lag > self._safety.max_tracking_error_rad else 0
        return self._lagging >= self._safety.tracking_ticks
