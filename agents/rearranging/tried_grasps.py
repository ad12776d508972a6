"""What was tried in an episode: grasps that failed, grasps that put an object down badly, points with nothing there.

A grasp has failed when it held nothing, or when the object was not carried where it should go. One is poor when the
object did not stay where it was put, because it rolled or stuck to a pad. That is seen only in the next picture, and is
remembered as the grasp would be made on the object where it lies by then: it goes along when the object is moved again.

Frame: the arena's, metres and radians, on the plane on which masks are laid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabletop_interaction.agents.grasp import GraspPoint
from tabletop_interaction.envs import PickOutcome, PickPlace

Points = NDArray[np.float64]

_SAME_OBJECT_M = 0.03
_LARGEST_OBJECT_M = 0.08
# Masks, laid on the plane at another place, err by less than this; the 15 px that count are more.
_MISPLACED_M = 0.02
# What lies farther than this from where an object was put is taken for another one.
_ROLLED_M = 0.10
# A point nearer than this to a point of a footprint, of which there is one a cell of 3 mm, lies on it.
_FOOTPRINT_M = 0.004


@dataclass(frozen=True, eq=False)
class _Put:
    """An object that was let go to lie with its centroid at `place` (2,); its grasps are told as it should then lie."""

    place: Points
    grasp: GraspPoint
    poor_before: tuple[GraspPoint, ...]


class TriedGrasps:
    """Remembers; empty at first.

    Attributes:
        failed: not worth another try.
        poor: to be tried after others.
    """

    def __init__(self) -> None:
        self.failed: list[GraspPoint] = []
        self.poor: list[GraspPoint] = []
        self._empty: list[GraspPoint] = []
        self._put: _Put | None = None

    def note(self, grasp: GraspPoint, wanted: PickPlace, place: Points, info: dict[str, Any]) -> None:
        """Remember what a pick-and-place has come to.

        Args:
            grasp: that was tried.
            wanted: how the object should have been carried.
            place: (2,) where its centroid should then be.
            info: of the step; `pick_outcome` and `pick_place` are read.
        """
        outcome, went = info["pick_outcome"], PickPlace.from_array(info["pick_place"])
        held = outcome == PickOutcome.HELD
        if held and np.hypot(went.place_x - wanted.place_x, went.place_y - wanted.place_y) < _SAME_OBJECT_M:
            self._put = self._take_along(grasp, wanted, place)
        else:
            self.failed.append(grasp)
        if outcome == PickOutcome.NOTHING_THERE:
            self._empty.append(grasp)
        if held:
            # What was put down may now stand where nothing was before.
            self._empty = [one for one in self._empty if _apart(one, went.place_x, went.place_y) > _LARGEST_OBJECT_M]

    def note_where_it_lies(self, centroids: Sequence[Points]) -> None:
        """See whether what was put down last has stayed there, by the centroids (2,) of all objects that are seen."""
        put, self._put = self._put, None
        if put is None or not centroids:
            return
        astray = min((centroid - put.place for centroid in centroids), key=lambda one: float(np.hypot(*one)))
        distance = float(np.hypot(*astray))
        if distance < _ROLLED_M:
            poor = (*put.poor_before, put.grasp) if distance > _MISPLACED_M else put.poor_before
            self.poor += [_shifted(one, *astray) for one in poor]

    def met_nothing_on(self, footprint: Points) -> bool:
        """Whether the gripper has closed on nothing at any point of a footprint (N, 2)."""
        return any(np.hypot(*(footprint - (one.x, one.y)).T).min() < _FOOTPRINT_M for one in self._empty)

    def _take_along(self, grasp: GraspPoint, wanted: PickPlace, place: Points) -> _Put:
        mine = [one for one in self.poor if _apart(one, grasp.x, grasp.y) < _SAME_OBJECT_M]
        self.poor = [one for one in self.poor if one not in mine]
        way = wanted.place_x - grasp.x, wanted.place_y - grasp.y
        return _Put(place, _shifted(grasp, *way), tuple(_shifted(one, *way) for one in mine))


def _apart(grasp: GraspPoint, x: float, y: float) -> float:
    return float(np.hypot(grasp.x - x, grasp.y - y))


def _shifted(grasp: GraspPoint, x: float, y: float) -> GraspPoint:
    return GraspPoint(float(grasp.x + x), float(grasp.y + y), grasp.angle)
