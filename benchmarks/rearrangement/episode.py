"""One episode of the rearrangement benchmark: which it is, how it is played, and the row that is kept of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from tabletop_interaction.agents.agent import Observation
from tabletop_interaction.agents.rearranging.rearranger import Decision
from tabletop_interaction.benchmarks.rearrangement.agents import MakesAgent
from tabletop_interaction.benchmarks.rearrangement.failure_causes import Tried, cause_of_failure
from tabletop_interaction.benchmarks.rearrangement.oracle_parts import RememberingSimulation
from tabletop_interaction.benchmarks.segmentation.label_sets import SETS
from tabletop_interaction.envs import SPLITS, PickOutcome, TabletopRearrangement
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.sim_assets import background_names
from tabletop_interaction.simulation import SimulationConfig

_TOLD = ("held", "grasped", "pick_outcome", "pick_xy", "place_xy", "pick_place")

_LETTERS = {
    (spec.objects, spec.backgrounds): name[-1] for name, spec in SETS.items() if name.startswith("generalisation-")
}


@dataclass(frozen=True)
class Scenes:
    """Which objects stand on which table tops: a split each."""

    objects: str = "test"
    tables: str = "test"

    def __post_init__(self) -> None:
        if unknown := {self.objects, self.tables} - set(SPLITS):
            raise InvalidConfiguration(f"unknown split {min(unknown)!r}; accepted are {', '.join(SPLITS)}")

    @property
    def name(self) -> str:
        """For readers, with the letter of the paper's four kinds of generalisation where it has one."""
        return f"{self.objects} objects on {self.tables} tables{self._letter}"

    @property
    def short_name(self) -> str:
        """For tables and charts: objects on tables."""
        return f"{self.objects} on {self.tables}{self._letter}"

    @property
    def _letter(self) -> str:
        letter = _LETTERS.get((self.objects, self.tables))
        return f" ({letter})" if letter else ""


def scenes_of(objects: Sequence[str], tables: Sequence[str] = ()) -> tuple[Scenes, ...]:
    """Objects of each split on table tops of each split; without table tops on those of their own split.

    Raises:
        InvalidConfiguration: a split is unknown.
    """
    pairs = product(objects, tables) if tables else zip(objects, objects, strict=True)
    return tuple(dict.fromkeys(Scenes(*pair) for pair in pairs))


@dataclass(frozen=True)
class EpisodeKey:
    """Which episode: who plays, in which kind of scene, and the seed of scene, goal and agent."""

    agent: str
    scenes: Scenes
    seed: int

    def __str__(self) -> str:
        return f"{self.agent}, seed {self.seed}, {self.scenes.name}"


@dataclass(frozen=True, eq=False)
class Step:
    """A moment of an episode: its start, or what one interaction left.

    Attributes:
        observation: now.
        info: of the reset or step.
        decision: what led here; None at the start, and from an agent that does not say.
    """

    observation: Observation
    info: dict[str, Any]
    decision: Decision | None = None


@dataclass(frozen=True)
class Episode:
    """A row of the result.

    Attributes:
        agent: its name.
        objects, tables: splits of the scene's objects and of its table top.
        seed: of scene and goal.
        displaced: how many objects had to be moved.
        occupied: whether one of them had to go where another one stood.
        success: all within 15 px, and nothing else moved by more.
        fraction_done: share of the displaced objects within 15 px at the end ("Fixed").
        fixed_strict: the same, but 0 once any other object was moved by more than 15 px ("Fixed Strict").
        mean_px, max_px: from the displaced objects to their goals at the end, pixels of the first view.
        max_m: the same on the table, metres.
        others_px: the farthest that any other object was moved.
        interactions: made.
        seconds: wall-clock time of the whole episode, rendering and physics included.
        processor_seconds: the same as the processor's time, which does not depend on what else the machine does.
        cause: why it failed, of `failure_causes.Cause`; empty for a success.
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
        """Which episode it is."""
        return EpisodeKey(self.agent, Scenes(self.objects, self.tables), self.seed)


def open_table(scenes: Scenes, displaced: int | None = None) -> tuple[TabletopRearrangement, RememberingSimulation]:
    """The environment, and the world behind it that knows the truth."""
    config = SimulationConfig(backgrounds=background_names(scenes.tables))
    world = RememberingSimulation(scenes.objects, config)
    try:
        return TabletopRearrangement(world, displaced=displaced, judge=world.judge), world
    except InvalidConfiguration:
        world.close()
        raise


def play(env: TabletopRearrangement, make: MakesAgent, seed: int, most_interactions: int) -> Iterator[Step]:
    """Play one episode with an agent made for it; the start comes first, then every interaction's end.

    The agent is told what was done, as a robot would know it, and nothing of what the judge says.
    """
    # A stream of its own: the scene is drawn from the bare seed, and would be known by its first draws.
    agent = make(env.views, env.arena, np.random.default_rng([seed, 1]))
    observation, info = env.reset(seed=seed)
    yield Step(observation, info)
    for _ in range(most_interactions):
        observation, _, terminated, _, info = env.step(agent.act(observation, _told(info)))
        decision = getattr(agent, "decision", None)
        yield Step(observation, info, decision if isinstance(decision, Decision) else None)
        if terminated:
            return


def _told(info: dict[str, Any]) -> dict[str, Any]:
    return {name: info[name] for name in _TOLD}


def score(key: EpisodeKey, steps: Sequence[Step], times: tuple[float, float], world: RememberingSimulation) -> Episode:
    """The row of an episode that has just ended, the world still as it left it.

    Args:
        key: which episode.
        steps: all that `play` gave.
        times: seconds that it took by the wall's clock and by the processor's.
        world: behind the environment.
    """
    info = steps[-1].info
    pixels, metres = (info[name][info[name] >= 0] for name in ("goal_distance_px", "goal_distance_m"))
    history = [Tried(s.decision, PickOutcome(s.info["pick_outcome"])) for s in steps if s.decision is not None]
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
