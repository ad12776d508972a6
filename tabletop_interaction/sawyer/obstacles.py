"""Obstacles: distances from the moving arm to boxes around it, and its height above the table.

Boxes are compared with the capsules of `envelope` around every part that moves, and with a sphere around what the
gripper holds. The table is the half-space below a plane: parts from the upper arm on keep their exact shapes, and a
held object, which lay on the table when it was picked, is not compared.

Metres and radians, the arm's base frame.
"""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from tabletop_interaction.arrays import Floats
from tabletop_interaction.errors import ObstacleCollision
from tabletop_interaction.sawyer.distances import Capsule, Capsules, block_distances, stacked
from tabletop_interaction.sawyer.envelope import ADDED, ENVELOPE
from tabletop_interaction.sawyer.kinematics import HOME, Solid, forward, joint_frames, solids

TABLE = "table"
"""The table's name in errors."""

_FINGERS = "right_gripper"
# The first link with the shoulder turns about the column: it never comes nearer to the table.
_FIRST_ABOVE_TABLE = 2
_ROUNDING_M = 1e-4


class Obstacle(NamedTuple):
    """A box that stands still, by its name `box.link`, and the distance that every part of the arm keeps from it."""

    box: Solid
    clearance: float


def obstacle_at(name: str, size: Sequence[float], base_from_box: Floats, clearance: float) -> Obstacle:
    """A box of `size` x, y, z with its centre at the origin of its frame (4, 4)."""
    return Obstacle(Solid(name, 0, "box", tuple(size), base_from_box), clearance)


def check_obstacles(commands: Floats, obstacles: Sequence[Obstacle], held_reach: float = 0.0) -> None:
    """Refuse joint commands (T, 7) that bring the arm, or what it holds, too near to a box.

    Between two commands the joints turn linearly: half the way that a part moves is taken off its distance, so that
    nothing is passed in between. `held_reach` is the largest distance of a held object's points from the gripper's tip,
    0 if nothing is held.

    Raises:
        ObstacleCollision: names the box, the part, the command and the smallest distance.
    """
    if not obstacles:
        return
    parts, frames = _moving_parts(held_reach), joint_frames(commands)
    starts, vectors = parts.placed(frames)
    between = _half_steps(starts, vectors)
    slacks = []
    for box, clearance in obstacles:
        reach = clearance + float(between.max())
        slacks.append(block_distances(box, frames, starts, vectors, parts.radii, reach) - between - clearance)
    worst, index, part = np.unravel_index(np.argmin(slacks), np.shape(slacks))
    slack, (box, clearance) = float(slacks[int(worst)][index, part]), obstacles[int(worst)]
    if not slack >= 0:
        raise _collision(box.link, parts.links[part], int(index), len(commands), slack + clearance, clearance)


def check_table(commands: Floats, base_from_arena: Floats, clearance: float) -> None:
    """Refuse joint commands (T, 7) that bring the arm closer than `clearance` to the table's plane, z = 0 in the arena.

    The fingers may touch it.

    Raises:
        ObstacleCollision: names the part, the command and its height.
    """
    heights = table_heights(commands, base_from_arena)
    accepted = np.array([-_ROUNDING_M if link.startswith(_FINGERS) else clearance for link in ABOVE_TABLE])
    index, part = np.unravel_index(np.argmin(heights - accepted), heights.shape)
    if not heights[index, part] >= accepted[part]:
        nearest = max(float(accepted[part]), 0.0)
        raise _collision(TABLE, ABOVE_TABLE[part], int(index), len(commands), float(heights[index, part]), nearest)


def table_heights(commands: Floats, base_from_arena: Floats) -> Floats:
    """(T, S) heights of the lowest points of the shapes of `ABOVE_TABLE` above the table, metres."""
    up, origin = base_from_arena[:3, 2], base_from_arena[:3, 3]
    frames, heights = joint_frames(commands), []
    for solid in _SOLIDS:
        base_from_solid = frames[solid.joints] @ solid.pose
        centre = (base_from_solid[:, :3, 3] - origin) @ up
        heights.append(centre - _extents(solid, up @ base_from_solid[:, :3, :3]))
    starts, vectors = _ADDED.placed(frames)
    lowest = np.minimum((starts - origin) @ up, (starts + vectors - origin) @ up) - _ADDED.radii
    return np.concatenate([np.stack(heights, axis=1), lowest], axis=1)


def _extents(solid: Solid, directions: Floats) -> Floats:
    """(T,) how far a solid reaches from its centre along unit vectors (T, 3) in its frame."""
    if solid.kind == "sphere":
        return np.full(len(directions), solid.size[0])
    if solid.kind == "box":
        return np.asarray(np.abs(directions) @ (np.array(solid.size) / 2))
    radius, length = solid.size
    return np.asarray(np.hypot(directions[:, 0], directions[:, 1]) * radius + np.abs(directions[:, 2]) * length / 2)


def _half_steps(starts: Floats, vectors: Floats) -> Floats:
    """(T, K) half the longest way of a segment's points (T, K, 3) to the command before or after."""
    ways = np.zeros((len(starts) + 1, starts.shape[1]))
    for ends in (starts, starts + vectors):
        ways[1:-1] = np.maximum(ways[1:-1], np.linalg.norm(np.diff(ends, axis=0), axis=2))
    return np.asarray(np.maximum(ways[:-1], ways[1:]) / 2)


def _collision(obstacle: str, link: str, index: int, count: int, distance: float, accepted: float) -> ObstacleCollision:
    return ObstacleCollision(
        f"{link} would come to {distance:.3f} m from {obstacle} in command {index} of {count}; at least {accepted:g} m "
        "is accepted; nothing was moved; choose another point or other joint angles for `away`; if the arm is there "
        "already, guide it away by hand",
        obstacle=obstacle,
        link=link,
        index=index,
        distance=distance,
    )


@cache
def _moving_parts(held_reach: float) -> Capsules:
    """Everything that moves, with a sphere around the gripper's tip if something is held."""
    parts = list(ENVELOPE)
    if held_reach > 0:
        tip = (np.linalg.inv(joint_frames(HOME[None])[7, 0]) @ forward(HOME))[:3, 3]
        parts.append(Capsule("the held object", 7, tip, tip, held_reach))
    return stacked(parts)


_SOLIDS = tuple(solid for solid in solids() if solid.joints >= _FIRST_ABOVE_TABLE)
_ADDED = stacked(each for each in ADDED if each.joints >= _FIRST_ABOVE_TABLE)
ABOVE_TABLE = (*(solid.link for solid in _SOLIDS), *_ADDED.links)
"""(S,) links of the shapes that stay above the table."""
