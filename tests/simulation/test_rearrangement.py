"""The rearrangement on the simulation: checkers, seeds, an oracle that succeeds, and arranging by hand."""

import warnings
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as sb3_check_env

from tabletop_interaction.benchmarks.ground_truth import grasp_from_truth
from tabletop_interaction.envs import Arranging, PickPlace, goals
from tabletop_interaction.errors import AlreadyHolding, InvalidConfiguration
from tabletop_interaction.simulation import SimulationConfig

ID = "tabletop_interaction:TabletopRearrangement-v0"


@pytest.fixture
def env(backend):
    return gym.make(ID, backend=backend)


def _same_pictures(one, other):
    return one.keys() == other.keys() and all(np.array_equal(one[key], other[key]) for key in one)


def test_gymnasiums_and_stable_baselines3s_checkers_pass_without_a_warning(small_scenes):
    with gym.make(ID, config=small_scenes, render_mode="rgb_array") as env, warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env.unwrapped)
    with gym.make(ID, config=small_scenes) as env, warnings.catch_warnings():
        warnings.simplefilter("error")
        sb3_check_env(env)


def test_the_same_seed_gives_the_same_start_and_goal_after_another_episode_and_in_another_environment(env):
    first, told = env.reset(seed=7)
    action = env.action_space.sample()
    then, *_ = env.step(action)
    env.reset(seed=8, options={"displaced": 3})
    env.step(env.action_space.sample())
    again, retold = env.reset(seed=7)
    assert _same_pictures(first, again)
    np.testing.assert_array_equal(told["goal_distance_m"], retold["goal_distance_m"])
    assert _same_pictures(then, env.step(action)[0])
    with gym.make(ID) as other:
        assert _same_pictures(first, other.reset(seed=7)[0])


@pytest.mark.parametrize("displaced", [1, 2, 3])
def test_as_many_objects_are_displaced_as_asked_by_8_cm_or_more(env, displaced):
    _, info = env.reset(seed=1, options={"displaced": displaced})
    assert info["displaced"] == displaced
    assert (info["goal_distance_m"][:displaced] > 0.075).all()
    assert (info["goal_distance_px"][:displaced] > 30).all()
    assert (info["goal_distance_m"][displaced:] == -1).all()
    assert info["others_moved_px"] < 1


def test_goal_and_start_have_noise_of_their_own_and_otherwise_differ_only_where_objects_do(env, backend):
    observation, _ = env.reset(seed=2, options={"displaced": 1})
    difference = np.abs(observation["view_0"].astype(int) - observation["goal_0"]).max(2)
    assert np.mean(difference > 0) > 0.5
    assert np.mean(difference > 30) < 0.15


def _bring_home(env, id_):
    wanted = env.unwrapped._goal.arrangement
    backend = env.unwrapped.backend
    now, goal = backend.object_states()[id_ - 1], wanted.goal[id_ - 1]
    grasp = grasp_from_truth(now)
    place = np.clip(goal.position[:2] - now.position[:2] + np.array([grasp.x, grasp.y]), [-0.3, -0.245], [0.3, 0.245])
    return PickPlace(grasp.x, grasp.y, grasp.angle, *map(float, place)).to_action(env.unwrapped.arena)


def test_an_oracle_succeeds_and_earns_nearly_one(env):
    for seed in range(5):
        _, info = env.reset(seed=seed, options={"displaced": 1})
        (id_,) = env.unwrapped._goal.arrangement.displaced
        _, reward, terminated, _, info = env.step(_bring_home(env, id_))
        if terminated:
            break
    assert terminated
    assert info["is_success"] is True
    assert info["goal_distance_px"][0] <= 15
    assert 0.8 < reward <= 1.0
    assert info["fraction_done"] == info["displaced_undisturbed"] == 1.0


def test_once_another_object_is_disturbed_the_strict_score_stays_zero(env, backend):
    env.reset(seed=3, options={"displaced": 1})
    wanted = env.unwrapped._goal.arrangement
    bystander = next(state for state in wanted.start if state.id not in wanted.displaced)
    nowhere = np.array([0.999, 0.999, 0, 0.999, 0.999], np.float32)
    aside = replace(bystander, position=bystander.position + np.array([0.0, 0.3, 0.0]))
    for states, strict in (([*wanted.goal, aside], 0.0), (wanted.goal, 0.0)):
        backend.arrange(states)
        info = env.step(nowhere)[4]
        assert info["fraction_done"] == 1.0
        assert info["displaced_undisturbed"] == strict
    assert info["is_success"] is True


def test_more_objects_than_the_table_has_cannot_be_displaced(monkeypatch):
    monkeypatch.setattr(goals, "_MAX_SCENES", 4)
    config = SimulationConfig(objects_min=1, objects_max=1)
    with (
        gym.make(ID, config=config) as env,
        pytest.raises(InvalidConfiguration, match="4 scenes had no space to displace 2"),
    ):
        env.reset(seed=0, options={"displaced": 2})


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_vector_environments_hold_the_goal_and_the_distances(mode, small_scenes):
    envs = gym.make_vec(ID, num_envs=2, vectorization_mode=mode, config=small_scenes)
    try:
        observations, infos = envs.reset(seed=3)
        assert observations["goal_3"].shape == (2, 350, 430, 3)
        _, rewards, _, _, infos = envs.step(envs.action_space.sample())
        assert rewards.shape == infos["is_success"].shape == (2,)
        assert infos["goal_distance_m"].shape == (2, 3)
    finally:
        envs.close()


def test_the_registration_can_be_written_as_json():
    assert gym.spec("TabletopRearrangement-v0").max_episode_steps == 10
    assert "TabletopRearrangement-v0" in gym.spec("TabletopRearrangement-v0").to_json()


def test_objects_are_put_where_asked_and_the_others_stay(backend):
    backend.reset(np.random.default_rng(3), new_scene=True)
    assert isinstance(backend, Arranging)
    before = backend.object_states()
    lifted = replace(before[0], position=before[0].position + np.array([0.0, 0.0, 0.01]))
    backend.arrange([lifted])
    after = backend.object_states()
    np.testing.assert_allclose(after[0].position, before[0].position, atol=2e-3)
    for one, other in zip(before[1:], after[1:], strict=True):
        np.testing.assert_allclose(one.position, other.position, atol=1e-4)


def test_arranging_everything_where_it_stands_moves_nothing(backend):
    backend.reset(np.random.default_rng(5), new_scene=True)
    before = backend.object_states()
    backend.arrange(before)
    for one, other in zip(before, backend.object_states(), strict=True):
        np.testing.assert_allclose(one.position, other.position, atol=1e-3)


def test_outlines_surround_their_objects(backend):
    backend.reset(np.random.default_rng(5), new_scene=True)
    outlines = backend.outlines()
    for state in backend.object_states():
        reach = np.abs(outlines[state.id] - state.position[:2]).max()
        assert 0.01 < reach < 0.15
        assert (outlines[state.id].min(0) < state.position[:2]).all()
        assert (outlines[state.id].max(0) > state.position[:2]).all()


def test_arranging_an_unknown_object_or_while_holding_is_refused(backend):
    backend.reset(np.random.default_rng(4), new_scene=True)
    state = backend.object_states()[0]
    with pytest.raises(InvalidConfiguration, match="object id 99; the ids are 1 to"):
        backend.arrange([replace(state, id=99)])
    grasp = grasp_from_truth(state)
    assert backend.pick(grasp.x, grasp.y, grasp.angle).held
    with pytest.raises(AlreadyHolding):
        backend.arrange([state])
    backend.place(grasp.x, grasp.y)
