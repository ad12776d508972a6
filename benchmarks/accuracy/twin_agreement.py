"""Whether the Sawyer's twin does what the simulation does: the same scenes and actions on both, one at a time.

Run: python -m tabletop_interaction.benchmarks.accuracy.twin_agreement --interactions 36

Behind the twin stand the robot's driver, motion planning, safety and gripper; behind the simulation, the arm that
PyBullet moves directly. Every interaction has a scene of its own, so that a difference does not carry over into the
next. Two of three are aimed at an object by the truth, across its minor axis; the others are uniform.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import gymnasium as gym
import numpy as np
import tyro
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from tabletop_interaction.agents.learning.collecting import ENVIRONMENT_ID
from tabletop_interaction.benchmarks.accuracy.grasp_success import grasp_from_truth
from tabletop_interaction.envs import Arena, GroundTruth, ObjectState, PickOutcome, PickPlace
from tabletop_interaction.errors import InvalidConfiguration

_MOVED_M = 0.005

Env = gym.Env[Any, Any]


@dataclass(frozen=True)
class Options:
    """Report in how many interactions twin and simulation agree, and how far apart they leave the objects."""

    interactions: int = 36
    """How many, each in a scene of its own."""
    config: Path = Path("twin")
    """Lab file of a twin; the word twin for the one that comes with the package."""
    split: Literal["train", "val", "test"] = "train"
    """Objects and backgrounds."""
    seed: int = 0
    """Of the first scene; the next ones count up."""


@dataclass(frozen=True)
class Compared:
    """One interaction in both worlds.

    Attributes:
        seed: of the scene and of the action.
        aimed: whether the pick was aimed at an object.
        simulated: what became of the pick in the simulation.
        twins: what became of it on the twin.
        start_m: the farthest that an object stands from itself in the other world before the interaction.
        moved_m: the farthest that an object moved in the simulation.
        apart_m: the farthest that an object stands from itself in the other world after it.
    """

    seed: int
    aimed: bool
    simulated: PickOutcome
    twins: PickOutcome
    start_m: float
    moved_m: float
    apart_m: float

    @property
    def same_outcome(self) -> bool:
        """Whether the pick ended in the same way."""
        return self.simulated is self.twins


def main(options: Options) -> None:
    """Interact, compare, print."""
    if options.interactions < 1:
        raise InvalidConfiguration(f"--interactions {options.interactions} must be 1 or more")
    seeds = range(options.seed, options.seed + options.interactions)
    compared = list(track(compare(options.config, seeds, options.split), "interactions", len(seeds)))
    Console().print(results_table(compared, options))


def compare(config: Any, seeds: range, split: str = "train") -> Iterator[Compared]:
    """Make the same interaction in both worlds for each seed.

    Args:
        config: a twin's, as the Sawyer backend takes it.
        seeds: one an interaction.
        split: which objects and backgrounds.

    Raises:
        InvalidConfiguration: the configuration is a real robot's.
    """
    with (
        closing(gym.make(ENVIRONMENT_ID, backend="simulation", split=split)) as simulation,
        closing(gym.make(ENVIRONMENT_ID, backend="sawyer", config=config, split=split)) as twin,
    ):
        _check_truth(twin)
        for seed in seeds:
            yield _compared(simulation, twin, seed, aimed=seed % 3 != 2)


def results_table(compared: list[Compared], options: Options) -> Table:
    """A line a figure, and one for each interaction that ended otherwise."""
    table = Table(
        title=f"twin and simulation: {len(compared)} interactions, split {options.split}, seeds {options.seed} to "
        f"{options.seed + options.interactions - 1}"
    )
    table.add_column("figure")
    table.add_column("value", justify="right")
    moved = np.array([one.apart_m for one in compared if one.moved_m > _MOVED_M])
    held = np.array([one.apart_m for one in compared if one.simulated is one.twins is PickOutcome.HELD])
    table.add_row("same outcome of the pick", f"{sum(one.same_outcome for one in compared)} of {len(compared)}")
    table.add_row("scenes apart before", _millimetres(np.array([one.start_m for one in compared])))
    table.add_row(f"apart after, something moved ({len(moved)})", _millimetres(moved))
    table.add_row(f"apart after, held and placed in both ({len(held)})", _millimetres(held))
    for one in compared:
        if not one.same_outcome:
            table.add_row(f"seed {one.seed}, simulation against twin", f"{one.simulated.name}, {one.twins.name}")
    return table


def _compared(simulation: Env, twin: Env, seed: int, *, aimed: bool) -> Compared:
    for env in (simulation, twin):
        env.reset(seed=seed)
    start, twins_start = _states(simulation), _states(twin)
    rng = np.random.default_rng([seed, 1])
    arena: Arena = simulation.get_wrapper_attr("arena")
    action = _aimed(start, arena, rng) if aimed else rng.uniform(-1, 1, 5).astype(np.float32)
    simulated, twins = (PickOutcome(env.step(action)[-1]["pick_outcome"]) for env in (simulation, twin))
    end = _states(simulation)
    return Compared(
        seed=seed,
        aimed=aimed,
        simulated=simulated,
        twins=twins,
        start_m=_apart(start, twins_start),
        moved_m=_apart(start, end),
        apart_m=_apart(end, _states(twin)),
    )


def _aimed(states: tuple[ObjectState, ...], arena: Arena, rng: np.random.Generator) -> NDArray[np.float32]:
    """Pick one of the objects that stand inside the arena, and place it somewhere."""
    inside = [state for state in states if arena.contains(*state.position[:2])]
    grasp = grasp_from_truth(inside[int(rng.integers(len(inside)))])
    place = rng.uniform((arena.x_min, arena.y_min), (arena.x_max, arena.y_max))
    return PickPlace(grasp.x, grasp.y, grasp.angle, float(place[0]), float(place[1])).to_action(arena)


def _states(env: Env) -> tuple[ObjectState, ...]:
    world: GroundTruth = env.get_wrapper_attr("backend")
    return world.object_states()


def _apart(one: tuple[ObjectState, ...], other: tuple[ObjectState, ...]) -> float:
    """The farthest that an object stands from itself, metres."""
    return max(float(np.linalg.norm(a.position - b.position)) for a, b in zip(one, other, strict=True))


def _check_truth(env: Env) -> None:
    backend = env.get_wrapper_attr("backend")
    if not isinstance(backend, GroundTruth):
        raise InvalidConfiguration(
            f"{type(backend).__name__} does not know where objects are; nothing was moved; name the lab file of a twin"
        )


def _millimetres(metres: NDArray[np.float64]) -> str:
    if not len(metres):
        return "-"
    median, most, largest = 1000 * np.quantile(metres, (0.5, 0.9, 1))
    return f"median {median:.1f} mm, 90 % {most:.1f}, most {largest:.1f}"


if __name__ == "__main__":
    main(tyro.cli(Options))
