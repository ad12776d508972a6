"""One episode of the rearrangement benchmark: how it is played, and the row that is kept of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from tabletop_interaction.agents.agent import Observation
from tabletop_interaction.agents.rearranging.rearranger import Decision
from tabletop_interaction.benchmarks.rearrangement.agents import LearnedParts, MakesAgent, agent_maker
from tabletop_interaction.benchmarks.rearrangement.failure_causes import cause_of_failure
from tabletop_interaction.benchmarks.rearrangement.oracle_parts import RememberingSimulation
from tabletop_interaction.benchmarks.rearrangement.pictures import episode_jpeg
from tabletop_interaction.benchmarks.rearrangement.setting import EpisodeKey, Scenes, Setting
from tabletop_interaction.envs import PickOutcome, TabletopRearrangement
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.sim_assets import background_names
from tabletop_interaction.simulation import SimulationConfig

_INFO_FOR_AGENTS = ("held", "grasped", "pick_outcome", "pick_xy", "place_xy", "pick_place")


@dataclass(frozen=True, eq=False)
class Step:
    """The start of an episode, or the end of one of its interactions.

    Attributes:
        observation: pictures, the goal's included.
        info: the environment's info.
        decision: the agent's decision; None at the start, and for an agent that does not expose it.
    """

    observation: Observation
    info: dict[str, Any]
    decision: Decision | None = None


@dataclass(frozen=True)
class Episode:
    """A row of the result.

    Attributes:
        agent: name of the agent.
        objects, tables: splits of the objects and of the table top.
        seed: seed of scene, goal and agent.
        displaced: number of displaced objects.
        occupied: whether the goal of one of them was occupied by another one.
        success: all displaced objects within 15 px, and no other object moved by more.
        fraction_done: share of the displaced objects within 15 px at the end ("Fixed").
        fixed_strict: the same, but 0 if any other object was moved by more than 15 px ("Fixed Strict").
        mean_px, max_px: distances of the displaced objects from their goals at the end, pixels of the first view.
        max_m: largest of these distances on the table, metres.
        others_px: largest displacement of another object.
        interactions: number of interactions.
        seconds: wall-clock time of the episode, with rendering and physics.
        processor_seconds: processor time of the episode, which other load does not change.
        cause: why it failed, a `failure_causes.Cause`; empty for a success.
    """

    agent: str
    objects: str
    tables: str
    seed: int
    displaced: int
    occupied: bool
    success: bool
    fraction_done: float
    fixed_strict: float
    mean_px: float
    max_px: float
    max_m: float
    others_px: float
    interactions: int
    seconds: float
    processor_seconds: float
    cause: str

    @property
    def key(self) -> EpisodeKey:
        """Identity of the episode."""
        return EpisodeKey(self.agent, Scenes(self.objects, self.tables), self.seed)


PlayedEpisode = tuple[Episode, bytes]
"""An episode's row, and its picture as JPEG."""


def open_table(scenes: Scenes, displaced: int | None = None) -> tuple[TabletopRearrangement, RememberingSimulation]:
    """The environment, and the simulation behind it, which knows the truth."""
    config = SimulationConfig(backgrounds=background_names(scenes.tables))
    world = RememberingSimulation(scenes.objects, config)
    try:
        return TabletopRearrangement(world, displaced=displaced, judge=world.judge), world
    except InvalidConfiguration:
        world.close()
        raise


def play(env: TabletopRearrangement, make: MakesAgent, seed: int, most_interactions: int) -> Iterator[Step]:
    """Play one episode with a new agent: the start, then the end of each interaction.

    The agent gets the entries of `info` that a robot would know, and none of the judge.
    """
    # The scene is drawn from the seed alone: with the same random numbers, the agent would repeat those draws.
    agent = make(env.views, env.arena, np.random.default_rng([seed, 1]))
    observation, info = env.reset(seed=seed)
    yield Step(observation, info)
    for _ in range(most_interactions):
        observation, _, terminated, _, info = env.step(
            agent.act(observation, {name: info[name] for name in _INFO_FOR_AGENTS})
        )
        decision = getattr(agent, "decision", None)
        yield Step(observation, info, decision if isinstance(decision, Decision) else None)
        if terminated:
            return


def score(key: EpisodeKey, steps: Sequence[Step], times: tuple[float, float], world: RememberingSimulation) -> Episode:
    """The row of an episode that has just ended.

    Args:
        key: identity of the episode.
        steps: the steps of `play`.
        times: wall-clock and processor time, seconds.
        world: the simulation, as the episode left it.
    """
    info = steps[-1].info
    pixels, metres = (info[name][info[name] >= 0] for name in ("goal_distance_px", "goal_distance_m"))
    history = [(s.decision, PickOutcome(s.info["pick_outcome"])) for s in steps if s.decision is not None]
    return Episode(
        agent=key.agent,
        objects=key.scenes.objects,
        tables=key.scenes.tables,
        seed=key.seed,
        displaced=info["displaced"],
        occupied=info["occupied"],
        success=info["is_success"],
        fraction_done=info["fraction_done"],
        fixed_strict=info["displaced_undisturbed"],
        mean_px=float(pixels.mean()),
        max_px=float(pixels.max()),
        max_m=float(metres.max()),
        others_px=info["others_moved_px"],
        interactions=len(steps) - 1,
        seconds=times[0],
        processor_seconds=times[1],
        cause="" if info["is_success"] else str(cause_of_failure(world, history)),
    )


@contextmanager
def open_player(
    setting: Setting, make_parts: Callable[[], LearnedParts]
) -> Iterator[Callable[[EpisodeKey], PlayedEpisode]]:
    """A function that plays an episode; the simulation stays open while the kind of scene is the same."""
    parts = make_parts()
    tables: dict[Scenes, tuple[TabletopRearrangement, RememberingSimulation]] = {}

    def play_episode(key: EpisodeKey) -> PlayedEpisode:
        if key.scenes not in tables:
            _close(tables)
            tables[key.scenes] = open_table(key.scenes, setting.displaced)
        env, world = tables[key.scenes]
        make = agent_maker(key.agent, world, parts)
        with _one_thread():
            wall, processor = time.perf_counter(), time.process_time()
            steps = list(play(env, make, key.seed, setting.most_interactions))
            times = time.perf_counter() - wall, time.process_time() - processor
        return score(key, steps, times, world), episode_jpeg(steps[0].observation, steps[-1].observation, world)

    try:
        yield play_episode
    finally:
        _close(tables)


def _close(tables: dict[Scenes, tuple[TabletopRearrangement, RememberingSimulation]]) -> None:
    while tables:
        tables.popitem()[1][0].close()


@contextmanager
def _one_thread() -> Iterator[None]:
    """One thread of torch: with another number, sums differ in their last digits, and with them masks and episodes."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
