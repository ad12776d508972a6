"""Acting by an inverse model: inside the arena, greedy until a grasp fails, towards a visible goal only."""

import numpy as np
import pytest

from tabletop_interaction.agents.inverse.agent import InverseAgent
from tabletop_interaction.agents.inverse.config import InverseModelConfig
from tabletop_interaction.agents.inverse.model import new_inverse_model, predict_action
from tabletop_interaction.agents.inverse.picture_actions import picture_actions, shrunk
from tabletop_interaction.envs import PickOutcome
from tabletop_interaction.envs.actions import pick_place_from_action
from tabletop_interaction.errors import NoGoal

SMALL = InverseModelConfig(height=64, width=80, channels=8)


@pytest.fixture(scope="module")
def model():
    return new_inverse_model(SMALL, seed=0).eval()


@pytest.fixture
def table(painted_table):
    table = painted_table()
    table.reset(np.random.default_rng(0), new_scene=True)
    return table


@pytest.fixture
def observation(table):
    now = table.observe()["view_0"]
    table._square = -table._square
    return {"view_0": now, "goal_0": table.observe()["view_0"]}


def agent_of(model, table, seed=0):
    return InverseAgent(model, table.views, table.arena, np.random.default_rng(seed))


def outcome(what):
    return {"pick_outcome": int(what)}


def test_the_agent_carries_out_the_prediction(model, table, observation):
    agent = agent_of(model, table)
    action = agent.act(observation, outcome(PickOutcome.NO_PICK))
    done = pick_place_from_action(action, table.arena).to_array()
    predicted = predict_action(model, *(shrunk(observation[key], SMALL.size) for key in ("view_0", "goal_0")))
    again = picture_actions(done, table.views[0], SMALL.size)[0]
    np.testing.assert_allclose(again, predicted, atol=1e-3)


@pytest.mark.parametrize("what", [PickOutcome.NO_PICK, PickOutcome.HELD])
def test_the_agent_is_greedy_after_a_success(model, table, observation, what):
    first, second = (agent_of(model, table, seed).act(observation, outcome(what)) for seed in (0, 1))
    assert (first == second).all()


@pytest.mark.parametrize("what", [PickOutcome.NOTHING_THERE, PickOutcome.SLIPPED, PickOutcome.BLOCKED])
def test_after_a_failure_the_pick_is_sampled(model, table, observation, what):
    agent = agent_of(model, table)
    picked = {tuple(agent.act(observation, outcome(what))) for _ in range(5)}
    assert len(picked) > 1
    same, again = (agent_of(model, table, 7).act(observation, outcome(what)) for _ in range(2))
    assert (same == again).all()


def test_a_point_beyond_the_arena_is_moved_to_its_border(model, table, observation):
    for seed in range(20):
        action = agent_of(model, table, seed).act(observation, outcome(PickOutcome.BLOCKED))
        assert action.shape == (5,)
        assert (np.abs(action) <= 1).all()


@pytest.mark.parametrize("goal", [None, np.zeros((350, 430, 3), np.uint8)])
def test_a_missing_goal_is_named(model, table, observation, goal):
    seen = {"view_0": observation["view_0"]} | ({} if goal is None else {"goal_0": goal})
    with pytest.raises(NoGoal, match="no goal_0 that shows anything"):
        agent_of(model, table).act(seen, outcome(PickOutcome.NO_PICK))
