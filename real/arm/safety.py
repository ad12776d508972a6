"""What is refused before the arm moves: points and paths that leave the arena, the workspace or the joints' range, or
on which the arm would hit itself.

Pure functions: they return nothing or raise, and never bend a target until it fits.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from tabletop_interaction.envs.backend import Arena
from tabletop_interaction.errors import InvalidConfiguration, UnreachableTarget
from tabletop_interaction.real.arm.settings import SafetySettings
from tabletop_interaction.sawyer.kinematics import (
    GRIPPER_TIP,
    HIGHEST,
    JOINT_NAMES,
    LOWEST,
    forward,
)
from tabletop_interaction.sawyer.self_collision import check_self_collision

FloatArray = NDArray[np.float64]

GUARDED_LINKS = (GRIPPER_TIP, "right_hand", "right_l5", "right_l3")
"""Gripper, hand, wrist and elbow: the origins of these links stay inside the workspace."""

_KEPT_OFF_THE_COLUMN = (GRIPPER_TIP, "right_hand")
_CHECKED_EVERY_RAD = 0.03


def check_inside(arena: Arena, what: str, x: float, y: float) -> None:
    """Refuse a point of the table outside the arena.

    Raises:
        UnreachableTarget: it lies outside or is no number; nothing was moved.
    """
    if not (math.isfinite(x) and math.isfinite(y) and arena.contains(x, y)):
        raise UnreachableTarget(
            f"{what} at x {x:.3f} m, y {y:.3f} m lies outside the arena ({arena.x_min} to {arena.x_max} m, "
            f"{arena.y_min} to {arena.y_max} m); nothing was moved; choose a point inside"
        )


def check_commands(commands: FloatArray, base_from_arena: FloatArray, safety: SafetySettings) -> None:
    """Refuse joint commands (T, 7) that come too near a joint's end or the arm itself, or leave the workspace.

    Raises:
        UnreachableTarget: says which joint or link, and where.
        SelfCollision: an UnreachableTarget that says which two links, in which command, and how near.
    """
    _check_joints(commands, safety.joint_margin_rad)
    arena_from_base = np.linalg.inv(base_from_arena)
    for q in thinned(commands):
        for link in GUARDED_LINKS:
            base_from_link = forward(q, link)
            _check_point(link, (arena_from_base @ base_from_link)[:3, 3], safety)
            if link in _KEPT_OFF_THE_COLUMN:
                _check_column(link, base_from_link[:3, 3], safety.base_clearance_m)
    check_self_collision(commands, safety.self_clearance_m)


def check_clearance(commands: FloatArray, base_from_arena: FloatArray, height: float) -> None:
    """Refuse joint commands (T, 7) that bring the gripper below `height`, metres above the table, on their way.

    Raises:
        UnreachableTarget: says how low it would come.
    """
    arena_from_base = np.linalg.inv(base_from_arena)
    lowest = min(float((arena_from_base @ forward(q))[2, 3]) for q in thinned(commands))
    if lowest < height:
        raise UnreachableTarget(
            f"on its way the gripper would come down to {lowest:.3f} m, {height:.3f} m is kept; nothing was moved; "
            "choose another point, or other joint angles for `away`"
        )


def check_level(base_from_arena: FloatArray, safety: SafetySettings) -> None:
    """Refuse a table that is not level with the arm's base: the calibration is wrong, or the table stands askew.

    Raises:
        InvalidConfiguration: says by how much.
    """
    tilt = math.acos(float(np.clip(base_from_arena[2, 2], -1, 1)))
    if tilt > safety.max_table_tilt_rad:
        raise InvalidConfiguration(
            f"base_from_arena tilts the table by {tilt:.3f} rad against the arm's base; accepted is "
            f"{safety.max_table_tilt_rad}: run `tabletop calibrate robot` again, or level the table"
        )


def thinned(commands: FloatArray) -> FloatArray:
    """Of commands (T, 7) those after which some joint has gone on by 0.03 rad, first and last included."""
    far = np.abs(np.diff(commands, axis=0)).max(axis=1).cumsum() if len(commands) > 1 else np.zeros(0)
    steps = np.diff(np.floor(far / _CHECKED_EVERY_RAD), prepend=0.0) > 0
    kept = np.concatenate([[True], steps])
    kept[-1] = True
    return np.asarray(commands[kept], np.float64)


def _check_joints(commands: FloatArray, margin: float) -> None:
    room = np.minimum(commands - LOWEST, HIGHEST - commands)
    if not (room >= margin).all():
        tick, joint = np.unravel_index(np.argmin(room), room.shape)
        raise UnreachableTarget(
            f"{JOINT_NAMES[joint]} would turn to {commands[tick, joint]:.3f} rad; it ranges from {LOWEST[joint]:.3f} "
            f"to {HIGHEST[joint]:.3f} rad and keeps {margin} rad to its ends; nothing was moved; choose another point"
        )


def _check_point(link: str, point: FloatArray, safety: SafetySettings) -> None:
    low, high = np.array(safety.workspace_low), np.array(safety.workspace_high)
    # What calibration and rounding leave is no reason to refuse a point on the border itself.
    if not ((point >= low - 1e-4) & (point <= high + 1e-4)).all():
        raise UnreachableTarget(
            f"{link} would come to x {point[0]:.3f}, y {point[1]:.3f}, z {point[2]:.3f} m, outside the workspace "
            f"({safety.workspace_low} to {safety.workspace_high} m, arena frame); nothing was moved; choose another "
            "point"
        )


def _check_column(link: str, point: FloatArray, clearance: float) -> None:
    radius = math.hypot(*point[:2])
    if radius < clearance:
        raise UnreachableTarget(
            f"{link} would come within {radius:.3f} m of the arm's own column, {clearance} m are kept; nothing was "
            "moved; choose another point"
        )
