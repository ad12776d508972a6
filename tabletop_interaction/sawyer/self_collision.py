"""Self-collision of the arm, its head and its pedestal: distances between coarse shapes around the links.

What moves is a capsule (see `distances`); pedestal, feet and controller box keep their exact shapes. Parts with one or
two joints in between are not compared: no joint angles bring them together, but the coarse shapes of shoulder and
column, and of upper arm and head, overlap. The fingers are open; a held object is not included.

The manufacturer's head is a sphere wide enough for any pan angle, and the forearm reaches into it over the arena's near
edge. Here the head is a box around the screen that faces ahead: a head that is turned is refused when the robot is
connected, and stops the arm later.

Metres and radians, the arm's base frame.
"""

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from tabletop_interaction.arrays import Floats
from tabletop_interaction.errors import SelfCollision
from tabletop_interaction.sawyer.distances import block_distances, capsule_around, segment_distances, stacked
from tabletop_interaction.sawyer.kinematics import Solid, joint_frames, solids

_MIN_JOINTS_BETWEEN = 3
_HEAD_SIZE = (0.10, 0.28, 0.225)
_HEAD_ABOVE_SPHERE = 0.0325


def self_distances(q: Floats, reach: float = np.inf) -> Floats:
    """(T, P) float64, metres: distances between the parts of each of `PAIRS` at joint angles `q` (T, 7).

    A negative distance means an overlap but is not its depth; values above `reach`, metres, are lower bounds.
    """
    frames = joint_frames(q)
    starts, vectors = _ARRAYS.placed(frames)
    to_blocks = []
    for block in BLOCKS:
        compared = _compared_with(block)
        parts = starts[:, compared], vectors[:, compared], _ARRAYS.radii[compared]
        to_blocks.append(block_distances(block, frames, *parts, reach))
    return np.concatenate([_between_capsules(starts, vectors, reach), *to_blocks], axis=1)


def check_self_collision(commands: Floats, clearance: float) -> None:
    """Refuse joint commands (T, 7) that bring two parts of the arm closer than `clearance`, metres.

    Raises:
        SelfCollision: names the links, the command and the smallest distance.
    """
    distances = self_distances(commands, clearance)
    index, pair = np.unravel_index(np.argmin(distances), distances.shape)
    distance = float(distances[index, pair])
    if not distance >= clearance:
        one, other = PAIRS[pair]
        raise SelfCollision(
            f"{other} would come to {distance:.3f} m from {one} in command {index} of {len(commands)}; at least "
            f"{clearance} m is accepted; nothing was moved; choose another point or other joint angles for `away`; if "
            "the arm is tightly folded, guide it by hand",
            links=(one, other),
            index=int(index),
            distance=distance,
        )


def _between_capsules(starts: Floats, vectors: Floats, reach: float) -> Floats:
    """(T, P) between the compared pairs of capsules, of segments (T, K, 3)."""
    centres, halves = starts + vectors / 2, _ARRAYS.halves
    radii = _ARRAYS.radii[_ONE] + _ARRAYS.radii[_OTHER]
    distances = np.linalg.norm(centres[:, _ONE] - centres[:, _OTHER], axis=2) - halves[_ONE] - halves[_OTHER] - radii
    time, pair = np.nonzero(distances < reach)
    one, other = (time, _ONE[pair]), (time, _OTHER[pair])
    distances[time, pair] = segment_distances(starts[one], vectors[one], starts[other], vectors[other]) - radii[pair]
    return np.asarray(distances, np.float64)


def _compared_with(block: Solid) -> NDArray[np.intp]:
    return np.flatnonzero(_ARRAYS.joints - block.joints >= _MIN_JOINTS_BETWEEN)


def _head() -> Solid:
    """The box around the head's neck, screen and camera."""
    sphere = next(solid for solid in solids() if solid.link == "head")
    centre = np.eye(4)
    centre[2, 3] = _HEAD_ABOVE_SPHERE
    return Solid("head", sphere.joints, "box", _HEAD_SIZE, sphere.pose @ centre)


BLOCKS = (*(solid for solid in solids() if solid.link == "base"), _head())
"""Pedestal, feet, controller box and head."""

CAPSULES = tuple(capsule_around(solid) for solid in solids() if solid.link not in ("base", "head"))
"""The arm's column and everything that moves except the head, from the base outwards."""

_ARRAYS = stacked(CAPSULES)
_ONE, _OTHER = np.array(
    [
        (one, other)
        for one, other in combinations(range(len(CAPSULES)), 2)
        if abs(CAPSULES[other].joints - CAPSULES[one].joints) >= _MIN_JOINTS_BETWEEN
    ]
).T
PAIRS = (
    *((CAPSULES[one].link, CAPSULES[other].link) for one, other in zip(_ONE, _OTHER, strict=True)),
    *((block.link, CAPSULES[far].link) for block in BLOCKS for far in _compared_with(block)),
)
"""(P,) names of the compared links, one entry per pair of shapes."""
