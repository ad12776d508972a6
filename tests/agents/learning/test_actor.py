"""The hypothesis agent picks what its segmenter sees, and acts at random when it sees nothing in reach."""

from types import SimpleNamespace

import gymnasium as gym
import numpy as np
import pytest

from tabletop_interaction.agents.agent import RandomAgent
from tabletop_interaction.agents.learning.actor import HypothesisAgent, session_seed
from tabletop_interaction.agents.learning.collecting import interact
from tabletop_interaction.agents.learning.primitives import ENVIRONMENT_IDS


class RedPixels:
    """A segmenter that knows what the painted table's square looks like; its mask comes with one of the corner."""

    def segment(self, image):
        red = image[:, :, 0] > 150
        if not red.any():
            return SimpleNamespace(masks=np.zeros((0, *red.shape), bool), scores=np.zeros(0, np.float32))
        return SimpleNamespace(masks=red[None], scores=np.ones(1, np.float32))


class Blind:
    def segment(self, image):
        return SimpleNamespace(masks=np.zeros((0, *image.shape[:2]), bool), scores=np.zeros(0, np.float32))


class OnlyTheCorner:
    def segment(self, image):
        masks = np.zeros((1, *image.shape[:2]), bool)
        masks[0, :2, :2] = True
        return SimpleNamespace(masks=masks, scores=np.ones(1, np.float32))


@pytest.fixture
def push_env(pushing_table):
    with gym.make(ENVIRONMENT_IDS["push"], backend=pushing_table()) as env:
        yield env


@pytest.fixture
def env(painted_table):
    with gym.make(ENVIRONMENT_IDS["pick"], backend=painted_table()) as env:
        yield env


def _agent(env, segmenter, seed=0):
    backend, primitive = env.unwrapped.backend, env.unwrapped.primitive
    return HypothesisAgent(segmenter, backend.views, backend.arena, np.random.default_rng(seed), primitive=primitive)


def test_it_grasps_what_it_sees(env):
    infos = list(interact(env, _agent(env, RedPixels()), 30, seed=0))
    assert np.mean([info["grasped"] for info in infos]) > 0.9


@pytest.mark.parametrize("segmenter", [Blind(), OnlyTheCorner()])
def test_without_a_hypothesis_in_reach_it_acts_at_random(env, segmenter):
    observation, info = env.reset(seed=0)
    action = _agent(env, segmenter, seed=3).act(observation, info)
    assert env.action_space.contains(action)


def test_the_same_seed_chooses_the_same_actions(env):
    observation, info = env.reset(seed=0)
    first, second = (_agent(env, RedPixels(), seed=5).act(observation, info) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_interacting_resets_between_episodes_and_not_after_the_last_step(env):
    resets = []
    plain = env.unwrapped.reset
    env.unwrapped.reset = lambda **arguments: resets.append(1) or plain(**arguments)
    assert len(list(interact(env, RandomAgent(np.random.default_rng(0)), 50, seed=0))) == 50
    assert len(resets) == 2


def test_no_two_sessions_or_collectors_share_a_seed():
    seeds = {session_seed(0, there, collector) for there in range(20) for collector in range(20)}
    assert len(seeds) == 400


def test_a_refuted_point_is_not_picked_until_the_table_changes(env):
    observation, _ = env.reset(seed=0)
    agent = _agent(env, RedPixels())
    x, y = env.unwrapped.backend._square
    agent.refute((x + 0.01, y), (x + 0.01, y))
    assert agent.attempt(observation).policy == "random"
    agent.forget()
    attempt = agent.attempt(observation)
    assert (attempt.policy, attempt.view, attempt.score, attempt.hypotheses) == ("hypothesis", "view_0", 1.0, 1)


@pytest.mark.parametrize(("choice", "favourite"), [("score", 0.9), ("uncertainty", 0.5), ("random", None)])
def test_each_choice_prefers_the_hypotheses_that_it_names(env, choice, favourite):
    class Three:
        def segment(self, image):
            masks = np.zeros((3, *image.shape[:2]), bool)
            masks[:, 170:180, 210:220] = True
            return SimpleNamespace(masks=masks, scores=np.array([0.02, 0.5, 0.9], np.float32))

    observation, _ = env.reset(seed=0)
    backend = env.unwrapped.backend
    agent = HypothesisAgent(Three(), backend.views, backend.arena, np.random.default_rng(0), choice)
    scores = [round(agent.attempt(observation).score, 2) for _ in range(60)]
    counts = {score: scores.count(score) for score in (0.02, 0.5, 0.9)}
    if favourite is None:
        assert min(counts.values()) > 10
    else:
        assert max(counts, key=counts.get) == favourite
        assert counts[0.02] < 10


def test_a_share_of_the_attempts_is_random_whatever_is_seen(env):
    observation, _ = env.reset(seed=0)
    backend = env.unwrapped.backend
    agent = HypothesisAgent(RedPixels(), backend.views, backend.arena, np.random.default_rng(0), random_share=0.3)
    policies = [agent.attempt(observation).policy for _ in range(100)]
    assert 15 < policies.count("random") < 45


def test_it_pushes_what_it_sees(push_env):
    infos = list(interact(push_env, _agent(push_env, RedPixels()), 12, seed=0))
    assert np.mean([info["moved"] for info in infos]) > 0.9


def test_random_pushes_have_four_numbers(push_env):
    observation, info = push_env.reset(seed=0)
    assert push_env.action_space.contains(_agent(push_env, Blind()).act(observation, info))


def test_what_lies_on_a_line_along_which_nothing_moved_is_not_pushed_until_the_table_changes(push_env):
    observation, _ = push_env.reset(seed=0)
    agent = _agent(push_env, RedPixels())
    x, y = push_env.unwrapped.backend._square
    agent.refute((x - 0.1, y + 0.06), (x + 0.1, y + 0.06))
    assert agent.attempt(observation).policy == "hypothesis"
    agent.refute((x - 0.1, y + 0.01), (x + 0.1, y + 0.01))
    assert agent.attempt(observation).policy == "random"
