"""The whole environment on the simulation: the checkers of Gymnasium and stable-baselines3, seeds, vectors, films."""

import hashlib
import subprocess
import sys
import warnings
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as sb3_check_env

import tabletop_interaction
from tabletop_interaction.envs import RecordInteractions, read_interactions
from tabletop_interaction.errors import InvalidAction
from tabletop_interaction.sim_assets import object_names
from tabletop_interaction.simulation import SimulationConfig

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
        # A worker's error reaches the caller with its class and message.
        with pytest.raises(InvalidAction, match="nothing was moved"), warnings.catch_warnings(action="ignore"):
            envs.step(np.full((2, 5), np.nan, np.float32))
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


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("TabletopInteraction-v0", {"episodes_per_scene": 3}),
        ("TabletopPushing-v0", {}),
        ("TabletopRearrangement-v0", {"displaced": 1}),
    ],
)
def test_a_spec_written_as_json_makes_the_same_environment(name, arguments):
    config = SimulationConfig(2, 3, object_names=object_names("train")[:5], backgrounds=("train_07_natural_linen",))
    with gym.make(f"tabletop_interaction:{name}", config=config, **arguments) as env:
        spec = EnvSpec.from_json(env.spec.to_json())
        with gym.make(spec) as again:
            assert again.spec == env.spec
            assert again.unwrapped.backend.metadata == env.unwrapped.backend.metadata
            assert _digest(again.reset(seed=3)[0]) == _digest(env.reset(seed=3)[0])


def test_a_spec_with_a_recorder_makes_a_second_writer_of_the_same_folder(tmp_path, monkeypatch, small_scenes):
    monkeypatch.chdir(tmp_path)
    env = RecordInteractions(gym.make(ID, config=small_scenes), "rows", metadata={"lens": Path("lens.yaml")})
    spec = EnvSpec.from_json(env.spec.to_json())
    monkeypatch.chdir(tmp_path.parent)
    again = gym.make(spec)
    for each in (env, again):
        each.reset(seed=3)
        each.step(ACTIONS[0])
        each.close()
    rows = list(read_interactions(tmp_path / "rows"))
    assert [row.writer for row in rows] == ["w0", "w1"]
    assert rows[0].after == rows[1].after


def test_an_episode_is_as_long_as_asked_for(small_scenes):
    with gym.make(ID, config=small_scenes, max_episode_steps=2) as env:
        env.reset(seed=0)
        assert [env.step(action)[3] for action in ACTIONS] == [False, True]


def test_heaps_in_a_tray_under_a_wide_gripper_are_the_same_for_the_same_seed_and_after_a_description_in_json():
    config = SimulationConfig(6, 6, clutter=True, tray=True, gripper="wide")
    with gym.make(ID, config=config) as env:
        expected = _play(env, seed=3)
        with gym.make(EnvSpec.from_json(env.spec.to_json())) as other:
            other.reset(seed=9)
            assert _play(other, seed=3) == expected
