"""How far from where it shall lie an object comes to rest, when it is picked at its centroid; by family.

The robot's hand goes by what the object shall go; whatever the object then goes amiss (pushed or turned as the
fingers close, slipping as it is lifted, thrown or rolling as it is let go) is the error.

Run: python -m tabletop_interaction.benchmarks.accuracy.placing --trials 10
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import tyro
from numpy.random import Generator
from rich.console import Console
from rich.progress import track
from rich.table import Table

from tabletop_interaction.benchmarks.accuracy.grasp_success import grasp_from_truth
from tabletop_interaction.envs.backend import ObjectState
from tabletop_interaction.sim_assets import load_object, object_names
from tabletop_interaction.simulation import SimulationBackend, SimulationConfig, open_simulation
from tabletop_interaction.simulation.scene import Placement, free_placement


@dataclass(frozen=True)
class Options:
    """Report how exactly aimed pick-and-places end, by family of objects."""

    split: Literal["train", "val", "test"] = "train"
    """Which objects."""
    trials: int = 10
    """Scenes that each object is tried in, beside three others."""
    seed: int = 0
    """Where the random numbers start."""


@dataclass(frozen=True)
class Placing:
    """A pick-and-place that held something.

    Attributes:
        name: of the object that was aimed at.
        error_m: from where it should have come to lie to where it did, metres on the table.
    """

    name: str
    error_m: float


def main(options: Options) -> None:
    """Run and print the table."""
    names = object_names(options.split)
    config = SimulationConfig(objects_min=4, objects_max=4, object_names=names)
    errors = defaultdict(list)
    with open_simulation(options.split, config) as backend:
        rng = np.random.default_rng(options.seed)
        for _ in track(range(options.trials * len(names) // 4), description="scenes"):
            backend.reset(rng, new_scene=True)
            for placing in place_each(backend, rng):
                errors[load_object(placing.name).family].append(1e3 * placing.error_m)
    _print(errors, options)


def place_each(backend: SimulationBackend, rng: Generator) -> Iterator[Placing]:
    """Pick each object of the scene once where it then lies, and place it where nothing else is."""
    for number in range(len(backend.object_states())):
        state = backend.object_states()[number]
        grasp = grasp_from_truth(state)
        if not backend.arena.contains(grasp.x, grasp.y):
            continue
        free = free_placement(rng, state.name, backend.arena, _standing(backend, without=state))
        if not backend.pick(grasp.x, grasp.y, grasp.angle).held:
            continue
        backend.place(free.x, free.y)
        wanted = state.position[:2] + np.subtract((free.x, free.y), (grasp.x, grasp.y))
        error = np.linalg.norm(backend.object_states()[number].position[:2] - wanted)
        yield Placing(state.name, float(error))


def _standing(backend: SimulationBackend, without: ObjectState) -> list[Placement]:
    return [
        Placement(state.name, float(state.position[0]), float(state.position[1]), 0.0)
        for state in backend.object_states()
        if state.id != without.id
    ]


def _print(errors: Mapping[str, Sequence[float]], options: Options) -> None:
    table = Table(title=f"aimed pick-and-places, {options.split} objects, seed {options.seed}: error in mm")
    for heading in ("family", "placed", "median", "90th percentile", "largest"):
        table.add_column(heading, justify="left" if heading == "family" else "right")
    everything = [error for found in errors.values() for error in found]
    for family, found in [*errors.items(), ("all", everything)]:
        figures = np.quantile(found, (0.5, 0.9, 1.0))
        table.add_row(family, str(len(found)), *(f"{figure:.1f}" for figure in figures))
    Console().print(table)


if __name__ == "__main__":
    main(tyro.cli(Options))
