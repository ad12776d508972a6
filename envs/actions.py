"""Conversion between a pick-and-place in metres and radians and an action of the environment.

An action is five numbers in [-1, 1]: pick x, pick y, gripper angle, place x, place y. Positions span the arena; an
angle of 1 is pi/2. All code converts through this module.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tabletop_interaction.arrays import Floats, Floats32
from tabletop_interaction.envs.backend import Arena
from tabletop_interaction.errors import InvalidAction
from tabletop_interaction.ranges import shown

ACTION_SIZE = 5
_ROUNDING = 1e-6


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
    return PickPlace.from_array(centre + half * _checked_box(action))


def _range_of(arena: Arena) -> tuple[Floats, Floats]:
    """(5,) centre and (5,) half size of the action space in metres and radians."""
    return np.array([*arena.centre, 0.0, *arena.centre]), np.array([*arena.half_size, np.pi / 2, *arena.half_size])


def _checked_box(action: ArrayLike) -> Floats:
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
    if box.shape != (ACTION_SIZE,):
        raise InvalidAction(
            f"action has shape {box.shape}; accepted is ({ACTION_SIZE},): pick x, pick y, angle, place x, place y; "
            "nothing was moved"
        )
    if not np.isfinite(box).all() or np.abs(box).max() > 1.0 + _ROUNDING:
        raise InvalidAction(
            f"action {box.tolist()} lies outside the action space; accepted are finite numbers in [-1, 1]; nothing was "
            "moved; clip the action or convert metres with PickPlace.to_action"
        )
    return np.clip(box, -1.0, 1.0)
