"""Choose grasps of an object: they fit the gripper, hit no neighbour and have not failed.

The paper closes across the principal axis, at the centroid. That is the first choice here too. Further grasps are ours,
for when the first fails or a neighbour is in the way: they close on the object from other sides, at the middle of what
lies between the pads.

Frame: the arena's, metres and radians, on the plane on which masks are laid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from tabletop_interaction.agents.grasp import GraspPoint, minor_axis_angle
from tabletop_interaction.agents.rearranging.planning import Clearance
from tabletop_interaction.arrays import Floats, Points
from tabletop_interaction.envs import Arena, Gripper, PickOutcome, PickPlace
from tabletop_interaction.ranges import Range, check_fields

SAME_OBJECT_M = 0.03
"""Two points nearer to each other than this are taken to be on the same object."""

_STEP_RAD = np.pi / 12
_LARGEST_OBJECT_M = 0.08
# Masks laid on the plane at another place err by less than this, and the benchmark's 15 px are more.
_MISPLACED_M = 0.02
# What lies farther than this from where an object was put is taken for another one.
_ROLLED_M = 0.10
# A point nearer than this to a point of a footprint, which has one in each cell of 3 mm, lies on it.
_FOOTPRINT_M = 0.004


@dataclass(frozen=True)
class GripperShape:
    """Shape of the fingers, and which grasps count as the same; the Sawyer's unless made by `of`.

    Attributes:
        opening_m: Distance between the open pads, metres.
        finger_m: Thickness of a finger along the closing axis, metres.
        pad_m: Width of a pad across the closing axis, metres.
        same_place_m: Distance below which two grasps are the same if their angles agree too, metres.
        same_angle_rad: Angle below which two grasps are the same if their places agree too, radians.
        reach_beyond_m: Distance outside the arena up to which a grasp is made at the arena's border, metres.
    """

    opening_m: Annotated[float, Range(0, 10, above=True, unit="m")] = 0.057
    finger_m: Annotated[float, Range(0, 10, above=True, unit="m")] = 0.014
    pad_m: Annotated[float, Range(0, 10, above=True, unit="m")] = 0.016
    same_place_m: Annotated[float, Range(0, 10, unit="m")] = 0.012
    same_angle_rad: Annotated[float, Range(0, 2 * np.pi)] = np.pi / 9
    reach_beyond_m: Annotated[float, Range(0, 10, unit="m")] = 0.01

    def __post_init__(self) -> None:
        check_fields(self)

    @classmethod
    def of(cls, gripper: Gripper) -> GripperShape:
        """The shape of an environment's gripper; its opening in whole millimetres, since masks err by more."""
        return cls(opening_m=round(gripper.opening_m, 3), pad_m=gripper.pad_m)


def choose_grasps(
    footprint: Points,
    displacement: Floats | None,
    others: Sequence[Points],
    failed: Sequence[GraspPoint],
    arena: Arena,
    gripper: GripperShape,
    poor: Sequence[GraspPoint] = (),
) -> list[GraspPoint]:
    """The grasps of an object that have not failed, the most promising first.

    They are sorted by the number of fingers that would hit a neighbour, at the pick or at the place; then by whether
    the grasp is a poor one; then by the width of the object along the closing axis.

    Args:
        footprint: (N, 2) of the object.
        displacement: (2,) by which the object is to be moved; None if that is not known.
        others: (M, 2) each, footprints of the other objects.
        failed: grasps that held nothing.
        poor: grasps that held the object but put it down badly.
    """
    first = minor_axis_angle(footprint)
    neighbours = Clearance(others, arena)
    angles = [_wrapped(first + number * _STEP_RAD) for number in range(12)]
    ranked = []
    for number, angle in enumerate(angles):
        grasp, width = _closed_on(footprint, angle, gripper)
        if not _is_reachable(grasp, arena, gripper) or is_same_as_any(grasp, failed, gripper):
            continue
        hits = _hits(grasp, displacement, neighbours, gripper)
        too_wide = width > gripper.opening_m
        # Among widths that differ by less than the error of masks, the principal axis is preferred.
        rank = hits + too_wide, is_same_as_any(grasp, poor, gripper), round(width / 0.01), min(number, 12 - number)
        ranked.append((rank, grasp))
    return [grasp for _, grasp in sorted(ranked, key=lambda one: one[0])]


def is_same_as_any(grasp: GraspPoint, others: Sequence[GraspPoint], gripper: GripperShape) -> bool:
    """Whether a grasp is at the place and angle of one of the others, within the gripper's tolerance."""
    return any(
        _distance(grasp, other.x, other.y) < gripper.same_place_m
        and abs(_wrapped(grasp.angle - other.angle)) < gripper.same_angle_rad
        for other in others
    )


class GraspMemory:
    """The grasps of an episode that failed or were poor, and the points where the gripper found nothing.

    A grasp has failed if it held nothing, or if the object was not carried where it should go. It is poor if the object
    did not stay where it was put, because it rolled or stuck to a pad. This shows only in the next picture. A poor
    grasp is stored relative to the table as it is then, and moves with its object.

    Attributes:
        failed: grasps that are not made again.
        poor: grasps that are made after all others.
    """

    def __init__(self) -> None:
        self.failed: list[GraspPoint] = []
        self.poor: list[GraspPoint] = []
        self._empty: list[GraspPoint] = []
        self._put: _Put | None = None

    def add(self, grasp: GraspPoint, wanted: PickPlace, place: Floats, info: dict[str, Any]) -> None:
        """Remember the outcome of a pick-and-place.

        Args:
            wanted: the action that was asked for.
            place: (2,) where the object's centroid should then be.
            info: of the step; `pick_outcome` and `pick_place` are read.
        """
        outcome, done = info["pick_outcome"], PickPlace.from_array(info["pick_place"])
        held = outcome == PickOutcome.HELD
        if held and np.hypot(done.place_x - wanted.place_x, done.place_y - wanted.place_y) < SAME_OBJECT_M:
            self._put = self._take_along(grasp, wanted, place)
        else:
            self.failed.append(grasp)
        if outcome == PickOutcome.NOTHING_THERE:
            self._empty.append(grasp)
        if held:
            # The object that was put down may be where nothing was before.
            self._empty = [one for one in self._empty if _distance(one, done.place_x, done.place_y) > _LARGEST_OBJECT_M]

    def observe(self, centroids: Sequence[Floats]) -> None:
        """Check whether the object that was put down last has stayed there, by the centroids (2,) of all objects."""
        put, self._put = self._put, None
        if put is None or not centroids:
            return
        offset = min((centroid - put.place for centroid in centroids), key=lambda one: float(np.hypot(*one)))
        distance = float(np.hypot(*offset))
        if distance < _ROLLED_M:
            poor = (*put.poor_before, put.grasp) if distance > _MISPLACED_M else put.poor_before
            self.poor += [_shifted(one, *offset) for one in poor]

    def found_nothing_on(self, footprint: Points) -> bool:
        """Whether the gripper has closed on nothing at any point of a footprint (N, 2)."""
        return any(np.hypot(*(footprint - (one.x, one.y)).T).min() < _FOOTPRINT_M for one in self._empty)

    def _take_along(self, grasp: GraspPoint, wanted: PickPlace, place: Floats) -> _Put:
        mine = [one for one in self.poor if _distance(one, grasp.x, grasp.y) < SAME_OBJECT_M]
        self.poor = [one for one in self.poor if one not in mine]
        offset = wanted.place_x - grasp.x, wanted.place_y - grasp.y
        return _Put(place, _shifted(grasp, *offset), tuple(_shifted(one, *offset) for one in mine))


@dataclass(frozen=True, eq=False)
class _Put:
    """An object that was put down with its centroid at `place` (2,), and its grasps as they should lie there."""

    place: Floats
    grasp: GraspPoint
    poor_before: tuple[GraspPoint, ...]


def _closed_on(footprint: Points, angle: float, gripper: GripperShape) -> tuple[GraspPoint, float]:
    """The grasp at an angle, centred on what lies between the pads, and the width of that."""
    along, across = _axes(angle)
    centroid = footprint.mean(0)
    centred = footprint - centroid
    between = centred[np.abs(centred @ across) <= gripper.pad_m / 2] @ along
    if len(between) == 0:
        between = centred @ along
    # Masks have stray pixels: two per cent at each end are ignored.
    low, high = np.quantile(between, (0.02, 0.98))
    x, y = centroid + (low + high) / 2 * along
    return GraspPoint(float(x), float(y), angle), float(high - low)


def _hits(grasp: GraspPoint, displacement: Floats | None, neighbours: Clearance, gripper: GripperShape) -> int:
    """The number of fingers that come down on a neighbour, at the pick and at the place."""
    along, across = _axes(grasp.angle)
    reach = (gripper.opening_m + gripper.finger_m) / 2
    pick = np.array([grasp.x, grasp.y])
    hits = 0
    for point in (pick,) if displacement is None else (pick, pick + displacement):
        for side in (-1, 1):
            finger = point + side * reach * along + np.outer((-0.5, 0.0, 0.5), gripper.pad_m * across)
            hits += neighbours.around(finger) < gripper.finger_m / 2
    return hits


def _is_reachable(grasp: GraspPoint, arena: Arena, gripper: GripperShape) -> bool:
    beyond = np.abs(np.array([grasp.x, grasp.y]) - arena.centre) - arena.half_size
    return bool(beyond.max() <= gripper.reach_beyond_m)


def _axes(angle: float) -> tuple[Floats, Floats]:
    """Unit vectors (2,) along and across the closing axis."""
    along = np.array([np.cos(angle), np.sin(angle)])
    return along, np.array([-along[1], along[0]])


def _wrapped(angle: float) -> float:
    """The same axis in [-pi/2, pi/2)."""
    return float((angle + np.pi / 2) % np.pi - np.pi / 2)


def _distance(grasp: GraspPoint, x: float, y: float) -> float:
    return float(np.hypot(grasp.x - x, grasp.y - y))


def _shifted(grasp: GraspPoint, x: float, y: float) -> GraspPoint:
    return GraspPoint(float(grasp.x + x), float(grasp.y + y), grasp.angle)
