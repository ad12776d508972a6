"""Judge the parts of a laboratory before use: each check takes measured values and returns a `Finding` with a remedy.

Pure functions; `examination` measures.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import product

import numpy as np

from tabletop_interaction.arrays import Floats
from tabletop_interaction.envs.backend import Arena
from tabletop_interaction.errors import UnreachableTarget
from tabletop_interaction.findings import MAX_AGE_DAYS, Finding, refusal
from tabletop_interaction.real.arm.driver import ArmState
from tabletop_interaction.real.arm.motion import MotionOutcome, cause_to_stop
from tabletop_interaction.real.arm.moves import Moves
from tabletop_interaction.real.arm.settings import SafetySettings, SawyerSettings
from tabletop_interaction.real.calibration.arm_response import ArmResponse, check_response
from tabletop_interaction.real.lab.lab import Calibration
from tabletop_interaction.sawyer.kinematics import HIGHEST, LOWEST
from tabletop_interaction.sawyer.model import ARM_JOINT_NAMES

ANGLES = tuple(math.radians(degrees) for degrees in (-90, -45, 0, 45))
"""Gripper angles at which the whole arena must be in reach, radians; they repeat after half a turn."""


@dataclass(frozen=True)
class CalibrationStep:
    """A step of `tabletop calibrate`: the prefix of `Calibration.what`, the finding's name, the largest accepted
    residual in the calibration's unit, and the command."""

    prefix: str
    name: str
    max_residual: float
    command: str


CALIBRATION_STEPS = (
    CalibrationStep("intrinsics", "camera intrinsics", 0.7, "cameras"),
    CalibrationStep("pose", "camera poses", 1.0, "arena"),
    CalibrationStep("base", "robot base", 3.0, "robot"),
)

_NAMED_BOXES = 6

_ARM_REMEDIES = {
    MotionOutcome.ESTOP: "remove the cause, release the stop button, then `rosrun intera_interface enable_robot.py -e`",
    MotionOutcome.STOPPED: "read the robot's screen, then `rosrun intera_interface enable_robot.py -e`",
    MotionOutcome.COLLISION: "free the arm by hand where it is stuck",
}


def judge_calibrations(
    calibrations: Iterable[Calibration], now: datetime, max_age_days: float | None = MAX_AGE_DAYS
) -> Iterator[Finding]:
    """One finding per step of the calibration: its worst residual and its oldest part.

    `now` is in UTC; `max_age_days` is None for a twin, whose calibration does not age.
    """
    calibrations = tuple(calibrations)
    for step in CALIBRATION_STEPS:
        parts = [each for each in calibrations if each.what.startswith(step.prefix)]
        if parts:
            yield _judge_step(step, parts, now, max_age_days)


def judge_reach(arena: Arena, moves: Moves) -> Finding:
    """Whether the arm reaches points all over the arena, from away and back to away, at four angles.

    The points are the corners, the middles of the sides (the near one folds the arm most) and the centre. Plans and
    checks are those of a pick; the finding gives the smallest distance of a joint from its limits over the arena.
    """
    (middle_x, middle_y), picks = arena.centre, 9 * len(ANGLES)
    points = product((arena.x_min, middle_x, arena.x_max), (arena.y_min, middle_y, arena.y_max))
    margin, joint, refused = math.inf, "", []
    for (x, y), angle in product(points, ANGLES):
        try:
            over_the_arena = _there_and_back(moves, x, y, angle)
        except UnreachableTarget as error:
            refused.append(f"x {x:.3f}, y {y:.3f} m at {math.degrees(angle):.0f} degrees: {error}")
            continue
        nearest = _smallest_margin(over_the_arena)
        if nearest[0] < margin:
            margin, joint = nearest
    if refused:
        return Finding(
            "reach",
            False,
            f"{len(refused)} of {picks} picks are out of reach, the first {refused[0]}",
            "make the section arena of the lab file smaller, move the table or what stands in the way, or widen the "
            "section safety with care",
        )
    return Finding(
        "reach", True, f"all corners and sides at all angles; {joint} comes closest to its limit: {margin:.2f} rad"
    )


def judge_obstacles(moves: Moves) -> Finding:
    """Whether the arm keeps clear of the obstacles and the table when it is away."""
    names = [each.box.link for each in moves.obstacles]
    boxes = ", ".join(names[:_NAMED_BOXES]) or "no box"
    if more := len(names[_NAMED_BOXES:]):
        boxes += f" and {more} more"
    try:
        moves.carrying.check(moves.away_q[None])
    except UnreachableTarget as error:
        return refusal("obstacles", error)
    return Finding("obstacles", True, f"the table and {boxes}; clear of the arm away")


def judge_arm(state: ArmState, now: float, safety: SafetySettings, moves: Moves) -> Finding:
    """Whether the arm may move at `now`, seconds of the driver's clock.

    `state` is read after the checks of `preflight`, which listen long enough to miss silent topics.
    """
    cause = cause_to_stop(state, now, safety)
    if cause is not None:
        return Finding("robot", False, cause.said, _ARM_REMEDIES.get(cause.outcome, cause.remedy))
    where = "away from the table" if moves.is_away(state.positions) else "not away: the first reset moves it there"
    force = float(np.linalg.norm(state.tip_force))
    age_ms = 1000 * max(now - state.stamp, 0.0)
    return Finding("robot", True, f"enabled; joints {age_ms:.0f} ms old; {force:.1f} N at the tip; {where}")


def judge_response(measured: ArmResponse | None, settings: SawyerSettings, simulated: bool) -> Finding:
    """Whether the settings fit what was measured on the arm; a robot that was not measured is a warning.

    Raises:
        InvalidConfiguration: a setting contradicts a measured figure.
    """
    name = "arm response"
    if measured is None:
        if simulated:
            return Finding(name, True, "not measured; a twin needs no measurement")
        return Finding(name, True, "not measured", "run `tabletop calibrate arm` before the first pick")
    check_response(measured, settings)
    lag, joint = measured.tracking_error(settings.motion.speed_ratio)
    said = (
        f"measured {measured.measured_at:%Y-%m-%d}: lag {1000 * max(measured.lag_s):.0f} ms, {lag:.3f} rad expected at "
        f"{joint} ({settings.safety.max_tracking_error_rad:g} accepted), {measured.noise_n:.2f} N of noise "
        f"({settings.safety.max_force_change_n:g} N stop it)"
    )
    return Finding(name, True, said, _warned(measured))


def _warned(measured: ArmResponse) -> str:
    """What an operator has to know of a measured arm; empty if there is nothing."""
    warnings = []
    if measured.command_timeout_s is None:
        warnings.append("the arm does not stop by itself without commands: a dead program lets it finish its way")
    if measured.stop_button is None:
        warnings.append("the stop button was not tried with an object: run `tabletop calibrate arm`")
    elif not measured.stop_button.stopped.gripping:
        warnings.append("the stop button drops what the gripper holds")
    elif not measured.stop_button.enabled.gripping:
        warnings.append("enabling the motors after a stop drops what the gripper holds")
    return "; ".join(warnings)


def _judge_step(step: CalibrationStep, parts: list[Calibration], now: datetime, max_age_days: float | None) -> Finding:
    worst, oldest = max(parts, key=lambda each: each.residual), min(parts, key=lambda each: each.calibrated_at)
    days = (now - oldest.calibrated_at).total_seconds() / 86400
    said = f"residual {worst.residual:.2f} {worst.unit} at most ({worst.what}), {days:.0f} days old"
    again = f"run `tabletop calibrate {step.command}` again"
    if not worst.residual <= step.max_residual:
        return Finding(step.name, False, f"{said}; {step.max_residual:g} {worst.unit} is accepted", again)
    if max_age_days is None:
        return Finding(step.name, True, f"residual {worst.residual:.2f} {worst.unit}; a twin's does not age")
    if days < 0:
        return Finding(step.name, False, f"{oldest.what} is from the future", f"set this machine's clock, or {again}")
    if days > max_age_days:
        look = f"run `tabletop calibrate check`; if the arena is drawn in the wrong place, {again}"
        return Finding(step.name, False, f"{said}; {max_age_days:g} are accepted", look)
    return Finding(step.name, True, said)


def _there_and_back(moves: Moves, x: float, y: float, angle: float) -> Floats:
    """The joint commands (T, 7) of the path down; the paths to its start and from its end are checked only."""
    above = moves.above(moves.away_q, x, y, angle)
    down = moves.down(x, y, angle, moves.motion.grasp_m)
    moves.carrying.leave(down[-1])
    return np.concatenate([above[-1:], down])


def _smallest_margin(commands: Floats) -> tuple[float, str]:
    """Smallest distance of a joint from its limits, radians, and the name of the joint."""
    margins = np.minimum(commands - LOWEST, HIGHEST - commands).min(axis=0)
    joint = int(np.argmin(margins))
    return float(margins[joint]), ARM_JOINT_NAMES[joint]
