"""Steps a second by what is observed: pictures, the true state, or both, with depths and instance masks or without.

Environments of the same seed take the same steps in turn, a step of each, so that a busy machine slows all alike.
Nothing is recorded. One half of the picks is aimed at an object by ground truth, the other is random.

Run: python -m tabletop_interaction.benchmarks.speed.observations
"""

import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from rich.console import Console

from tabletop_interaction.agents.agent import RandomAgent
from tabletop_interaction.arrays import Floats32
from tabletop_interaction.benchmarks.figures import figures_table
from tabletop_interaction.benchmarks.ground_truth import AimedAgent
from tabletop_interaction.benchmarks.results.measured import ResultOptions
from tabletop_interaction.benchmarks.results.result import Figure
from tabletop_interaction.benchmarks.speed.interactions import one_core
from tabletop_interaction.envs import EXTRAS, TabletopInteraction
from tabletop_interaction.program import run_module
from tabletop_interaction.progress import track
from tabletop_interaction.ranges import Count, Seed

_EPISODE = 25
_OBSERVED: dict[str, dict[str, Any]] = {
    "pictures": {"observation": "pictures"},
    "state": {"observation": "state"},
    "pictures and state": {"observation": "both"},
    "pictures, state, depth, instances": {"observation": "both", "extras": EXTRAS},
}


@dataclass(frozen=True)
class ObservationSpeedOptions(ResultOptions):
    """Options of the benchmark of observations."""

    steps: Count = 100
    """Steps of each environment."""
    seed: Seed = 0
    """Seed of scenes and actions."""


def measure(steps: int, seed: int) -> dict[str, float]:
    """Steps a second, resets not counted, by what is observed."""
    seconds = dict.fromkeys(_OBSERVED, 0.0)
    with ExitStack() as stack:
        envs = {name: stack.enter_context(TabletopInteraction(**each)) for name, each in _OBSERVED.items()}
        rng = np.random.default_rng(seed)
        agents = (AimedAgent(envs["pictures"].get_wrapper_attr("backend"), rng), RandomAgent(rng))
        for number in track(range(steps), "steps"):
            if number % _EPISODE == 0:
                for env in envs.values():
                    env.reset(seed=seed + number)
            action = agents[number % 2].act({}, {})
            for name, env in envs.items():
                seconds[name] += _seconds_of(env, action)
    return {name: steps / each for name, each in seconds.items()}


def _seconds_of(env: gym.Env[Any, Any], action: Floats32) -> float:
    start = time.perf_counter()
    env.step(action)
    return time.perf_counter() - start


def main(options: ObservationSpeedOptions) -> None:
    """Measure and print the table."""
    with one_core():
        rates = measure(options.steps, options.seed)
    rows = [(name, f"{rate:.1f}", f"{rate / rates['pictures']:.2f}") for name, rate in rates.items()]
    Console().print(figures_table("one core, four views of 350 x 430", ("observed", "steps/s", "over pictures"), rows))
    figures = {
        name: {"rate": Figure(rate, "/s"), "over pictures": Figure(rate / rates["pictures"], decimals=2)}
        for name, rate in rates.items()
    }
    options.keep(figures, seeds=(options.seed,))


if __name__ == "__main__":
    run_module(main, ObservationSpeedOptions, __doc__)
