"""How well agents bring a table to what a picture shows: seeded episodes of TabletopRearrangement, scored by truth.

The rule is the paper's (Pathak et al. 2018, section 5): an episode succeeds when within 10 interactions every
displaced object is within 15 px of its goal in the first view; that no other object has moved by more is ours. It
ends there, so that distances are those at which an agent was stopped, not the best that it can.

Every episode is written when it ends, and the same call goes on where an earlier one was stopped:

```
settings.json     what the episodes were made with; other settings want another folder
episodes.jsonl    an episode a line, as they end
episodes.csv      the same as a table, in the order of agents and seeds
results.json      the figures of each agent
```
"""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from tabletop_interaction.agents.agent import Observation
from tabletop_interaction.agents.json_lines import append_line, read_lines, repair_lines
from tabletop_interaction.agents.rearranger import Decision
from tabletop_interaction.benchmarks.failure_causes import Tried, cause_of_failure
from tabletop_interaction.benchmarks.oracle_parts import RememberingSimulation
from tabletop_interaction.benchmarks.rearrangement_agents import LearnedParts, MakesAgent, agent_maker, check_agents
from tabletop_interaction.benchmarks.rearrangement_table import Scores
from tabletop_interaction.envs import SPLITS, PickOutcome, TabletopRearrangement
from tabletop_interaction.envs.errors import ForeignFolder, InvalidConfiguration
from tabletop_interaction.envs.record_folder import write_whole

MOST_INTERACTIONS = 10
"""As the registration of TabletopRearrangement-v0 has it."""


@dataclass(frozen=True)
class Setting:
    """What the episodes are made with.

    Attributes:
        split: which objects and table tops.
        model: the network's checkpoint; true masks do not need it.
        fast: whether its proposals are the fast ones.
        features: what objects are recognised by, of `agents.features.FEATURES`.
        displaced: how many objects are displaced, 1 to 3; None for any of them, equally likely.
        most_interactions: after which an episode has failed.
    """

    split: str = "test"
    model: str = "default"
    fast: bool = True
    features: str = "efficientnet-lite0"
    displaced: int | None = None
    most_interactions: int = MOST_INTERACTIONS


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


def open_table(setting: Setting) -> tuple[TabletopRearrangement, RememberingSimulation]:
    """The environment, and the world behind it that knows the truth.

    Raises:
        InvalidConfiguration: an unknown split or number of displaced objects.
    """
    if setting.split not in SPLITS:
        raise InvalidConfiguration(f"unknown split {setting.split!r}; accepted are {', '.join(SPLITS)}")
    world = RememberingSimulation(setting.split)
    try:
        return TabletopRearrangement(world, displaced=setting.displaced, judge=world.judge), world
    except InvalidConfiguration:
        world.close()
        raise


def play(env: TabletopRearrangement, make: MakesAgent, seed: int, most_interactions: int) -> Iterator[Step]:
    """Play one episode with an agent made for it; the start comes first, then every interaction's end."""
    agent = make(env.views, env.arena, np.random.default_rng(seed))
    observation, info = env.reset(seed=seed)
    yield Step(observation, info)
    for _ in range(most_interactions):
        observation, _, terminated, _, info = env.step(agent.act(observation, info))
        decision = getattr(agent, "decision", None)
        yield Step(observation, info, decision if isinstance(decision, Decision) else None)
        if terminated:
            return


def score(
    name: str, seed: int, steps: Sequence[Step], times: tuple[float, float], world: RememberingSimulation
) -> Episode:
    """The row of an episode that has just ended, the world still as it left it.

    Args:
        name, seed: the agent's and the episode's.
        steps: all that `play` gave.
        times: seconds that it took by the wall's clock and by the processor's.
        world: behind the environment.
    """
    info = steps[-1].info
    pixels, metres = (info[key][info[key] >= 0] for key in ("goal_distance_px", "goal_distance_m"))
    history = [Tried(s.decision, PickOutcome(s.info["pick_outcome"])) for s in steps if s.decision is not None]
    return Episode(
        agent=name,
        seed=seed,
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


def run_benchmark(
    out: Path, names: tuple[str, ...], seeds: Sequence[int], setting: Setting, parts: LearnedParts
) -> Iterator[Episode]:
    """Play what the folder lacks, agent by agent; every episode is on disk when it is yielded.

    Args:
        out: an existing folder.
        names: of agents, see `agent_maker`.
        seeds: one an episode; each agent plays the same.
        setting: see `Setting`.
        parts: what learned agents are made of.

    Raises:
        InvalidConfiguration: an unknown agent, split or number of displaced objects; nothing was written.
        ForeignFolder: the folder's episodes were made with another setting.
    """
    check_agents(names)
    env, world = open_table(setting)
    try:
        _keep_setting(out, setting)
        repair_lines(out / "episodes.jsonl")
        there = {(one.agent, one.seed) for one in read_episodes(out)}
        for name in names:
            make = agent_maker(name, world, parts)
            for seed in (seed for seed in seeds if (name, seed) not in there):
                wall, processor = time.perf_counter(), time.process_time()
                steps = list(play(env, make, seed, setting.most_interactions))
                times = time.perf_counter() - wall, time.process_time() - processor
                episode = score(name, seed, steps, times, world)
                append_line(out / "episodes.jsonl", asdict(episode))
                yield episode
    finally:
        env.close()


def read_episodes(out: Path) -> list[Episode]:
    """The episodes that a folder holds, in the order in which they ended; none where there is no file.

    Raises:
        UnreadableRecords: a line is damaged.
    """
    return [Episode(**line) for line in read_lines(out / "episodes.jsonl")]


def write_results(out: Path, names: tuple[str, ...], seeds: Sequence[int], setting: Setting) -> Scores:
    """Write episodes.csv and results.json of these agents and seeds, all of which were played, and give the figures."""
    wanted = {(name, seed): i for i, (name, seed) in enumerate((name, seed) for name in names for seed in seeds)}
    chosen = [one for one in read_episodes(out) if (one.agent, one.seed) in wanted]
    chosen.sort(key=lambda one: wanted[one.agent, one.seed])
    with open(out / "episodes.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Episode)])
        writer.writeheader()
        writer.writerows(asdict(one) for one in chosen)
    scores = Scores.of({name: [one for one in chosen if one.agent == name] for name in names})
    document = {"setting": asdict(setting), "seeds": list(seeds), "agents": scores.document()}
    write_whole(out / "results.json", json.dumps(document, indent=2) + "\n")
    return scores


def _keep_setting(out: Path, setting: Setting) -> None:
    path, wanted = out / "settings.json", asdict(setting)
    if not path.exists():
        write_whole(path, json.dumps(wanted, indent=2) + "\n")
        return
    there = json.loads(path.read_text(encoding="utf-8"))
    if unlike := [name for name in wanted if wanted[name] != there.get(name)]:
        name = unlike[0]
        raise ForeignFolder(
            f"{out} holds episodes with {name} {there.get(name)!r}, not {wanted[name]!r}; name a new folder with --out"
        )
