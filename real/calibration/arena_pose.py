"""The pose of each camera from a board at a known place in the arena.

The board lies face up with its top edge away from the robot. With its centre on the table's centre, it defines the
arena's frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tabletop_interaction.arrays import Floats
from tabletop_interaction.envs.backend import Arena
from tabletop_interaction.envs.views import View
from tabletop_interaction.errors import CalibrationRejected
from tabletop_interaction.real.calibration.charuco import Board, Corners, board_pose
from tabletop_interaction.real.calibration.intrinsics import Intrinsics
from tabletop_interaction.real.cameras.framing import ViewCrop, crop_around

_EDGE_POINTS = 20


@dataclass(frozen=True)
class BoardPlace:
    """Position of the board in the arena.

    Attributes:
        x: of the pattern's centre, metres.
        y: of the pattern's centre, metres.
        turn: counter-clockwise, radians; 0 if the top edge points away from the robot.
        thickness: height of the printed side above the table, metres.
    """

    x: float = 0.0
    y: float = 0.0
    turn: float = 0.0
    thickness: float = 0.0


def arena_from_board(board: Board, place: BoardPlace) -> Floats:
    """(4, 4) float64 rigid transform from the board's frame (y down the page, z into it) to the arena's, metres."""
    cos, sin = np.cos(place.turn), np.sin(place.turn)
    result = np.eye(4)
    result[:3, :3] = np.array([[cos, sin, 0], [sin, -cos, 0], [0, 0, -1]])
    centre = np.array([board.size[0] / 2, board.size[1] / 2, 0])
    result[:3, 3] = np.array([place.x, place.y, place.thickness]) - result[:3, :3] @ centre
    return result


def calibrate_view(
    name: str,
    board: Board,
    corners: Corners,
    intrinsics: Intrinsics,
    full_size: tuple[int, int],
    place: BoardPlace,
    max_rms_px: float = 1.0,
) -> tuple[View, float]:
    """The view of a camera's full picture, and the reprojection error, pixels.

    Args:
        name: the view's name.
        board: the board.
        corners: of the board in the camera's full picture.
        intrinsics: the camera's.
        full_size: width and height of the full picture, pixels.
        place: position of the board.
        max_rms_px: largest accepted reprojection error.

    Raises:
        CalibrationRejected: too few corners, an error above the bound, or a camera position below the table.
    """
    try:
        pose = board_pose(board, corners, intrinsics.matrix, intrinsics.distortion)
    except CalibrationRejected as error:
        raise CalibrationRejected(f"{name}: {error}") from error
    if pose.rms_px > max_rms_px:
        raise CalibrationRejected(
            f"{name}: reprojection error {pose.rms_px:.2f} px; at most {max_rms_px:.2f} px is accepted; check that the "
            "board is flat, that its square_mm in the lab file is right, and that the lens was not touched since "
            "`tabletop calibrate cameras`"
        )
    camera_from_arena = pose.camera_from_board @ np.linalg.inv(arena_from_board(board, place))
    if (height := float(np.linalg.inv(camera_from_arena)[2, 3])) <= 0:
        raise CalibrationRejected(
            f"{name}: the camera would be {-height:.2f} m below the table; the board lies face down or is printed "
            "mirrored; turn it over or print it again"
        )
    width, height_px = full_size
    return View(name, height_px, width, intrinsics.matrix, camera_from_arena, intrinsics.distortion), pose.rms_px


def arena_crop(full: View, arena: Arena, width: int, height: int) -> ViewCrop:
    """The crop of a camera's full picture around the arena, with the proportions width x height."""
    try:
        return crop_around(full.project(arena_border(arena)), full.width, full.height, width, height)
    except CalibrationRejected as error:
        raise CalibrationRejected(f"{full.name}: {error}") from error


def arena_border(arena: Arena) -> Floats:
    """(N, 3) float64 points around the arena's rectangle, metres; the last point equals the first."""
    along = np.linspace(0, 1, _EDGE_POINTS, endpoint=False)[:, None]
    low_x, high_x, low_y, high_y = arena.x_min, arena.x_max, arena.y_min, arena.y_max
    corners = np.array([(low_x, low_y), (high_x, low_y), (high_x, high_y), (low_x, high_y), (low_x, low_y)])
    edges = [start + along * (end - start) for start, end in pairwise(corners)]
    border = np.concatenate([*edges, corners[:1]])
    return np.column_stack([border, np.zeros(len(border))])
