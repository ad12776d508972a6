"""Conversion between a pick-and-place or a push in metres and radians and an action of an environment.

A pick-and-place is five numbers in [-1, 1]: pick x, pick y, gripper angle, place x, place y. Positions span the arena;
an angle of 1 is pi/2. A push is four: start x, start y, direction, length. All code converts through this module.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tabletop_interaction.arrays import Floats, Floats32
from tabletop_interaction.envs.backend import Arena
from tabletop_interaction.errors import InvalidAction
from tabletop_interaction.ranges import shown

ACTION_SIZE = 5
PUSH_SIZE = 4
SHORTEST_PUSH_M, LONGEST_PUSH_M = 0.02, 0.25
"""Range of a push's length. The longest one clears the old place of an object of 0.2 m."""

_ROUNDING = 1e-6
_PICK_PLACE_NAMES = ("pick x", "pick y", "angle", "place x", "place y")
_PUSH_NAMES = ("start x", "start y", "direction", "length")


@dataclass(frozen=True)
class PickPlace:
    """A pick at one point with a gripper angle, and a place at another point.

    Attributes:
        pick_x: metres, arena frame.
        pick_y: metres, arena frame.
        angle: radians in [-pi/2, pi/2]; direction of the axis along which the fingers close, counter-clockwise from
            the arena's x axis as seen from above.
        place_x: metres, arena frame.
        place_y: metres, arena frame.
    """

    pick_x: float
    pick_y: float
    angle: float
    place_x: float
    place_y: float

    def to_array(self) -> Floats:
        """(5,) float64 in the order of the attributes."""
        return np.array([self.pick_x, self.pick_y, self.angle, self.place_x, self.place_y])

    @classmethod
    def from_array(cls, values: ArrayLike) -> PickPlace:
        """Inverse of `to_array`."""
        return cls(*(float(value) for value in np.asarray(values, np.float64)))

    def to_action(self, arena: Arena) -> Floats32:
        """Convert to a (5,) float32 action; points outside the arena move to its border."""
        centre, half = _range_of(arena)
        values = self.to_array()
        values[2] = (self.angle + np.pi / 2) % np.pi - np.pi / 2
        return np.clip(((values - centre) / half).astype(np.float32), -1.0, 1.0)


def pick_place_from_action(action: ArrayLike, arena: Arena) -> PickPlace:
    """Convert an action, (5,) numbers in [-1, 1], to metres and radians.

    Raises:
        InvalidAction: wrong shape, not finite or outside [-1, 1].
    """
    centre, half = _range_of(arena)
    return PickPlace.from_array(centre + half * _checked_box(action, _PICK_PLACE_NAMES, "PickPlace"))


@dataclass(frozen=True)
class Push:
    """A straight push of the closed gripper.

    Attributes:
        start_x: metres, arena frame.
        start_y: metres, arena frame.
        direction: radians, counter-clockwise from the arena's x axis as seen from above.
        length: metres.
    """

    start_x: float
    start_y: float
    direction: float
    length: float

    @property
    def start_xy(self) -> tuple[float, float]:
        """Where the gripper comes down, metres."""
        return self.start_x, self.start_y

    @property
    def end_xy(self) -> tuple[float, float]:
        """Where the gripper lifts, metres."""
        return (
            self.start_x + self.length * math.cos(self.direction),
            self.start_y + self.length * math.sin(self.direction),
        )

    @classmethod
    def between(cls, start_xy: Sequence[float], end_xy: Sequence[float]) -> Push:
        """The push from one point to another, metres."""
        x, y = end_xy[0] - start_xy[0], end_xy[1] - start_xy[1]
        return cls(float(start_xy[0]), float(start_xy[1]), math.atan2(y, x), math.hypot(x, y))

    def to_array(self) -> Floats:
        """(4,) float64 in the order of the attributes."""
        return np.array([self.start_x, self.start_y, self.direction, self.length])

    @classmethod
    def from_array(cls, values: ArrayLike) -> Push:
        """Inverse of `to_array`."""
        return cls(*(float(value) for value in np.asarray(values, np.float64)))

    def within(self, arena: Arena) -> Push:
        """The push, shortened to end inside the arena; its start lies inside."""
        (x, y), (end_x, end_y) = self.start_xy, self.end_xy
        shares = [
            _share_inside(x, end_x, arena.x_min, arena.x_max),
            _share_inside(y, end_y, arena.y_min, arena.y_max),
        ]
        return Push(x, y, self.direction, min(shares) * self.length)

    def to_action(self, arena: Arena) -> Floats32:
        """Convert to a (4,) float32 action; starts and lengths outside the range move to its border."""
        centre, half = _push_range_of(arena)
        values = self.to_array()
        values[2] = (self.direction + np.pi) % (2 * np.pi) - np.pi
        return np.clip(((values - centre) / half).astype(np.float32), -1.0, 1.0)


def push_from_action(action: ArrayLike, arena: Arena) -> Push:
    """Convert an action, (4,) numbers in [-1, 1], to the push that is executed: it ends inside the arena.

    The start spans the arena without a border of 0.02 m, so that every direction leaves room for the shortest push.

    Raises:
        InvalidAction: wrong shape, not finite or outside [-1, 1].
    """
    centre, half = _push_range_of(arena)
    return Push.from_array(centre + half * _checked_box(action, _PUSH_NAMES, "Push")).within(arena)


def _range_of(arena: Arena) -> tuple[Floats, Floats]:
    """(5,) centre and (5,) half size of the action space in metres and radians."""
    return np.array([*arena.centre, 0.0, *arena.centre]), np.array([*arena.half_size, np.pi / 2, *arena.half_size])


def _push_range_of(arena: Arena) -> tuple[Floats, Floats]:
    """(4,) centre and (4,) half size of a push's action space in metres and radians."""
    length, reach = (LONGEST_PUSH_M + SHORTEST_PUSH_M) / 2, (LONGEST_PUSH_M - SHORTEST_PUSH_M) / 2
    half_x, half_y = arena.half_size
    return (
        np.array([*arena.centre, 0.0, length]),
        np.array([half_x - SHORTEST_PUSH_M, half_y - SHORTEST_PUSH_M, np.pi, reach]),
    )


def _share_inside(start: float, end: float, low: float, high: float) -> float:
    """How much of the way from `start`, which lies inside, to `end` lies between two borders, 0 to 1."""
    if low <= end <= high:
        return 1.0
    return ((high if end > high else low) - start) / (end - start)


def _checked_box(action: ArrayLike, names: Sequence[str], kind: str) -> Floats:
    try:
        given = np.asarray(action)
    # RuntimeError: torch, for a tensor with a gradient.
    except (TypeError, ValueError, RuntimeError) as error:
        raise InvalidAction(f"action {shown(action)} is not an array of numbers; nothing was moved") from error
    if given.dtype.kind not in "iuf" or np.ma.is_masked(action):
        raise InvalidAction(
            f"action {shown(action)} is not an array of numbers but of {given.dtype}; nothing was moved"
        )
    box = given.astype(np.float64)
    if box.shape != (len(names),):
        raise InvalidAction(
            f"action has shape {box.shape}; accepted is ({len(names)},): {', '.join(names)}; nothing was moved"
        )
    if not np.isfinite(box).all() or np.abs(box).max() > 1.0 + _ROUNDING:
        raise InvalidAction(
            f"action {box.tolist()} lies outside the action space; accepted are finite numbers in [-1, 1]; nothing was "
            f"moved; clip the action or convert metres with {kind}.to_action"
        )
    return np.clip(box, -1.0, 1.0)
