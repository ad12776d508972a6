"""Collect interactions without learning: an agent acts and every interaction is recorded.

It acts in this process (`collect`), or several act in processes of their own (`collect_with_ray`).
"""

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from tabletop_interaction.agents.agent import Agent, RandomAgent
from tabletop_interaction.agents.learning.actor import (
    MOST_FAULTS_IN_A_ROW,
    HypothesisAgent,
    hypotheses_above,
    session_seed,
)
from tabletop_interaction.agents.learning.config import PolicyName
from tabletop_interaction.agents.learning.primitives import ACTION_SIZES, ENVIRONMENT_IDS
from tabletop_interaction.agents.learning.ray_calls import DIED, RayCalls, ray_session
from tabletop_interaction.envs import Backend
from tabletop_interaction.envs.backend import Primitive
from tabletop_interaction.envs.observations import Extra
from tabletop_interaction.envs.records.picture_format import PictureFormat
from tabletop_interaction.envs.records.reading import count_interactions
from tabletop_interaction.envs.records.wrapper import RecordInteractions
from tabletop_interaction.errors import CameraFault, RobotFault
from tabletop_interaction.seals import new_run_id
from tabletop_interaction.segmentation.opening import open_segmenter
from tabletop_interaction.segmentation.photos import AtTrainingSize

_LEAST_SCORE = 0.3
_INTERACTIONS_AT_ONCE = 5


@dataclass(frozen=True)
class Collection:
    """What one collector does.

    Attributes:
        seed: of the first scene and of the policy's random numbers; each collector and session has one of its own.
        policy: "random", or "hypothesis": move what a segmenter takes for an object.
        model: name of the segmenter, as for `open_segmenter`, for "hypothesis".
        backend: a name for `open_backend`, or an open Backend, which is closed at the end.
        primitive: what one interaction is.
        extras: what is recorded of each view besides the pictures.
        pictures: format in which the pictures are recorded.
        config: of a backend that is named, as `open_backend` takes it.
        steps_per_episode: interactions of an episode.
        run_seed: the seed that a user gave, from which `seed` follows; by default `seed`.
    """

    out: Path
    seed: int
    policy: PolicyName = "random"
    model: str = "default"
    backend: str | Backend = "simulation"
    split: str = "train"
    primitive: Primitive = "pick"
    extras: tuple[Extra, ...] = ()
    config: Any = None
    steps_per_episode: int = 25
    run_seed: int | None = None
    pictures: PictureFormat = field(default_factory=PictureFormat)


def collect(collection: Collection, interactions: int) -> Iterator[dict[str, Any]]:
    """Act and record, yielding each step's info; closing the iterator seals the records."""
    rng = np.random.default_rng(np.random.SeedSequence([collection.seed, 1]))
    plain = gym.make(
        ENVIRONMENT_IDS[collection.primitive],
        backend=collection.backend,
        split=collection.split,
        config=collection.config,
        extras=collection.extras,
        max_episode_steps=collection.steps_per_episode,
    )
    with closing(plain):
        agent = _make_agent(collection, plain, rng)
        # Of the folder's first writer, whose metadata is kept.
        given = collection.seed if collection.run_seed is None else collection.run_seed
        metadata: dict[str, Any] = {"policy": collection.policy, "seed": given, "run": new_run_id()}
        if collection.policy == "hypothesis":
            metadata["model"] = collection.model
        recorded = RecordInteractions(
            plain, collection.out, metadata=metadata, extras=collection.extras, **collection.pictures.plain()
        )
        with closing(recorded) as env:
            yield from interact(env, agent, interactions, collection.seed)


def interact(env: gym.Env[Any, Any], agent: Agent, interactions: int, seed: int) -> Iterator[dict[str, Any]]:
    """Let an agent act, yielding each step's info; after a recoverable fault a new episode begins.

    Args:
        env: an environment with the agent's action space, recorded or not.
        seed: of the first reset; later episodes continue its random numbers.

    Raises:
        RobotFault, CameraFault: it is not recoverable, or the third in a row.
    """
    first: int | None = seed
    last: tuple[Any, dict[str, Any]] | None = None
    made = faults = 0
    while made < interactions:
        try:
            if last is None:
                last, first = env.reset(seed=first), None
            observation, _, terminated, truncated, info = env.step(agent.act(*last))
        except (RobotFault, CameraFault) as fault:
            last, faults = None, faults + 1
            if not fault.recoverable or faults == MOST_FAULTS_IN_A_ROW:
                raise
            continue
        last = None if terminated or truncated else (observation, info)
        made, faults = made + 1, 0
        yield info


@dataclass(frozen=True)
class CollectionProgress:
    """What collectors did since the last report: interactions, successes among them, and collectors that died.

    A pick succeeds when something is held, a push when something moves.
    """

    interactions: int
    succeeded: int
    deaths: int = 0


def succeeded(info: Mapping[str, Any]) -> bool:
    """Whether a pick held something, or a push moved something."""
    return bool(info["moved"] if "moved" in info else info["grasped"])


class Collector:
    """Collects in a process of its own; Ray turns it into an actor."""

    def __init__(self, collection: Collection) -> None:
        self._steps = collect(collection, 2**31)

    def work(self, interactions: int) -> CollectionProgress:
        """Make some more interactions."""
        infos = [next(self._steps) for _ in range(interactions)]
        return CollectionProgress(len(infos), sum(succeeded(info) for info in infos))

    def close(self) -> None:
        """Seal the records."""
        self._steps.close()  # type: ignore[attr-defined]


def collect_with_ray(
    collection: Collection, interactions: int, workers: int, already_there: int
) -> Iterator[CollectionProgress]:
    """Share `interactions` among `workers` collectors, each with its own environment and writer; report every few.

    Raises:
        InvalidConfiguration: Ray is not installed.
        WorkersDied: collectors die as fast as they are replaced.
    """
    unassigned = interactions
    seeds = (session_seed(collection.seed, already_there, number) for number in count(1))
    with ray_session(workers) as ray:
        calls = RayCalls(ray)
        collector_class = ray.remote(num_cpus=1, max_restarts=0)(Collector)

        def assign(collector: Any = None) -> None:
            """Give a collector, a new one by default, its next interactions; without any left it seals its records."""
            nonlocal unassigned
            if unassigned > 0:
                share = min(_INTERACTIONS_AT_ONCE, unassigned)
                unassigned -= share
                collector = collector or collector_class.remote(replace(collection, seed=next(seeds)))
                calls.actors[collector.work.remote(share)] = collector
            elif collector is not None:
                ray.get(collector.close.remote())

        for _ in range(workers):
            assign()
        while calls.actors:
            collector, progress = calls.next()
            assign(None if progress is DIED else collector)
            yield CollectionProgress(0, 0, deaths=1) if progress is DIED else progress
            if not calls.actors:
                # What dead collectors left undone, counted on disk.
                unassigned = already_there + interactions - count_interactions(collection.out)
                assign()


def _make_agent(collection: Collection, env: gym.Env[Any, Any], rng: np.random.Generator) -> Agent:
    """The policy that a collection names."""
    if collection.policy == "random":
        return RandomAgent(rng, ACTION_SIZES[collection.primitive])
    segmenter = AtTrainingSize(open_segmenter(collection.model, hypotheses_above(_LEAST_SCORE)))
    views, arena = env.get_wrapper_attr("views"), env.get_wrapper_attr("arena")
    return HypothesisAgent(segmenter, views, arena, rng, primitive=collection.primitive)
