"""Agents are found by name, and only the parts that they use are loaded."""

import numpy as np
import pytest

from tabletop_interaction.benchmarks.rearrangement.agents import AGENTS, LearnedParts, agent_maker, check_agents
from tabletop_interaction.errors import InvalidConfiguration


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("ful",), f"accepted are {', '.join(AGENTS)}"),
        (("nowhere_at_all:Agent",), "cannot be imported"),
        (("json:Agent",), "cannot be imported"),
        (("full", "full"), "each once"),
        ((), "one or more"),
    ],
)
def test_an_agent_that_is_not_there_is_named(names, told):
    with pytest.raises(InvalidConfiguration, match=told):
        check_agents(names)


def test_a_network_is_loaded_only_for_those_who_use_it(world):
    def load():
        raise AssertionError("nobody needs it")

    parts = LearnedParts(load, load)
    for name in ("oracle", "random"):
        agent_maker(name, world, parts)(world.views, world.arena, np.random.default_rng(0))
    with pytest.raises(AssertionError):
        agent_maker("full", world, parts)(world.views, world.arena, np.random.default_rng(0))


@pytest.mark.parametrize("name", ["true-masks", "true-matches", "oracle"])
def test_who_has_to_know_the_truth_is_refused_where_nobody_does(name):
    parts = LearnedParts(lambda: None, lambda: None)
    with pytest.raises(InvalidConfiguration, match="which only the simulation knows"):
        agent_maker(name, None, parts)
    agent_maker("random", None, parts)


def test_learned_masks_with_true_matching_need_the_network_and_no_features(world):
    def load():
        raise AssertionError("nobody needs it")

    agent_maker("true-matches", world, LearnedParts(lambda: None, load))
    with pytest.raises(InvalidConfiguration, match="--inverse-model"):
        LearnedParts(load, load).inverse()
