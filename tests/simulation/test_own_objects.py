"""A simulation shows, moves and records objects and table tops of the user."""

import json
import pickle

import cv2
import gymnasium as gym
import numpy as np
import pybullet
import pytest
import trimesh

from tabletop_interaction.benchmarks.ground_truth import each_object
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.files import plain
from tabletop_interaction.simulation import MeshObject, PictureTable, SimulationConfig, open_simulation
from tabletop_interaction.simulation.scene import config_from_plain, config_to_plain


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """Two boxes, one of them at an angle to its axes, and a green table."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    mesh = trimesh.creation.box((0.08, 0.03, 0.02))
    mesh.export(tmp_path / "straight.stl")
    mesh.apply_transform(trimesh.transformations.rotation_matrix(0.6, [0, 0, 1]))
    mesh.export(tmp_path / "turned.stl")
    cv2.imwrite(str(tmp_path / "green.png"), np.full((70, 80, 3), (40, 160, 30), np.uint8))
    return SimulationConfig(
        objects=(MeshObject(tmp_path / "straight.stl", mass=0.1), MeshObject(tmp_path / "turned.stl", mass=0.1)),
        tables=(PictureTable(tmp_path / "green.png"),),
    )


def test_a_scene_shows_the_objects_on_the_table_that_are_set(settings):
    with open_simulation("test", settings) as backend:
        backend.reset(np.random.default_rng(0), new_scene=True)
        assert sorted(state.name for state in backend.object_states()) == ["straight", "turned"]
        assert backend.background == "green"
        table = backend.observe()["view_0"][backend.instance_maps()["view_0"] == 0].mean(axis=0)
        assert table[1] > 2 * max(table[0], table[2])


def test_both_boxes_turn_as_easily_about_each_of_their_sides(settings):
    """The same box in two frames: an equal torque about its long side gives an equal turn."""
    with open_simulation("test", settings) as backend:
        backend.reset(np.random.default_rng(0), new_scene=True)
        world, speeds = backend.world, {}
        for id_, model in world.models.items():
            angle = 0.6 if model.name == "turned" else 0.0
            axis = np.array([np.cos(angle), np.sin(angle), 0.0])
            world.put(id_, (np.array([0.0, 0.1 * id_, 0.5]), np.array([0.0, 0, 0, 1])))
            # Bullet turns the inertia with the body in the step after it was put.
            world.client.stepSimulation()
            for _ in range(3):
                world.client.applyExternalTorque(world.bodies[id_], -1, (1e-4 * axis).tolist(), pybullet.WORLD_FRAME)
                world.client.stepSimulation()
            speeds[model.name] = float(world.client.getBaseVelocity(world.bodies[id_])[1] @ axis)
        # After three steps of 1e-4 N m on m/12 (b2 + c2).
        wanted = 3 * 1e-4 / 240 / (0.1 / 12 * (0.03**2 + 0.02**2))
        assert speeds["straight"] == pytest.approx(wanted, rel=0.02)
        assert speeds["turned"] == pytest.approx(wanted, rel=0.02)


def test_an_object_is_where_it_was_put_in_the_turn_it_was_put(settings):
    with open_simulation("test", settings) as backend:
        backend.reset(np.random.default_rng(0), new_scene=True)
        pose = (np.array([0.05, 0.02, 0.3]), np.array([0.1, 0.2, 0.3, 0.9273618]))
        for id_ in backend.world.models:
            backend.world.put(id_, pose)
            position, quaternion = backend.world.poses()[id_]
            np.testing.assert_allclose(position, pose[0], atol=1e-6)
            assert abs(quaternion @ pose[1]) == pytest.approx(1, abs=1e-6)


def test_a_configuration_with_objects_is_plain_and_travels(settings):
    text = json.dumps(config_to_plain(settings))
    assert config_from_plain(json.loads(text)) == settings
    assert config_from_plain(plain(settings)) == settings
    assert pickle.loads(pickle.dumps(settings)) == settings
    assert "objects" not in config_to_plain(SimulationConfig())
    with pytest.raises(InvalidConfiguration, match="unknown field of a MeshObject 'size'"):
        config_from_plain({"objects": [{"path": "a.stl", "size": 3}]})
    with pytest.raises(InvalidConfiguration, match="objects is 4; accepted is a tuple"):
        config_from_plain({"objects": 4})


def test_an_environment_of_own_objects_can_be_made_from_its_spec(settings):
    env = gym.make("TabletopInteraction-v0", config=settings, split="val")
    spec = type(env.spec).from_json(env.spec.to_json())
    first, _ = env.reset(seed=3)
    env.close()
    again = gym.make(spec)
    observation, _ = again.reset(seed=3)
    again.close()
    for name, picture in first.items():
        np.testing.assert_array_equal(observation[name], picture)


def test_records_identify_the_content_of_own_files(settings, tmp_path):
    with open_simulation("test", settings) as backend:
        before = backend.metadata["assets"]
    assert set(before) == {"objects", "tables"}
    assert set(before["objects"]) == {"straight", "turned"}
    trimesh.creation.box((0.05, 0.03, 0.02)).export(tmp_path / "straight.stl")
    with open_simulation("test", settings) as backend:
        after = backend.metadata["assets"]
    assert after["tables"] == before["tables"]
    assert after["objects"]["turned"] == before["objects"]["turned"]
    assert after["objects"]["straight"] != before["objects"]["straight"]
    with open_simulation("test", None) as backend:
        assert "assets" not in backend.metadata


def test_generated_objects_are_shown_beside_own_ones_where_they_are_named(settings):
    from dataclasses import replace

    names = ("straight", "train_14_mug")
    config = replace(settings, object_names=names, objects_min=2, objects_max=2)
    with open_simulation("train", config) as backend:
        backend.reset(np.random.default_rng(0), new_scene=True)
        assert {state.name for state in backend.object_states()} == set(names)


def test_an_object_that_is_taller_than_the_gripper_hovers_is_held_and_put_down_upright(tmp_path, monkeypatch):
    """The arm jumps to its height over a pick: at the usual one it would begin inside the object."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    trimesh.creation.box((0.045, 0.045, 0.18)).export(tmp_path / "tall.stl")
    config = SimulationConfig(objects=(MeshObject(tmp_path / "tall.stl", mass=0.2),))
    with open_simulation("test", config) as backend:
        backend.reset(np.random.default_rng(2), new_scene=True)
        (grasp,) = [grasp for _, grasp in each_object(backend)]
        assert backend.pick(grasp.x, grasp.y, grasp.angle).held
        backend.place(0.0, 0.0)
        (state,) = backend.object_states()
    np.testing.assert_allclose(state.position, (0, 0, 0.09), atol=0.01)
