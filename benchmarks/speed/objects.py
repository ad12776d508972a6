"""Interactions a second by the number of objects, standing apart or on a heap.

The environments take their steps in turn, one of each, so that a busy machine slows all alike. Every pick is aimed at
an object by ground truth. Nothing is recorded.

Run: python -m tabletop_interaction.benchmarks.speed.objects
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
from rich.console import Console

from tabletop_interaction.benchmarks.figures import figures_table
from tabletop_interaction.benchmarks.ground_truth import AimedAgent
from tabletop_interaction.benchmarks.results.measured import ResultOptions
from tabletop_interaction.benchmarks.results.result import Figure
from tabletop_interaction.benchmarks.speed.interactions import one_core
from tabletop_interaction.envs import TabletopInteraction
from tabletop_interaction.program import run_module
from tabletop_interaction.progress import track
from tabletop_interaction.ranges import Count, Range, Seed
from tabletop_interaction.simulation import SimulationConfig

_COMPARED = 6
_PER_SCENE = 10


@dataclass(frozen=True)
class ObjectSpeedOptions(ResultOptions):
    """Options of the benchmark of numbers of objects."""

    interactions: Count = 40
    """Interactions of each environment; every 10 have a new scene."""
    objects: tuple[Annotated[int, Range(1, 20)], ...] = (1, 4, 6, 8, 12, 16, 20)
    """Numbers of objects; 6, to which the others are compared, is measured in any case."""
    seed: Seed = 0
    """Seed of scenes and actions."""


@dataclass
class Spent:
    """Seconds of all resets and of all steps of an environment, and how many objects its grasps held."""

    scenes: list[float] = field(default_factory=list)
    steps: list[float] = field(default_factory=list)
    held: int = 0

    @property
    def rate(self) -> float:
        """Interactions a second, resets not counted."""
        return len(self.steps) / sum(self.steps)


Kind = tuple[int, bool]
"""Number of objects, and whether they lie on a heap."""


def measure(options: ObjectSpeedOptions) -> dict[Kind, Spent]:
    """Take the steps of all environments in turn."""
    counts = sorted({*options.objects, _COMPARED})
    kinds = [(count, clutter) for clutter in (False, True) for count in counts]
    spent = {kind: Spent() for kind in kinds}
    with ExitStack() as stack:
        envs = {kind: stack.enter_context(_environment(*kind)) for kind in kinds}
        agents = {
            kind: AimedAgent(env.get_wrapper_attr("backend"), np.random.default_rng(options.seed))
            for kind, env in envs.items()
        }
        for number in track(range(options.interactions), "interactions"):
            for kind, env in envs.items():
                if number % _PER_SCENE == 0:
                    with _timed(spent[kind].scenes):
                        env.reset(seed=options.seed + number)
                action = agents[kind].act({}, {})
                with _timed(spent[kind].steps):
                    *_, info = env.step(action)
                spent[kind].held += info["grasped"]
    return spent


def main(options: ObjectSpeedOptions) -> None:
    """Measure and print the table."""
    with one_core():
        spent = measure(options)
    rows = []
    for (count, clutter), each in spent.items():
        rate, compared = each.rate, spent[_COMPARED, clutter].rate
        shares = (f"{each.held / len(each.steps):.0%}", f"{np.mean(each.scenes):.2f}")
        rows.append(("heap" if clutter else "apart", str(count), f"{rate:.2f}", f"{rate / compared:.2f}", *shares))
    headings = ("objects", "number", "interactions/s", f"over {_COMPARED} objects", "held", "new scene s")
    Console().print(figures_table("one core, four views of 350 x 430", headings, rows))
    figures: dict[str, dict[str, Figure]] = {}
    for (count, clutter), each in spent.items():
        kind = "heap" if clutter else "apart"
        figures.setdefault(kind, {})[str(count)] = Figure(each.rate, "/s")
        ratio = Figure(each.rate / spent[_COMPARED, clutter].rate, decimals=2)
        figures.setdefault(f"{kind}, over {_COMPARED} objects", {})[str(count)] = ratio
    options.keep(figures, seeds=(options.seed,))


def _environment(count: int, clutter: bool) -> TabletopInteraction:
    return TabletopInteraction(config=SimulationConfig(count, count, clutter=clutter))


@contextmanager
def _timed(seconds: list[float]) -> Iterator[None]:
    """Append the time of the block."""
    start = time.perf_counter()
    yield
    seconds.append(time.perf_counter() - start)


if __name__ == "__main__":
    run_module(main, ObjectSpeedOptions, __doc__)
