"""Agents are found by name, and only the parts that they use are loaded."""

import numpy as np
import pytest

from tabletop_interaction.benchmarks.rearrangement.agents import AGENTS, LearnedParts, agent_maker, check_agents
from tabletop_interaction.errors import InvalidConfiguration


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("ful",), f"accepted are {', '.join(AGENTS)}"),
        (("nowhere_at_all:Agent",), "cannot be imported"),
        (("json:Agent",), "cannot be imported"),
        (("os:path",), "'os:path' is a module; accepted is a class"),
        (("full", "full"), "each once"),
        ((), "one or more"),
    ],
)
def test_unknown_and_doubled_agents_are_refused(names, message):
    with pytest.raises(InvalidConfiguration, match=message):
        check_agents(names)


def test_a_network_is_loaded_only_for_agents_that_use_it(world):
    def load():
        raise AssertionError("no agent needs it")

    parts = LearnedParts(load, load)
    for name in ("oracle", "random"):
        agent_maker(name, world, parts)(world.views, world.arena, np.random.default_rng(0))
    with pytest.raises(AssertionError):
        agent_maker("full", world, parts)(world.views, world.arena, np.random.default_rng(0))


@pytest.mark.parametrize("name", ["true-masks", "true-matches", "oracle"])
def test_agents_that_need_the_truth_are_refused_without_a_simulation(name):
    parts = LearnedParts(lambda: None, lambda: None)
    with pytest.raises(InvalidConfiguration, match="which only the simulation knows"):
        agent_maker(name, None, parts)
    agent_maker("random", None, parts)


def test_learned_masks_with_true_matching_need_the_network_and_no_features(world):
    def load():
        raise AssertionError("no agent needs it")

    agent_maker("true-matches", world, LearnedParts(lambda: None, load))
    with pytest.raises(InvalidConfiguration, match="--inverse-model"):
        LearnedParts(load, load).inverse()
