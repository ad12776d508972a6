"""Self-collision of the arm, its head and its pedestal: distances between coarse shapes around the links.

The shapes are those of the manufacturer's URDF. Moving spheres, cylinders and boxes become capsules around them, longer
by their radius at both ends; pedestal, feet and controller box keep their exact shapes. Parts with one or two joints in
between are not compared: no joint angles bring them together, but the coarse shapes of shoulder and column, and of
upper arm and head, overlap. The fingers are open; a held object is not included.

The manufacturer's head is a sphere wide enough for any pan angle, and the forearm reaches into it over the arena's near
edge. Here the head is a box around the screen that faces ahead. The driver refuses to connect if the head is turned;
after that its angle is not checked again.

Metres and radians, the arm's base frame.
"""

from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tabletop_interaction.arrays import Floats
from tabletop_interaction.errors import SelfCollision
from tabletop_interaction.sawyer.kinematics import Solid, joint_frames, solids

_MIN_JOINTS_BETWEEN = 3
_BISECTIONS = 14
_TINY = 1e-18
_HEAD_SIZE = (0.10, 0.28, 0.225)
_HEAD_ABOVE_SPHERE = 0.0325


class Capsule(NamedTuple):
    """All points within `radius` of a segment; both ends (3,) are in the frame of the last joint that moves it."""

    link: str
    joints: int
    start: Floats
    end: Floats
    radius: float


def self_distances(q: Floats, reach: float = np.inf) -> Floats:
    """(T, P) float64, metres: distances between the parts of each of `PAIRS` at joint angles `q` (T, 7).

    A negative distance means an overlap but is not its depth; values above `reach`, metres, are lower bounds.
    """
    frames = joint_frames(q)
    starts = _moved(frames, _STARTS)
    vectors = _moved(frames, _ENDS) - starts
    to_blocks = [_to_block(block, frames[block.joints], starts, vectors, reach) for block in BLOCKS]
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


def segment_distances(start: Floats, vector: Floats, other_start: Floats, other_vector: Floats) -> Floats:
    """(N,) between segments from `start` to `start + vector`, all (N, 3); `vector` is 0 for a point.

    The nearest point of the first line is clipped to its segment, then that of the second, then that of the first
    again (Ericson, Real-Time Collision Detection, 5.1.9).
    """
    apart = start - other_start
    along, across, other_along = _dots(vector, vector), _dots(vector, other_vector), _dots(other_vector, other_vector)
    ahead, other_ahead = _dots(vector, apart), _dots(other_vector, apart)
    # Parallel segments: rounding may make it negative.
    slant = np.maximum(along * other_along - across**2, 0)
    at = np.clip((across * other_ahead - ahead * other_along) / (slant + _TINY), 0, 1)
    other_at = np.clip((across * at + other_ahead) / (other_along + _TINY), 0, 1)
    at = np.clip((across * other_at - ahead) / (along + _TINY), 0, 1)
    nearest = apart + at[:, None] * vector - other_at[:, None] * other_vector
    return np.asarray(np.sqrt(_dots(nearest, nearest)))


def solid_distances(solid: Solid, start: Floats, vector: Floats) -> Floats:
    """(N,) from a box or a cylinder to segments from `start` to `start + vector`, (N, 3) in its frame; 0 if they meet.

    The distance to a solid is convex along a segment: bisection on its slope finds the minimum.
    """
    low, high = np.zeros(len(start)), np.ones(len(start))
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        outward = _outward(solid, start + middle[:, None] * vector)
        rising = _dots(outward, vector) > 0
        low, high = np.where(rising, low, middle), np.where(rising, middle, high)
    outward = _outward(solid, start + ((low + high) / 2)[:, None] * vector)
    return np.asarray(np.sqrt(_dots(outward, outward)))


def _between_capsules(starts: Floats, vectors: Floats, reach: float) -> Floats:
    """(T, P) between the compared pairs of capsules, of segments (T, K, 3)."""
    centres = starts + vectors / 2
    radii = _RADII[_ONE] + _RADII[_OTHER]
    distances = np.linalg.norm(centres[:, _ONE] - centres[:, _OTHER], axis=2) - _HALVES[_ONE] - _HALVES[_OTHER] - radii
    time, pair = np.nonzero(distances < reach)
    one, other = (time, _ONE[pair]), (time, _OTHER[pair])
    distances[time, pair] = segment_distances(starts[one], vectors[one], starts[other], vectors[other]) - radii[pair]
    return np.asarray(distances, np.float64)


def _to_block(block: Solid, frames: Floats, starts: Floats, vectors: Floats, reach: float) -> Floats:
    """(T, C) from a block, moved by frames (T, 4, 4), to the capsules compared with it, of all (T, K, 3)."""
    compared = _compared_with(block)
    base_from_block = frames @ block.pose
    turns, shifts = base_from_block[:, :3, :3], base_from_block[:, None, :3, 3]
    starts, vectors = (starts[:, compared] - shifts) @ turns, vectors[:, compared] @ turns
    outward = _outward(block, starts + vectors / 2)
    distances = np.linalg.norm(outward, axis=2) - _HALVES[compared] - _RADII[compared]
    near = np.nonzero(distances < reach)
    distances[near] = solid_distances(block, starts[near], vectors[near]) - _RADII[compared][near[1]]
    return np.asarray(distances, np.float64)


def _outward(solid: Solid, points: Floats) -> Floats:
    """(..., 3) from a solid's nearest point to each of `points` (..., 3), in its frame; 0 for those inside."""
    if solid.kind == "box":
        half = np.array(solid.size) / 2
        return points - np.clip(points, -half, half)
    radius, length = solid.size
    nearest = points / np.maximum(np.hypot(points[..., 0], points[..., 1]) / radius, 1)[..., None]
    nearest[..., 2] = np.clip(points[..., 2], -length / 2, length / 2)
    return points - nearest


def _moved(frames: Floats, points: Floats) -> Floats:
    """(T, K, 3): points (K, 3), one per capsule in the frame of its joint, moved by the frames (8, T, 4, 4)."""
    turns, shifts = frames[:, :, :3, :3].transpose(0, 1, 3, 2), frames[:, :, None, :3, 3]
    return np.concatenate([points[joint == _JOINTS] @ turns[joint] + shifts[joint] for joint in range(8)], axis=1)


def _dots(one: Floats, other: Floats) -> Floats:
    return np.asarray(np.einsum("nx,nx->n", one, other), np.float64)


def _capsule(solid: Solid) -> Capsule:
    """The capsule around a solid, along its longest side."""
    if solid.kind == "sphere":
        half, radius = np.zeros(3), solid.size[0]
    elif solid.kind == "cylinder":
        half, radius = np.array([0, 0, solid.size[1] / 2]), solid.size[0]
    else:
        longest = np.arange(3) == np.argmax(solid.size)
        half, radius = np.where(longest, solid.size, 0.0) / 2, float(np.linalg.norm(np.array(solid.size)[~longest])) / 2
    turn, centre = solid.pose[:3, :3], solid.pose[:3, 3]
    return Capsule(solid.link, solid.joints, centre - turn @ half, centre + turn @ half, radius)


def _compared_with(block: Solid) -> NDArray[np.intp]:
    return np.flatnonzero(_JOINTS - block.joints >= _MIN_JOINTS_BETWEEN)


def _head() -> Solid:
    """The box around the head's neck, screen and camera."""
    sphere = next(solid for solid in solids() if solid.link == "head")
    centre = np.eye(4)
    centre[2, 3] = _HEAD_ABOVE_SPHERE
    return Solid("head", sphere.joints, "box", _HEAD_SIZE, sphere.pose @ centre)


BLOCKS = (*(solid for solid in solids() if solid.link == "base"), _head())
"""Pedestal, feet, controller box and head."""

CAPSULES = tuple(_capsule(solid) for solid in solids() if solid.link not in ("base", "head"))
"""The arm's column and everything that moves except the head, from the base outwards."""

_JOINTS = np.array([capsule.joints for capsule in CAPSULES])
_STARTS = np.array([capsule.start for capsule in CAPSULES])
_ENDS = np.array([capsule.end for capsule in CAPSULES])
_RADII = np.array([capsule.radius for capsule in CAPSULES])
_HALVES = np.linalg.norm(_ENDS - _STARTS, axis=1) / 2
_ONE, _OTHER = np.array(
    [
        (one, other)
        for one, other in combinations(range(len(CAPSULES)), 2)
        if abs(_JOINTS[other] - _JOINTS[one]) >= _MIN_JOINTS_BETWEEN
    ]
).T
PAIRS = (
    *((CAPSULES[one].link, CAPSULES[other].link) for one, other in zip(_ONE, _OTHER, strict=True)),
    *((block.link, CAPSULES[far].link) for block in BLOCKS for far in _compared_with(block)),
)
"""(P,) names of the compared links, one entry per pair of shapes."""
