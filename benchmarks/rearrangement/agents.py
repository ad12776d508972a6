"""The agents of the rearrangement benchmark by name, and how a user's own comes in beside them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol, cast

import numpy as np

from tabletop_interaction.agents.agent import Agent, RandomAgent
from tabletop_interaction.agents.features import FEATURES
from tabletop_interaction.agents.inverse.agent import InverseAgent
from tabletop_interaction.agents.inverse.model import InverseModel, load_inverse_model
from tabletop_interaction.agents.learning.actor import SegmentsPictures
from tabletop_interaction.agents.rearranging.matching import AppearanceMatcher, MatchesSegments
from tabletop_interaction.agents.rearranging.rearranger import Rearranger
from tabletop_interaction.benchmarks.rearrangement.oracle_parts import RememberingSimulation, TrueMatcher, TrueSegmenter
from tabletop_interaction.envs import Arena, View
from tabletop_interaction.errors import InvalidConfiguration

_NO_INVERSE_MODEL = "the agent 'inverse' needs a trained model; give its file with --inverse-model"


class MakesAgent(Protocol):
    """What a user's class has to be: called once an episode, so that nothing is carried from one to the next.

    Whatever is slow to load belongs at the module's level. Of `info` its `act` is told what was done (`held`,
    `grasped`, `pick_outcome`, `pick_xy`, `place_xy`, `pick_place`), and nothing that only a judge knows. An agent whose
    attribute `decision` is a `rearranger.Decision` is told the causes of its failures too.
    """

    def __call__(self, views: tuple[View, ...], arena: Arena, rng: np.random.Generator) -> Agent:
        """An agent for one episode.

        Args:
            views: the cameras.
            arena: the rectangle that actions span.
            rng: the only random numbers that it may use, seeded with the episode.
        """
        ...


@dataclass(frozen=True, eq=False)
class LearnedParts:
    """What the agents that have learned something are made of; each is made when it is first needed.

    Attributes:
        segmenter: loads the network.
        matcher: loads the features and matches by them.
        inverse: loads the inverse model; raises InvalidConfiguration where no file of one was named.
    """

    segmenter: Callable[[], SegmentsPictures]
    matcher: Callable[[], MatchesSegments]
    inverse: Callable[[], InverseModel] = lambda: _load_inverse(None)

    @classmethod
    def loaded_by(
        cls, segmenter: Callable[[], SegmentsPictures], features: str, inverse_model: Path | None = None
    ) -> LearnedParts:
        """Parts that are loaded once, however often they are asked for.

        Args:
            segmenter: loads the network.
            features: by name, of `agents.features.FEATURES`.
            inverse_model: the inverse model's file; only the agent "inverse" needs it.

        Raises:
            InvalidConfiguration: no features have this name.
        """
        if features not in FEATURES:
            raise InvalidConfiguration(f"unknown features {features!r}; accepted are {', '.join(FEATURES)}")
        return cls(
            segmenter=cache(segmenter),
            matcher=cache(lambda: AppearanceMatcher(FEATURES[features]())),
            inverse=cache(lambda: _load_inverse(inverse_model)),
        )


def agent_maker(name: str, truth: RememberingSimulation | None, parts: LearnedParts) -> MakesAgent:
    """What makes the agent of that name.

    Args:
        name: one of `AGENTS`, or "module:Class" for a user's own.
        truth: the world; only the agents that are made to know it look into it. None where nobody knows it.
        parts: see `LearnedParts`.

    Raises:
        InvalidConfiguration: there is no such agent, module or class, or it needs a truth that nobody knows.
    """
    if name in AGENTS:
        return AGENTS[name](truth, parts)
    return _imported(name)


def check_agents(names: tuple[str, ...], inverse_model: Path | str | None = None) -> None:
    """Whether there are such agents, and the inverse model's file is named for the one that needs it; makes nothing.

    Raises:
        InvalidConfiguration: a name is unknown or comes twice, there is none, or the file is not named.
    """
    if not names or len(set(names)) < len(names):
        raise InvalidConfiguration(f"--agents {' '.join(names)}: name one or more, each once")
    if "inverse" in names and inverse_model is None:
        raise InvalidConfiguration(_NO_INVERSE_MODEL)
    for name in names:
        if name not in AGENTS:
            _imported(name)


def _load_inverse(path: Path | None) -> InverseModel:
    if path is None:
        raise InvalidConfiguration(_NO_INVERSE_MODEL)
    return load_inverse_model(path)


def _full(truth: RememberingSimulation | None, parts: LearnedParts) -> MakesAgent:
    return _rearranger(parts.segmenter(), parts.matcher())


def _true_masks(truth: RememberingSimulation | None, parts: LearnedParts) -> MakesAgent:
    return _rearranger(TrueSegmenter(_known(truth)), parts.matcher())


def _true_matches(truth: RememberingSimulation | None, parts: LearnedParts) -> MakesAgent:
    return _rearranger(parts.segmenter(), TrueMatcher(_known(truth)))


def _oracle(truth: RememberingSimulation | None, parts: LearnedParts) -> MakesAgent:
    return _rearranger(TrueSegmenter(_known(truth)), TrueMatcher(_known(truth)))


def _random(truth: RememberingSimulation | None, parts: LearnedParts) -> MakesAgent:
    return lambda views, arena, rng: RandomAgent(rng)


def _inverse(truth: RememberingSimulation | None, parts: LearnedParts) -> MakesAgent:
    model = parts.inverse()
    return lambda views, arena, rng: InverseAgent(model, views, arena, rng)


def _known(truth: RememberingSimulation | None) -> RememberingSimulation:
    if truth is None:
        raise InvalidConfiguration(
            "true masks and true matches are known in the simulation alone; here use an agent that sees pictures only, "
            "as full, random or your own"
        )
    return truth


def _rearranger(segmenter: SegmentsPictures, matcher: MatchesSegments) -> MakesAgent:
    return lambda views, arena, rng: Rearranger(segmenter, matcher, views, arena)


AGENTS: Mapping[str, Callable[[RememberingSimulation | None, LearnedParts], MakesAgent]] = {
    "full": _full,
    "true-masks": _true_masks,
    "true-matches": _true_matches,
    "oracle": _oracle,
    "inverse": _inverse,
    "random": _random,
}
"""full: learned masks and matching, from pictures alone. true-masks: true masks, learned matching. true-matches: the
other way round. oracle: both true. inverse: from two pictures straight to an action, by a network of `tabletop
train-inverse`. random: uniform picks."""


def _imported(name: str) -> MakesAgent:
    module, _, attribute = name.partition(":")
    if not attribute:
        raise InvalidConfiguration(
            f"unknown agent {name!r}; accepted are {', '.join(AGENTS)} and your own as module:Class"
        )
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise InvalidConfiguration(
            f"the agent {name!r} cannot be imported ({error}); run where Python finds the module, or set PYTHONPATH"
        ) from error
    return cast(MakesAgent, found)
