"""The robot's base in the arena's frame from a board on the hand, seen by the cameras in several poses of the arm.

For every sighting camera_from_board = camera_from_arena arena_from_base base_from_hand hand_from_board; the second and
the last factor are unknown. One of OpenCV's hand-eye solvers gives a start from the view that saw the board most often.
Then both unknowns are fitted to the corners in all views together, with the views' calibrated poses.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import ArrayLike

from tabletop_interaction.arrays import Floats
from tabletop_interaction.envs.views import View
from tabletop_interaction.errors import CalibrationRejected, InvalidConfiguration
from tabletop_interaction.real.calibration.charuco import Board, Corners, board_pose
from tabletop_interaction.real.calibration.rigid import moved, rigid

Method = Literal["tsai", "park", "horaud", "andreff", "daniilidis", "shah", "li"]

_HAND_EYE = {
    "tsai": cv2.CALIB_HAND_EYE_TSAI,
    "park": cv2.CALIB_HAND_EYE_PARK,
    "horaud": cv2.CALIB_HAND_EYE_HORAUD,
    "andreff": cv2.CALIB_HAND_EYE_ANDREFF,
    "daniilidis": cv2.CALIB_HAND_EYE_DANIILIDIS,
}
_ROBOT_WORLD = {"shah": cv2.CALIB_ROBOT_WORLD_HAND_EYE_SHAH, "li": cv2.CALIB_ROBOT_WORLD_HAND_EYE_LI}

_MIN_POSES = 5
_MIN_TURN_RAD = np.deg2rad(10)


@dataclass(frozen=True, eq=False)
class Sighting:
    """One picture of the board on the hand.

    Attributes:
        view: the calibrated view of the picture.
        corners: of the board in the picture.
        base_from_hand: (4, 4) float64, the pose of the hand that the robot reports, metres.
    """

    view: View
    corners: Corners
    base_from_hand: Floats


@dataclass(frozen=True, eq=False)
class HandEye:
    """The fitted base, with its residuals.

    Attributes:
        base_from_arena: (4, 4) float64 rigid transform, applied to points of the arena, metres.
        hand_from_board: (4, 4) float64 rigid transform: pose of the board on the hand, metres.
        rms_px: reprojection error, root mean square, pixels.
        rms: the same at the board's distance, perpendicular to the line of sight, metres.
    """

    base_from_arena: Floats
    hand_from_board: Floats
    rms_px: float
    rms: float


def base_from_sightings(
    board: Board, sightings: list[Sighting], method: Method = "park", max_rms: float = 0.002
) -> HandEye:
    """`base_from_arena` that fits all sightings.

    Args:
        sightings: at least five by one view, with the hand rotated about different axes.
        method: OpenCV's solver for the start: of its calibrateHandEye "tsai", "park", "horaud", "andreff" or
            "daniilidis", of its calibrateRobotWorldHandEye "shah" or "li".
        max_rms: largest accepted root mean square error, metres.

    Raises:
        InvalidConfiguration: unknown method.
        CalibrationRejected: the sightings do not determine a pose, or the error is above the bound.
    """
    if method not in get_args(Method):
        raise InvalidConfiguration(f"method {method!r} came; accepted are {', '.join(get_args(Method))}")
    first = _sightings_of_one_view(sightings)
    _check_turns(first)
    base_from_camera = _solve(board, first, method)
    base_from_arena = base_from_camera @ first[0].view.camera_from_arena
    hand_from_board = np.linalg.inv(first[0].base_from_hand) @ base_from_camera @ _board_pose(board, first[0])
    fit = _refine(board, sightings, base_from_arena, hand_from_board)
    if fit.rms > max_rms:
        raise CalibrationRejected(
            f"the board's corners are {1000 * fit.rms:.1f} mm off ({fit.rms_px:.1f} px); at most {1000 * max_rms:.1f} "
            "mm is accepted; check that the board is fixed to the hand, that each picture was taken at rest, that the "
            "poses are of right_hand in base, and that no camera moved since `tabletop calibrate arena`"
        )
    return fit


def _sightings_of_one_view(sightings: list[Sighting]) -> list[Sighting]:
    counts = Counter(sighting.view.name for sighting in sightings)
    name, most = counts.most_common(1)[0] if counts else ("", 0)
    if most < _MIN_POSES:
        raise CalibrationRejected(
            f"the board was seen in {most} poses at most by one view; at least {_MIN_POSES} are needed, 15 are good"
        )
    return [sighting for sighting in sightings if sighting.view.name == name]


def _check_turns(sightings: list[Sighting]) -> None:
    """Rotations about one axis only leave the position along that axis open."""
    from scipy.spatial.transform import Rotation

    hands = Rotation.from_matrix([sighting.base_from_hand[:3, :3] for sighting in sightings])
    turns = (hands[0].inv() * hands).as_rotvec()
    spread = np.linalg.svd(turns, compute_uv=False)[1] / np.sqrt(len(turns))
    if spread < _MIN_TURN_RAD:
        raise CalibrationRejected(
            f"between the poses the hand turns about a second axis by only {np.rad2deg(spread):.0f} degrees; at least "
            f"{np.rad2deg(_MIN_TURN_RAD):.0f} are needed; tilt it by 20 to 40 degrees to all sides"
        )


def _solve(board: Board, sightings: list[Sighting], method: Method) -> Floats:
    """`base_from_camera` of the view that all these sightings share."""
    camera_from_board = np.array([_board_pose(board, sighting) for sighting in sightings])
    base_from_hand = np.array([sighting.base_from_hand for sighting in sightings])
    # OpenCV's names assume a camera on the hand. Here the camera is fixed and the board moves: base and hand are
    # exchanged, so that its cam2gripper is base_from_camera, and its gripper2cam is camera_from_base.
    if method in _HAND_EYE:
        rotation, translation = cv2.calibrateHandEye(
            *_parts(np.linalg.inv(base_from_hand)), *_parts(camera_from_board), method=_HAND_EYE[method]
        )
        return _proper(rotation, translation)
    *_, rotation, translation = cv2.calibrateRobotWorldHandEye(
        *_parts(camera_from_board), *_parts(base_from_hand), method=_ROBOT_WORLD[method]
    )
    return np.asarray(np.linalg.inv(_proper(rotation, translation)), np.float64)


def _refine(board: Board, sightings: list[Sighting], base_from_arena: Floats, hand_from_board: Floats) -> HandEye:
    """Both unknowns, fitted by least squares to the corners of all sightings."""

    from scipy.optimize import least_squares

    def errors(unknowns: Floats) -> Floats:
        base, hand = _transforms(unknowns)
        return np.concatenate([_errors(board, sighting, base, hand).ravel() for sighting in sightings])

    start = np.concatenate([*_vectors(base_from_arena), *_vectors(hand_from_board)])
    found = least_squares(errors, start, method="lm", x_scale=np.tile([0.1, 0.1, 0.1, 0.01, 0.01, 0.01], 2)).x
    base, hand = _transforms(found)
    pixels = np.concatenate([_errors(board, sighting, base, hand) for sighting in sightings])
    metres = np.concatenate([_metres_per_pixel(sighting, base, hand) for sighting in sightings])
    squares = (pixels**2).sum(axis=1)
    return HandEye(base, hand, float(np.sqrt(squares.mean())), float(np.sqrt((squares * metres**2).mean())))


def _transforms(unknowns: Floats) -> tuple[Floats, Floats]:
    """`base_from_arena` and `hand_from_board` from (12,): rotation vector and translation of each."""
    base_turn, base_shift, hand_turn, hand_shift = unknowns.reshape(4, 3)
    return rigid(cv2.Rodrigues(base_turn)[0], base_shift), rigid(cv2.Rodrigues(hand_turn)[0], hand_shift)


def _errors(board: Board, sighting: Sighting, base_from_arena: Floats, hand_from_board: Floats) -> Floats:
    """(N, 2) reprojection errors, pixels."""
    arena_from_board = np.linalg.inv(base_from_arena) @ sighting.base_from_hand @ hand_from_board
    points = moved(arena_from_board, board.corner_points[sighting.corners.ids])
    return sighting.view.project(points) - sighting.corners.pixels


def _metres_per_pixel(sighting: Sighting, base_from_arena: Floats, hand_from_board: Floats) -> Floats:
    """(N,) size of a pixel at the board's distance, metres, one per corner."""
    arena_from_board = np.linalg.inv(base_from_arena) @ sighting.base_from_hand @ hand_from_board
    depth = (sighting.view.camera_from_arena @ arena_from_board)[2, 3]
    return np.full(len(sighting.corners), depth / sighting.view.intrinsics[0, 0])


def _board_pose(board: Board, sighting: Sighting) -> Floats:
    view = sighting.view
    return board_pose(board, sighting.corners, view.intrinsics, view.distortion)[0]


def _parts(transforms: Floats) -> tuple[list[Floats], list[Floats]]:
    """Rotations and translations of (N, 4, 4) as the lists that OpenCV takes."""
    return list(transforms[:, :3, :3]), list(transforms[:, :3, 3])


def _proper(rotation: ArrayLike, translation: ArrayLike) -> Floats:
    """The rigid transform of a solver, whose rotation may be orthogonal to a few digits only."""
    from scipy.spatial.transform import Rotation

    return rigid(Rotation.from_matrix(rotation).as_matrix(), translation)


def _vectors(transform: Floats) -> tuple[Floats, Floats]:
    from scipy.spatial.transform import Rotation

    return Rotation.from_matrix(transform[:3, :3]).as_rotvec(), transform[:3, 3]
