"""Checks before the arm moves: points and paths outside the arena, the workspace or the joint limits, self-collision,
obstacles and the table.

Pure functions that return nothing or raise UnreachableTarget with the reason and the place; a target is refused, never
clipped. Nothing was moved then.
"""

import math
from collections.abc import Sequence

import numpy as np

from tabletop_interaction.arrays import Floats
from tabletop_interaction.errors import InvalidConfiguration, UnreachableTarget
from tabletop_interaction.real.arm.settings import SafetySettings
from tabletop_interaction.sawyer.kinematics import GRIPPER_TIP, HIGHEST, LOWEST, forward
from tabletop_interaction.sawyer.model import ARM_JOINT_NAMES
from tabletop_interaction.sawyer.obstacles import Obstacle, check_obstacles, check_table
from tabletop_interaction.sawyer.self_collision import check_self_collision

# Gripper, hand, wrist and elbow: the origins of these links stay inside the workspace.
_GUARDED_LINKS = (GRIPPER_TIP, "right_hand", "right_l5", "right_l3")
_COLUMN_LINKS = (GRIPPER_TIP, "right_hand")
_CHECK_STEP_RAD = 0.03


def check_commands(
    commands: Floats,
    base_from_arena: Floats,
    safety: SafetySettings,
    obstacles: Sequence[Obstacle] = (),
    *,
    holding: bool = False,
) -> None:
    """Refuse joint commands (T, 7) too near a joint limit, the arm itself or an obstacle, or outside the workspace.

    `holding`: whether the gripper holds an object that obstacles keep clear of.

    Raises:
        SelfCollision: an UnreachableTarget that names the two links, the command and the distance.
        ObstacleCollision: the same for an obstacle or the table, and a part of the arm.
    """
    _check_joints(commands, safety.joint_margin_rad)
    arena_from_base = np.linalg.inv(base_from_arena)
    for q in thinned(commands):
        for link in _GUARDED_LINKS:
            base_from_link = forward(q, link)
            _check_point(link, (arena_from_base @ base_from_link)[:3, 3], safety)
            if link in _COLUMN_LINKS:
                _check_column(link, base_from_link[:3, 3], safety.base_clearance_m)
    check_self_collision(commands, safety.self_clearance_m)
    check_table(commands, base_from_arena, safety.table_clearance_m)
    check_obstacles(commands, obstacles, safety.held_reach_m if holding else 0.0)


def check_clearance(commands: Floats, base_from_arena: Floats, height: float) -> None:
    """Refuse joint commands (T, 7) that bring the gripper below `height`, metres above the table."""
    arena_from_base = np.linalg.inv(base_from_arena)
    lowest = min(float((arena_from_base @ forward(q))[2, 3]) for q in thinned(commands))
    if lowest < height:
        raise UnreachableTarget(
            f"the path would bring the gripper down to {lowest:.3f} m; at least {height:.3f} m is accepted; nothing "
            "was moved; choose another point, or other joint angles for `away`"
        )


def check_level(base_from_arena: Floats, safety: SafetySettings) -> None:
    """Refuse a table that is not parallel to the arm's base: the calibration is wrong, or the table is tilted.

    Raises:
        InvalidConfiguration: gives the tilt.
    """
    tilt = math.acos(float(np.clip(base_from_arena[2, 2], -1, 1)))
    if tilt > safety.max_table_tilt_rad:
        raise InvalidConfiguration(
            f"base_from_arena tilts the table by {tilt:.3f} rad against the arm's base; accepted is "
            f"{safety.max_table_tilt_rad}: run `tabletop calibrate robot` again, or level the table"
        )


def thinned(commands: Floats) -> Floats:
    """The commands (T, 7) at steps of 0.03 rad of the fastest joint, first and last included."""
    far = np.abs(np.diff(commands, axis=0)).max(axis=1).cumsum() if len(commands) > 1 else np.zeros(0)
    steps = np.diff(np.floor(far / _CHECK_STEP_RAD), prepend=0.0) > 0
    chosen = np.concatenate([[True], steps])
    chosen[-1] = True
    return np.asarray(commands[chosen], np.float64)


def _check_joints(commands: Floats, margin: float) -> None:
    slack = np.minimum(commands - LOWEST, HIGHEST - commands)
    if not (slack >= margin).all():
        tick, joint = np.unravel_index(np.argmin(slack), slack.shape)
        raise UnreachableTarget(
            f"{ARM_JOINT_NAMES[joint]} would turn to {commands[tick, joint]:.3f} rad; accepted is {LOWEST[joint]:.3f} "
            f"to {HIGHEST[joint]:.3f} rad with a margin of {margin} rad; nothing was moved; choose another point"
        )


def _check_point(link: str, point: Floats, safety: SafetySettings) -> None:
    low, high = np.array(safety.workspace_low), np.array(safety.workspace_high)
    # A tolerance for calibration and rounding errors: points on the border itself are accepted.
    if not ((point >= low - 1e-4) & (point <= high + 1e-4)).all():
        raise UnreachableTarget(
            f"{link} would come to x {point[0]:.3f}, y {point[1]:.3f}, z {point[2]:.3f} m, outside the workspace "
            f"({safety.workspace_low} to {safety.workspace_high} m, arena frame); nothing was moved; choose another "
            "point"
        )


def _check_column(link: str, point: Floats, clearance: float) -> None:
    radius = math.hypot(*point[:2])
    if radius < clearance:
        raise UnreachableTarget(
            f"{link} would come within {radius:.3f} m of the arm's own column; at least {clearance} m is accepted; "
            "nothing was moved; choose another point"
        )
