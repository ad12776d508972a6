"""Calibration against the simulation's own pictures: a rendered board at known poses gives the poses back.

Cameras of 1280 x 960 px see an A4 board well enough for 1 mm and 0.1 degree. The simulation's own 430 x 350 px need an
A3 board that is turned: along the rows of pixels all errors of an edge are equal and do not average out.
"""

from datetime import UTC, datetime

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tabletop_interaction.envs.views import View
from tabletop_interaction.real.calibration.arena_pose import BoardPlace, arena_from_board, calibrate_view
from tabletop_interaction.real.calibration.board_page import draw_page
from tabletop_interaction.real.calibration.charuco import Board
from tabletop_interaction.real.calibration.hand_eye import Sighting, base_from_sightings
from tabletop_interaction.real.calibration.intrinsics import Intrinsics, calibrate_intrinsics
from tabletop_interaction.real.calibration.rigid import moved
from tabletop_interaction.real.calibration.touch import HAND
from tabletop_interaction.sawyer.kinematics import forward

A3_BOARD = Board(7, 5, 50.0, 37.5)
TURNED = BoardPlace(turn=0.3)
VIEWS = range(4)


def _apart(one, other):
    """Distance (m) and angle (degrees) between two rigid transforms, applied to points of their frame's origin."""
    error = np.linalg.inv(one) @ other
    return np.linalg.norm(error[:3, 3]), np.rad2deg(Rotation.from_matrix(error[:3, :3]).magnitude())


def _assert_camera(found, true):
    distance, angle = _apart(np.linalg.inv(found.camera_from_arena), np.linalg.inv(true.camera_from_arena))
    assert distance < 0.001
    assert angle < 0.1


def _placed(board, view, picture, place):
    lens = Intrinsics(view.intrinsics, view.distortion, 0.0, 0.0, 1, datetime(2026, 11, 20, tzinfo=UTC))
    return calibrate_view(view.name, board, board.find(picture), lens, (view.width, view.height), place)[0]


def test_corners_of_rendered_boards_lie_where_the_view_projects_them(rendered_lab):
    # A renderer that does not sample pixels at their centres shifts all corners by the same amount.
    board, place = rendered_lab.board, rendered_lab.places[1]
    points = moved(arena_from_board(board, place), board.corner_points)
    for view in rendered_lab.views:
        corners = board.find(rendered_lab.in_the_arena[1][view.name])
        errors = corners.pixels - view.project(points[corners.ids])
        assert len(corners) == 40
        assert np.abs(errors.mean(axis=0)).max() < 0.02
        assert np.linalg.norm(errors, axis=1).max() < 0.15


def test_boards_before_a_camera_give_its_intrinsics(rendered_lab):
    width, height = rendered_lab.size
    found = {str(i): rendered_lab.board.find(picture) for i, picture in enumerate(rendered_lab.held_to_a_camera)}
    fitted = calibrate_intrinsics(rendered_lab.board, found, width, height)
    assert fitted.rms_px < 0.1
    np.testing.assert_allclose(np.diag(fitted.matrix), np.diag(rendered_lab.lens), rtol=0.0005)
    np.testing.assert_allclose(fitted.matrix[:2, 2], rendered_lab.lens[:2, 2], atol=0.5)
    # Directions of rays all over the picture, for the fitted lens and the true one without distortion.
    rays = np.array([(x, y, 1.0) for x in (-0.45, 0, 0.45) for y in (-0.33, 0, 0.33)])
    refit = View("view_0", height, width, fitted.matrix, np.eye(4), fitted.distortion)
    true = View("view_0", height, width, rendered_lab.lens, np.eye(4))
    assert np.linalg.norm(refit.project(rays) - true.project(rays), axis=1).max() < 0.7


@pytest.mark.parametrize("place", range(2), ids=["straight", "turned"])
@pytest.mark.parametrize("number", VIEWS)
def test_a_board_in_the_arena_gives_each_camera(rendered_lab, number, place):
    view, picture = rendered_lab.views[number], rendered_lab.in_the_arena[place][f"view_{number}"]
    _assert_camera(_placed(rendered_lab.board, view, picture, rendered_lab.places[place]), view)


@pytest.fixture(scope="module")
def small_pictures(rendered, rendered_lab):
    """Pictures of the simulation's own cameras, with a board that fills an A3 page."""
    (pictures,) = rendered.render_boards(A3_BOARD, rendered_lab.small_views, [arena_from_board(A3_BOARD, TURNED)])
    return pictures


def test_the_large_board_fits_its_page():
    assert draw_page(A3_BOARD, "a3").shape == (20 * 297, 20 * 420)


@pytest.mark.parametrize("number", VIEWS)
def test_a_large_board_gives_the_simulations_own_cameras(rendered_lab, small_pictures, number):
    view = rendered_lab.small_views[number]
    _assert_camera(_placed(A3_BOARD, view, small_pictures[view.name], TURNED), view)


@pytest.fixture(scope="module")
def sightings(rendered_lab):
    """The board on the hand in all its pictures."""
    return [
        Sighting(view, rendered_lab.board.find(pictures[view.name]), forward(q, HAND))
        for q, pictures in zip(rendered_lab.joints(), rendered_lab.on_the_hand, strict=True)
        for view in rendered_lab.views[:2]
    ]


@pytest.mark.parametrize("method", ["park", "shah"])
def test_a_board_on_the_hand_gives_the_base(rendered_lab, sightings, method):
    assert min(len(sighting.corners) for sighting in sightings) >= 6
    fit = base_from_sightings(rendered_lab.board, sightings, method)
    distance, angle = _apart(fit.base_from_arena, rendered_lab.base_from_arena)
    assert distance < 0.001
    assert angle < 0.1
    distance, angle = _apart(fit.hand_from_board, rendered_lab.hand_from_board)
    assert distance < 0.001
    assert angle < 0.1
