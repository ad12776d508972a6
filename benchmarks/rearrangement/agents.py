"""The agents of the rearrangement benchmark by name, and how to add one of your own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol, cast

import numpy as np

from tabletop_interaction.agents.agent import Agent, RandomAgent
from tabletop_interaction.agents.features import FEATURES
from tabletop_interaction.agents.inverse.agent import InverseAgent
from tabletop_interaction.agents.inverse.model import InverseModel, load_inverse_model
from tabletop_interaction.agents.rearranging.grasps import GripperShape
from tabletop_interaction.agents.rearranging.matching import AppearanceMatcher, MatchesSegments
from tabletop_interaction.agents.rearranging.rearranger import Rearranger, RearrangerConfig
from tabletop_interaction.benchmarks.rearrangement.oracle_parts import RememberingSimulation, TrueMatcher, TrueSegmenter
from tabletop_interaction.envs import Arena, Gripper, View
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.named_classes import import_named
from tabletop_interaction.ranges import check_choice
from tabletop_interaction.segmentation.photos import AtTrainingSize
from tabletop_interaction.segmentation.segments import PictureSegmenter

MEANINGS = {
    "full": "our agent, from pictures alone: learned masks and learned matching",
    "true-masks": "our agent with true masks from the simulation, and learned matching",
    "true-matches": "our agent with learned masks, and true matches from the simulation",
    "oracle": "our agent with true masks and true matches: what is left are grasps, planning and placing",
    "inverse": "the inverse model of Agrawal et al. (2016): a network from two pictures to an action",
    "random": "picks and places that are uniform over the arena",
}
"""What each agent is."""
AGENTS = tuple(MEANINGS)
"""Names of the agents."""

_HAVE_TRUE_MASKS = ("true-masks", "oracle")
_HAVE_TRUE_MATCHES = ("true-matches", "oracle")


def meaning_of(name: str) -> str:
    """What an agent is, in words."""
    return MEANINGS.get(name, "an agent of your own")


class MakesAgent(Protocol):
    """The class of your own agent: it is called once for each episode, so that episodes are independent.

    Naming it as `module:Class` imports the module and calls the class: its code runs with your rights.

    Load what is slow at the module's level. The `info` that `act` gets has `held`, `grasped`, `pick_outcome`,
    `pick_xy`, `place_xy` and `pick_place`, and nothing that only a judge knows. If the agent has an attribute
    `decision`, a `rearranger.Decision`, the benchmark also names the causes of its failures.
    """

    def __call__(self, views: tuple[View, ...], arena: Arena, rng: np.random.Generator) -> Agent:
        """Make an agent for one episode; it may use no random numbers but `rng`, which is seeded with the episode."""
        ...


@dataclass(frozen=True, eq=False)
class LearnedParts:
    """Loads the network, the matcher with its features, and the inverse model, each at its first use.

    `inverse` raises InvalidConfiguration if there is no file.
    """

    segmenter: Callable[[], PictureSegmenter]
    matcher: Callable[[], MatchesSegments]
    inverse: Callable[[], InverseModel] = lambda: _load_inverse(None)

    @classmethod
    def loaded_by(
        cls, segmenter: Callable[[], PictureSegmenter], features: str, inverse_model: Path | None = None
    ) -> LearnedParts:
        """Parts that are loaded once; raises InvalidConfiguration for a name that is not in `agents.features.FEATURES`.

        `segmenter` loads the network; `inverse_model` is the file for the agent inverse.
        """
        check_choice("features", features, FEATURES)
        return cls(
            segmenter=cache(lambda: AtTrainingSize(segmenter())),
            matcher=cache(lambda: AppearanceMatcher(FEATURES[features]())),
            inverse=cache(lambda: _load_inverse(inverse_model)),
        )


def agent_maker(
    name: str, truth: RememberingSimulation | None, parts: LearnedParts, gripper: Gripper | None = None
) -> MakesAgent:
    """The callable that makes the agent of a name: one of `AGENTS`, or "module:Class" for your own.

    `truth` is the simulation, for the agents that use its truth; None on a robot. `gripper` is the environment's, for
    the agents that plan grasps; by default the Sawyer's.

    Raises:
        InvalidConfiguration: no such agent, module or class; or the agent needs the truth and there is none.
    """
    if name not in AGENTS:
        return _imported(name)
    if name == "random":
        return lambda views, arena, rng: RandomAgent(rng)
    if name == "inverse":
        model = parts.inverse()
        return lambda views, arena, rng: InverseAgent(model, views, arena, rng)
    if truth is None and name != "full":
        raise InvalidConfiguration(
            f"the agent {name!r} needs true masks or matches, which only the simulation knows; use full, random, "
            "inverse or your own"
        )
    segmenter = TrueSegmenter(truth) if truth and name in _HAVE_TRUE_MASKS else parts.segmenter()
    matcher = TrueMatcher(truth) if truth and name in _HAVE_TRUE_MATCHES else parts.matcher()
    config = RearrangerConfig(gripper=GripperShape.of(gripper or Gripper()))
    return lambda views, arena, rng: Rearranger(segmenter, matcher, views, arena, config)


def check_agents(names: tuple[str, ...], inverse_model: str | None = None) -> None:
    """Check the agents' names, and that the agent inverse has a model; nothing is loaded but a module of your own.

    Raises:
        InvalidConfiguration: a name is unknown or doubled, there is none, or the model's file is missing.
    """
    if not names or len(set(names)) < len(names):
        raise InvalidConfiguration(f"--agents {' '.join(names)}: name one or more, each once")
    if "inverse" in names and inverse_model is None:
        _load_inverse(None)
    for name in names:
        if name not in AGENTS:
            _imported(name)


def _load_inverse(path: Path | None) -> InverseModel:
    if path is None:
        raise InvalidConfiguration("the agent 'inverse' needs a trained model; give its file with --inverse-model")
    return load_inverse_model(path)


def _imported(name: str) -> MakesAgent:
    if not name.partition(":")[2]:
        raise InvalidConfiguration(
            f"unknown agent {name!r}; accepted are {', '.join(AGENTS)} and your own as module:Class"
        )
    return cast(MakesAgent, import_named(name, "agent"))
