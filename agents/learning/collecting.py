"""An agent acts and every interaction goes to disk: in this process, or in several through Ray (`fleet`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import gymnasium as gym
import numpy as np

import tabletop_interaction
from tabletop_interaction.agents.agent import Agent, RandomAgent
from tabletop_interaction.agents.learning.actor import HypothesisAgent
from tabletop_interaction.envs import Backend
from tabletop_interaction.envs.records.wrapper import RecordInteractions
from tabletop_interaction.errors import CameraFault, RobotFault

ENVIRONMENT_ID = f"{tabletop_interaction.__name__}:TabletopInteraction-v0"

# Many weak hypotheses together would be tried more often than the few strong ones.
_LEAST_BELIEF = 0.3

_MOST_FAULTS_IN_A_ROW = 3

PolicyName = Literal["random", "hypothesis"]


@dataclass(frozen=True)
class Collection:
    """What one collector does.

    Attributes:
        out: folder of the records.
        seed: of the first scene and of the policy's random numbers.
        policy: "random", or "hypothesis": pick what a network believes to be an object.
        model: the network's checkpoint, for "hypothesis".
        backend: what moves, by name; or an open Backend, which is closed at the end.
        split: which objects and backgrounds.
    """

    out: Path
    seed: int
    policy: PolicyName = "random"
    model: str = "default"
    backend: str | Backend = "simulation"
    split: str = "train"


def collect(collection: Collection, interactions: int) -> Iterator[dict[str, Any]]:
    """Open environment, policy and records, act, and hand out each step's info; closing it seals the records."""
    rng = np.random.default_rng(np.random.SeedSequence([collection.seed, 1]))
    plain = gym.make(ENVIRONMENT_ID, backend=collection.backend, split=collection.split)
    with closing(plain):
        agent = make_agent(collection, plain, rng)
        metadata: dict[str, Any] = {"policy": collection.policy, "seed": collection.seed}
        if collection.policy == "hypothesis":
            metadata["model"] = collection.model
        with closing(RecordInteractions(plain, collection.out, metadata=metadata)) as env:
            yield from interact(env, agent, interactions, collection.seed)


def make_agent(collection: Collection, env: gym.Env[Any, Any], rng: np.random.Generator) -> Agent:
    """The policy that a collection names."""
    if collection.policy == "random":
        return RandomAgent(rng)
    # Random collectors need no torch.
    from tabletop_interaction.segmentation import FAST, Segmenter

    segmenter = Segmenter.load(collection.model, replace(FAST, min_score=_LEAST_BELIEF))
    return HypothesisAgent(segmenter, env.get_wrapper_attr("views"), env.get_wrapper_attr("arena"), rng)


def interact(env: gym.Env[Any, Any], agent: Agent, interactions: int, seed: int) -> Iterator[dict[str, Any]]:
    """Let an agent act and hand out each step's info; after a fault that has passed, a new episode begins.

    Args:
        env: an environment with the spaces of `TabletopInteraction`, recorded or not.
        agent: chooses the actions.
        interactions: how many steps are made in all.
        seed: of the first reset; later episodes go on from there.

    Raises:
        RobotFault, CameraFault: it did not pass, or came three times in a row.
    """
    first: int | None = seed
    seen: tuple[Any, dict[str, Any]] | None = None
    made = faults = 0
    while made < interactions:
        try:
            if seen is None:
                seen, first = env.reset(seed=first), None
            observation, _, terminated, truncated, info = env.step(agent.act(*seen))
        except (RobotFault, CameraFault) as fault:
            seen, faults = None, faults + 1
            if not fault.recoverable or faults == _MOST_FAULTS_IN_A_ROW:
                raise
            continue
        seen = None if terminated or truncated else (observation, info)
        made, faults = made + 1, 0
        yield info


def session_seed(seed: int, already_there: int, collector: int = 0) -> int:
    """A seed that no other session or collector of the same run has, so that a resumed folder repeats nothing."""
    return int(np.random.SeedSequence([seed, already_there, collector]).generate_state(1)[0])
