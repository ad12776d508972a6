"""Poses of views from the board in the arena, and the crop around the arena."""

from datetime import UTC, datetime

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tabletop_interaction.envs.backend import Arena
from tabletop_interaction.envs.views import View, camera_pose
from tabletop_interaction.errors import CalibrationRejected
from tabletop_interaction.real.calibration.arena_pose import (
    BoardPlace,
    arena_border,
    arena_from_board,
    calibrate_view,
    draw_arena,
)
from tabletop_interaction.real.calibration.charuco import Board, Corners
from tabletop_interaction.real.calibration.intrinsics import Intrinsics
from tabletop_interaction.real.calibration.rigid import moved
from tabletop_interaction.real.cameras.framing import crop_around, framed_view, take_crop

BOARD = Board()
ARENA = Arena(-0.30, 0.30, -0.245, 0.245)
SIZE = (960, 720)
MATRIX = np.array([[1010.0, 0, 471.3], [0, 1006.0, 366.8], [0, 0, 1]])
LENS = Intrinsics(MATRIX, np.array([-0.1, 0.05, 0.0006, -0.0004, 0]), 0.1, 0.1, 20, datetime(2026, 11, 20, tzinfo=UTC))
EYES = {"front": (0.05, -0.55, 0.95), "side": (-0.6, 0.1, 0.9), "back": (0.0, 0.6, 0.9)}
PLACES = {"front": BoardPlace(), "side": BoardPlace(0.05, -0.03, 0.4, 0.004), "back": BoardPlace(-0.08, 0.02, 2.0)}


def _true_view(eye):
    pose = camera_pose(np.array(eye), np.zeros(3), np.array([0.0, 0, 1]))
    return View("view_0", SIZE[1], SIZE[0], MATRIX, pose, LENS.distortion)


def test_a_board_in_the_middle_has_its_top_edge_away_from_the_robot():
    transform = arena_from_board(BOARD, BoardPlace())
    width, height = BOARD.size
    corners = np.array([[0, 0, 0, 1], [width, 0, 0, 1], [width, height, 0, 1]]) @ transform.T
    expected = [[-width / 2, height / 2, 0], [width / 2, height / 2, 0], [width / 2, -height / 2, 0]]
    np.testing.assert_allclose(corners[:, :3], expected, atol=1e-12)


def test_turn_is_counter_clockwise_about_the_centre_and_thickness_raises_the_board():
    transform = arena_from_board(BOARD, BoardPlace(0.1, 0.2, np.pi / 2, 0.003))
    width, height = BOARD.size
    centre, top = np.array([[width / 2, height / 2, 0, 1], [width / 2, 0, 0, 1]]) @ transform.T
    np.testing.assert_allclose(centre[:3], [0.1, 0.2, 0.003], atol=1e-12)
    np.testing.assert_allclose(top[:3], [0.1 - height / 2, 0.2, 0.003], atol=1e-12)


@pytest.mark.parametrize("side", EYES)
def test_a_camera_is_found_to_a_millimetre_and_a_tenth_of_a_degree(side, photograph_board):
    true, place = _true_view(EYES[side]), PLACES[side]
    picture = photograph_board(BOARD, true, true.camera_from_arena @ arena_from_board(BOARD, place))
    found, rms_px = calibrate_view("view_0", BOARD, BOARD.find(picture), LENS, SIZE, place)
    eye = np.linalg.inv(found.camera_from_arena)[:3, 3]
    turn = Rotation.from_matrix(found.camera_from_arena[:3, :3] @ true.camera_from_arena[:3, :3].T).magnitude()
    assert np.linalg.norm(eye - EYES[side]) < 0.001
    assert np.rad2deg(turn) < 0.1
    assert rms_px < 0.25
    # On the table, all over the arena, the same pixel means the same point to half a millimetre.
    pixels = true.project(arena_border(ARENA))
    np.testing.assert_allclose(found.unproject(pixels), true.unproject(pixels), atol=5e-4)


def _corners_in_arena(place):
    return moved(arena_from_board(BOARD, place), BOARD.corner_points)


def _crop(full):
    return crop_around(full.project(arena_border(ARENA)), *SIZE, 430, 350)


def _exact_corners(true):
    points = _corners_in_arena(BoardPlace())
    return Corners(np.arange(len(points)), true.project(points))


def test_a_mirrored_print_is_refused():
    corners = _exact_corners(_true_view(EYES["front"]))
    mirrored = Corners(corners.ids.reshape(5, 8)[:, ::-1].ravel(), corners.pixels)
    with pytest.raises(CalibrationRejected, match="below the table"):
        calibrate_view("view_0", BOARD, mirrored, LENS, SIZE, BoardPlace())


def test_a_bent_board_is_refused():
    corners = _exact_corners(_true_view(EYES["front"]))
    bent = Corners(corners.ids, corners.pixels + 6 * np.sin(np.arange(40.0))[:, None])
    with pytest.raises(CalibrationRejected, match=r"^reprojection error"):
        calibrate_view("view_0", BOARD, bent, LENS, SIZE, BoardPlace())


def test_a_board_out_of_sight_is_refused():
    nothing = Corners(np.empty(0, np.int64), np.empty((0, 2)))
    with pytest.raises(CalibrationRejected, match=r"^0 corners"):
        calibrate_view("view_0", BOARD, nothing, LENS, SIZE, BoardPlace())


def test_the_arena_fills_the_views_picture():
    full = _true_view(EYES["front"])
    view = framed_view(full, _crop(full), 430, 350)
    border = view.project(arena_border(ARENA))
    assert (border > -0.5).all()
    assert (border < (429.5, 349.5)).all()
    assert np.ptp(border[:, 0]) > 0.94 * 430 or np.ptp(border[:, 1]) > 0.94 * 350


def test_a_camera_that_does_not_see_the_whole_arena_is_refused():
    near = _true_view((0.1, -0.2, 0.4))
    with pytest.raises(CalibrationRejected, match=r"^the arena reaches .* move the camera back"):
        _crop(near)


def test_the_overlay_lies_on_the_board_in_the_views_picture(photograph_board):
    full = _true_view(EYES["front"])
    picture = photograph_board(BOARD, full, full.camera_from_arena @ arena_from_board(BOARD, BoardPlace()))
    crop = _crop(full)
    view = framed_view(full, crop, 430, 350)
    small = take_crop(picture, crop, 430, 350)
    drawn = draw_arena(small, view, ARENA)
    assert drawn.shape == small.shape
    x_axis, y_axis = np.round(view.project(np.array([[0.05, 0, 0], [0, 0.05, 0]]))).astype(int)
    assert drawn[x_axis[1], x_axis[0]].argmax() == 0
    assert drawn[y_axis[1], y_axis[0]].argmax() == 1
    # The view's own geometry finds the board's corners in the view's own, scaled picture.
    corners = BOARD.find(small)
    assert len(corners) > 8
    errors = view.project(_corners_in_arena(BoardPlace())[corners.ids]) - corners.pixels
    assert np.abs(errors.mean(axis=0)).max() < 0.2
    assert np.median(np.linalg.norm(errors, axis=1)) < 0.5
