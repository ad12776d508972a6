"""A camera's focal lengths, principal point and lens distortion from pictures of a ChArUco board."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tabletop_interaction.errors import CalibrationRejected
from tabletop_interaction.real.calibration.charuco import Board, Corners

FloatArray = NDArray[np.float64]

_MIN_CORNERS = 8


@dataclass(frozen=True)
class IntrinsicsBounds:
    """What a calibration has to keep.

    Attributes:
        max_rms_px: reprojection error, root mean square over all corners, pixels.
        max_focal_error: standard deviation of the focal lengths, as a fraction of them.
        min_pictures: pictures in which the board was found.
        min_tilt_deg: spread (standard deviation) of the board's tilt, about whichever axis it varies least.
        min_reach: how much of the picture's width and height the corners reach over; the distortion outside is a guess.
    """

    max_rms_px: float = 0.7
    max_focal_error: float = 0.005
    min_pictures: int = 8
    min_tilt_deg: float = 4.0
    min_reach: float = 0.6


@dataclass(frozen=True, eq=False)
class Intrinsics:
    """What a lens and its sensor do, in the camera's full picture.

    Attributes:
        matrix: (3, 3) float64, pixels.
        distortion: (5,) float64, k1 k2 p1 p2 k3 as in OpenCV; k3 is kept at 0, which all but fisheye lenses allow.
        rms_px: reprojection error, root mean square over all corners, pixels.
        focal_std_px: standard deviation of the less certain focal length, pixels.
        pictures: how many pictures it stands on.
    """

    matrix: FloatArray
    distortion: FloatArray
    rms_px: float
    focal_std_px: float
    pictures: int


def calibrate_intrinsics(
    board: Board,
    found: Mapping[str, Corners],
    width: int,
    height: int,
    bounds: IntrinsicsBounds | None = None,
) -> Intrinsics:
    """Fit a camera to the corners of the board in several pictures, and check that they fix it.

    Args:
        board: the board.
        found: corners by the picture's name; pictures with less than 8 of them are left out.
        width: columns of the pictures.
        height: rows of the pictures.
        bounds: what the result has to keep; None for the defaults.

    Raises:
        CalibrationRejected: too few pictures, corners that reach over too little of the picture, or an error above
            its bound.
    """
    bounds = bounds or IntrinsicsBounds()
    used = {name: corners for name, corners in found.items() if len(corners) >= _MIN_CORNERS}
    _check_pictures(used, len(found), width, height, bounds)
    points = [board.corner_points[corners.ids].astype(np.float32) for corners in used.values()]
    pixels = [corners.pixels.astype(np.float32) for corners in used.values()]
    # Without CALIB_USE_INTRINSIC_GUESS OpenCV starts from its own guess and ignores the two arrays.
    rms, matrix, distortion, turns, _, deviations, _, errors = cv2.calibrateCameraExtended(
        points, pixels, (width, height), np.eye(3), np.zeros(5), flags=cv2.CALIB_FIX_K3
    )
    fitted = Intrinsics(
        matrix=np.asarray(matrix, np.float64),
        distortion=np.ravel(distortion)[:5].astype(np.float64),
        rms_px=float(rms),
        focal_std_px=float(np.ravel(deviations)[:2].max()),
        pictures=len(used),
    )
    _check_tilts([np.asarray(turn, np.float64) for turn in turns], bounds)
    _check_fit(fitted, dict(zip(used, np.ravel(errors).tolist(), strict=True)), bounds)
    return fitted


def _check_pictures(used: Mapping[str, Corners], given: int, width: int, height: int, bounds: IntrinsicsBounds) -> None:
    if len(used) < bounds.min_pictures:
        raise CalibrationRejected(
            f"the board was found ({_MIN_CORNERS} corners or more) in {len(used)} of {given} pictures; "
            f"{bounds.min_pictures} are the least and 15 to 25 are good: hold it at different places and tilts"
        )
    pixels = np.concatenate([corners.pixels for corners in used.values()])
    reach_x, reach_y = np.ptp(pixels, axis=0) / (width, height)
    if min(reach_x, reach_y) < bounds.min_reach:
        raise CalibrationRejected(
            f"the board's corners reach over {reach_x:.0%} of the pictures' width and {reach_y:.0%} of their height; "
            f"{bounds.min_reach:.0%} are the least: add pictures with the board at the edges"
        )


def _check_tilts(rotation_vectors: list[FloatArray], bounds: IntrinsicsBounds) -> None:
    """Refuse boards that are nearly parallel: focal length and distance then make up for each other.

    OpenCV's standard deviations do not tell: it inverts the normal equations without their smallest singular value,
    and calls a focal length certain that is off by half.
    """
    normals = np.array([cv2.Rodrigues(vector)[0][:2, 2] for vector in rotation_vectors])
    spread = np.linalg.svd(normals - normals.mean(axis=0), compute_uv=False)[1] / np.sqrt(len(normals))
    degrees = float(np.rad2deg(np.arcsin(min(spread, 1.0))))
    if degrees < bounds.min_tilt_deg:
        raise CalibrationRejected(
            f"the board's tilt varies by {degrees:.1f} degrees only about one axis ({bounds.min_tilt_deg:.0f} are the "
            "least), which leaves the focal length open: tilt it by 20 to 45 degrees, towards all four sides"
        )


def _check_fit(fitted: Intrinsics, errors: Mapping[str, float], bounds: IntrinsicsBounds) -> None:
    worst = max(errors, key=lambda name: errors[name])
    if fitted.rms_px > bounds.max_rms_px:
        raise CalibrationRejected(
            f"reprojection error {fitted.rms_px:.2f} px; at most {bounds.max_rms_px:.2f} px is accepted. The worst "
            f"picture is {worst} ({errors[worst]:.2f} px): leave out blurred ones, and see that the board is flat and "
            "is the one that the lab file describes"
        )
    fraction = fitted.focal_std_px / float(min(fitted.matrix[0, 0], fitted.matrix[1, 1]))
    if fraction > bounds.max_focal_error:
        raise CalibrationRejected(
            f"the focal length is uncertain by {fraction:.1%}; at most {bounds.max_focal_error:.1%} is accepted: add "
            "pictures in which the board is tilted by 30 to 45 degrees, towards each side"
        )
