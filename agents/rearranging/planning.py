"""Which object to move next and where to, so that in the end all stand at their goals and none was put onto another.

The paper moves the matched segments one at a time; the order is ours. An object whose place is free goes to its goal,
farthest first. When every place is taken, an object that is in the way is parked: that also opens cycles. Nothing is
remembered between moves: the next one is planned from the table as it then is.

Frame: the arena's, metres, on the plane on which masks are laid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from tabletop_interaction.agents.rearranging.clearance import Clearance
from tabletop_interaction.envs import Arena

Points = NDArray[np.float64]

_PARKING_STEP_M = 0.01


@dataclass(frozen=True)
class PlanningConfig:
    """When an object is at its goal, and how much room it needs.

    Attributes:
        within_px: of the picture; an object farther than this from its goal must be moved (paper: 15).
        aim_px: one farther than this is moved again when nothing else is left to do.
        goal_gap_m: a goal is taken while another object is nearer than this to the moved object's outline there.
        parking_gap_m: the gap around an object that is parked.
        border_m: how far inside the arena an object's centroid is parked.
    """

    within_px: float = 15.0
    aim_px: float = 8.0
    goal_gap_m: float = 0.004
    parking_gap_m: float = 0.02
    border_m: float = 0.05


@dataclass(frozen=True, eq=False)
class TableObject:
    """An object as the planner sees it.

    Attributes:
        footprint: (N, 2) points that it covers, a few millimetres apart.
        centroid: (2,).
        goal: (2,), where the centroid shall be; None where no goal is known.
        distance_px: how far that is in the picture; 0 without a goal.
        stands: whether it looks in the goal as it does now, whatever else is known.
        graspable: whether there is a grasp left to try.
    """

    footprint: Points
    centroid: Points
    goal: Points | None
    distance_px: float
    stands: bool
    graspable: bool

    def footprint_at(self, place: Points) -> Points:
        """The footprint when the centroid is at a place."""
        return self.footprint + (place - self.centroid)


class Purpose(StrEnum):
    """What a move is for, or why there is none."""

    TO_GOAL = "to its goal"
    AGAIN = "nearer to its goal"
    PARK = "out of the way of another"
    DONE = "nothing to do: every matched object is at its goal"
    NO_GRASP = "every grasp that is left to try has failed or is out of reach"
    NO_ROOM = "there is no free place to park what is in the way"


@dataclass(frozen=True, eq=False)
class Move:
    """Bring an object's centroid to `place` (2,); both are None when `purpose` says why there is no move."""

    purpose: Purpose
    object: int | None = None
    place: Points | None = None


def plan_move(objects: Sequence[TableObject], arena: Arena, config: PlanningConfig | None = None) -> Move:
    """The next move.

    Args:
        objects: all that stand on the table.
        arena: where places must lie.
        config: see `PlanningConfig`.
    """
    config = config or PlanningConfig()
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


def emptiest_point(objects: Sequence[TableObject], arena: Arena, border_m: float = 0.03) -> Points:
    """The point (2,) of the arena that is farthest from all objects."""
    places = _places(arena, border_m)
    clearance = Clearance([one.footprint for one in objects], arena)
    return np.asarray(places[int(np.argmax(clearance.at(places)))])


def _waits(one: TableObject, tolerance_px: float) -> bool:
    return one.goal is not None and not one.stands and one.distance_px > tolerance_px


def _settled(one: TableObject, config: PlanningConfig) -> bool:
    """Whether the goal shows the object where it is: then nothing else shall stand there, however it may seem."""
    return one.stands or (one.goal is not None and one.distance_px <= config.within_px)


def _blockers(number: int, objects: Sequence[TableObject], arena: Arena, config: PlanningConfig) -> list[int]:
    """The objects that have to go before this one can be put to its goal."""
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
    """Park the object whose absence frees the most that wait and can be grasped."""
    in_way = [i for number, found in blockers.items() if objects[number].graspable for i in found]
    able = sorted({i for i in in_way if objects[i].graspable}, key=lambda i: (-in_way.count(i), i))
    if not able:
        return Move(Purpose.NO_GRASP)
    for number in able:
        place = _parking_place(number, objects, arena, config)
        if place is not None:
            return Move(Purpose.PARK, number, place)
    return Move(Purpose.NO_ROOM)


def _parking_place(number: int, objects: Sequence[TableObject], arena: Arena, config: PlanningConfig) -> Points | None:
    """The nearest place that is clear of every other object, of where each of them shall stand, and of its own goal."""
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
