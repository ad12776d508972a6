"""The pose of each camera from a board at a known place in the arena, and pictures to check it by eye.

The board lies face up with its top edge away from the robot. With its centre on the table's centre, it defines the
arena's frame.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

import cv2
import numpy as np

from tabletop_interaction.arrays import Floats, Picture
from tabletop_interaction.envs.backend import Arena
from tabletop_interaction.envs.views import View
from tabletop_interaction.errors import CalibrationRejected
from tabletop_interaction.ranges import Range, check_fields
from tabletop_interaction.real.calibration.charuco import Board, Corners, board_pose
from tabletop_interaction.real.calibration.intrinsics import Intrinsics
from tabletop_interaction.real.calibration.rigid import rigid

Colour = tuple[int, int, int]

_EDGE_POINTS = 20
_GRID_M = 0.1
_AXIS_M = 0.1
# OpenCV takes coordinates in 16ths of a pixel.
_SHIFT = 4
_BORDER: Colour = (255, 200, 0)
_GRID: Colour = (255, 255, 255)
_AXES: tuple[Colour, ...] = ((255, 0, 0), (0, 220, 0), (40, 80, 255))


@dataclass(frozen=True)
class BoardPlace:
    """Position of the board in the arena.

    Attributes:
        x: of the pattern's centre, metres.
        y: of the pattern's centre, metres.
        turn: counter-clockwise, radians; 0 if the top edge points away from the robot.
        thickness: height of the printed side above the table, metres.
    """

    x: Annotated[float, Range(-10, 10, unit="m")] = 0.0
    y: Annotated[float, Range(-10, 10, unit="m")] = 0.0
    turn: Annotated[float, Range(-10, 10)] = 0.0
    thickness: Annotated[float, Range(-10, 10, unit="m")] = 0.0

    def __post_init__(self) -> None:
        check_fields(self)


def arena_from_board(board: Board, place: BoardPlace) -> Floats:
    """(4, 4) float64 rigid transform from the board's frame (y down the page, z into it) to the arena's, metres."""
    cos, sin = np.cos(place.turn), np.sin(place.turn)
    rotation = np.array([[cos, sin, 0], [sin, -cos, 0], [0, 0, -1]])
    centre = np.array([board.size[0] / 2, board.size[1] / 2, 0])
    return rigid(rotation, np.array([place.x, place.y, place.thickness]) - rotation @ centre)


def calibrate_view(
    name: str,
    board: Board,
    corners: Corners,
    intrinsics: Intrinsics,
    full_size: tuple[int, int],
    place: BoardPlace,
    max_rms_px: float = 1.0,
) -> tuple[View, float]:
    """The view of a camera's full picture of `full_size` (width, height), and the reprojection error, pixels.

    Raises:
        CalibrationRejected: too few corners, an error above `max_rms_px`, or a camera position below the table.
    """
    camera_from_board, rms_px = board_pose(board, corners, intrinsics.matrix, intrinsics.distortion)
    if rms_px > max_rms_px:
        raise CalibrationRejected(
            f"reprojection error {rms_px:.2f} px; at most {max_rms_px:.2f} px is accepted; check that the board is "
            "flat, that its square_mm in the lab file is right, and that the lens was not touched since `tabletop "
            "calibrate cameras`"
        )
    camera_from_arena = camera_from_board @ np.linalg.inv(arena_from_board(board, place))
    if (height := float(np.linalg.inv(camera_from_arena)[2, 3])) <= 0:
        raise CalibrationRejected(
            f"the camera would be {-height:.2f} m below the table; the board lies face down or is printed mirrored; "
            "turn it over or print it again"
        )
    width, height_px = full_size
    return View(name, height_px, width, intrinsics.matrix, camera_from_arena, intrinsics.distortion), rms_px


def arena_border(arena: Arena) -> Floats:
    """(N, 3) float64 points around the arena's rectangle, metres; the last point equals the first."""
    along = np.linspace(0, 1, _EDGE_POINTS, endpoint=False)[:, None]
    low_x, high_x, low_y, high_y = arena.x_min, arena.x_max, arena.y_min, arena.y_max
    corners = np.array([(low_x, low_y), (high_x, low_y), (high_x, high_y), (low_x, high_y), (low_x, low_y)])
    edges = [start + along * (end - start) for start, end in pairwise(corners)]
    border = np.concatenate([*edges, corners[:1]])
    return np.column_stack([border, np.zeros(len(border))])


def draw_arena(image: Picture, view: View, arena: Arena) -> Picture:
    """A copy of a view's picture, uint8 (H, W, 3) RGB, with the arena drawn into it: border, grid and axes.

    In a correct calibration the border and the 10 cm grid lie on the table, and the axes start at the board's centre: x
    (red) to the right, y (green) away from the robot, z (blue) up.
    """
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
    return np.linspace(np.asarray(start, np.float64), np.asarray(end, np.float64), _EDGE_POINTS)


def _draw(image: Picture, view: View, points: Floats, colour: Colour, thickness: int) -> None:
    pixels = np.round(view.project(points) * (1 << _SHIFT)).astype(np.int32)
    cv2.polylines(image, [pixels.reshape(-1, 1, 2)], False, colour, thickness, cv2.LINE_AA, _SHIFT)
