"""Share of aimed picks that end with the object held, by object.

Picks are aimed by ground truth: at an object's centroid, across its principal axis.

Run: python -m tabletop_interaction.benchmarks.accuracy.grasp_success --trials 10
Run: python -m tabletop_interaction.benchmarks.accuracy.grasp_success --trials 10 --gripper wide
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import tyro
from rich.console import Console
from rich.progress import track

from tabletop_interaction.benchmarks.figures import SceneOptions, figures_table
from tabletop_interaction.benchmarks.ground_truth import each_object
from tabletop_interaction.envs.backend import PickOutcome
from tabletop_interaction.envs.gripper import GripperName
from tabletop_interaction.ranges import Count
from tabletop_interaction.sim_assets import object_names
from tabletop_interaction.simulation import SimulationBackend, SimulationConfig, open_simulation


@dataclass(frozen=True, kw_only=True)
class AimedPickOptions(SceneOptions):
    """Options of the benchmarks that pick each object of a scene once."""

    trials: Count = 10
    """Scenes that show each object, beside three others."""
    gripper: GripperName = "sawyer"
    """Gripper of the arm."""


def main(options: AimedPickOptions) -> None:
    """Pick and print the table."""
    outcomes = {name: Counter[PickOutcome]() for name in object_names(options.split)}
    for backend, _ in scenes_of_four(options):
        for state, grasp in each_object(backend):
            outcomes[state.name][backend.pick(grasp.x, grasp.y, grasp.angle).outcome] += 1
            backend.place(grasp.x, grasp.y)
    title = f"aimed picks, {options.split} objects, gripper {options.gripper}, seed {options.seed}"
    rows = [
        (name, str(counts.total()), f"{_share(counts):.0%}", _failures(counts)) for name, counts in outcomes.items()
    ]
    Console().print(figures_table(title, ("object", "picks", "held", "why not"), rows))
    total = sum(outcomes.values(), Counter())
    print(f"held {_share(total):.1%} of {total.total()} aimed picks")


def scenes_of_four(options: AimedPickOptions) -> Iterator[tuple[SimulationBackend, np.random.Generator]]:
    """The backend with one scene of four of the split's objects after another, and the scenes' random numbers."""
    names = object_names(options.split)
    config = SimulationConfig(objects_min=4, objects_max=4, object_names=names, gripper=options.gripper)
    with open_simulation(options.split, config) as backend:
        rng = np.random.default_rng(options.seed)
        for _ in track(range(options.trials * len(names) // 4), description="scenes"):
            backend.reset(rng, new_scene=True)
            yield backend, rng


def _failures(counts: Counter[PickOutcome]) -> str:
    failed = [(outcome, count) for outcome, count in counts.items() if outcome is not PickOutcome.HELD]
    return ", ".join(f"{outcome.name.lower()} {count}" for outcome, count in failed)


def _share(counts: Counter[PickOutcome]) -> float:
    return counts[PickOutcome.HELD] / max(counts.total(), 1)


if __name__ == "__main__":
    main(tyro.cli(AimedPickOptions, description=__doc__))
