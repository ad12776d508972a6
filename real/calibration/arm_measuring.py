"""Measure an arm at its away pose: lag, steady error, force noise, topics and command timeout.

One joint moves at a time, by at most 0.06 rad and slower than 6 % of the rated speeds, through commands that were
checked as those of a pick. Every motion ends at the first cause that ends any other motion.
"""

import math
from collections.abc import Iterable
from datetime import UTC, datetime

import numpy as np

from tabletop_interaction.arrays import Floats
from tabletop_interaction.errors import CalibrationRejected, RobotFault
from tabletop_interaction.real.arm.arm import SawyerArm
from tabletop_interaction.real.arm.clock import Clock, Ticks
from tabletop_interaction.real.arm.driver import SawyerDriver
from tabletop_interaction.real.arm.motion import cause_to_stop, fault_of
from tabletop_interaction.real.arm.moves import Moves
from tabletop_interaction.real.arm.settings import RATE_HZ, SawyerSettings
from tabletop_interaction.real.calibration.arm_recording import RecordingDriver
from tabletop_interaction.real.calibration.arm_response import (
    ArmResponse,
    Arrivals,
    ForceNoise,
    SevenMeasures,
    force_noise,
    lag_of,
)
from tabletop_interaction.sawyer.model import ARM_JOINT_NAMES

MEASURING_RATIO = 0.06
"""Fraction of the rated joint speeds that the robot allows itself while it is measured."""

ACTION = "measuring the arm"

_AMPLITUDE_RAD = 0.04
_FREQUENCY_HZ = 0.3
_CYCLES = 3
_REST_S = 1.0
_PERIOD_S = 0.005
_JUMP_RAD = 0.06
_JUMP_JOINT = 0
_WATCH_S = 1.5
_ARRIVED_RAD = 0.006
_STILL_RAD = 0.001


def measure_arm(
    driver: SawyerDriver,
    clock: Clock,
    moves: Moves,
    settings: SawyerSettings,
    *,
    rest_s: float = 5.0,
    joints: Iterable[int] = range(7),
) -> ArmResponse:
    """Measure an arm that is away from the table with nothing in its gripper, which takes about 100 s.

    Joints that are not in `joints` are not moved and get the figures of the worst of those that are. `settings` have
    `MEASURING_RATIO` as their speed.

    Raises:
        RobotFault: the arm stopped, or is not away.
        CalibrationRejected: a joint does not follow, or the force changes by more than `max_force_change_n` without
            contact; nothing was written.
    """
    recorder = RecordingDriver(driver, clock)
    arm = SawyerArm(recorder, clock, moves, settings)
    if not arm.is_away():
        raise RobotFault(f"{ACTION}: the arm is not away from the table; run `tabletop doctor --config LAB --move`")
    limit = settings.safety.max_force_change_n
    with arm.acting(ACTION):
        at_rest, topics = _at_rest(recorder, clock, settings, rest_s)
        _check_force(at_rest, limit, "while the arm holds still")
        arm.follow(moves.away(arm.here))
        lags, errors, forces = {}, {}, []
        for joint in joints:
            lags[joint], errors[joint] = _swing(arm, recorder, joint, limit)
            forces.append(recorder.forces)
        timeout_s = _stop_sending(arm, recorder, clock, settings, lags.get(_JUMP_JOINT, max(lags.values())))
        arm.follow(moves.away(arm.here))
    return ArmResponse(
        robot=driver.name,
        measured_at=datetime.now(UTC),
        lag_s=_of_all(lags, 3),
        steady_error_rad=_of_all(errors, 5),
        force_at_rest=_rounded(at_rest),
        force_moving=_rounded(force_noise(forces)),
        topics=topics,
        clocks=next((each.said for each in driver.findings if each.name == "clocks"), ""),
        command_timeout_s=None if timeout_s is None else round(timeout_s, 3),
    )


def swing(here: Floats, joint: int) -> Floats:
    """Commands (T, 7) that swing one joint about `here` (7,) with smooth ends, then stay for a second."""
    times = np.arange(1, round(_CYCLES / _FREQUENCY_HZ * RATE_HZ) + 1) / RATE_HZ
    from_end = np.minimum(times, times[-1] - times) * _FREQUENCY_HZ
    ramp = np.sin(math.pi / 2 * np.clip(from_end, 0, 1)) ** 2
    turned = _AMPLITUDE_RAD * ramp * np.sin(2 * math.pi * _FREQUENCY_HZ * times)
    commands = np.tile(here, (len(times) + round(_REST_S * RATE_HZ), 1))
    commands[: len(times), joint] += turned
    return commands


def _at_rest(
    recorder: RecordingDriver, clock: Clock, settings: SawyerSettings, seconds: float
) -> tuple[ForceNoise, dict[str, Arrivals]]:
    recorder.begin()
    _watch(recorder, clock, settings, seconds)
    return force_noise([recorder.forces]), recorder.arrivals()


def _swing(arm: SawyerArm, recorder: RecordingDriver, joint: int, limit_n: float) -> tuple[float, float]:
    """Lag, seconds, and steady error, radians, of one joint."""
    commands = swing(arm.here, joint)
    arm.moves.check(commands)
    recorder.begin()
    reached = arm.press(commands)
    if not reached:
        _check_force(force_noise([recorder.forces]), limit_n, f"while {ARM_JOINT_NAMES[joint]} moves in free space")
    sent_at, sent = recorder.commands
    stamps, measured = recorder.joints
    lag_s = lag_of(sent_at, sent[:, joint], stamps, measured[:, joint], ARM_JOINT_NAMES[joint])
    settled = measured[stamps >= stamps[-1] - _REST_S / 2, joint]
    return lag_s, abs(float(settled.mean() - sent[-1, joint]))


def _stop_sending(
    arm: SawyerArm, recorder: RecordingDriver, clock: Clock, settings: SawyerSettings, lag_s: float
) -> float | None:
    """Seconds after a single command at which the arm stopped on its way there; None if it arrived.

    The robot limits its own speed, so the way takes longer than the timeout.
    """
    start = arm.here
    goal = start + _JUMP_RAD * np.eye(7)[_JUMP_JOINT]
    arm.moves.check(np.linspace(start, goal, 10))
    recorder.begin()
    recorder.command(goal)
    try:
        _watch(recorder, clock, settings, _WATCH_S)
    except BaseException:
        recorder.hold()
        raise
    arm.here = recorder.state().positions
    stamps, measured = recorder.joints
    turned = measured[:, _JUMP_JOINT]
    if goal[_JUMP_JOINT] - turned[-1] < _ARRIVED_RAD:
        return None
    on_its_way = (turned - turned[0] > _STILL_RAD) & (turned[-1] - turned > _STILL_RAD)
    if on_its_way.sum() < 2:
        raise CalibrationRejected(
            f"{ARM_JOINT_NAMES[_JUMP_JOINT]} did not move on a single command; nothing was written; check with "
            "`tabletop doctor` that nothing else commands the arm"
        )
    # The last milliradian takes as long as at the speed before it.
    times, angles = stamps[on_its_way], turned[on_its_way]
    slope = float(np.polyfit(times, angles, 1)[0])
    stopped_at = float(times[-1]) + (float(turned[-1]) - float(angles[-1])) / slope
    return max(0.0, stopped_at - recorder.sent[0][0] - lag_s)


def _watch(recorder: RecordingDriver, clock: Clock, settings: SawyerSettings, seconds: float) -> None:
    ticks = Ticks(clock, _PERIOD_S)
    for _ in range(round(seconds / _PERIOD_S)):
        ticks.wait()
        if (cause := cause_to_stop(recorder.state(), clock.now(), settings.safety)) is not None:
            raise fault_of(cause, ACTION)


def _check_force(noise: ForceNoise, limit_n: float, when: str) -> None:
    if noise.change_n > limit_n:
        raise CalibrationRejected(
            f"the force at the tip changes by {noise.change_n:.1f} N {when}; max_force_change_n is {limit_n:g} N; "
            "nothing was written; see whether something touches gripper or cable; otherwise raise max_force_change_n"
        )


def _of_all(by_joint: dict[int, float], digits: int) -> SevenMeasures:
    worst = max(by_joint.values())
    a, b, c, d, e, f, g = (round(by_joint.get(joint, worst), digits) for joint in range(7))
    return a, b, c, d, e, f, g


def _rounded(noise: ForceNoise) -> ForceNoise:
    return ForceNoise(round(noise.rms_n, 3), round(noise.change_n, 2))
