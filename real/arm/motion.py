"""Streaming joint commands to the arm, 100 a second, and stopping at the first sign that something is wrong.

Every way out of `follow` but REACHED, an exception and Ctrl-C included, leaves the arm holding where it is.
"""

from __future__ import annotations

from enum import Enum

import numpy as np
from numpy.typing import NDArray

from tabletop_interaction.real.arm.clock import Clock, Ticks
from tabletop_interaction.real.arm.driver import ArmState, SawyerDriver
from tabletop_interaction.real.arm.settings import RATE_HZ, MotionSettings, SafetySettings

FloatArray = NDArray[np.float64]


class Outcome(Enum):
    """How a motion ended."""

    REACHED = "it came to the end of its way"
    TIMEOUT = "it did not come to the end of its way in time"
    ESTOP = "the stop button was pressed"
    STOPPED = "the robot stopped, was disabled or reports an error"
    COLLISION = "the robot feels a collision"
    FORCE = "the force at the gripper's tip changed by more than is allowed"
    STALE_STATE = "the robot's joint states stopped coming"
    TRACKING_ERROR = "a joint lags too far behind its command"


class Watch:
    """Judges each state of a motion; remembers the least force felt so far and for how long a joint has lagged.

    A force that fades, as when the gripper rises from what it pressed on, becomes the new measure of change.

    Args:
        safety: what is too much.
        start: the state before the first command.
    """

    def __init__(self, safety: SafetySettings, start: ArmState) -> None:
        self._safety = safety
        self._force = start.tip_force
        self._seen = start.stamp
        self._lagging = 0

    def judge(self, state: ArmState, commanded: FloatArray, now: float) -> Outcome | None:
        """What ends the motion here, or None.

        Args:
            state: the newest.
            commanded: (7,) joint angles sent last.
            now: seconds of the driver's clock.
        """
        if (ill := ailment(state, now, self._safety)) is not None:
            return ill
        if self._feels_push(state.tip_force):
            return Outcome.FORCE
        return Outcome.TRACKING_ERROR if self._lags(state, commanded) else None

    def _feels_push(self, force: FloatArray) -> bool:
        if np.linalg.norm(force) < np.linalg.norm(self._force):
            self._force = force
        return float(np.linalg.norm(force - self._force)) > self._safety.max_force_change_n

    def _lags(self, state: ArmState, commanded: FloatArray) -> bool:
        # A state that is no newer tells nothing about the last command.
        if state.stamp <= self._seen:
            return False
        self._seen = state.stamp
        lag = float(np.abs(state.positions - commanded).max())
        self._lagging = self._lagging + 1 if lag > self._safety.max_tracking_error_rad else 0
        return self._lagging >= self._safety.tracking_ticks


def ailment(state: ArmState, now: float, safety: SafetySettings) -> Outcome | None:
    """Why an arm in this state may not be moved at `now`, seconds of the driver's clock; None for a healthy one."""
    if state.estop_pressed:
        return Outcome.ESTOP
    if state.stopped or state.error or not state.enabled:
        return Outcome.STOPPED
    if now - state.stamp > safety.max_state_age_s:
        return Outcome.STALE_STATE
    return Outcome.COLLISION if state.collided else None


def follow(
    driver: SawyerDriver, clock: Clock, commands: FloatArray, safety: SafetySettings, motion: MotionSettings
) -> Outcome:
    """Stream commands (T, 7) and wait until the arm has come to the last; hold unless it did.

    It takes T / 100 s and at most `motion.settle_s` more; a cause to stop is seen within a tick of its being reported,
    joint states that stop within `safety.max_state_age_s`.
    """
    try:
        outcome = _stream(driver, clock, commands, safety, motion)
    except BaseException:
        driver.hold()
        raise
    if outcome is not Outcome.REACHED:
        driver.hold()
    return outcome


def _stream(
    driver: SawyerDriver, clock: Clock, commands: FloatArray, safety: SafetySettings, motion: MotionSettings
) -> Outcome:
    start = driver.state()
    watch, ticks, commanded = Watch(safety, start), Ticks(clock, 1 / RATE_HZ), start.positions
    for command in commands:
        if (bad := watch.judge(driver.state(), commanded, clock.now())) is not None:
            return bad
        driver.command(command)
        commanded = command
        ticks.wait()
    for _ in range(round(motion.settle_s * RATE_HZ)):
        state = driver.state()
        if (bad := watch.judge(state, commanded, clock.now())) is not None:
            return bad
        if float(np.abs(state.positions - commanded).max()) < motion.reached_rad:
            return Outcome.REACHED
        # Where commands stop coming, the robot holds where it is.
        driver.command(commanded)
        ticks.wait()
    return Outcome.TIMEOUT
