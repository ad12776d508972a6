"""Pixels and points of the arena are each other's inverse, with and without a distorting lens."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tabletop_interaction.envs.views import View, camera_pose

INTRINSICS = np.array([[520.0, 0, 214.5], [0, 520.0, 174.5], [0, 0, 1]])
POSE = camera_pose(np.array([0.1, -0.3, 0.8]), np.zeros(3), np.array([0.0, 0, 1]))


def _view(distortion):
    return View("view_0", 350, 430, INTRINSICS, POSE, np.asarray(distortion, float))


@given(st.floats(-0.25, 0.25), st.floats(-0.2, 0.2), st.floats(0, 0.1), st.sampled_from([0.0, -0.15, 0.1]))
def test_project_then_unproject_returns_to_the_point(x, y, z, k1):
    view = _view([k1, 0, 0, 0, 0])
    point = np.array([[x, y, z]])
    np.testing.assert_allclose(view.unproject(view.project(point), z), point, atol=1e-4)


@given(st.floats(-0.25, 0.25), st.floats(-0.2, 0.2))
def test_the_homography_agrees_with_projection(x, y):
    view = _view([0, 0, 0, 0, 0])
    u, v, w = view.homography_from_table() @ [x, y, 1]
    np.testing.assert_allclose([[u / w, v / w]], view.project(np.array([[x, y, 0.0]])), atol=1e-6)


def test_a_camera_sees_its_target_in_the_principal_point_and_up_is_up():
    view = _view([0, 0, 0, 0, 0])
    centre, above = view.project(np.array([[0.0, 0, 0], [0.0, 0, 0.05]]))
    np.testing.assert_allclose(centre, [214.5, 174.5], atol=1e-9)
    assert above[1] < centre[1]


def test_a_view_survives_json():
    view = _view([0.1, 0, 0, 0, 0])
    again = View.from_dict(view.to_dict())
    assert again.to_dict() == view.to_dict()
