"""Which grasps of an object to try, and in which order: that fit the gripper, hit no neighbour and have not failed.

The paper closes across the principal axis, at the centroid. That is the first choice here too; the next ones, for when
it fails or a neighbour is in the way, are ours: the same object closed on from other sides, at the middle of what the
pads would then meet. Where it has failed before is passed over.

Frame: the arena's, metres and radians, on the plane on which masks are laid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tabletop_interaction.agents.grasp import GraspPoint, minor_axis_angle
from tabletop_interaction.agents.rearranging.clearance import Clearance
from tabletop_interaction.envs import Arena

Points = NDArray[np.float64]

_STEP_RAD = np.pi / 12


@dataclass(frozen=True)
class Gripper:
    """The shape of the fingers, and what counts as the same grasp; the Sawyer's.

    Attributes:
        opening_m: between the open pads.
        finger_m: thickness of a finger, along the closing axis.
        pad_m: width of a pad, across the closing axis.
        same_place_m: a grasp nearer than this to one that failed, and ...
        same_angle_rad: ... turned by less than this, is the same one.
        reach_beyond_m: a grasp up to this far outside the arena is tried at its border.
    """

    opening_m: float = 0.057
    finger_m: float = 0.014
    pad_m: float = 0.016
    same_place_m: float = 0.012
    same_angle_rad: float = np.pi / 9
    reach_beyond_m: float = 0.01


def choose_grasps(
    footprint: Points,
    displacement: Points | None,
    others: Sequence[Points],
    failed: Sequence[GraspPoint],
    arena: Arena,
    gripper: Gripper | None = None,
    poor: Sequence[GraspPoint] = (),
) -> list[GraspPoint]:
    """The grasps that are left to try, the most promising first.

    Sorted by whether the fingers would come down on a neighbour, here or where the object shall go, then by whether
    the grasp is a poor one, and then by how far the object reaches along the closing axis.

    Args:
        footprint: (N, 2) of the object.
        displacement: (2,) by which it shall be moved; None where that is not known yet.
        others: (M, 2) each, footprints of the other objects.
        failed: grasps that were tried and held nothing.
        arena: where picks must lie.
        gripper: see `Gripper`.
        poor: grasps that held the object but put it down badly.
    """
    gripper = gripper or Gripper()
    first = minor_axis_angle(footprint)
    neighbours = Clearance(others, arena)
    angles = [_wrapped(first + number * _STEP_RAD) for number in range(12)]
    ranked = []
    for number, angle in enumerate(angles):
        grasp, width = _closed_on(footprint, angle, gripper)
        if not _reached(grasp, arena, gripper) or is_tried(grasp, failed, gripper):
            continue
        hits = _hits(grasp, displacement, neighbours, gripper)
        too_wide = width > gripper.opening_m
        # The principal axis is the better guess among widths that differ by less than the masks do.
        rank = hits + too_wide, is_tried(grasp, poor, gripper), round(width / 0.01), min(number, 12 - number)
        ranked.append((rank, grasp))
    return [grasp for _, grasp in sorted(ranked, key=lambda one: one[0])]


def is_tried(grasp: GraspPoint, tried: Sequence[GraspPoint], gripper: Gripper) -> bool:
    """Whether a grasp is all but the same as one that was tried."""
    return any(
        np.hypot(grasp.x - one.x, grasp.y - one.y) < gripper.same_place_m
        and abs(_wrapped(grasp.angle - one.angle)) < gripper.same_angle_rad
        for one in tried
    )


def _closed_on(footprint: Points, angle: float, gripper: Gripper) -> tuple[GraspPoint, float]:
    """The grasp at that angle, centred on what lies between the pads, and how wide that is."""
    along, across = _axes(angle)
    centroid = footprint.mean(0)
    centred = footprint - centroid
    between = centred[np.abs(centred @ across) <= gripper.pad_m / 2] @ along
    if len(between) == 0:
        between = centred @ along
    # Masks have stray pixels; the widest two per cent at each end are not trusted.
    low, high = np.quantile(between, (0.02, 0.98))
    x, y = centroid + (low + high) / 2 * along
    return GraspPoint(float(x), float(y), angle), float(high - low)


def _hits(grasp: GraspPoint, displacement: Points | None, neighbours: Clearance, gripper: Gripper) -> int:
    """How many fingers come down on a neighbour, at the pick and at the place."""
    along, across = _axes(grasp.angle)
    reach = (gripper.opening_m + gripper.finger_m) / 2
    pick = np.array([grasp.x, grasp.y])
    hits = 0
    for point in (pick,) if displacement is None else (pick, pick + displacement):
        for side in (-1, 1):
            finger = point + side * reach * along + np.outer((-0.5, 0.0, 0.5), gripper.pad_m * across)
            hits += neighbours.around(finger) < gripper.finger_m / 2
    return hits


def _reached(grasp: GraspPoint, arena: Arena, gripper: Gripper) -> bool:
    beyond = np.abs(np.array([grasp.x, grasp.y]) - arena.centre) - arena.half_size
    return bool(beyond.max() <= gripper.reach_beyond_m)


def _axes(angle: float) -> tuple[Points, Points]:
    """Unit vectors (2,) along which the fingers close, and across."""
    along = np.array([np.cos(angle), np.sin(angle)])
    return along, np.array([-along[1], along[0]])


def _wrapped(angle: float) -> float:
    """The same axis in [-pi/2, pi/2)."""
    return float((angle + np.pi / 2) % np.pi - np.pi / 2)
