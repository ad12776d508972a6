"""Open and close the fingers and detect whether something is between them; every wait is bounded."""

from collections.abc import Callable

from tabletop_interaction.errors import RobotFault
from tabletop_interaction.real.arm.clock import Clock, Ticks
from tabletop_interaction.real.arm.driver import GripperState, SawyerDriver
from tabletop_interaction.real.arm.motion import MotionOutcome, Stop, cause_to_stop, fault_of, halted, state_now
from tabletop_interaction.real.arm.settings import FULL_OPENING_M, GripperSettings, SawyerSettings

_PERIOD_S = 0.02
_OPEN_ENOUGH_M = 0.9 * FULL_OPENING_M
_STILL_S = 0.2
_STILL_M = 2e-4
_MOVED_M = 1e-3


def open_fingers(driver: SawyerDriver, clock: Clock, settings: SawyerSettings) -> None:
    """Open the gripper fully and wait until it is open; raises RobotFault if it does not open in time."""
    driver.move_fingers(FULL_OPENING_M)
    _wait(driver, clock, settings, "opening the gripper", lambda state: state.opening >= _OPEN_ENOUGH_M)


def close_fingers(driver: SawyerDriver, clock: Clock, settings: SawyerSettings) -> bool:
    """Close the gripper and wait until it is at rest; raises RobotFault if it does not close in time.

    Returns:
        whether something is between the fingers.
    """
    at_rest = _Closed(settings.gripper, driver.gripper())
    driver.move_fingers(settings.gripper.close_to_m)
    _wait(driver, clock, settings, "closing the gripper", at_rest)
    return grips(driver.gripper(), settings.gripper)


def grips(state: GripperState, settings: GripperSettings) -> bool:
    """Whether the gripper reports an object: something stops the fingers before they are closed."""
    return state.gripping and not closed(state, settings)


def closed(state: GripperState, settings: GripperSettings) -> bool:
    """Whether the fingers are closed on nothing."""
    return state.opening <= settings.close_to_m + settings.empty_m


def gripper_error(action: str) -> RobotFault:
    """The error for a gripper that reports an error during `action`."""
    return halted(
        "the gripper reports an error",
        action,
        "support what it holds, end this program and start it again: it asks before it calibrates the gripper, which "
        "opens it; if the error comes again, check the gripper's plug and restart the robot",
    )


class _Closed:
    """Whether closing has ended: something stops the fingers, or they moved or are closed, and are at rest.

    Fingers that stop halfway are at rest only by messages that the gripper sent meanwhile: an old one shows no motion.
    """

    def __init__(self, settings: GripperSettings, start: GripperState) -> None:
        self._settings = settings
        self._start = start.opening
        self._still_since = start
        self._looks = 0

    def __call__(self, state: GripperState) -> bool:
        if abs(state.opening - self._still_since.opening) < _STILL_M:
            self._looks += 1
        else:
            self._still_since, self._looks = state, 0
        if closed(state, self._settings):
            return state.gripping or self._looks >= _STILL_S / _PERIOD_S
        moved = self._start - state.opening > _MOVED_M
        return state.gripping or (moved and state.stamp - self._still_since.stamp >= _STILL_S)


def _wait(
    driver: SawyerDriver, clock: Clock, settings: SawyerSettings, action: str, done: Callable[[GripperState], bool]
) -> None:
    ticks, timeout_s, before = Ticks(clock, _PERIOD_S), settings.gripper.timeout_s, driver.gripper()
    for _ in range(round(timeout_s / _PERIOD_S)):
        ticks.wait()
        if (cause := _cause(driver, clock, settings)) is not None:
            raise fault_of(cause, action)
        state = driver.gripper()
        if state.error:
            raise gripper_error(action)
        if done(state):
            return
    silent = "; the gripper sends no messages" if state.stamp == before.stamp else ""
    raise halted(
        f"the fingers did not reach their goal within {timeout_s:.1f} s ({1000 * state.opening:.1f} mm open{silent})",
        action,
        "check that the gripper is attached and calibrated, then call acknowledge()",
    )


def _cause(driver: SawyerDriver, clock: Clock, settings: SawyerSettings) -> Stop | None:
    """Why the fingers must not move on; after a stall of this process, topics count as silent once they had time."""
    cause = cause_to_stop(driver.state(), clock.now(), settings.safety)
    if cause is None or cause.outcome is not MotionOutcome.STALE_STATE:
        return cause
    return cause_to_stop(state_now(driver, clock, settings.safety), clock.now(), settings.safety)
