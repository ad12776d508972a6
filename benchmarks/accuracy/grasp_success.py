"""How often a pick aimed at an object's centroid, across its principal axis, ends with it held; by object.

Run: python -m tabletop_interaction.benchmarks.accuracy.grasp_success --trials 10
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

import numpy as np
import tyro
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.spatial.transform import Rotation

from tabletop_interaction.agents.grasp import GraspPoint, minor_axis_angle
from tabletop_interaction.envs.backend import ObjectState, PickOutcome
from tabletop_interaction.sim_assets import load_object, object_names
from tabletop_interaction.simulation import SimulationBackend, SimulationConfig, open_simulation


@dataclass(frozen=True)
class Options:
    """Report the share of aimed picks that end in a held object, by object."""

    split: Literal["train", "val", "test"] = "train"
    """Which objects."""
    trials: int = 10
    """Scenes that each object is tried in, beside three others."""
    seed: int = 0
    """Where the random numbers start."""


def main(options: Options) -> None:
    """Run and print the table."""
    names = object_names(options.split)
    outcomes = {name: Counter[PickOutcome]() for name in names}
    config = SimulationConfig(objects_min=4, objects_max=4, object_names=names)
    with open_simulation(options.split, config) as backend:
        rng = np.random.default_rng(options.seed)
        scenes = options.trials * len(names) // 4
        for _ in track(range(scenes), description="scenes"):
            backend.reset(rng, new_scene=True)
            _try_each(backend, outcomes)
    _print(outcomes, options)


def grasp_from_truth(state: ObjectState) -> GraspPoint:
    """The centroid of an object's surface as seen from above, and its minor axis there."""
    rotation = Rotation.from_quat(state.quaternion_xyzw)
    points = rotation.apply(load_object(state.name).vertices)[:, :2]
    outline = points - (points.min(0) + points.max(0)) / 2
    angle = minor_axis_angle(outline)
    return GraspPoint(float(state.position[0]), float(state.position[1]), angle)


def _try_each(backend: SimulationBackend, outcomes: dict[str, Counter[PickOutcome]]) -> None:
    """Pick each object once where it stands; what was held goes back to its place."""
    for number in range(len(backend.object_states())):
        state = backend.object_states()[number]
        grasp = grasp_from_truth(state)
        if not backend.arena.contains(grasp.x, grasp.y):
            continue
        outcomes[state.name][backend.pick(grasp.x, grasp.y, grasp.angle).outcome] += 1
        backend.place(grasp.x, grasp.y)


def _print(outcomes: dict[str, Counter[PickOutcome]], options: Options) -> None:
    table = Table(title=f"aimed picks, {options.split} objects, seed {options.seed}")
    for heading in ("object", "picks", "held", "why not"):
        table.add_column(heading)
    for name, counts in outcomes.items():
        failures = ", ".join(
            f"{outcome.name.lower()} {count}" for outcome, count in counts.items() if outcome is not PickOutcome.HELD
        )
        table.add_row(name, str(counts.total()), f"{_share(counts):.0%}", failures)
    Console().print(table)
    total = sum(outcomes.values(), Counter())
    print(f"held {_share(total):.1%} of {total.total()} aimed picks")


def _share(counts: Counter[PickOutcome]) -> float:
    return counts[PickOutcome.HELD] / max(counts.total(), 1)


if __name__ == "__main__":
    main(tyro.cli(Options))
