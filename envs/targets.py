"""Checks of where a gripper is sent, made before anything moves; the simulation and the robot share them.

Frame: the arena's, metres and radians.
"""

import math
from collections.abc import Sequence
from numbers import Real

from tabletop_interaction.envs.backend import Arena
from tabletop_interaction.errors import UnreachableTarget
from tabletop_interaction.ranges import shown


def check_inside(arena: Arena, what: str, point_xy: Sequence[float]) -> None:
    """Refuse what is not a point of the arena.

    Args:
        what: the motion, for the message.
        point_xy: x and y, metres.

    Raises:
        UnreachableTarget: it is not two finite numbers, or lies outside.
    """
    x, y = _two(point_xy)
    if not (isinstance(x, Real) and isinstance(y, Real)):
        raise UnreachableTarget(
            f"{what} at {shown(point_xy)} is no point; nothing was moved; accepted are x and y, two numbers in metres"
        )
    if not (math.isfinite(x) and math.isfinite(y) and arena.contains(x, y)):
        raise UnreachableTarget(
            f"{what} at x {x:.3f} m, y {y:.3f} m lies outside the arena ({arena.x_min} to {arena.x_max} m, "
            f"{arena.y_min} to {arena.y_max} m); nothing was moved; choose a point inside"
        )


def check_angle(what: str, angle: float) -> None:
    """Refuse what is not a finite angle.

    Raises:
        UnreachableTarget: it is not a finite number of radians.
    """
    if not (isinstance(angle, Real) and math.isfinite(angle)):
        raise UnreachableTarget(
            f"{what} angle is {shown(angle)}; nothing was moved; accepted is a finite number of radians"
        )


def _two(values: Sequence[float]) -> tuple[float | None, float | None]:
    """Two values; None twice if there are not two."""
    try:
        first, second = values
    except (TypeError, ValueError):
        return None, None
    return first, second
