"""Agreement of the Sawyer's twin with the simulation: the same interactions in the same scenes on both.

Run: python -m tabletop_interaction.benchmarks.accuracy.twin_agreement --interactions 36

The twin is moved through the robot's driver, motion planning, safety checks and gripper; the simulation moves its arm
directly. Every interaction has a scene of its own, so that differences do not add up. Two of three picks are aimed at
an object by ground truth; the others are uniform.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from rich.console import Console
from rich.table import Table

from tabletop_interaction.agents.learning.primitives import ENVIRONMENT_IDS
from tabletop_interaction.arrays import Floats, Floats32
from tabletop_interaction.benchmarks.figures import SceneOptions, figures_table
from tabletop_interaction.benchmarks.ground_truth import random_object
from tabletop_interaction.benchmarks.results.shares import WILSON, share_of
from tabletop_interaction.documents import read_yaml
from tabletop_interaction.envs import Arena, GroundTruth, ObjectState, PickOutcome, PickPlace
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.program import run_module
from tabletop_interaction.progress import track
from tabletop_interaction.ranges import Count

_MOVED_M = 0.005

Env = gym.Env[Any, Any]


@dataclass(frozen=True, kw_only=True)
class TwinOptions(SceneOptions):
    """Options of the comparison of twin and simulation."""

    interactions: Count = 36
    """Interactions, each in a scene of its own; seeds count up."""
    config: Path = Path("twin")
    """Lab file of a twin; the word twin for the one of the package."""


@dataclass(frozen=True)
class ComparedInteraction:
    """One interaction in both worlds.

    Attributes:
        seed: of the scene and of the action.
        simulated, twins: outcomes of the pick.
        start_m: largest distance between an object's positions in the two worlds, before the interaction.
        moved_m: largest displacement of an object in the simulation.
        apart_m: as `start_m`, after the interaction.
    """

    seed: int
    simulated: PickOutcome
    twins: PickOutcome
    start_m: float
    moved_m: float
    apart_m: float


def main(options: TwinOptions) -> None:
    """Interact, compare, print."""
    seeds = range(options.seed, options.seed + options.interactions)
    compared = list(track(compare(options.config, seeds, options.split), "interactions", len(seeds)))
    Console().print(results_table(compared, options))
    same = share_of(sum(one.simulated == one.twins for one in compared), len(compared))
    options.keep({"twin and simulation": {"same outcome": same}}, seeds=seeds, interval=WILSON)


def compare(config: Path, seeds: range, split: str = "train") -> Iterator[ComparedInteraction]:
    """Make the same interaction in both worlds for each seed; `config` is the lab file of a twin.

    Raises:
        InvalidConfiguration: it is the lab file of a robot; nothing was opened.
    """
    _check_twin(config)
    with (
        closing(gym.make(ENVIRONMENT_IDS["pick"], backend="simulation", split=split)) as simulation,
        closing(gym.make(ENVIRONMENT_IDS["pick"], backend="sawyer", config=config, split=split)) as twin,
    ):
        for seed in seeds:
            yield _compared(simulation, twin, seed, aimed=seed % 3 != 2)


def results_table(compared: list[ComparedInteraction], options: TwinOptions) -> Table:
    """One row for each figure, and one for each interaction with different outcomes."""
    moved = np.array([one.apart_m for one in compared if one.moved_m > _MOVED_M])
    held = np.array([one.apart_m for one in compared if one.simulated is one.twins is PickOutcome.HELD])
    different = [one for one in compared if one.simulated is not one.twins]
    rows = [
        ("same outcome of the pick", f"{len(compared) - len(different)} of {len(compared)}"),
        ("distance before", _millimetres(np.array([one.start_m for one in compared]))),
        (f"distance after, something moved ({len(moved)})", _millimetres(moved)),
        (f"distance after, held and placed in both ({len(held)})", _millimetres(held)),
        *(
            (f"seed {one.seed}, simulation against twin", f"{one.simulated.name}, {one.twins.name}")
            for one in different
        ),
    ]
    seeds = f"seeds {options.seed} to {options.seed + options.interactions - 1}"
    title = f"twin and simulation: {len(compared)} interactions, split {options.split}, {seeds}"
    return figures_table(title, ("figure", "value"), rows)


def _compared(simulation: Env, twin: Env, seed: int, *, aimed: bool) -> ComparedInteraction:
    for env in (simulation, twin):
        env.reset(seed=seed)
    start, twins_start = _states(simulation), _states(twin)
    rng = np.random.default_rng([seed, 1])
    arena: Arena = simulation.get_wrapper_attr("arena")
    action = _aimed(start, arena, rng) if aimed else rng.uniform(-1, 1, 5).astype(np.float32)
    simulated, twins = (PickOutcome(env.step(action)[-1]["pick_outcome"]) for env in (simulation, twin))
    end = _states(simulation)
    return ComparedInteraction(
        seed=seed,
        simulated=simulated,
        twins=twins,
        start_m=_apart(start, twins_start),
        moved_m=_apart(start, end),
        apart_m=_apart(end, _states(twin)),
    )


def _aimed(states: tuple[ObjectState, ...], arena: Arena, rng: np.random.Generator) -> Floats32:
    """Pick a random object, and place it at a random point."""
    grasp = random_object(states, arena, rng)
    place = rng.uniform((arena.x_min, arena.y_min), (arena.x_max, arena.y_max))
    return PickPlace(grasp.x, grasp.y, grasp.angle, float(place[0]), float(place[1])).to_action(arena)


def _states(env: Env) -> tuple[ObjectState, ...]:
    world: GroundTruth = env.get_wrapper_attr("backend")
    return world.object_states()


def _apart(one: tuple[ObjectState, ...], other: tuple[ObjectState, ...]) -> float:
    """Largest distance between an object's two positions, metres."""
    return max(float(np.linalg.norm(a.position - b.position)) for a, b in zip(one, other, strict=True))


def _check_twin(config: Path) -> None:
    """Refuse the lab file of a robot; the backend says what else is wrong with a file."""
    try:
        driver = read_yaml(config, error=InvalidConfiguration)["driver"]
    except (OSError, TypeError, LookupError, InvalidConfiguration):
        return
    if driver != "twin":
        raise InvalidConfiguration(
            f"{config} has the driver {driver!r}, a robot, which does not know where objects are; nothing was opened; "
            "name the lab file of a twin"
        )


def _millimetres(metres: Floats) -> str:
    if not len(metres):
        return "-"
    median, most, largest = 1000 * np.quantile(metres, (0.5, 0.9, 1))
    return f"median {median:.1f} mm, 90 % {most:.1f}, max {largest:.1f}"


if __name__ == "__main__":
    run_module(main, TwinOptions, __doc__)
