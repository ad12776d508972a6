"""Interactions a second with everything rendered, encoded and written, against plain TinyRenderer pictures.

Every pick is aimed at an object by ground truth, so that nearly all of them carry an object and take both pictures:
the slow case. Physics is simulated at 240 Hz in all rows.

Run: python -m tabletop_interaction.benchmarks.speed.interactions
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from tabletop_interaction.benchmarks.ground_truth import AimedAgent
from tabletop_interaction.benchmarks.speed.plain_renderer import PlainRenderer
from tabletop_interaction.envs import RecordInteractions, TabletopInteraction
from tabletop_interaction.envs.records.row import encode_picture
from tabletop_interaction.simulation import SimulationBackend, SimulationConfig
from tabletop_interaction.simulation.backend import ARENA
from tabletop_interaction.simulation.cameras import arena_views
from tabletop_interaction.simulation.renderer import ComposedRenderer
from tabletop_interaction.simulation.world import World

_EPISODE = 25


@dataclass(frozen=True)
class Options:
    """Measure interactions a second, what they are spent on, the gain of two workers, and memory over a long run."""

    interactions: int = 60
    """How many are timed in each row."""
    memory_interactions: int = 0
    """Length of the run that watches memory; 0 leaves it out. 2000 takes some ten minutes."""
    seed: int = 0
    """Where the random numbers start."""


@dataclass(frozen=True)
class Timing:
    """Seconds that a number of interactions took, in all and by part."""

    interactions: int
    seconds: float
    parts: dict[str, float]

    @property
    def rate(self) -> float:
        """Interactions a second."""
        return self.interactions / self.seconds


def main(options: Options) -> None:
    """Run everything and print the tables."""
    with one_core():
        composed = measure(options.interactions, options.seed, plain=False)
        plain = measure(options.interactions, options.seed, plain=True)
    _print_rates(composed, plain)
    one, two = (workers_rate(n, options) for n in (1, 2))
    print(f"workers: one {one:.2f}/s, two {two:.2f}/s, ratio {two / one:.2f}")
    if options.memory_interactions:
        early, late = memory_growth(options.memory_interactions, options.seed)
        print(
            f"resident memory after {options.memory_interactions // 4} interactions {early:.0f} MB, after "
            f"{options.memory_interactions} {late:.0f} MB, growth {late - early:+.0f} MB"
        )


def measure(interactions: int, seed: int, *, plain: bool) -> Timing:
    """Time interactions that are recorded to a temporary folder; `plain` renders, encodes and writes without reuse."""
    parts: defaultdict[str, float] = defaultdict(float)
    with tempfile.TemporaryDirectory() as folder, closing(_open(folder, plain)) as env:
        agent = AimedAgent(env.get_wrapper_attr("backend"), np.random.default_rng(seed))
        observation, info = env.reset(seed=seed)
        _time_parts(env, parts)
        start = time.perf_counter()
        for number in range(interactions):
            if number and number % _EPISODE == 0:
                observation, info = env.reset()
            held_something = _step(env, agent, observation, info)
            if plain:
                _render_what_was_reused(env, 4 if held_something else 8, parts)
        seconds = time.perf_counter() - start
    parts["physics"] = seconds - sum(parts.values())
    return Timing(interactions, seconds, dict(parts))


def workers_rate(workers: int, options: Options) -> float:
    """Interactions a second of that many processes at once, each on a core of its own."""
    context = multiprocessing.get_context("spawn")
    cores = sorted(os.sched_getaffinity(0))
    with context.Pool(workers) as pool:
        jobs = [(options.interactions, options.seed + i, cores[i % len(cores)]) for i in range(workers)]
        return sum(pool.starmap(_worker, jobs, chunksize=1))


def memory_growth(interactions: int, seed: int) -> tuple[float, float]:
    """Resident memory, MB, after a quarter of a run and at its end."""
    marks = []
    with tempfile.TemporaryDirectory() as folder, closing(_open(folder, plain=False)) as env:
        agent = AimedAgent(env.get_wrapper_attr("backend"), np.random.default_rng(seed))
        observation, info = env.reset(seed=seed)
        for number in range(1, interactions + 1):
            _step(env, agent, observation, info)
            if number % _EPISODE == 0:
                observation, info = env.reset()
            if number in (interactions // 4, interactions):
                marks.append(resident_mb())
    return marks[0], marks[1]


def resident_mb() -> float:
    """Resident memory of this process now, MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@contextmanager
def one_core(core: int | None = None) -> Iterator[None]:
    """Keep this process, its threads included, on one core."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed) if core is None else core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def _open(folder: str, plain: bool) -> RecordInteractions:
    views = arena_views(ARENA)
    renderer = PlainRenderer(views) if plain else ComposedRenderer(views)
    backend = SimulationBackend("train", SimulationConfig(), World(), renderer, views)
    env = gym.wrappers.TimeLimit(TabletopInteraction(backend), _EPISODE)
    return RecordInteractions(env, Path(folder) / "records")


def _step(env: RecordInteractions, agent: AimedAgent, observation: Any, info: Any) -> bool:
    return bool(env.step(agent.act(observation, info))[4]["grasped"])


def _render_what_was_reused(env: RecordInteractions, pictures: int, parts: defaultdict[str, float]) -> None:
    """Render and encode anew what a recording without reuse would have: the picture before, and those of a miss."""
    backend = env.get_wrapper_attr("backend")
    for _ in range(pictures // len(backend.views)):
        start = time.perf_counter()
        rendered = backend._renderer.render(backend._world.poses())
        parts["rendering"] += time.perf_counter() - start
        start = time.perf_counter()
        for picture in rendered:
            encode_picture(picture.rgb)
        parts["encoding"] += time.perf_counter() - start


def _time_parts(env: RecordInteractions, parts: defaultdict[str, float]) -> None:
    backend = env.get_wrapper_attr("backend")
    _timed(backend, "observe", "rendering", parts)
    _timed(env, "_encoded", "encoding", parts)
    _timed(env._writer, "append", "writing", parts)


def _timed(owner: object, name: str, part: str, parts: defaultdict[str, float]) -> None:
    plain: Callable[..., Any] = getattr(owner, name)

    def timed(*args: Any, **kwargs: Any) -> Any:
        start = time.perf_counter()
        try:
            return plain(*args, **kwargs)
        finally:
            parts[part] += time.perf_counter() - start

    setattr(owner, name, timed)


def _worker(interactions: int, seed: int, core: int) -> float:
    with one_core(core):
        return measure(interactions, seed, plain=False).rate


def _print_rates(composed: Timing, plain: Timing) -> None:
    table = Table(title="one core, every pick aimed at an object, everything encoded and written")
    parts = ("physics", "rendering", "encoding", "writing")
    for heading in ("pictures", "interactions/s", *(f"{part} ms" for part in parts)):
        table.add_column(heading, justify="right")
    for name, timing in (("composed", composed), ("plain TinyRenderer, nothing reused", plain)):
        shares = [f"{1e3 * timing.parts.get(part, 0.0) / timing.interactions:.1f}" for part in parts]
        table.add_row(name, f"{timing.rate:.2f}", *shares)
    Console().print(table)
    print(f"composed over plain: {composed.rate / plain.rate:.1f} times")


if __name__ == "__main__":
    main(tyro.cli(Options))
