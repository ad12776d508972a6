"""What is judged of a laboratory before it is used: each check takes what was read and says in a `Finding` whether it
is well, and if not, what to do. Pure functions; `examination` does the reading.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product

import numpy as np
from numpy.typing import NDArray

from tabletop_interaction.envs.backend import Arena
from tabletop_interaction.errors import TabletopError, UnreachableTarget
from tabletop_interaction.real.arm.driver import ArmState, GripperState
from tabletop_interaction.real.arm.motion import Outcome, ailment
from tabletop_interaction.real.arm.moves import Moves
from tabletop_interaction.real.arm.settings import FULL_OPENING_M, GripperSettings, SafetySettings
from tabletop_interaction.real.lab.config import Calibration
from tabletop_interaction.sawyer.kinematics import HIGHEST, JOINT_NAMES, LOWEST

FloatArray = NDArray[np.float64]

MAX_AGE_DAYS = 30.0
"""A calibration older than that is worth a look: cameras get knocked, tables pushed."""

ANGLES = tuple(math.radians(degrees) for degrees in (-90, -45, 0, 45))
"""Gripper angles at which all of the arena has to be in reach, radians; they repeat after half a turn."""

_OPENING_SLACK_M = 0.002


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes:
        name: of what was looked at.
        ok: whether it is well.
        said: what was seen.
        remedy: what to do; empty where all is well.
    """

    name: str
    ok: bool
    said: str
    remedy: str = ""


@dataclass(frozen=True)
class CalibrationStep:
    """A step of `tabletop calibrate`, and the largest residual with which its result is accepted.

    Attributes:
        prefix: how `Calibration.what` begins.
        name: of the finding.
        most: residual, in the calibration's unit.
        command: the step's.
    """

    prefix: str
    name: str
    most: float
    command: str


CALIBRATION_STEPS = (
    CalibrationStep("intrinsics", "camera intrinsics", 0.7, "cameras"),
    CalibrationStep("pose", "camera poses", 1.0, "arena"),
    CalibrationStep("base", "robot base", 3.0, "robot"),
)

_ARM_REMEDIES = {
    Outcome.ESTOP: "see to the cause, release the stop button, then `rosrun intera_interface enable_robot.py -e`",
    Outcome.STOPPED: "see the robot's screen, then `rosrun intera_interface enable_robot.py -e`",
    Outcome.STALE_STATE: "check the network and the robot: `rostopic hz /robot/joint_states` has to show a steady rate",
    Outcome.COLLISION: "free the arm by hand where it is stuck",
}


def refusal(name: str, error: TabletopError) -> Finding:
    """A typed error as a finding: what came stands before its first semicolon, what to do after it."""
    said, _, remedy = str(error).partition("; ")
    return Finding(name, False, said, remedy or "see docs/hardware.md")


def judge_calibrations(
    calibrations: Iterable[Calibration], now: datetime, max_age_days: float | None = MAX_AGE_DAYS
) -> Iterator[Finding]:
    """One finding a step of the calibration: its worst residual and its oldest part.

    Args:
        calibrations: of the lab file.
        now: in UTC.
        max_age_days: None for parts that do not age, as a twin's.
    """
    calibrations = tuple(calibrations)
    for step in CALIBRATION_STEPS:
        parts = [each for each in calibrations if each.what.startswith(step.prefix)]
        if parts:
            yield _judge_step(step, parts, now, max_age_days)


def judge_reach(arena: Arena, moves: Moves) -> Finding:
    """Whether the arm gets from away to points all over the arena, down, up and away again, at four angles.

    The points are the corners, the sides' middles (the near one folds the arm most) and the centre. These are the very
    plans and checks of a pick; told is the least room to a joint's end over the arena.
    """
    (middle_x, middle_y), picks = arena.centre, 9 * len(ANGLES)
    points = product((arena.x_min, middle_x, arena.x_max), (arena.y_min, middle_y, arena.y_max))
    room, joint, refused = math.inf, "", []
    for (x, y), angle in product(points, ANGLES):
        try:
            over_the_arena = _there_and_back(moves, x, y, angle)
        except UnreachableTarget as error:
            refused.append(f"x {x:.3f}, y {y:.3f} m at {math.degrees(angle):.0f} degrees: {error}")
            continue
        here, which = _least_room(over_the_arena)
        if here < room:
            room, joint = here, which
    if refused:
        return Finding(
            "reach",
            False,
            f"{len(refused)} of {picks} picks are out of reach, the first {refused[0]}",
            "make the section arena of the lab file smaller, move the table, or widen the section safety with care",
        )
    return Finding(
        "reach", True, f"all corners and sides at all angles; {joint} keeps {room:.2f} rad to its end, the least"
    )


def judge_arm(state: ArmState, now: float, safety: SafetySettings, moves: Moves) -> Finding:
    """Whether the arm may be moved.

    Args:
        state: read after a pause that would show joint states that no longer come.
        now: seconds of the driver's clock.
        safety: how old a state may be.
        moves: knows where the arm is out of every view.
    """
    ill = ailment(state, now, safety)
    if ill is not None:
        return Finding("robot", False, ill.value, _ARM_REMEDIES[ill])
    where = "away from the table" if moves.is_away(state.positions) else "not away: it will go there at the first reset"
    force = float(np.linalg.norm(state.tip_force))
    age_ms = 1000 * max(now - state.stamp, 0.0)
    return Finding("robot", True, f"enabled; joints {age_ms:.0f} ms old; {force:.1f} N at the tip; {where}")


def judge_gripper(state: GripperState, settings: GripperSettings) -> Finding:
    """Whether the gripper reports an opening that it can have, and no error."""
    said = f"{1000 * state.opening:.1f} mm open, {state.force:.1f} N"
    if state.error or not -_OPENING_SLACK_M <= state.opening <= FULL_OPENING_M + _OPENING_SLACK_M:
        return Finding(
            "gripper",
            False,
            f"{said}, error {state.error}; {1000 * FULL_OPENING_M:.1f} mm is the widest",
            "take out what it holds, switch it off and on, calibrate it: `rosrun intera_examples gripper_keyboard.py`",
        )
    held = state.gripping and state.opening > settings.close_to_m + settings.empty_m
    return Finding("gripper", True, f"{said}{', holds something: the first reset puts it down' if held else ''}")


def _judge_step(step: CalibrationStep, parts: list[Calibration], now: datetime, max_age_days: float | None) -> Finding:
    worst, oldest = max(parts, key=lambda each: each.residual), min(parts, key=_in_utc)
    days = (now - _in_utc(oldest)).total_seconds() / 86400
    said = f"residual {worst.residual:.2f} {worst.unit} at most ({worst.what}), {days:.0f} days old"
    again = f"run `tabletop calibrate {step.command}` again"
    if not worst.residual <= step.most:
        return Finding(step.name, False, f"{said}; {step.most:g} {worst.unit} is accepted", again)
    if max_age_days is None:
        return Finding(step.name, True, f"residual {worst.residual:.2f} {worst.unit}; a twin's does not age")
    if days < 0:
        return Finding(step.name, False, f"{oldest.what} is from the future", f"set this machine's clock, or {again}")
    if days > max_age_days:
        look = "look at `tabletop calibrate check`"
        return Finding(step.name, False, f"{said}; {max_age_days:g} are accepted", f"{look}; is it off, {again}")
    return Finding(step.name, True, said)


def _in_utc(calibration: Calibration) -> datetime:
    # A time written by hand may lack its zone: it counts as UTC, as where the lab file is read.
    time = calibration.calibrated_at
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _there_and_back(moves: Moves, x: float, y: float, angle: float) -> FloatArray:
    """The joint commands (T, 7) of the way down; that to its start and that from its end are checked alone."""
    above = moves.above(moves.away_q, x, y, angle)
    down = moves.down(x, y, angle, moves.motion.grasp_m)
    up = moves.up(down[-1])
    moves.away(up[-1])
    return np.concatenate([above[-1:], down])


def _least_room(commands: FloatArray) -> tuple[float, str]:
    """How near a joint comes to one of its ends, radians, and which."""
    room = np.minimum(commands - LOWEST, HIGHEST - commands).min(axis=0)
    joint = int(np.argmin(room))
    return float(room[joint]), JOINT_NAMES[joint]
