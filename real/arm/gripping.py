"""Opening and closing the fingers, and telling whether something is between them; every wait is bounded."""

from __future__ import annotations

from collections.abc import Callable

from tabletop_interaction.real.arm.clock import Clock, Ticks
from tabletop_interaction.real.arm.driver import GripperState, SawyerDriver
from tabletop_interaction.real.arm.faults import fault_of, halted
from tabletop_interaction.real.arm.motion import ailment
from tabletop_interaction.real.arm.settings import FULL_OPENING_M, GripperSettings, SafetySettings

_PERIOD_S = 0.02
_OPEN_ENOUGH_M = 0.9 * FULL_OPENING_M
_STILL_TICKS = 10
_STILL_M = 2e-4
_MOVED_M = 1e-3


def open_fingers(driver: SawyerDriver, clock: Clock, safety: SafetySettings, settings: GripperSettings) -> None:
    """Open to the widest and wait for it.

    Raises:
        RobotFault: it does not open in time, or the robot stopped.
    """
    driver.move_fingers(FULL_OPENING_M)
    _wait(driver, clock, safety, settings, "opening the gripper", lambda state: state.opening >= _OPEN_ENOUGH_M)


def close_fingers(driver: SawyerDriver, clock: Clock, safety: SafetySettings, settings: GripperSettings) -> bool:
    """Close by the fixed amount and wait until the fingers stand still.

    Returns:
        whether something is between them.

    Raises:
        RobotFault: they do not move, or the robot stopped.
    """
    closed = _Closed(settings, driver.gripper().opening)
    driver.move_fingers(settings.close_to_m)
    _wait(driver, clock, safety, settings, "closing the gripper", closed)
    return grips(driver.gripper(), settings)


def grips(state: GripperState, settings: GripperSettings) -> bool:
    """Whether the gripper holds something, in its own belief: something stops the fingers before they are closed."""
    return state.gripping and state.opening > settings.close_to_m + settings.empty_m


class _Closed:
    """Whether the fingers are done closing: something stops them, they are closed, or they moved and stand still."""

    def __init__(self, settings: GripperSettings, start: float) -> None:
        self._settings = settings
        self._start = self._last = start
        self._still = 0

    def __call__(self, state: GripperState) -> bool:
        self._still = self._still + 1 if abs(state.opening - self._last) < _STILL_M else 0
        self._last = state.opening
        moved = self._start - state.opening > _MOVED_M
        at_goal = state.opening <= self._settings.close_to_m + self._settings.empty_m
        return state.gripping or (self._still >= _STILL_TICKS and (moved or at_goal))


def _wait(
    driver: SawyerDriver,
    clock: Clock,
    safety: SafetySettings,
    settings: GripperSettings,
    doing: str,
    done: Callable[[GripperState], bool],
) -> None:
    ticks = Ticks(clock, _PERIOD_S)
    for _ in range(round(settings.timeout_s / _PERIOD_S)):
        ticks.wait()
        if (ill := ailment(driver.state(), clock.now(), safety)) is not None:
            raise fault_of(ill, doing)
        state = driver.gripper()
        if state.error:
            raise halted("the gripper reports an error", doing, "reboot or calibrate it, then call acknowledge()")
        if done(state):
            return
    raise halted(
        f"the fingers did not get there within {settings.timeout_s:.1f} s ({1000 * driver.gripper().opening:.1f} mm "
        "open)",
        doing,
        "check that the gripper is attached and calibrated, then call acknowledge()",
    )
