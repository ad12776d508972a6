"""Draw the arena into a view's picture, to check a calibration by eye: border, grid and axes.

In a correct calibration the border and the 10 cm grid lie on the table, and the axes start at the board's centre: x
(red) to the right, y (green) away from the robot, z (blue) up.
"""

from __future__ import annotations

import cv2
import numpy as np

from tabletop_interaction.arrays import Floats, Picture
from tabletop_interaction.envs.backend import Arena
from tabletop_interaction.envs.views import View
from tabletop_interaction.real.calibration.arena_pose import arena_border

Colour = tuple[int, int, int]

_GRID_M = 0.1
_AXIS_M = 0.1
_LINE_POINTS = 20
# OpenCV takes coordinates in 16ths of a pixel.
_SHIFT = 4
_BORDER: Colour = (255, 200, 0)
_GRID: Colour = (255, 255, 255)
_AXES: tuple[Colour, ...] = ((255, 0, 0), (0, 220, 0), (40, 80, 255))


def draw_arena(image: Picture, view: View, arena: Arena) -> Picture:
    """A copy of a view's picture, uint8 (H, W, 3) RGB, with the arena drawn into it."""
    drawn = image.copy()
    for line in _grid_lines(arena):
        _draw(drawn, view, line, _GRID, 1)
    _draw(drawn, view, arena_border(arena), _BORDER, 2)
    for axis, colour in zip(np.eye(3) * _AXIS_M, _AXES, strict=True):
        _draw(drawn, view, _segment(np.zeros(3), axis), colour, 2)
    return drawn


def _grid_lines(arena: Arena) -> list[Floats]:
    """Lines every 10 cm from the origin, within the arena."""
    return [
        *(_segment((x, arena.y_min, 0), (x, arena.y_max, 0)) for x in _ticks(arena.x_min, arena.x_max)),
        *(_segment((arena.x_min, y, 0), (arena.x_max, y, 0)) for y in _ticks(arena.y_min, arena.y_max)),
    ]


def _ticks(low: float, high: float) -> list[float]:
    first, last = int(np.ceil(low / _GRID_M)), int(np.floor(high / _GRID_M))
    return [number * _GRID_M for number in range(first, last + 1)]


def _segment(start: object, end: object) -> Floats:
    """(20, 3) points between two points, because a lens bends straight lines."""
    return np.linspace(np.asarray(start, np.float64), np.asarray(end, np.float64), _LINE_POINTS)


def _draw(image: Picture, view: View, points: Floats, colour: Colour, thickness: int) -> None:
    pixels = np.round(view.project(points) * (1 << _SHIFT)).astype(np.int32)
    cv2.polylines(image, [pixels.reshape(-1, 1, 2)], False, colour, thickness, cv2.LINE_AA, _SHIFT)
