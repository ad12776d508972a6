"""The robot's base from touched points (laws of the rigid fit) and from a board on its hand."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from tabletop_interaction.envs.views import View, camera_pose
from tabletop_interaction.errors import CalibrationRejected, InvalidConfiguration
from tabletop_interaction.real.calibration.charuco import Board, Corners
from tabletop_interaction.real.calibration.hand_eye import Sighting, base_from_sightings
from tabletop_interaction.real.calibration.touch import base_from_touched, fit_rigid

BOARD = Board()
finite = st.floats(-1, 1)
vectors = st.tuples(finite, finite, finite)
seeds = st.integers(0, 10_000)


def _rigid(turn, shift):
    result = np.eye(4)
    result[:3, :3] = Rotation.from_rotvec(np.array(turn) * 3).as_matrix()
    result[:3, 3] = shift
    return result


def _points(seed, count):
    points = np.random.default_rng(seed).uniform(-0.4, 0.4, (count, 3))
    assume(np.linalg.svd(points - points.mean(axis=0), compute_uv=False)[1] > 0.05)
    return points


def _moved(transform, points):
    return points @ transform[:3, :3].T + transform[:3, 3]


@settings(max_examples=40, deadline=None)
@given(vectors, vectors, seeds, st.integers(3, 8))
def test_exact_points_give_the_exact_transform(turn, shift, seed, count):
    true, points = _rigid(turn, shift), _points(seed, count)
    fit = fit_rigid(points, _moved(true, points))
    np.testing.assert_allclose(fit.target_from_source, true, atol=1e-7)
    assert fit.rms < 1e-9


@settings(max_examples=40, deadline=None)
@given(vectors, vectors, seeds)
def test_fitting_the_other_way_round_gives_the_inverse(turn, shift, seed):
    points = _points(seed, 5)
    target = _moved(_rigid(turn, shift), points) + np.random.default_rng(seed).normal(0, 0.001, points.shape)
    there, back = fit_rigid(points, target), fit_rigid(target, points)
    np.testing.assert_allclose(there.target_from_source @ back.target_from_source, np.eye(4), atol=1e-7)
    assert there.rms == pytest.approx(back.rms, rel=1e-6, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(vectors, vectors, seeds)
def test_the_result_is_always_a_rotation_even_of_mirrored_points(turn, shift, seed):
    points = _points(seed, 6)
    rotation = fit_rigid(points, _moved(_rigid(turn, shift), points) * (1, 1, -1)).target_from_source[:3, :3]
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(rotation) == pytest.approx(1)


@settings(max_examples=40, deadline=None)
@given(vectors, vectors, seeds)
def test_a_moved_target_gives_the_moved_fit(turn, shift, seed):
    points, extra = _points(seed, 5), _rigid(turn, shift)
    target = points + np.random.default_rng(seed).normal(0, 0.001, points.shape)
    plain, moved = fit_rigid(points, target), fit_rigid(points, _moved(extra, target))
    np.testing.assert_allclose(moved.target_from_source, extra @ plain.target_from_source, atol=1e-7)


@settings(max_examples=40, deadline=None)
@given(vectors, seeds)
def test_no_nearby_transform_fits_better(turn, seed):
    points = _points(seed, 6)
    target = points + np.random.default_rng(seed).normal(0, 0.002, points.shape)
    fit = fit_rigid(points, target)
    nudged = fit.target_from_source @ _rigid(np.array(turn) * 0.01, np.array(turn) * 0.001)
    assert np.square(_moved(nudged, points) - target).sum() >= np.square(fit.residuals).sum() - 1e-12


def test_six_points_touched_to_half_a_millimetre_give_the_base_to_one():
    grid = np.array([(x, y, 0.0) for x in (-0.2, 0.0, 0.2) for y in (-0.15, 0.15)])
    true = _rigid((0, 0, 0.5), (0.65, 0.02, -0.12))
    touched = _moved(true, grid) + np.random.default_rng(3).uniform(-0.0005, 0.0005, grid.shape)
    fit = base_from_touched(grid, touched)
    assert np.linalg.norm(_moved(fit.target_from_source, grid) - _moved(true, grid), axis=1).max() < 0.001
    assert 0 < fit.rms < 0.001


def test_a_point_that_is_off_is_named_with_all_residuals():
    grid = np.array([(x, y, 0.0) for x in (-0.2, 0.2) for y in (-0.15, 0.15)] + [(0, 0, 0.1)])
    touched = grid + 0
    touched[2] += (0, 0.02, 0)
    with pytest.raises(CalibrationRejected, match=r"point 3 is .* at most 3.0 mm is accepted \(all points: .*\)"):
        base_from_touched(grid, touched)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (np.zeros((2, 3)), "three or more"),
        (np.array([(0, 0, 0), (0.1, 0, 0), (0.2, 0.001, 0)]), "of one line"),
        (np.array([(0, 0, 0), (0.1, 0, 0), (0, np.nan, 0)]), "is not finite"),
    ],
)
def test_points_that_determine_no_pose_are_refused(points, message):
    with pytest.raises(CalibrationRejected, match=message):
        fit_rigid(points, points)


BASE_FROM_ARENA = _rigid((0, 0, 0.52), (0.62, 0.03, -0.11))
HAND_FROM_BOARD = _rigid((0.1, 0.2, -0.1), (-0.12, -0.08, 0.05))
INTRINSICS = np.array([[1010.0, 0, 640], [0, 1006.0, 360], [0, 0, 1]])
VIEWS = [
    View(f"view_{i}", 720, 1280, INTRINSICS, camera_pose(np.array(eye), np.array([0, 0, 0.2]), np.array([0.0, 0, 1])),
         np.array([-0.1, 0.05, 0, 0, 0]))
    for i, eye in enumerate([(0, -0.7, 1.0), (-0.7, 0, 1.0)])
]  # fmt: skip


def _sightings(poses=12, noise=0.1, spread=0.5, views=VIEWS, robot_noise=0.0):
    """Sightings of the board over the table, facing up, turned by up to `spread` radians about each axis."""
    rng = np.random.default_rng(5)
    arena_from_base = np.linalg.inv(BASE_FROM_ARENA)
    for _ in range(poses):
        wanted = _rigid(np.array([np.pi, 0, 0]) / 3, rng.uniform((-0.1, -0.1, 0.15), (0.1, 0.1, 0.3)))
        wanted = wanted @ _rigid(rng.uniform(-1, 1, 3) * np.reshape(spread, -1) / 3, np.zeros(3))
        wanted = wanted @ _rigid((0, 0, 0), [*-np.array(BOARD.size) / 2, 0])
        base_from_hand = BASE_FROM_ARENA @ wanted @ np.linalg.inv(HAND_FROM_BOARD)
        points = _moved(arena_from_base @ base_from_hand @ HAND_FROM_BOARD, BOARD.corner_points)
        told = base_from_hand @ _rigid((0, 0, 0), rng.normal(0, 1, 3) * robot_noise)
        for view in views:
            pixels = view.project(points) + rng.normal(0, noise, (len(points), 2))
            yield Sighting(view, Corners(np.arange(len(points)), pixels), told)


@pytest.mark.parametrize("method", ["tsai", "park", "horaud", "andreff", "daniilidis", "shah", "li"])
def test_every_solver_leads_to_the_base(method):
    fit = base_from_sightings(BOARD, list(_sightings()), method)
    error = np.linalg.inv(BASE_FROM_ARENA) @ fit.base_from_arena
    assert np.linalg.norm(error[:3, 3]) < 0.001
    assert np.rad2deg(Rotation.from_matrix(error[:3, :3]).magnitude()) < 0.1
    np.testing.assert_allclose(fit.hand_from_board, HAND_FROM_BOARD, atol=0.002)
    assert fit.rms_px == pytest.approx(0.1 * np.sqrt(2), rel=0.1)


def test_one_view_and_exact_corners_give_the_exact_base():
    fit = base_from_sightings(BOARD, list(_sightings(noise=0, views=VIEWS[:1])))
    np.testing.assert_allclose(fit.base_from_arena, BASE_FROM_ARENA, atol=1e-6)


def test_turns_about_one_axis_are_refused():
    with pytest.raises(CalibrationRejected, match="second axis"):
        base_from_sightings(BOARD, list(_sightings(spread=(0.0, 0.0, 0.5))))


def test_few_poses_are_refused():
    with pytest.raises(CalibrationRejected, match="in 4 poses at most"):
        base_from_sightings(BOARD, list(_sightings(poses=4)))


def test_no_sightings_are_refused():
    with pytest.raises(CalibrationRejected, match="in 0 poses at most"):
        base_from_sightings(BOARD, [])


def test_wrong_poses_of_the_hand_are_refused():
    with pytest.raises(CalibrationRejected, match=r"mm off .* at most 2\.0 mm"):
        base_from_sightings(BOARD, list(_sightings(robot_noise=0.01)))


def test_an_unknown_solver_is_refused():
    with pytest.raises(InvalidConfiguration, match="accepted are tsai, park"):
        base_from_sightings(BOARD, list(_sightings()), "newton")
