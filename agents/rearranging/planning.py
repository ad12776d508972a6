"""Plan the next move, so that in the end every object is at its goal and none was put onto another.

The paper moves the matched segments one at a time; the order is ours. An object whose goal is free goes there, the
farthest first. When no goal is free, an object that is in the way is parked, which also opens cycles. Nothing is
remembered between moves: each is planned from the table as it is then.

Frame: the arena's, metres, on the plane on which masks are laid.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import numpy as np
from scipy.ndimage import distance_transform_edt

from tabletop_interaction.arrays import Floats, Ints, Points
from tabletop_interaction.envs import Arena
from tabletop_interaction.ranges import Pixels, Range, check_fields

_PARKING_STEP_M = 0.01
_REST_BORDER_M = 0.03
_CELL_M = 0.004
# Objects reach beyond the arena's border, their centres do not.
_BEYOND_M = 0.2


@dataclass(frozen=True)
class PlanningConfig:
    """When an object counts as at its goal, and the gaps between objects.

    Attributes:
        within_px: Distance in the picture from the goal beyond which an object must be moved, pixels of a picture of
            350 x 430; 15 in the paper.
        aim_px: Distance beyond which an object is moved again when nothing else is left to do, pixels.
        goal_gap_m: Gap to other objects below which a goal is not free, metres.
        parking_gap_m: Gap around an object that is parked, metres.
        border_m: Distance from the arena's border of the centroid of a parked object, metres.
    """

    within_px: Pixels = 15.0
    aim_px: Pixels = 8.0
    goal_gap_m: Annotated[float, Range(0, 10, unit="m")] = 0.004
    parking_gap_m: Annotated[float, Range(0, 10, unit="m")] = 0.02
    border_m: Annotated[float, Range(0, 10, unit="m")] = 0.05

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True, eq=False)
class TableObject:
    """An object as the planner sees it.

    Attributes:
        footprint: (N, 2) points that it covers, a few millimetres apart.
        centroid: (2,).
        goal: (2,), of the centroid; None if it is not known.
        distance_px: from the goal in the picture; 0 without a goal.
        stands: whether the goal's picture shows it as it is now.
        graspable: whether a grasp is left that has not failed.
    """

    footprint: Points
    centroid: Floats
    goal: Floats | None
    distance_px: float
    stands: bool
    graspable: bool

    def footprint_at(self, place: Floats) -> Points:
        """The footprint when the centroid is at a place."""
        return self.footprint + (place - self.centroid)


class Purpose(StrEnum):
    """The purpose of a move, or why there is none."""

    TO_GOAL = "to its goal"
    AGAIN = "nearer to its goal"
    PARK = "out of the way of another"
    DONE = "nothing to do: every matched object is at its goal"
    NO_GRASP = "every grasp has failed or is out of reach"
    NO_ROOM = "there is no free place to park what is in the way"


@dataclass(frozen=True, eq=False)
class Move:
    """Bring the centroid of object number `object` to `place` (2,); both are None if `purpose` says why not."""

    purpose: Purpose
    object: int | None = None
    place: Floats | None = None


def plan_move(objects: Sequence[TableObject], arena: Arena, config: PlanningConfig) -> Move:
    """The next move."""
    waiting = [i for i, one in enumerate(objects) if _waits(one, config.within_px)]
    inexact = [i for i, one in enumerate(objects) if _waits(one, config.aim_px) and i not in waiting]
    blockers = {i: _blockers(i, objects, arena, config) for i in waiting + inexact}
    for numbers, purpose in ((waiting, Purpose.TO_GOAL), (inexact, Purpose.AGAIN)):
        free = [i for i in numbers if objects[i].graspable and not blockers[i]]
        if free:
            chosen = max(free, key=lambda i: (objects[i].distance_px, -i))
            return Move(purpose, chosen, objects[chosen].goal)
        if purpose is Purpose.TO_GOAL and waiting:
            parking = _park_one(objects, {i: blockers[i] for i in waiting}, arena, config)
            if parking.object is not None or not inexact:
                return parking
    return Move(Purpose.DONE)


def emptiest_point(objects: Sequence[TableObject], arena: Arena) -> Floats:
    """The point (2,) of the arena that is farthest from all objects."""
    places = _places(arena, _REST_BORDER_M)
    clearance = Clearance([one.footprint for one in objects], arena)
    return np.asarray(places[int(np.argmax(clearance.at(places)))])


class Clearance:
    """Distances to footprints, in a raster of 4 mm; points more than 0.2 m outside the arena count as on its border.

    Args:
        footprints: (N, 2) each, points a few millimetres apart that cover an object.
        arena: the raster covers it and 0.2 m around it.
    """

    def __init__(self, footprints: Iterable[Points], arena: Arena) -> None:
        self._corner = np.array([arena.x_min - _BEYOND_M, arena.y_min - _BEYOND_M])
        span = 2 * np.array(arena.half_size) + 2 * _BEYOND_M
        self._last = np.ceil(span / _CELL_M).astype(np.int64)
        free = np.ones((self._last[1] + 1, self._last[0] + 1), np.uint8)
        for footprint in footprints:
            free[self._cells(footprint)] = 0
        # SciPy's is exact; OpenCV's on one thread depends on what ran before it.
        self._distances = np.full(free.shape, np.inf) if free.all() else distance_transform_edt(free) * _CELL_M

    def at(self, points: Points) -> Floats:
        """(N,) metres from points (N, 2) to the nearest footprint, to within a cell; infinite without footprints."""
        return np.asarray(self._distances[self._cells(points)])

    def around(self, footprint: Points) -> float:
        """The gap between a footprint (N, 2) and the nearest other, metres; 0 where they meet."""
        return float(self.at(footprint).min())

    def _cells(self, points: Points) -> tuple[Ints, Ints]:
        """Rows and columns."""
        cells = np.clip(np.round((points - self._corner) / _CELL_M).astype(np.int64), 0, self._last)
        return cells[:, 1], cells[:, 0]


def _waits(one: TableObject, tolerance_px: float) -> bool:
    return one.goal is not None and not one.stands and one.distance_px > tolerance_px


def _settled(one: TableObject, config: PlanningConfig) -> bool:
    """Whether the object is at its goal, so that no other object is to be put there."""
    return one.stands or (one.goal is not None and one.distance_px <= config.within_px)


def _blockers(number: int, objects: Sequence[TableObject], arena: Arena, config: PlanningConfig) -> list[int]:
    """The objects that must be moved before this one can be put at its goal."""
    mine = objects[number]
    assert mine.goal is not None, "only objects with a goal wait"
    around_goal = Clearance([mine.footprint_at(mine.goal)], arena)
    return [
        i
        for i, other in enumerate(objects)
        if i != number and not _settled(other, config) and around_goal.around(other.footprint) < config.goal_gap_m
    ]


def _park_one(
    objects: Sequence[TableObject], blockers: dict[int, list[int]], arena: Arena, config: PlanningConfig
) -> Move:
    """Park the object that blocks the most waiting objects that can be grasped."""
    in_way = [i for number, found in blockers.items() if objects[number].graspable for i in found]
    able = sorted({i for i in in_way if objects[i].graspable}, key=lambda i: (-in_way.count(i), i))
    if not able:
        return Move(Purpose.NO_GRASP)
    for number in able:
        place = _parking_place(number, objects, arena, config)
        if place is not None:
            return Move(Purpose.PARK, number, place)
    return Move(Purpose.NO_ROOM)


def _parking_place(number: int, objects: Sequence[TableObject], arena: Arena, config: PlanningConfig) -> Floats | None:
    """The nearest place that is clear of every other object and of the goals of the others."""
    mine = objects[number]
    others = [one for i, one in enumerate(objects) if i != number]
    taken = [one.footprint for one in others]
    taken += [one.footprint_at(one.goal) for one in others if one.goal is not None and not one.stands]
    clearance = Clearance(taken, arena)
    places = _places(arena, config.border_m)
    places = places[np.argsort(np.linalg.norm(places - mine.centroid, axis=1), kind="stable")]
    for place in places:
        if clearance.around(mine.footprint_at(place)) >= config.parking_gap_m:
            return np.asarray(place)
    return None


def _places(arena: Arena, border_m: float) -> Points:
    """(N, 2) points of a grid inside the arena."""
    x, y = (
        np.arange(low + border_m, high - border_m + 1e-9, _PARKING_STEP_M)
        for low, high in ((arena.x_min, arena.x_max), (arena.y_min, arena.y_max))
    )
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
