"""The environment of pushes on the painted table: Gymnasium's rules, info, rewards."""

import pickle

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from tabletop_interaction.envs import Push, TabletopPushing
from tabletop_interaction.errors import InvalidAction, UnreachableTarget

ID = "tabletop_interaction:TabletopPushing-v0"


@pytest.fixture
def env(pushing_table):
    with gym.make(ID, backend=pushing_table()) as env:
        yield env


def _push_of_square(env, length=0.2):
    """A push of the square to the middle of the table."""
    square = env.unwrapped.backend._square
    away = square / np.linalg.norm(square)
    start = square + 0.08 * away
    return Push(*start, float(np.arctan2(-away[1], -away[0])), length)


@pytest.mark.filterwarnings("error")
def test_gymnasium_accepts_the_environment(pushing_table):
    check_env(TabletopPushing(pushing_table()), skip_render_check=True)


def test_a_push_of_the_square_earns_one_and_info_says_what_was_done(env):
    observation, first = env.reset(seed=1)
    push = _push_of_square(env)
    after, reward, terminated, truncated, info = env.step(push.to_action(env.unwrapped.arena))
    assert (reward, terminated, truncated) == (1.0, False, False)
    assert (info["moved"], info["came_down"]) == (True, True)
    np.testing.assert_allclose(info["push"], push.to_array(), atol=1e-6)
    np.testing.assert_array_equal(info["before"]["view_0"], observation["view_0"])
    assert not np.array_equal(after["view_0"], observation["view_0"])
    (view,) = env.unwrapped.views
    np.testing.assert_allclose(info["end_xy"], view.project(np.array([[*push.end_xy, 0]])), atol=1e-2)
    assert first.keys() == info.keys()
    assert (first["moved"], first["came_down"], first["start_xy"].tolist()) == (False, False, [[-1, -1]])


def test_a_push_beside_the_square_earns_nothing(env):
    env.reset(seed=0)
    square = env.unwrapped.backend._square
    start = np.sign(-square) * [0.28, 0.22]
    _, reward, _, _, info = env.step(Push(*start, 0.0, 0.02).to_action(env.unwrapped.arena))
    assert (reward, info["moved"], info["came_down"]) == (0.0, False, True)


def test_the_reward_does_not_see_what_is_done_to_an_observation(env):
    observation, _ = env.reset(seed=0)
    observation["view_0"][:] = 0
    _, reward, *_ = env.step(np.array([1, 1, 0, -1], np.float32))
    assert reward == 0.0


def test_a_push_that_the_arm_cannot_follow_moves_nothing(pushing_table):
    class OutOfReach(pushing_table):
        def sweep(self, start_xy, end_xy):
            raise UnreachableTarget("out of reach")

    env = TabletopPushing(OutOfReach())
    env.reset(seed=0)
    _, reward, _, _, info = env.step(np.zeros(4, np.float32))
    assert (reward, info["came_down"], env.interactions) == (0.0, False, 1)


def test_actions_of_picks_and_steps_before_a_reset_are_refused(env):
    with pytest.raises(gym.error.ResetNeeded):
        env.unwrapped.step(np.zeros(4, np.float32))
    env.reset(seed=0)
    with pytest.raises(InvalidAction, match="start x, start y, direction, length"):
        env.step(np.zeros(5, np.float32))


def test_a_pickled_environment_is_one_of_pushes():
    with TabletopPushing(split="val") as env:
        again = pickle.loads(pickle.dumps(env))
        assert (type(again), again.split, again.action_space.shape) == (TabletopPushing, "val", (4,))
        again.close()


def test_every_random_action_can_be_executed_in_the_simulation():
    with gym.make(ID) as env:
        env.reset(seed=0)
        env.action_space.seed(0)
        infos = [env.step(env.action_space.sample())[4] for _ in range(8)]
    assert all(info["came_down"] for info in infos)
    assert any(info["moved"] for info in infos)


def test_a_state_can_be_observed_instead_of_pictures():
    with gym.make(ID, observation="state") as env:
        observation, _ = env.reset(seed=0)
        after, _, _, _, info = env.step(np.zeros(4, np.float32))
    assert list(observation) == list(after) == list(info["before"]) == ["ground_truth_state"]
    np.testing.assert_array_equal(info["before"]["ground_truth_state"], observation["ground_truth_state"])
