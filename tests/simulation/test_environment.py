"""The whole environment on the simulation: the checkers of Gymnasium and stable-baselines3, seeds, vectors, films."""

import hashlib
import subprocess
import sys
import warnings

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as sb3_check_env

import tabletop_interaction

ID = f"{tabletop_interaction.__name__}:TabletopInteraction-v0"

ACTIONS = np.random.default_rng(5).uniform(-1, 1, (2, 5)).astype(np.float32)


def _digest(pictures):
    return hashlib.sha256(b"".join(pictures[name].tobytes() for name in sorted(pictures))).hexdigest()


def _play(env, seed):
    observation, _ = env.reset(seed=seed)
    digests = [_digest(observation)]
    for action in ACTIONS:
        observation, _, _, _, info = env.step(action)
        digests += [_digest(info["held"]), _digest(observation)]
    observation, _ = env.reset()
    return [*digests, _digest(observation)]


def test_gymnasiums_checker_passes_without_a_warning(small_scenes):
    with gym.make(ID, config=small_scenes, render_mode="rgb_array") as env, warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env.unwrapped)


def test_stable_baselines3s_checker_passes_without_a_warning(small_scenes):
    with gym.make(ID, config=small_scenes) as env, warnings.catch_warnings():
        warnings.simplefilter("error")
        sb3_check_env(env)


def test_the_same_seed_gives_the_same_pictures_after_another_episode_and_beside_another_environment():
    with gym.make(ID) as env, gym.make(ID) as other:
        expected = _play(env, seed=11)
        env.reset(seed=12)
        env.step(ACTIONS[0])
        assert _play(env, seed=11) == expected
        other.reset(seed=99)
        interleaved = []
        observation, _ = env.reset(seed=11)
        interleaved.append(_digest(observation))
        for action in ACTIONS:
            other.step(action)
            observation, _, _, _, info = env.step(action)
            interleaved += [_digest(info["held"]), _digest(observation)]
        assert interleaved == expected[:-1]


def test_the_same_seed_gives_the_same_pictures_in_a_fresh_process():
    code = (
        "import gymnasium as gym, hashlib\n"
        f"env = gym.make('{ID}')\n"
        "observation, _ = env.reset(seed=11)\n"
        "print(hashlib.sha256(b''.join(observation[n].tobytes() for n in sorted(observation))).hexdigest())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    with gym.make(ID) as env:
        observation, _ = env.reset(seed=11)
    assert done.stdout.split()[-1] == _digest(observation)


def test_different_seeds_give_different_scenes():
    with gym.make(ID) as env:
        assert len({_digest(env.reset(seed=seed)[0]) for seed in range(3)}) == 3


def test_two_environments_run_in_worker_processes(small_scenes):
    envs = gym.make_vec(ID, num_envs=2, vectorization_mode="async", config=small_scenes)
    try:
        observations, _ = envs.reset(seed=3)
        assert observations["view_0"].shape == (2, 350, 430, 3)
        _, rewards, _, truncated, infos = envs.step(envs.action_space.sample())
        assert rewards.shape == truncated.shape == infos["pick_outcome"].shape == (2,)
        assert infos["held"]["view_3"].shape == (2, 350, 430, 3)
    finally:
        envs.close()


def test_record_video_films_the_third_person_view(tmp_path):
    pytest.importorskip("moviepy")
    env = gym.make(ID, render_mode="rgb_array")
    env = gym.wrappers.RecordVideo(env, str(tmp_path), episode_trigger=lambda episode: True)
    env.reset(seed=0)
    for action in ACTIONS:
        env.step(action)
    env.close()
    assert (tmp_path / "rl-video-episode-0.mp4").stat().st_size > 1000


def test_the_registration_can_be_written_as_json():
    assert "TabletopInteraction-v0" in gym.spec("TabletopInteraction-v0").to_json()
