"""Intrinsics from pictures of the board: known values are found, and pictures that do not determine them refused."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tabletop_interaction.envs.views import View
from tabletop_interaction.errors import CalibrationRejected
from tabletop_interaction.real.calibration.charuco import Board, Corners
from tabletop_interaction.real.calibration.intrinsics import calibrate_intrinsics

BOARD = Board()
WIDTH, HEIGHT = 640, 480
INTRINSICS = np.array([[671.0, 0, 313.4], [0, 668.0, 247.8], [0, 0, 1]])
DISTORTION = np.array([-0.12, 0.06, 0.0008, -0.0006, 0])


def _poses(count, tilt=0.6):
    """camera_from_board of boards all over the picture, tilted to all sides."""
    rng = np.random.default_rng(1)
    for _ in range(count):
        pose, z = np.eye(4), rng.uniform(0.3, 0.45)
        pose[:3, :3] = Rotation.from_rotvec(rng.uniform(-1, 1, 3) * (tilt, tilt, 0.4)).as_matrix()
        centre = [rng.uniform(-0.3, 0.3) * z * WIDTH / 671, rng.uniform(-0.3, 0.3) * z * HEIGHT / 671, z]
        pose[:3, 3] = centre - pose[:3, :3] @ [*np.array(BOARD.size) / 2, 0]
        yield pose


def _exact(pose, noise=0.0, seed=0):
    """The corners that a perfect detector would find inside the picture."""
    pixels = View("view_0", HEIGHT, WIDTH, INTRINSICS, pose, DISTORTION).project(BOARD.corner_points)
    inside = ((pixels > 0) & (pixels < (WIDTH - 1, HEIGHT - 1))).all(axis=1)
    pixels += np.random.default_rng(seed).normal(0, noise, pixels.shape)
    return Corners(np.flatnonzero(inside), pixels[inside])


def _found(count=12, **options):
    noise = options.pop("noise", 0.0)
    return {str(i): _exact(pose, noise, i) for i, pose in enumerate(_poses(count, **options))}


def test_exact_corners_give_the_exact_camera():
    fitted = calibrate_intrinsics(BOARD, _found(), WIDTH, HEIGHT)
    np.testing.assert_allclose(fitted.matrix, INTRINSICS, atol=0.01)
    np.testing.assert_allclose(fitted.distortion, DISTORTION, atol=1e-3)
    assert fitted.rms_px < 1e-3


def test_pictures_give_the_camera_within_a_few_standard_deviations(photograph_board):
    view = View("view_0", HEIGHT, WIDTH, INTRINSICS, np.eye(4), DISTORTION)
    found = {str(i): BOARD.find(photograph_board(BOARD, view, pose, seed=i)) for i, pose in enumerate(_poses(10))}
    fitted = calibrate_intrinsics(BOARD, found, WIDTH, HEIGHT)
    assert fitted.rms_px < 0.15
    np.testing.assert_allclose(np.diag(fitted.matrix), np.diag(INTRINSICS), rtol=0.002)
    np.testing.assert_allclose(fitted.matrix[:2, 2], INTRINSICS[:2, 2], atol=1.5)
    # Directions of rays, over the whole picture, to half a pixel.
    corners = np.array([[x, y, 1.0] for x in (-0.4, 0, 0.4) for y in (-0.3, 0, 0.3)])
    refit = View("view_0", HEIGHT, WIDTH, fitted.matrix, np.eye(4), fitted.distortion)
    assert np.linalg.norm(refit.project(corners) - view.project(corners), axis=1).max() < 2.0


def test_the_standard_deviation_matches_the_error():
    fits = [
        calibrate_intrinsics(BOARD, {str(i): _exact(pose, 0.2, 100 * run + i) for i, pose in enumerate(_poses(12))},
                             WIDTH, HEIGHT)
        for run in range(8)
    ]  # fmt: skip
    errors = np.array([fit.matrix[0, 0] - 671.0 for fit in fits])
    told = np.mean([fit.focal_std_px for fit in fits])
    assert 0.4 < np.sqrt((errors**2).mean()) / told < 2.5


def test_too_few_pictures_are_refused_with_their_number():
    with pytest.raises(CalibrationRejected, match="in 7 of 7 pictures"):
        calibrate_intrinsics(BOARD, _found(7), WIDTH, HEIGHT)


def test_boards_only_in_the_middle_are_refused():
    middle = np.array([320, 240])
    found = {name: Corners(each.ids, (each.pixels - middle) * 0.4 + middle) for name, each in _found().items()}
    with pytest.raises(CalibrationRejected, match="at the edges"):
        calibrate_intrinsics(BOARD, found, WIDTH, HEIGHT)


@pytest.mark.parametrize("tilt", [0.0, 0.02, 0.1])
def test_boards_without_tilt_are_refused(tilt):
    # OpenCV reports an uncertainty of 0.02 % for a focal length that is 15 % off.
    with pytest.raises(CalibrationRejected, match="leaves the focal length open"):
        calibrate_intrinsics(BOARD, _found(tilt=tilt, noise=0.3), WIDTH, HEIGHT)


def test_an_uncertain_focal_length_is_refused():
    with pytest.raises(CalibrationRejected, match=r"uncertain by 0\.5%"):
        calibrate_intrinsics(BOARD, _found(tilt=0.3, noise=0.3), WIDTH, HEIGHT)


def test_one_bad_picture_is_named():
    found = _found()
    sharp = found["3"]
    found["blurred"] = Corners(sharp.ids, sharp.pixels + np.random.default_rng(0).normal(0, 5, sharp.pixels.shape))
    with pytest.raises(CalibrationRejected, match="the worst picture is blurred"):
        calibrate_intrinsics(BOARD, found, WIDTH, HEIGHT)


def test_the_bound_of_the_reprojection_error_can_be_widened(monkeypatch):
    noisy = _found(noise=1.0)
    with pytest.raises(CalibrationRejected, match=r"at most 0\.70 px"):
        calibrate_intrinsics(BOARD, noisy, WIDTH, HEIGHT)
    monkeypatch.setattr("tabletop_interaction.real.calibration.intrinsics._MAX_FOCAL_ERROR", 0.02)
    assert calibrate_intrinsics(BOARD, noisy, WIDTH, HEIGHT, max_rms_px=3).rms_px > 0.7
