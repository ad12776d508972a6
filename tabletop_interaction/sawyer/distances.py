"""Distances between the coarse shapes around the arm's links, and from them to boxes and cylinders that stand still.

The shapes are those of the manufacturer's URDF. Spheres, cylinders and boxes that move become capsules around them,
longer by their radius at both ends; what stands still keeps its exact shape.

Metres and radians, the arm's base frame.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tabletop_interaction.arrays import Floats
from tabletop_interaction.sawyer.kinematics import Solid

_BISECTIONS = 14
_TINY = 1e-18


class Capsule(NamedTuple):
    """All points within `radius` of a segment; both ends (3,) are in the frame of the last joint that moves it."""

    link: str
    joints: int
    start: Floats
    end: Floats
    radius: float


class Capsules(NamedTuple):
    """K capsules, in ascending order of `joints`; the fields are stacked and named as those of `Capsule`."""

    links: tuple[str, ...]
    joints: NDArray[np.intp]
    starts: Floats
    ends: Floats
    radii: Floats

    @property
    def halves(self) -> Floats:
        """(K,) half the lengths of the segments."""
        return np.asarray(np.linalg.norm(self.ends - self.starts, axis=1) / 2)

    def placed(self, frames: Floats) -> tuple[Floats, Floats]:
        """(T, K, 3) each: starts of the segments and the vectors to their ends, moved by frames (8, T, 4, 4)."""
        starts = _moved(frames, self.joints, self.starts)
        return starts, _moved(frames, self.joints, self.ends) - starts


def stacked(capsules: Iterable[Capsule]) -> Capsules:
    """The capsules as arrays."""
    links, joints, starts, ends, radii = zip(*sorted(capsules, key=lambda each: each.joints), strict=True)
    return Capsules(links, np.array(joints), np.array(starts), np.array(ends), np.array(radii))


def capsule_around(solid: Solid) -> Capsule:
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


def block_distances(
    block: Solid, frames: Floats, starts: Floats, vectors: Floats, radii: Floats, reach: float = np.inf
) -> Floats:
    """(T, K) from a box or a cylinder to capsules of segments (T, K, 3) and radii (K,).

    `frames` (8, T, 4, 4) of the joints move the block. A negative distance means an overlap but is not its depth;
    values above `reach` are lower bounds.
    """
    base_from_block = frames[block.joints] @ block.pose
    turns, shifts = base_from_block[:, :3, :3], base_from_block[:, None, :3, 3]
    starts, vectors = (starts - shifts) @ turns, vectors @ turns
    outward = _outward(block, starts + vectors / 2)
    halves = np.linalg.norm(vectors, axis=2) / 2
    distances = np.linalg.norm(outward, axis=2) - halves - radii
    near = np.nonzero(distances < reach)
    distances[near] = solid_distances(block, starts[near], vectors[near]) - radii[near[1]]
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


def _moved(frames: Floats, joints: NDArray[np.intp], points: Floats) -> Floats:
    """(T, K, 3): points (K, 3), in ascending order of their joints, moved by the frames of these joints."""
    turns, shifts = frames[:, :, :3, :3].transpose(0, 1, 3, 2), frames[:, :, None, :3, 3]
    moving = np.unique(joints).tolist()
    return np.concatenate([points[joint == joints] @ turns[joint] + shifts[joint] for joint in moving], axis=1)


def _dots(one: Floats, other: Floats) -> Floats:
    return np.asarray(np.einsum("nx,nx->n", one, other), np.float64)
