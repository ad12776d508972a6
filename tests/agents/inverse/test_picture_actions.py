"""Picture actions: conversion through any camera and back, warps and reversal."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabletop_interaction.agents.inverse.picture_actions import (
    arena_actions,
    picture_actions,
    reversed_actions,
    shrunk,
    warped_actions,
)
from tabletop_interaction.envs import View
from tabletop_interaction.envs.views import camera_pose

SIZE = (176, 216)


def camera(azimuth_deg: float, elevation_deg: float) -> View:
    azimuth, elevation = np.deg2rad([azimuth_deg, elevation_deg])
    eye = np.array([np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation), np.sin(elevation)])
    intrinsics = np.array([[520, 0, 214.5], [0, 520, 174.5], [0, 0, 1.0]])
    distortion = np.array([-0.05, 0.01, 0.001, -0.001, 0.0])
    return View("view_0", 350, 430, intrinsics, camera_pose(eye, np.zeros(3), np.array([0, 0, 1.0])), distortion)


points = st.tuples(st.floats(-0.25, 0.25), st.floats(-0.2, 0.2))
angles = st.floats(-1.57, 1.57)


def turned_by(one: float, other: float) -> float:
    """Between two lines."""
    return abs((one - other + np.pi / 2) % np.pi - np.pi / 2)


@given(points, angles, points, st.floats(-180, 180), st.floats(50, 85))
def test_arena_actions_invert_picture_actions_for_any_camera(pick, angle, place, azimuth, elevation):
    view = camera(azimuth, elevation)
    done = np.array([*pick, angle, *place])
    back = arena_actions(picture_actions(done, view, SIZE), view, SIZE)[0]
    np.testing.assert_allclose(back[[0, 1, 3, 4]], done[[0, 1, 3, 4]], atol=1e-5)
    assert turned_by(back[2], angle) < 2e-3


def test_from_above_x_points_right_and_y_up():
    intrinsics = np.array([[400, 0, 214.5], [0, 400, 174.5], [0, 0, 1.0]])
    view = View("view_0", 350, 430, intrinsics, camera_pose(np.array([0, 0, 1.0]), np.zeros(3), np.array([0, 1.0, 0])))
    action = picture_actions([0.1, 0.05, 0.3, -0.1, 0.0], view, (350, 430))[0]
    np.testing.assert_allclose(action, [254.5, 154.5, -0.3, 174.5, 174.5], atol=1e-6)
    half = picture_actions([0.1, 0.05, 0.3, -0.1, 0.0], view, (175, 215))[0]
    np.testing.assert_allclose(half, [127, 77, -0.3, 87, 87], atol=1e-6)


def test_reversing_exchanges_the_points_and_inverts_itself():
    action = np.array([[1.0, 2.0, 0.3, 4.0, 5.0]])
    assert reversed_actions(action).tolist() == [[4.0, 5.0, 0.3, 1.0, 2.0]]
    assert (reversed_actions(reversed_actions(action)) == action).all()


def test_a_mirror_turns_the_angle_around_and_a_turn_adds_to_it():
    action = [10.0, 20.0, 0.4, 50.0, 60.0]
    mirrored = warped_actions(action, [[-1, 0, 215], [0, 1, 0]])[0]
    np.testing.assert_allclose(mirrored, [205, 20, -0.4, 165, 60])
    quarter = warped_actions(action, [[0, -1, 100], [1, 0, 0]])[0]
    np.testing.assert_allclose(quarter, [80, 10, 0.4 - np.pi / 2, 40, 50])


@given(points, angles, points, st.floats(-3, 3), st.floats(0.5, 2))
def test_warps_compose(pick, angle, place, turn, zoom):
    action = np.array([*np.multiply(pick, 100), angle, *np.multiply(place, 100)])
    warp = np.array([[zoom * np.cos(turn), -zoom * np.sin(turn), 3], [zoom * np.sin(turn), zoom * np.cos(turn), -5]])
    back = np.linalg.inv(np.vstack([warp, [0, 0, 1]]))[:2]
    returned = warped_actions(warped_actions(action, warp), back)[0]
    np.testing.assert_allclose(returned[[0, 1, 3, 4]], action[[0, 1, 3, 4]], atol=1e-9)
    assert turned_by(returned[2], angle) < 1e-9


@pytest.mark.parametrize("size", [SIZE, (90, 120)])
def test_a_pixel_is_shrunk_to_where_its_action_is(size):
    picture = np.zeros((350, 430, 3), np.uint8)
    picture[200:212, 300:312] = 255
    seen = shrunk(picture, size)[..., 0].astype(float)
    rows, columns = np.mgrid[: size[0], : size[1]]
    centre = np.array([(columns * seen).sum(), (rows * seen).sum()]) / seen.sum()
    expected = (np.array([305.5, 205.5]) + 0.5) * [size[1] / 430, size[0] / 350] - 0.5
    np.testing.assert_allclose(centre, expected, atol=0.1)
