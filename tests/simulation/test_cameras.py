"""Cameras of users: placed, checked, compared, and turned into JSON and back."""

import json
import pickle
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabletop_interaction.envs import View
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.simulation import SimulationConfig, arena_views, look_at, open_simulation, orbit, top_down
from tabletop_interaction.simulation.cameras import ARENA, read_views
from tabletop_interaction.simulation.scene import config_from_plain, config_to_plain

CORNERS = np.array([(x, y, 0.0) for x in (ARENA.x_min, ARENA.x_max) for y in (ARENA.y_min, ARENA.y_max)])
TOP = top_down("view_0", picture_size=(128, 128))

sizes = st.tuples(st.integers(32, 600), st.integers(32, 600))
fields_of_view = st.one_of(st.none(), st.floats(15, 120))


@given(st.floats(-360, 360), st.floats(20, 90), sizes, fields_of_view)
def test_an_orbiting_camera_sees_all_of_the_arena_and_is_centred_on_it(azimuth, elevation, size, field):
    view = orbit("view_0", azimuth, elevation, picture_size=size, field_of_view_deg=field)
    assert (view.height, view.width) == size
    assert view.sees(CORNERS).all()
    pixels = view.project(CORNERS)
    middle = (pixels.min(0) + pixels.max(0)) / 2
    np.testing.assert_allclose(middle, [(view.width - 1) / 2, (view.height - 1) / 2], atol=1e-6)
    # Nearer it would not fit: a corner touches the margin of 4 px, or the camera is as near as it may be.
    edges = np.concatenate([pixels.min(0), [view.width - 1, view.height - 1] - pixels.max(0)])
    distance = np.linalg.norm(np.linalg.inv(view.camera_from_arena)[:3, 3])
    assert edges.min() == pytest.approx(4, abs=0.5) or distance == pytest.approx(0.3, abs=1e-3)


def test_a_camera_from_above_shows_x_to_the_right_and_y_upwards():
    centre, right, away = TOP.project(np.array([[0, 0, 0], [0.1, 0, 0], [0, 0.1, 0.0]]))
    np.testing.assert_allclose(centre, [63.5, 63.5], atol=1e-6)
    np.testing.assert_allclose(right - centre, [(right - centre)[0], 0], atol=1e-6)
    np.testing.assert_allclose(away - centre, [0, -(right - centre)[0]], atol=1e-6)


@given(st.floats(5, 150), st.integers(32, 600))
def test_the_field_of_view_lies_between_the_picture_s_left_and_right_edge(degrees, width):
    view = look_at("view_0", (0, -0.5, 0.5), field_of_view_deg=degrees, picture_size=(100, width))
    left, right = view.rays(np.array([[-0.5, 49.5], [width - 0.5, 49.5]]))
    angle = np.arccos(left @ right / np.linalg.norm(left) / np.linalg.norm(right))
    assert np.rad2deg(angle) == pytest.approx(degrees, abs=1e-6)


def test_the_target_is_in_the_middle_of_the_picture():
    view = look_at("view_0", (0.4, -0.7, 0.2), (0.1, 0.05, 0.03))
    np.testing.assert_allclose(view.project(np.array([[0.1, 0.05, 0.03]])), [[214.5, 174.5]], atol=1e-6)


def test_default_cameras_of_another_size_see_the_same():
    for small, large in zip(arena_views((175, 215)), arena_views(), strict=True):
        np.testing.assert_allclose(small.project(CORNERS) / 215, large.project(CORNERS) / 430, atol=0.02)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: orbit("a", 0, -20), "elevation_deg is -20; accepted is 1 to 90 degrees"),
        (lambda: orbit("a", 0, 30, 40.0), "distance_m is 40.0; accepted is above 0 to 20 m"),
        (lambda: top_down("a", field_of_view_deg=200), "field_of_view_deg is 200; accepted is 5 to 150 degrees"),
        (lambda: top_down("a", picture_size=(8, 128)), "picture_size is .*; accepted is 16 to 4096 px"),
        (lambda: top_down("a", distortion=(0.1,)), "distortion is .*; accepted are 5 finite numbers"),
        (lambda: top_down("goal_0"), "a camera is named 'goal_0'"),
        (lambda: top_down("a/b"), "a camera is named 'a/b'"),
        (lambda: look_at("a", (0, 0, -0.5), up=(0, 1, 0)), "a stands at z -0.500 m, below the table"),
        (lambda: look_at("a", (0, -1, 0.5), (0, -2, 0.5)), r"a at \[0.0, -1.0, 0.5\] m sees nothing of the arena"),
        (lambda: look_at("a", (0, 0, 1)), "accepted is an up that is not the direction of the camera"),
        (lambda: look_at("a", ("x", 0, 1)), "eye is .*; accepted are 3 finite numbers"),
        (lambda: SimulationConfig(views=()), "views is empty"),
        (lambda: SimulationConfig(views=(TOP, TOP)), "two cameras named view_0"),
        (lambda: SimulationConfig(views=(1,)), "views is "),
        (lambda: SimulationConfig(picture_size=(128,)), "picture_size is"),
        (lambda: SimulationConfig(views=(replace(TOP, intrinsics=np.eye(2)),)), "intrinsics of view_0 is .* 3 x 3"),
        (lambda: SimulationConfig(views=(replace(TOP, camera_from_arena=np.eye(4) * 2),)), "no rigid transform"),
        (lambda: orbit("a", 0, 60, distortion=(-0.9, 0, 0, 0, 0)), "leads no ray to the pixel x 0, y 0"),
    ],
)
def test_a_camera_that_cannot_be_simulated_is_refused_in_one_line(make, message):
    with pytest.raises(InvalidConfiguration, match=message) as refused:
        make()
    assert "\n" not in str(refused.value)


def test_configurations_with_cameras_are_compared_pickled_and_written_as_json():
    config = SimulationConfig(views=(TOP, orbit("low", 30, 10, distortion=(-0.1, 0, 0, 0, 0))), picture_size=(64, 96))
    plain = json.loads(json.dumps(config_to_plain(config)))
    for again in (pickle.loads(pickle.dumps(config)), config_from_plain(plain)):
        assert again == config
        assert hash(again) == hash(config)
    assert config != replace(config, views=(TOP, orbit("low", 30, 11)))
    assert [(view.height, view.width) for view in config.cameras] == [(64, 96)] * 2


def test_a_view_s_numbers_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        TOP.intrinsics[0, 0] = 1


def test_a_file_of_views_holds_cameras_and_anything_else_is_refused(tmp_path):
    path = tmp_path / "views.json"
    path.write_text(json.dumps([TOP.to_dict()]))
    assert read_views(path) == (TOP,)
    refusals = {"{}": "holds no list", "[1]": "a camera is 1", '[{"name": "a"}]': "missing", "[": "damaged"}
    for wrong, message in refusals.items():
        path.write_text(wrong)
        with pytest.raises(InvalidConfiguration, match=message):
            read_views(path)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_environments_observe_any_number_of_cameras_each_of_its_own_size(count):
    views = tuple(orbit(f"cam{i}", 70 * i, 40 + 9 * i, picture_size=(64 + 16 * i, 80)) for i in range(count))
    config = SimulationConfig(views=views, objects_max=4)
    with gym.make("tabletop_interaction:TabletopRearrangement-v0", config=config) as env:
        gym.spec(json.loads(env.spec.to_json())["id"])
        observation, info = env.reset(seed=0)
        assert env.observation_space.contains(observation)
        assert [observation[view.name].shape for view in views] == [(view.height, 80, 3) for view in views]
        assert info["pick_xy"].shape == (count, 2)
        assert env.spec.kwargs["config"]["views"] == [view.to_dict() for view in views]


def test_a_held_object_hangs_in_no_picture():
    facing_the_robot = look_at("view_0", (0, 1.0, 0.4), (0, -0.5, 0.2), picture_size=(240, 320))
    with open_simulation("train", SimulationConfig(views=(facing_the_robot,))) as backend:
        rng = np.random.default_rng(0)
        backend.reset(rng, new_scene=True)
        for state in backend.object_states():
            x, y, _ = state.position
            if ARENA.contains(x, y) and backend.pick(x, y, 0.0).held:
                break
        held = [state.id for state in backend.object_states() if state.position[1] < -0.5]
        assert len(held) == 1
        assert facing_the_robot.sees(backend.object_states()[held[0] - 1].position[None]).all()
        assert held[0] not in backend.instance_maps()["view_0"]


def test_a_view_that_is_not_a_view_in_plain_form_is_refused():
    with pytest.raises(InvalidConfiguration, match="a camera is"):
        config_from_plain({"views": [{"name": "view_0", "colour": "red"}]})
    assert config_from_plain({"views": [TOP.to_dict()]}) == SimulationConfig(views=(TOP,))
    assert isinstance(TOP, View)
