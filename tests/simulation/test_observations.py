"""State, depths and instance masks of the simulation: the checkers, training, vectors, and their agreement."""

import json

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env
from gymnasium.wrappers import FlattenObservation
from stable_baselines3 import PPO
from stable_baselines3.common.env_checker import check_env as sb3_check_env

from tabletop_interaction.envs import PickPlace
from tabletop_interaction.envs.observations import STATE_FEATURES
from tabletop_interaction.simulation.backend import SimulationBackend

IDS = ("tabletop_interaction:TabletopInteraction-v0", "tabletop_interaction:TabletopRearrangement-v0")
ALL = {"observation": "both", "extras": ("depth", "instances")}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("arguments", [{"observation": "state"}, ALL], ids=["state", "all"])
@pytest.mark.parametrize("id_", IDS)
def test_both_checkers_pass(id_, arguments, small_scenes):
    with gym.make(id_, config=small_scenes, render_mode="rgb_array", **arguments) as env:
        check_env(env.unwrapped)
    with gym.make(id_, config=small_scenes, **arguments) as env:
        sb3_check_env(env)


@pytest.mark.parametrize("id_", IDS)
def test_the_state_is_trained_on_as_a_dict_and_flattened(id_, small_scenes):
    for policy, wrap in (("MultiInputPolicy", lambda env: env), ("MlpPolicy", FlattenObservation)):
        with wrap(gym.make(id_, config=small_scenes, observation="state")) as env:
            model = PPO(policy, env, n_steps=4, batch_size=4, n_epochs=1, seed=0, device="cpu").learn(4)
            assert model.num_timesteps == 4


def test_the_state_alone_renders_nothing(small_scenes, monkeypatch):
    monkeypatch.setattr(SimulationBackend, "_look", lambda self: pytest.fail("something was rendered"))
    for id_ in IDS:
        with gym.make(id_, config=small_scenes, observation="state") as env:
            env.reset(seed=2)
            env.step(env.action_space.sample())


@pytest.mark.parametrize("id_", IDS)
def test_every_observation_of_a_seed_shows_the_same_scene(id_, small_scenes):
    seen = {}
    for observation in ("pictures", "state", "both"):
        with gym.make(id_, config=small_scenes, observation=observation) as env:
            seen[observation] = [env.reset(seed=5)[0], env.step(np.array([0.3, -0.2, 0.1, 0, 0], np.float32))[0]]
    for pictures, state, both in zip(*seen.values(), strict=True):
        assert pictures.keys() | state.keys() == both.keys()
        for name, value in (pictures | state).items():
            np.testing.assert_array_equal(value, both[name])


def test_state_depths_and_instances_agree(small_scenes):
    with gym.make(IDS[0], config=small_scenes, **ALL) as env:
        observation, _ = env.reset(seed=3)
        state, view = observation["ground_truth_state"], env.unwrapped.views[0]
        present = state[:, STATE_FEATURES.index("present")] == 1
        ids, depths = observation["view_0_instances"], observation["view_0_depth"]
        assert set(np.unique(ids)) == {0, *(np.flatnonzero(present) + 1)}
        for id_ in np.flatnonzero(present) + 1:
            position = state[id_ - 1, 1:4].astype(float)
            x, y = np.round(view.project(position[None])[0]).astype(int)
            assert ids[y, x] == id_
            centre = view.camera_from_arena[2, :3] @ position + view.camera_from_arena[2, 3]
            # The surface is nearer than the centre, by no more than the object's size.
            assert 0 < centre - depths[y, x] < state[id_ - 1, 10:].max()


def test_slots_stay_within_a_scene_and_follow_the_objects(small_scenes):
    with gym.make(IDS[0], config=small_scenes, observation="state", episodes_per_scene=2) as env:
        before = env.reset(seed=3)[0]["ground_truth_state"]
        x, y = before[0, 1:3]
        arena, place = env.unwrapped.arena, (-np.sign(x) * 0.2, -np.sign(y) * 0.15)
        after = before
        for angle in np.linspace(-1.4, 1.4, 6):
            observation, _, _, _, info = env.step(PickPlace(x, y, angle, *place).to_action(arena))
            after = observation["ground_truth_state"]
            if info["grasped"]:
                break
        assert info["grasped"]
        assert np.abs(after[0, 1:3] - place).max() < 0.03
        np.testing.assert_allclose(after[:, 10:], before[:, 10:])
        again = env.reset()[0]["ground_truth_state"]
        np.testing.assert_allclose(again[:, 10:], before[:, 10:])


def test_the_goal_s_state_differs_in_the_displaced_objects(small_scenes):
    with gym.make(IDS[1], config=small_scenes, observation="state", displaced=1) as env:
        observation, info = env.reset(seed=4)
        now, goal = observation["ground_truth_state"], observation["ground_truth_goal"]
        moved = np.linalg.norm(now[:, 1:3] - goal[:, 1:3], axis=1)
        assert (moved > 0.07).sum() == info["displaced"] == 1
        assert moved.max() == pytest.approx(info["goal_distance_m"][0], abs=1e-3)
        np.testing.assert_allclose(now[:, 4:], goal[:, 4:], atol=0.05)


@pytest.mark.parametrize("mode", ["sync", "async"])
@pytest.mark.parametrize("id_", IDS)
def test_vectors_of_environments_observe_it(id_, mode, small_scenes):
    envs = gym.make_vec(id_, 2, vectorization_mode=mode, config=small_scenes, **ALL)
    try:
        first, _ = envs.reset(seed=[3, 3])
        then, _, _, _, infos = envs.step(np.zeros((2, 5), np.float32))
        for observation in (first, then):
            assert observation in envs.observation_space
            for value in observation.values():
                np.testing.assert_array_equal(value[0], value[1])
        assert infos["held"]["view_1_depth"].shape == (2, 350, 430)
    finally:
        envs.close()


def test_a_spec_written_as_json_observes_the_same(small_scenes):
    with gym.make(IDS[0], config=small_scenes, **ALL) as env:
        spec = EnvSpec.from_json(env.spec.to_json())
        assert json.loads(env.spec.to_json())["kwargs"]["extras"] == ["depth", "instances"]
        with gym.make(spec) as again:
            assert again.observation_space == env.observation_space


def test_pictures_are_taken_for_rendering_only(small_scenes):
    with gym.make(IDS[1], config=small_scenes, observation="state", render_mode="rgb_array") as env:
        env.reset(seed=1)
        assert env.render().shape == (350, 860, 3)
