"""A camera's focal lengths, principal point and lens distortion from pictures of a ChArUco board."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

import cv2
import numpy as np
from msgspec import Meta

from tabletop_interaction.arrays import Floats
from tabletop_interaction.errors import CalibrationRejected, InvalidConfiguration
from tabletop_interaction.real.calibration.charuco import Board, Corners

MAX_RMS_PX = 0.7
"""Default bound of the reprojection error, root mean square over all corners, pixels."""

# Bounds of the other checks: standard deviation of the focal lengths, relative to them; pictures with the board;
# standard deviation of the board's tilt about the axis with the smallest variation; part of the picture's width and
# height covered by corners (outside, the distortion is extrapolated).
_MAX_FOCAL_ERROR = 0.005
_MIN_PICTURES = 8
_MIN_TILT_DEG = 4.0
_MIN_REACH = 0.6

_MIN_CORNERS = 8


@dataclass(frozen=True, eq=False)
class Intrinsics:
    """Intrinsics and lens distortion of a camera's full picture; one entry of the lab file's section "intrinsics".

    Attributes:
        matrix: (3, 3) float64, pixels.
        distortion: (5,) float64, k1 k2 p1 p2 k3 as in OpenCV; k3 is fixed at 0, which fits all but fisheye lenses.
        rms_px: reprojection error, root mean square over all corners, pixels.
        focal_std_px: standard deviation of the less certain focal length, pixels.
        pictures: number of pictures in the fit.
        calibrated_at: time of the calibration.
    """

    matrix: Floats
    distortion: Floats
    rms_px: Annotated[float, Meta(ge=0)]
    focal_std_px: Annotated[float, Meta(ge=0)]
    pictures: int
    calibrated_at: datetime

    def __post_init__(self) -> None:
        check_shape("matrix", self.matrix, (3, 3))
        check_shape("distortion", self.distortion, (5,))
        matrix = self.matrix
        lower = (matrix[1, 0], matrix[2, 0], matrix[2, 1])
        if min(matrix[0, 0], matrix[1, 1]) <= 0 or any(lower) or matrix[2, 2] != 1:
            raise InvalidConfiguration(
                "matrix is not a camera matrix: fx 0 cx / 0 fy cy / 0 0 1, pixels, fx and fy positive"
            )


def check_shape(name: str, array: Floats, shape: tuple[int, ...]) -> None:
    """Raise InvalidConfiguration for an array of another shape or with values that are not finite."""
    if array.shape != shape or not np.isfinite(array).all():
        accepted = " x ".join(map(str, shape))
        raise InvalidConfiguration(f"{name} has shape {array.shape}; {accepted} finite numbers are accepted")


def calibrate_intrinsics(
    board: Board, found: Mapping[str, Corners], width: int, height: int, max_rms_px: float = MAX_RMS_PX
) -> Intrinsics:
    """Fit a camera to the corners of the board in several pictures of one size, pixels, and check the result.

    `found` has the corners by the picture's name; pictures with fewer than 8 corners are ignored.

    Raises:
        CalibrationRejected: too few pictures, corners that cover too little of the picture, or an error above its
            bound.
    """
    used = {name: corners for name, corners in found.items() if len(corners) >= _MIN_CORNERS}
    _check_pictures(used, len(found), width, height)
    points = [board.corner_points[corners.ids].astype(np.float32) for corners in used.values()]
    pixels = [corners.pixels.astype(np.float32) for corners in used.values()]
    # Without CALIB_USE_INTRINSIC_GUESS OpenCV computes its own start and ignores the two arrays.
    rms, matrix, distortion, turns, _, deviations, _, errors = cv2.calibrateCameraExtended(
        points, pixels, (width, height), np.eye(3), np.zeros(5), flags=cv2.CALIB_FIX_K3
    )
    fitted = Intrinsics(
        matrix=np.asarray(matrix, np.float64),
        distortion=np.ravel(distortion)[:5].astype(np.float64),
        rms_px=float(rms),
        focal_std_px=float(np.ravel(deviations)[:2].max()),
        pictures=len(used),
        calibrated_at=datetime.now(UTC),
    )
    _check_tilts([np.asarray(turn, np.float64) for turn in turns])
    _check_fit(fitted, dict(zip(used, np.ravel(errors).tolist(), strict=True)), max_rms_px)
    return fitted


def _check_pictures(used: Mapping[str, Corners], given: int, width: int, height: int) -> None:
    if len(used) < _MIN_PICTURES:
        raise CalibrationRejected(
            f"the board was found ({_MIN_CORNERS} corners or more) in {len(used)} of {given} pictures; "
            f"at least {_MIN_PICTURES} are needed and 15 to 25 recommended; hold it at different places and tilts"
        )
    pixels = np.concatenate([corners.pixels for corners in used.values()])
    reach_x, reach_y = np.ptp(pixels, axis=0) / (width, height)
    if min(reach_x, reach_y) < _MIN_REACH:
        raise CalibrationRejected(
            f"the board's corners cover {reach_x:.0%} of the pictures' width and {reach_y:.0%} of their height; at "
            f"least {_MIN_REACH:.0%} is needed; add pictures with the board at the edges"
        )


def _check_tilts(rotation_vectors: list[Floats]) -> None:
    """Refuse boards that are nearly parallel: focal length and distance then compensate each other.

    OpenCV's standard deviations do not show this: it inverts the normal equations without their smallest singular
    value and reports a small deviation for a focal length that is wrong by half.
    """
    normals = np.array([cv2.Rodrigues(vector)[0][:2, 2] for vector in rotation_vectors])
    spread = np.linalg.svd(normals - normals.mean(axis=0), compute_uv=False)[1] / np.sqrt(len(normals))
    degrees = float(np.rad2deg(np.arcsin(min(spread, 1.0))))
    if degrees < _MIN_TILT_DEG:
        raise CalibrationRejected(
            f"the board's tilt about one axis varies by only {degrees:.1f} degrees, which leaves the focal length "
            f"open; at least {_MIN_TILT_DEG:.0f} are needed; tilt it by 20 to 45 degrees to all sides"
        )


def _check_fit(fitted: Intrinsics, errors: Mapping[str, float], max_rms_px: float) -> None:
    worst = max(errors, key=lambda name: errors[name])
    if fitted.rms_px > max_rms_px:
        raise CalibrationRejected(
            f"reprojection error {fitted.rms_px:.2f} px; at most {max_rms_px:.2f} px is accepted; the worst "
            f"picture is {worst} ({errors[worst]:.2f} px); remove blurred pictures, and check that the board is flat "
            "and is the one in the lab file"
        )
    fraction = fitted.focal_std_px / float(min(fitted.matrix[0, 0], fitted.matrix[1, 1]))
    if fraction > _MAX_FOCAL_ERROR:
        raise CalibrationRejected(
            f"the focal length is uncertain by {fraction:.1%}; at most {_MAX_FOCAL_ERROR:.1%} is accepted; add "
            "pictures in which the board is tilted by 30 to 45 degrees, towards each side"
        )
