"""Picture actions: a pick-and-place as two pixels and the angle between the fingers in the picture.

A network that acts from pictures needs no camera model; the conversion back to metres does. Both conversions hold for
points of the table (z = 0) and for any view.

Picture actions are float64 (N, 5): pick x, pick y, angle, place x, place y. Pixels are those of the view's picture
brought to `size`, with integer coordinates at pixel centres; the angle is in radians in [-pi/2, pi/2), from the
picture's x axis towards its y axis, which points down. Pick-and-places are float64 (N, 5) as `PickPlace.to_array`.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import ArrayLike

from tabletop_interaction.arrays import Floats, Picture, Points
from tabletop_interaction.envs import View

# Half the length of the line segment whose direction is converted.
_HALF_M = 0.01
_HALF_PX = 2.0


def picture_actions(pick_places: ArrayLike, view: View, size: tuple[int, int]) -> Floats:
    """Convert pick-and-places to picture actions.

    Args:
        pick_places: (N, 5), metres and radians in the arena's frame.
        view: the camera.
        size: height and width of its picture, which may differ from the view's own.
    """
    return _converted(pick_places, _HALF_M, lambda points: _to_pixels(points, view, size))


def arena_actions(actions: ArrayLike, view: View, size: tuple[int, int]) -> Floats:
    """Convert picture actions to pick-and-places; inverts `picture_actions`."""
    return _converted(actions, _HALF_PX, lambda points: _to_table(points, view, size))


def reversed_actions(actions: ArrayLike) -> Floats:
    """Return the actions that undo others: pick what was placed, at the same angle, and place it where it was."""
    return np.asarray(actions, np.float64).reshape(-1, 5)[:, [3, 4, 2, 0, 1]]


def warped_actions(actions: ArrayLike, warp: ArrayLike) -> Floats:
    """Convert actions to those of a warped picture.

    Args:
        actions: (N, 5).
        warp: (2, 3) affine, from the pixels of the picture to those of the warped one.
    """
    values, matrix = np.asarray(actions, np.float64).reshape(-1, 5), np.asarray(warp, np.float64)
    turn, shift = matrix[:, :2].T, matrix[:, 2]
    directions = _directions(values[:, 2]) @ turn
    return np.column_stack([values[:, 0:2] @ turn + shift, _angles(directions), values[:, 3:5] @ turn + shift])


def shrunk(picture: Picture, size: tuple[int, int]) -> Picture:
    """Shrink a picture, uint8 (H, W, 3), to a height and width."""
    return np.asarray(cv2.resize(picture, size[::-1], interpolation=cv2.INTER_AREA), np.uint8)


def _converted(actions: ArrayLike, half: float, convert: Callable[[Points], Points]) -> Floats:
    """Convert the points of actions; the angle becomes that of a line segment of length 2 `half` around the pick."""
    values = np.asarray(actions, np.float64).reshape(-1, 5)
    along = half * _directions(values[:, 2])
    start, end = (convert(values[:, 0:2] + sign * along) for sign in (-1, 1))
    return np.column_stack([convert(values[:, 0:2]), _angles(end - start), convert(values[:, 3:5])])


def _to_pixels(points_xy: Points, view: View, size: tuple[int, int]) -> Points:
    pixels = view.project(np.column_stack([points_xy, np.zeros(len(points_xy))]))
    return np.asarray((pixels + 0.5) * _scale(view, size) - 0.5, np.float64)


def _to_table(pixels: Points, view: View, size: tuple[int, int]) -> Points:
    return view.unproject((pixels + 0.5) / _scale(view, size) - 0.5)[:, :2]


def _scale(view: View, size: tuple[int, int]) -> Points:
    return np.array([size[1] / view.width, size[0] / view.height])


def _directions(angles: Points) -> Points:
    return np.column_stack([np.cos(angles), np.sin(angles)])


def _angles(directions: Points) -> Points:
    """Return angles of undirected lines, radians in [-pi/2, pi/2)."""
    return np.asarray((np.arctan2(directions[:, 1], directions[:, 0]) + np.pi / 2) % np.pi - np.pi / 2, np.float64)
