"""A policy sees the same picture in training and in acting; an unusable file is named."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.env_checker import check_env
from stable_baselines3.common.torch_layers import NatureCNN

from tabletop_interaction.agents.stable_baselines import (
    POLICY_VARIABLE,
    StableBaselinesAgent,
    policy_picture,
    with_policy_pictures,
)
from tabletop_interaction.errors import InvalidConfiguration


class Drawn(gym.Env):
    """A table of random pictures; a policy sees two of them."""

    def __init__(self, shape=(350, 430, 3)):
        self.observation_space = gym.spaces.Dict(
            {key: Box(0, 255, shape, np.uint8) for key in ("view_0", "view_1", "goal_0", "goal_1")}
        )
        self.action_space = Box(-1.0, 1.0, (5,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        if seed is not None:
            self.observation_space.seed(seed)
        return self.observation_space.sample(), {}

    def step(self, action):
        return self.observation_space.sample(), 0.0, False, False, {}


class OwnFeatures(NatureCNN):
    pass


def _saved(path, seed=0, policy="CnnPolicy", **options):
    table = with_policy_pictures(Drawn())
    PPO(policy, table, n_steps=2, batch_size=2, seed=seed, device="cpu", **options).save(path)


def _agent():
    return StableBaselinesAgent((), None, np.random.default_rng(0))


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setenv(POLICY_VARIABLE, str(tmp_path / "policy.zip"))
    return tmp_path / "policy.zip"


def test_view_and_goal_are_stacked_at_a_fifth_of_their_size():
    view, goal = np.zeros((2, 350, 430, 3), np.uint8)
    view[:175] = (200, 0, 0)
    goal[:, 215:] = (0, 0, 100)
    picture = policy_picture({"view_0": view, "goal_0": goal})
    assert (picture.shape, picture.dtype) == ((70, 86, 6), np.uint8)
    np.testing.assert_array_equal(picture[0, 0], [200, 0, 0, 0, 0, 0])
    np.testing.assert_array_equal(picture[69, 85], [0, 0, 0, 0, 0, 100])


def test_training_and_acting_see_the_same_picture_of_the_size_that_stable_baselines3_wants():
    env, small = Drawn(), with_policy_pictures(Drawn())
    check_env(small)
    np.testing.assert_array_equal(policy_picture(env.reset(seed=3)[0]), small.reset(seed=3)[0])


def test_it_acts_as_the_saved_policy_and_reads_a_changed_file_again(path):
    observation, _ = Drawn().reset(seed=1)
    actions = []
    for seed in (0, 1):
        _saved(path, seed)
        actions.append(_agent().act(observation, {}))
        expected, _ = PPO.load(path).predict(policy_picture(observation), deterministic=True)
        np.testing.assert_array_equal(actions[-1], expected)
    assert actions[0].dtype == np.float32
    assert not np.array_equal(*actions)


@pytest.mark.parametrize(
    "options",
    [
        {"policy_kwargs": {"net_arch": [16, 8], "activation_fn": torch.nn.ELU}},
        {"policy": "MlpPolicy", "use_sde": True},
        {"policy_kwargs": {"optimizer_class": torch.optim.SGD}},
    ],
    ids=["layers", "another kind of network", "another optimiser"],
)
def test_a_network_of_other_sizes_acts_as_it_was_saved(options, path):
    _saved(path, **options)
    picture = policy_picture(Drawn().reset(seed=1)[0])
    expected, _ = PPO.load(path).predict(picture, deterministic=True)
    np.testing.assert_array_equal(_agent()._policy.predict(picture, deterministic=True)[0], expected)


def test_settings_that_only_code_could_restore_are_named(path):
    _saved(path, policy_kwargs={"features_extractor_class": OwnFeatures})
    with pytest.raises(InvalidConfiguration, match="sets features_extractor_class of its network, and restoring"):
        _agent()


def test_a_missing_policy_is_named_with_what_to_do(path):
    with pytest.raises(InvalidConfiguration, match=r"no policy .*policy\.zip; train one with .*TABLETOP_POLICY"):
        _agent()


def test_without_the_variable_the_policy_is_the_example_scripts(path, monkeypatch):
    monkeypatch.delenv(POLICY_VARIABLE)
    monkeypatch.chdir(path.parent)
    with pytest.raises(InvalidConfiguration, match=r"no policy runs/stable-baselines/policy\.zip"):
        _agent()


def _other_pictures(path):
    PPO("MultiInputPolicy", Drawn((84, 84, 3)), n_steps=2, batch_size=2, device="cpu").save(path)


def _other_task(path):
    PPO("MlpPolicy", "CartPole-v1", n_steps=2, batch_size=2, device="cpu").save(path)


def _other_algorithm(path):
    SAC("MlpPolicy", with_policy_pictures(Drawn()), policy_kwargs={"net_arch": [2]}, buffer_size=2, device="cpu").save(
        path
    )


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (lambda path: path.write_bytes(b"no zip"), "no policy of PPO or A2C"),
        (_other_algorithm, "no policy of PPO or A2C"),
        (_other_pictures, r"not \(6, 70, 86\) into \(5,\)"),
        (_other_task, r"turns \(4,\) into \(\)"),
    ],
    ids=["no zip", "another algorithm", "other pictures", "another task"],
)
def test_a_file_that_holds_no_such_policy_is_refused(write, said, path):
    write(path)
    with pytest.raises(InvalidConfiguration, match=said):
        _agent()
