"""Collect interactions without learning: an agent acts and every interaction is recorded.

It acts in this process (`collect`), or several act in processes of their own (`collect_with_ray`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from tabletop_interaction.agents.agent import Agent, RandomAgent
from tabletop_interaction.agents.learning.actor import (
    ENVIRONMENT_ID,
    MOST_FAULTS_IN_A_ROW,
    HypothesisAgent,
    session_seed,
)
from tabletop_interaction.agents.learning.config import PolicyName
from tabletop_interaction.envs import Backend
from tabletop_interaction.envs.records.reading import count_interactions
from tabletop_interaction.envs.records.wrapper import RecordInteractions
from tabletop_interaction.errors import CameraFault, InvalidConfiguration, RobotFault, WorkersDied

# Many weak hypotheses together would be chosen more often than the few strong ones.
_LEAST_SCORE = 0.3
_INTERACTIONS_AT_ONCE = 5
_MOST_DEATHS_IN_A_ROW = 5


@dataclass(frozen=True)
class Collection:
    """What one collector does.

    Attributes:
        out: folder of the records.
        seed: of the first scene and of the policy's random numbers.
        policy: "random", or "hypothesis": pick what a network takes for an object.
        model: checkpoint of the network, for "hypothesis".
        backend: a name for `open_backend`, or an open Backend, which is closed at the end.
        split: of the objects and backgrounds.
    """

    out: Path
    seed: int
    policy: PolicyName = "random"
    model: str = "default"
    backend: str | Backend = "simulation"
    split: str = "train"


def collect(collection: Collection, interactions: int) -> Iterator[dict[str, Any]]:
    """Act and record, yielding each step's info; closing the iterator seals the records."""
    rng = np.random.default_rng(np.random.SeedSequence([collection.seed, 1]))
    plain = gym.make(ENVIRONMENT_ID, backend=collection.backend, split=collection.split)
    with closing(plain):
        agent = _make_agent(collection, plain, rng)
        metadata: dict[str, Any] = {"policy": collection.policy, "seed": collection.seed}
        if collection.policy == "hypothesis":
            metadata["model"] = collection.model
        with closing(RecordInteractions(plain, collection.out, metadata=metadata)) as env:
            yield from interact(env, agent, interactions, collection.seed)


def interact(env: gym.Env[Any, Any], agent: Agent, interactions: int, seed: int) -> Iterator[dict[str, Any]]:
    """Let an agent act, yielding each step's info; after a recoverable fault a new episode begins.

    Args:
        env: an environment with the spaces of `TabletopInteraction`, recorded or not.
        agent: chooses the actions.
        interactions: number of steps in all.
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
    """What collectors did since the last report: interactions, grasps among them, and collectors that died."""

    interactions: int
    grasped: int
    deaths: int = 0


class Collector:
    """Collects in a process of its own; Ray turns it into an actor.

    Args:
        collection: what it does.
    """

    def __init__(self, collection: Collection) -> None:
        self._steps = collect(collection, 2**31)

    def work(self, interactions: int) -> CollectionProgress:
        """Make some more interactions."""
        infos = [next(self._steps) for _ in range(interactions)]
        return CollectionProgress(len(infos), sum(bool(info["grasped"]) for info in infos))

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
    with ray_session(workers) as ray:
        collectors = _Collectors(ray, collection, interactions, already_there)
        for _ in range(workers):
            collectors.start_one()
        while collectors.at_work or collectors.replace_lost_work():
            yield collectors.next_progress()


class _Collectors:
    """The collectors at work, by the results that are awaited, and how many interactions are not assigned yet."""

    def __init__(self, ray: Any, collection: Collection, interactions: int, already_there: int) -> None:
        self._ray = ray
        self._actor_class = ray.remote(num_cpus=1, max_restarts=0)(Collector)
        self._collection = collection
        self._already_there = already_there
        self._wanted = already_there + interactions
        self._unassigned = interactions
        self._started = 0
        self._deaths = Deaths()
        self.at_work: dict[Any, Any] = {}

    def start_one(self) -> None:
        """Start another collector, with a seed of its own, if there is work for it."""
        if self._unassigned <= 0:
            return
        self._started += 1
        seed = session_seed(self._collection.seed, self._already_there, self._started)
        self._assign(self._actor_class.remote(replace(self._collection, seed=seed)))

    def next_progress(self) -> CollectionProgress:
        """Wait until a collector is done or dies, and give it or its successor more work."""
        (done, *_), _ = self._ray.wait(list(self.at_work), num_returns=1)
        collector = self.at_work.pop(done)
        try:
            progress: CollectionProgress = result(self._ray, done)
        except self._ray.exceptions.RayActorError as error:
            self._deaths.add(error)
            self.start_one()
            return CollectionProgress(0, 0, deaths=1)
        self._deaths.in_a_row = 0
        self._assign(collector)
        return progress

    def replace_lost_work(self) -> bool:
        """Start a collector for what dead ones left undone, counted on disk; False if there is nothing."""
        self._unassigned = self._wanted - count_interactions(self._collection.out)
        self.start_one()
        return bool(self.at_work)

    def _assign(self, collector: Any) -> None:
        interactions = min(_INTERACTIONS_AT_ONCE, self._unassigned)
        self._unassigned -= interactions
        if interactions:
            self.at_work[collector.work.remote(interactions)] = collector
        else:
            self._ray.get(collector.close.remote())


class Deaths:
    """Counts processes that died: all, and those since one last returned a result.

    Too many in a row mean that something is wrong with every process, so that replacing them does not help.
    """

    def __init__(self) -> None:
        self.total = 0
        self.in_a_row = 0

    def add(self, error: Exception) -> None:
        """Count one. Raises WorkersDied after too many in a row."""
        self.total += 1
        self.in_a_row += 1
        if self.in_a_row > _MOST_DEATHS_IN_A_ROW:
            raise WorkersDied(
                f"{self.in_a_row} processes died in a row; their finished interactions are on disk; use --workers 0, "
                "which runs in this process and shows the cause"
            ) from error


@contextmanager
def ray_session(cpus: int, address: str | None = None) -> Iterator[Any]:
    """The module `ray`, with Ray started on this machine or connected to a cluster in this block.

    Args:
        cpus: number of processes on this machine.
        address: of a cluster; None starts Ray here.

    Raises:
        InvalidConfiguration: Ray, which is an extra, is not installed.
    """
    try:
        import ray
    except ImportError as error:
        raise InvalidConfiguration(
            "more than one worker needs Ray, which is not installed; pip install 'tabletop-interaction[ray]', or "
            "use --workers 0"
        ) from error
    # Without "local" Ray would join any cluster that it finds on this machine.
    here = {"address": "local", "num_cpus": cpus, "include_dashboard": False}
    ray.init(log_to_driver=False, configure_logging=False, **(here if address is None else {"address": address}))
    try:
        yield ray
    finally:
        ray.shutdown()


def result(ray: Any, reference: Any) -> Any:
    """The result of a call; raises what the call raised, or RayActorError when its process died."""
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None


def _make_agent(collection: Collection, env: gym.Env[Any, Any], rng: np.random.Generator) -> Agent:
    """The policy that a collection names."""
    if collection.policy == "random":
        return RandomAgent(rng)
    # Random collectors need no torch.
    from tabletop_interaction.segmentation import FAST, Segmenter

    segmenter = Segmenter.load(collection.model, replace(FAST, min_score=_LEAST_SCORE))
    return HypothesisAgent(segmenter, env.get_wrapper_attr("views"), env.get_wrapper_attr("arena"), rng)
