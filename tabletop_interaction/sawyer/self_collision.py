"""Whether the arm would hit itself, its head or what it stands on: distances between rough shapes around its links.

The shapes are those of the maker's description. Spheres, cylinders and boxes that move become capsules around them,
longer by their radius at both ends; pedestal, feet and controller box keep their exact shapes. Parts with one or two
joints in between (neighbours, and the neighbours' neighbours) are not compared: no joint angles bring them together,
though the rough shapes of shoulder and column, and of upper arm and head, overlap. The fingers are open; what they hold
is not known.

The maker's head is a sphere wide enough for any pan, and the forearm reaches into it over the arena's near edge. Here
the head is a box around the screen that faces ahead; the driver refuses to connect where it is turned. It is not
watched after that: leave it so.

Metres and radians, the arm's base frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tabletop_interaction.errors import SelfCollision
from tabletop_interaction.sawyer.kinematics import Solid, joint_frames, solids

FloatArray = NDArray[np.float64]

_LEAST_JOINTS_BETWEEN = 3
_BISECTIONS = 14
_TINY = 1e-12
_HEAD_SIZE = (0.10, 0.28, 0.225)
_HEAD_ABOVE_SPHERE = 0.0325


class Capsule(NamedTuple):
    """All points within `radius` of a segment, both ends (3,) in the frame of the joint that moves it last."""

    link: str
    joints: int
    start: FloatArray
    end: FloatArray
    radius: float


@dataclass(frozen=True, eq=False)
class SelfDistances:
    """How near the arm comes to itself.

    Attributes:
        pairs: the links that were compared, (P,), a pair of links once for each two of their shapes.
        metres: (T, P) float64; negative where shapes overlap, and then no depth.
    """

    pairs: tuple[tuple[str, str], ...]
    metres: FloatArray


def self_distances(q: FloatArray, reach: float = np.inf) -> SelfDistances:
    """Distances between the arm's parts at joint angles `q` (T, 7); above `reach`, metres, they are lower bounds."""
    frames = joint_frames(q)
    starts = _moved(frames, _STARTS)
    ways = _moved(frames, _ENDS) - starts
    to_blocks = [_to_block(block, frames[block.joints], starts, ways, reach) for block in BLOCKS]
    return SelfDistances(_PAIRS, np.concatenate([_between_capsules(starts, ways, reach), *to_blocks], axis=1))


def check_self_collision(commands: FloatArray, clearance: float) -> None:
    """Refuse joint commands (T, 7) that bring two parts of the arm nearer to each other than `clearance`, metres.

    Raises:
        SelfCollision: names the links, the command and the distance where they come nearest.
    """
    distances = self_distances(commands, clearance)
    index, pair = np.unravel_index(np.argmin(distances.metres), distances.metres.shape)
    distance = float(distances.metres[index, pair])
    if not distance >= clearance:
        one, other = distances.pairs[pair]
        raise SelfCollision(
            f"{other} would come to {distance:.3f} m from {one} in command {index} of {len(commands)}; {clearance} m "
            "are kept; nothing was moved; choose another point or other joint angles for `away`; guide the arm by hand "
            "out of a tight fold",
            links=(one, other),
            index=int(index),
            distance=distance,
        )


def segment_distances(start: FloatArray, way: FloatArray, other_start: FloatArray, other_way: FloatArray) -> FloatArray:
    """(N,) between segments from `start` to `start + way`, all (N, 3); a point is a segment without a way.

    The nearest point of the first line is kept on its segment, then that of the second, then that of the first again
    (Ericson, Real-Time Collision Detection, 5.1.9).
    """
    apart = start - other_start
    along, across, other_along = _dots(way, way), _dots(way, other_way), _dots(other_way, other_way)
    ahead, other_ahead = _dots(way, apart), _dots(other_way, apart)
    slant = along * other_along - across**2
    at = np.clip((across * other_ahead - ahead * other_along) / (slant + _TINY), 0, 1)
    other_at = np.clip((across * at + other_ahead) / (other_along + _TINY), 0, 1)
    at = np.clip((across * other_at - ahead) / (along + _TINY), 0, 1)
    nearest = apart + at[:, None] * way - other_at[:, None] * other_way
    return np.asarray(np.sqrt(_dots(nearest, nearest)))


def solid_distances(solid: Solid, start: FloatArray, way: FloatArray) -> FloatArray:
    """(N,) from a box or a cylinder to segments from `start` to `start + way`, (N, 3) in its frame; 0 where they meet.

    A solid's distance is convex along a segment: bisection on its slope leads to the least.
    """
    low, high = np.zeros(len(start)), np.ones(len(start))
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        outward = _outward(solid, start + middle[:, None] * way)
        rising = _dots(outward, way) > 0
        low, high = np.where(rising, low, middle), np.where(rising, middle, high)
    outward = _outward(solid, start + ((low + high) / 2)[:, None] * way)
    return np.asarray(np.sqrt(_dots(outward, outward)))


def _between_capsules(starts: FloatArray, ways: FloatArray, reach: float) -> FloatArray:
    """(T, P) for the pairs of capsules that are compared, of segments (T, K, 3)."""
    centres = starts + ways / 2
    radii = _RADII[_ONE] + _RADII[_OTHER]
    distances = np.linalg.norm(centres[:, _ONE] - centres[:, _OTHER], axis=2) - _HALVES[_ONE] - _HALVES[_OTHER] - radii
    time, pair = np.nonzero(distances < reach)
    one, other = (time, _ONE[pair]), (time, _OTHER[pair])
    distances[time, pair] = segment_distances(starts[one], ways[one], starts[other], ways[other]) - radii[pair]
    return np.asarray(distances, np.float64)


def _to_block(block: Solid, frames: FloatArray, starts: FloatArray, ways: FloatArray, reach: float) -> FloatArray:
    """(T, K) from a block, moved by frames (T, 4, 4), to the capsules that are compared with it, of all (T, K, 3)."""
    compared = _compared_with(block)
    base_from_block = frames @ block.pose
    turns, shifts = base_from_block[:, :3, :3], base_from_block[:, None, :3, 3]
    starts, ways = (starts[:, compared] - shifts) @ turns, ways[:, compared] @ turns
    outward = _outward(block, starts + ways / 2)
    distances = np.linalg.norm(outward, axis=2) - _HALVES[compared] - _RADII[compared]
    near = np.nonzero(distances < reach)
    distances[near] = solid_distances(block, starts[near], ways[near]) - _RADII[compared][near[1]]
    return np.asarray(distances, np.float64)


def _outward(solid: Solid, points: FloatArray) -> FloatArray:
    """(..., 3) from a solid's nearest point to each of `points` (..., 3), in its frame; 0 for those inside."""
    if solid.kind == "box":
        half = np.array(solid.size) / 2
        return points - np.clip(points, -half, half)
    radius, length = solid.size
    nearest = points / np.maximum(np.hypot(points[..., 0], points[..., 1]) / radius, 1)[..., None]
    nearest[..., 2] = np.clip(points[..., 2], -length / 2, length / 2)
    return points - nearest


def _moved(frames: FloatArray, points: FloatArray) -> FloatArray:
    """(T, K, 3): points (K, 3), one of each capsule in the frame of its joint, moved by the frames (8, T, 4, 4)."""
    turns, shifts = frames[:, :, :3, :3].transpose(0, 1, 3, 2), frames[:, :, None, :3, 3]
    return np.concatenate([points[joint == _JOINTS] @ turns[joint] + shifts[joint] for joint in range(8)], axis=1)


def _dots(one: FloatArray, other: FloatArray) -> FloatArray:
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
    return np.flatnonzero(_JOINTS - block.joints >= _LEAST_JOINTS_BETWEEN)


def _head() -> Solid:
    """The box around the head's neck, screen and camera."""
    sphere = next(solid for solid in solids() if solid.link == "head")
    centre = np.eye(4)
    centre[2, 3] = _HEAD_ABOVE_SPHERE
    return Solid("head", sphere.joints, "box", _HEAD_SIZE, sphere.pose @ centre)


BLOCKS = (*(solid for solid in solids() if solid.link == "base"), _head())
"""What the arm stands on, and its head."""

CAPSULES = tuple(_capsule(solid) for solid in solids() if solid.link not in ("base", "head"))
"""All that moves but the head, and the arm's column; from the base on."""

_JOINTS = np.array([capsule.joints for capsule in CAPSULES])
_STARTS = np.array([capsule.start for capsule in CAPSULES])
_ENDS = np.array([capsule.end for capsule in CAPSULES])
_RADII = np.array([capsule.radius for capsule in CAPSULES])
_HALVES = np.linalg.norm(_ENDS - _STARTS, axis=1) / 2
_ONE, _OTHER = np.array(
    [
        (one, other)
        for one, other in combinations(range(len(CAPSULES)), 2)
        if abs(_JOINTS[other] - _JOINTS[one]) >= _LEAST_JOINTS_BETWEEN
    ]
).T
_PAIRS = (
    *((CAPSULES[one].link, CAPSULES[other].link) for one, other in zip(_ONE, _OTHER, strict=True)),
    *((block.link, CAPSULES[far].link) for block in BLOCKS for far in _compared_with(block)),
)
