"""Stream joint commands to the arm at 100 Hz, stop at the first cause, and start anew after a stall of this process.

A cause that the robot reports, such as a force, brakes the arm as fast as it can, because every further command may
press on. An interruption, such as Ctrl-C, lets it slow down along the checked path within twice the acceleration of a
move: it neither jumps nor turns back, however far it lags. While joint states are missing nothing is sent; the robot
then stops by itself after its command timeout.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum

import numpy as np

from tabletop_interaction.arrays import Floats
from tabletop_interaction.errors import RobotFault, UnreachableTarget
from tabletop_interaction.real.arm.clock import Clock, Ticks
from tabletop_interaction.real.arm.driver import (
    COLLISION_TOPIC,
    FORCE_TOPIC,
    JOINT_STATES_TOPIC,
    ROBOT_TOPIC,
    ArmState,
    SawyerDriver,
)
from tabletop_interaction.real.arm.preflight import judge_head
from tabletop_interaction.real.arm.settings import RATE_HZ, SafetySettings, SawyerSettings
from tabletop_interaction.real.arm.timing import braked, caps_of, restarted, time_path
from tabletop_interaction.real.arm.topics import age_limits
from tabletop_interaction.sawyer.model import ARM_JOINT_NAMES

_LOOK_S = 0.01
_MAX_STALLS = 5
_REST_TICKS = 10
_REST_RAD = 0.002


class MotionOutcome(Enum):
    """How a motion ended: at its goal, or by a cause that stopped it."""

    REACHED = "it reached the end of the path"
    TIMEOUT = "it did not reach the end of the path in time"
    ESTOP = "the stop button was pressed"
    STOPPED = "the robot stopped or was disabled"
    ERROR = "the robot reports an error and did not stop"
    COLLISION = "the robot reports a collision"
    FORCE = "the force at the gripper's tip changed by more than is allowed"
    STALE_STATE = "messages of the robot stopped arriving"
    TRACKING_ERROR = "a joint lags too far behind its command"
    OFF_PATH = "after a stall of this process the arm is no longer on its path"
    HEAD = "the head is turned too far, or its angle is not reported"
    FOREIGN = "another program commands the arm"


@dataclass(frozen=True)
class Stop:
    """Why a motion ended, or why an arm must not move: the cause, and what was measured."""

    outcome: MotionOutcome
    said: str
    remedy: str


_ENABLE = "remove the cause, then call enable() and acknowledge()"
_ACKNOWLEDGE = "remove the cause, then call acknowledge()"
_REMEDIES = {
    MotionOutcome.TIMEOUT: _ACKNOWLEDGE,
    MotionOutcome.ESTOP: "remove the cause, release the button, then call enable() and acknowledge()",
    MotionOutcome.STOPPED: _ENABLE,
    MotionOutcome.ERROR: (
        "read the robot's screen and remove the cause; the robot clears an error only after a stop: press the stop "
        "button and release it, then call enable() and acknowledge(); if the error comes again, restart the robot"
    ),
    MotionOutcome.COLLISION: f"free the arm by hand where it is stuck; {_ACKNOWLEDGE}",
    MotionOutcome.FORCE: f"look at what the gripper touches; {_ACKNOWLEDGE}",
    MotionOutcome.STALE_STATE: "check the network and the robot (`rostopic hz {topic}`), then call acknowledge()",
    MotionOutcome.FOREIGN: "end that program, then call acknowledge()",
    MotionOutcome.TRACKING_ERROR: (
        "look at what blocks the arm; if nothing does, its joint states are wrong or late: check them "
        f"(`rostopic echo {JOINT_STATES_TOPIC}`); {_ACKNOWLEDGE}"
    ),
}
_STALLED = Stop(
    MotionOutcome.TIMEOUT,
    f"this process stalled more than {_MAX_STALLS} times in one move",
    "end other programs on this machine, then call acknowledge()",
)
"""Ends a part of a motion, which then starts anew."""

_WHAT = {
    JOINT_STATES_TOPIC: "joint states",
    FORCE_TOPIC: "force at the gripper's tip",
    COLLISION_TOPIC: "collision state",
    ROBOT_TOPIC: "own state",
}


def fault_of(cause: Stop, action: str) -> RobotFault:
    """The error for a motion that ended by `cause`, or for an arm found in that state, during `action`."""
    return halted(cause.said, action, cause.remedy)


def halted(cause: str, action: str, remedy: str = _ACKNOWLEDGE) -> RobotFault:
    """The error for any cause that stopped the arm during `action`; the arm then waits for the operator."""
    message = f"{action}: {cause}; the arm keeps its position and what it grips; {remedy}"
    return RobotFault(message, recoverable=False)


def cause_to_stop(state: ArmState, now: float, safety: SafetySettings) -> Stop | None:
    """Why an arm in this state must not move at `now`, seconds of the driver's clock; None if it may move."""
    if state.estop_pressed:
        return _stop(MotionOutcome.ESTOP)
    if state.stopped or not state.enabled:
        return _stop(MotionOutcome.STOPPED)
    if state.error:
        return _stop(MotionOutcome.ERROR)
    if (silent := _silent(state, now, safety)) is not None:
        return silent
    if state.other_commander:
        remedy = _REMEDIES[MotionOutcome.FOREIGN]
        return Stop(MotionOutcome.FOREIGN, f"another program commands the arm: {state.other_commander}", remedy)
    if not (head := judge_head(state.head)).ok:
        return Stop(MotionOutcome.HEAD, head.said, f"{head.remedy}; then call acknowledge()")
    return _stop(MotionOutcome.COLLISION) if state.collided else None


def follow(
    driver: SawyerDriver, clock: Clock, commands: Floats, settings: SawyerSettings, check: Callable[[Floats], None]
) -> Stop | None:
    """Stream commands (T, 7) and wait until the arm has reached the last one; otherwise hold, also after an exception.

    This takes T / 100 s plus at most `settle_s`. A cause to stop is detected within one tick of its report, a topic
    that falls silent within its largest age. If this process stalls for more than half of the robot's command timeout,
    the arm is let come to rest and follows the rest of the path on a new profile, five times at most. The arm may rest
    beside the path: `check` raises UnreachableTarget for commands back to it that must not be sent.

    Returns:
        why the arm stopped on its way; None if it reached the end.

    Raises:
        RobotFault: a command is not finite; none was sent.
    """
    if not np.isfinite(commands).all():
        raise RobotFault("a planned path holds angles that are not finite; nothing was moved; report this as a defect")
    run = _Run(driver, clock, settings, check)
    try:
        cause = run.along(commands)
    except BaseException:
        with _undisturbed():
            run.slow_down()
        raise
    if cause is not None:
        driver.hold()
    return cause


def wait_for_rest(driver: SawyerDriver, clock: Clock, settings: SawyerSettings) -> Stop | None:
    """Wait, without commands, until the arm is at rest; returns why it must not move on, if so.

    After a stall of this process the topics may still be late: they count as silent only after their largest age.
    """
    ticks = Ticks(clock, 1 / RATE_HZ)
    anchor, stamp, still, silent = driver.state().positions, -np.inf, 0, 0
    for _ in range(round(settings.motion.settle_s * RATE_HZ)):
        ticks.wait()
        state = driver.state()
        cause = cause_to_stop(state, clock.now(), settings.safety)
        silent = silent + 1 if cause is not None and cause.outcome is MotionOutcome.STALE_STATE else 0
        if cause is not None and (not silent or silent > RATE_HZ * max(age_limits(settings.safety).values())):
            return cause
        if cause is not None or state.stamp <= stamp:
            continue
        stamp = state.stamp
        moved = not float(np.abs(state.positions - anchor).max()) < _REST_RAD
        anchor, still = (state.positions, 0) if moved else (anchor, still + 1)
        if still >= _REST_TICKS:
            return None
    return _stop(MotionOutcome.TIMEOUT)


def state_now(driver: SawyerDriver, clock: Clock, safety: SafetySettings) -> ArmState:
    """The state from messages that were sent after this call; an older one if a topic is silent."""
    asked = clock.now()
    # Counted, because this process may be stopped meanwhile, and messages come only after it continues.
    for _ in range(round(max(age_limits(safety).values()) / _LOOK_S)):
        state = driver.state()
        if all(heard.stamp > asked for heard in state.heard.values()):
            return state
        clock.sleep(_LOOK_S)
    return driver.state()


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Ignore Ctrl-C, SIGTERM and SIGHUP in this short block: a second one must not interrupt what stops the arm."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {each: signal.signal(each, signal.SIG_IGN) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for each, handler in before.items():
            # None stands for a handler that is not Python's.
            signal.signal(each, signal.SIG_DFL if handler is None else handler)


class _Run:
    """One motion along commands: what was sent, and when."""

    def __init__(
        self, driver: SawyerDriver, clock: Clock, settings: SawyerSettings, check: Callable[[Floats], None]
    ) -> None:
        self._driver = driver
        self._clock = clock
        self._settings = settings
        self._check = check
        start = driver.state()
        self._monitor = _Monitor(settings.safety, start)
        self._ticks = Ticks(clock, 1 / RATE_HZ)
        self._commands = start.positions[None]
        self._sent = 0
        self._commanded = start.positions
        self._sent_at = clock.now()
        self._stalled = False

    def along(self, commands: Floats) -> Stop | None:
        """Follow the commands, from rest anew after each stall."""
        cause = self._stream(commands)
        for _ in range(_MAX_STALLS):
            if cause is not _STALLED:
                break
            if (cause := wait_for_rest(self._driver, self._clock, self._settings)) is not None:
                return cause
            rest = self._driver.state().positions
            # Up to here the path was commanded; the arm rests on it, or a lag before it.
            far = np.abs(self._commands[: self._sent + 1] - rest).max(axis=1)
            nearest = int(np.flatnonzero(far <= far.min() + 1e-9)[-1])
            if not far[nearest] <= self._settings.safety.max_tracking_error_rad:
                return _stop(MotionOutcome.OFF_PATH)
            anew = self._anew(rest, nearest)
            try:
                self._check(anew)
            except UnreachableTarget as error:
                reason = str(error).partition(";")[0]
                return Stop(MotionOutcome.TIMEOUT, f"after a stall, the way back to its path: {reason}", _ACKNOWLEDGE)
            self._commanded, self._sent_at, self._stalled = rest, self._clock.now(), False
            cause = self._stream(anew)
        return cause

    def slow_down(self) -> None:
        """Slow down to rest along the path; hold at once if something is wrong with the arm."""
        try:
            for command in braked(self._commands, self._sent, caps_of(self._settings.motion)):
                if self._cause() is not None:
                    self._driver.hold()
                    return
                self._send(command, self._sent)
        except BaseException:
            self._driver.hold()
            raise

    def _anew(self, rest: Floats, nearest: int) -> Floats:
        """Commands from the joint angles `rest` to the nearest point of the path, then along the remaining path."""
        caps = caps_of(self._settings.motion)
        back = time_path(np.array([rest, self._commands[nearest]]), caps)
        return np.concatenate([back, restarted(self._commands[nearest:], caps)])

    def _stream(self, commands: Floats) -> Stop | None:
        self._commands, self._sent = commands, 0
        for number, command in enumerate(commands):
            if (cause := self._cause()) is not None:
                return cause
            self._send(command, number)
        return self._settle()

    def _settle(self) -> Stop | None:
        motion = self._settings.motion
        for _ in range(round(motion.settle_s * RATE_HZ)):
            if (cause := self._cause()) is not None:
                return cause
            if float(np.abs(self._driver.state().positions - self._commanded).max()) < motion.reached_rad:
                return None
            # When commands stop, the robot holds its current position, not the commanded one.
            self._send(self._commanded, self._sent)
        return _stop(MotionOutcome.TIMEOUT)

    def _cause(self) -> Stop | None:
        """Why the next command must not be sent."""
        now = self._clock.now()
        if self._stalled or self._is_late(now):
            return _STALLED
        return self._monitor.judge(self._driver.state(), self._commanded, now)

    def _send(self, command: Floats, number: int) -> None:
        self._driver.command(command)
        # A stall after the last check is noticed here: one command more was sent, and no other follows.
        now = self._clock.now()
        self._stalled = self._is_late(now)
        self._commanded, self._sent, self._sent_at = command, number, now
        self._ticks.wait()

    def _is_late(self, now: float) -> bool:
        return now - self._sent_at > self._settings.safety.command_timeout_s / 2


class _Monitor:
    """Judges each state of a motion; stores the smallest force so far and for how many states a joint has lagged.

    A force that fades, as when the gripper rises from an object, becomes the new reference of the force change.
    Comparisons are written so that a value that is not a number stops the arm.
    """

    def __init__(self, safety: SafetySettings, start: ArmState) -> None:
        self._safety = safety
        self._force = start.tip_force
        self._stamp = start.stamp
        self._lagging = 0

    def judge(self, state: ArmState, commanded: Floats, now: float) -> Stop | None:
        """The cause that ends the motion here, or None; `commanded` (7,) are the last commanded joint angles."""
        if (cause := cause_to_stop(state, now, self._safety)) is not None:
            return cause
        if self._force_rises(state.tip_force):
            return _stop(MotionOutcome.FORCE)
        return _lagging(state, commanded, self._safety) if self._lags(state, commanded) else None

    def _force_rises(self, force: Floats) -> bool:
        if np.linalg.norm(force) < np.linalg.norm(self._force):
            self._force = force
        return not float(np.linalg.norm(force - self._force)) <= self._safety.max_force_change_n

    def _lags(self, state: ArmState, commanded: Floats) -> bool:
        # A repeated state says nothing about the last command.
        if state.stamp <= self._stamp:
            return False
        self._stamp = state.stamp
        near = float(np.abs(state.positions - commanded).max()) <= self._safety.max_tracking_error_rad
        self._lagging = 0 if near else self._lagging + 1
        return self._lagging >= self._safety.tracking_ticks


def _lagging(state: ArmState, commanded: Floats, safety: SafetySettings) -> Stop:
    """The cause of a joint that lags, with the joint that lags most."""
    behind = np.abs(state.positions - commanded)
    joint, outcome = int(np.argmax(behind)), MotionOutcome.TRACKING_ERROR
    return Stop(
        outcome,
        f"{outcome.value} ({ARM_JOINT_NAMES[joint]} is {behind[joint]:.2f} rad behind, "
        f"{safety.max_tracking_error_rad:g} rad is accepted)",
        _REMEDIES[outcome],
    )


def _silent(state: ArmState, now: float, safety: SafetySettings) -> Stop | None:
    """The topic that has been silent longest beyond its limit; None if all are recent."""
    limits = age_limits(safety)
    ages = {topic: now - heard.stamp for topic, heard in state.heard.items()}
    late = [topic for topic, age in ages.items() if not age <= limits[topic]]
    if not late:
        return None
    topic = max(late, key=lambda each: ages[each])
    refused = state.heard[topic].refused
    unusable = f"; the last message was unusable: {refused}" if refused else ""
    return Stop(
        MotionOutcome.STALE_STATE,
        f"the robot's {_WHAT[topic]} stopped arriving ({topic} is {ages[topic]:.2f} s old, {limits[topic]:g} s is "
        f"accepted{unusable})",
        _REMEDIES[MotionOutcome.STALE_STATE].format(topic=topic),
    )


def _stop(outcome: MotionOutcome) -> Stop:
    return Stop(outcome, outcome.value, _REMEDIES.get(outcome, _ACKNOWLEDGE))
