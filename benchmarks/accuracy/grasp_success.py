"""Share of aimed picks that end with the object held, by object.

Picks are aimed by ground truth: at an object's centroid, across its principal axis.

Run: python -m tabletop_interaction.benchmarks.accuracy.grasp_success --trials 10
Run: python -m tabletop_interaction.benchmarks.accuracy.grasp_success --trials 10 --gripper wide
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from rich.console import Console

from tabletop_interaction.benchmarks.figures import SceneOptions, figures_table
from tabletop_interaction.benchmarks.ground_truth import each_object
from tabletop_interaction.benchmarks.results.shares import WILSON, share_of
from tabletop_interaction.envs.backend import PickOutcome
from tabletop_interaction.envs.gripper import GripperName
from tabletop_interaction.program import run_module
from tabletop_interaction.progress import track
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
    outcomes = pick_each(object_names(options.split), scenes_of_four(options))
    title = f"aimed picks, {options.split} objects, gripper {options.gripper}, seed {options.seed}"
    rows = [
        (name, str(counts.total()), f"{held_share(counts):.0%}", failures(counts)) for name, counts in outcomes.items()
    ]
    Console().print(figures_table(title, ("object", "picks", "held", "why not"), rows))
    total = sum(outcomes.values(), Counter())
    print(f"held {held_share(total):.1%} of {total.total()} aimed picks")
    row = {"held": share_of(total[PickOutcome.HELD], total.total())}
    what = f"aimed picks of {options.split} objects, gripper {options.gripper}"
    options.keep({what: row}, seeds=(options.seed,), interval=WILSON)


def scenes_of_four(options: AimedPickOptions) -> Iterator[tuple[SimulationBackend, np.random.Generator]]:
    """The backend with one scene of four of the split's objects after another, and the scenes' random numbers."""
    names = object_names(options.split)
    config = SimulationConfig(object_names=names, gripper=options.gripper)
    return scenes_of(config, names, options.split, options.trials, options.seed)


def equal_scenes(
    config: SimulationConfig, names: Sequence[str], split: str, trials: int, seed: int
) -> Iterator[tuple[SimulationBackend, np.random.Generator]]:
    """As `scenes_of`, with each object in exactly as many scenes as there are trials: four objects after another."""
    groups = [names[start : start + 4] for start in range(0, len(names), 4)]
    scenes = (scene for group in groups for scene in _drawn_scenes(config, group, split, trials, seed))
    yield from track(scenes, "scenes", total=trials * len(groups))


def scenes_of(
    config: SimulationConfig, names: Sequence[str], split: str, trials: int, seed: int
) -> Iterator[tuple[SimulationBackend, np.random.Generator]]:
    """As `scenes_of_four`, of named objects of a configuration; fewer at once where there are no four."""
    total = trials * len(names) // min(4, len(names))
    yield from track(_drawn_scenes(config, names, split, total, seed), "scenes", total=total)


def _drawn_scenes(
    config: SimulationConfig, names: Sequence[str], split: str, scenes: int, seed: int
) -> Iterator[tuple[SimulationBackend, np.random.Generator]]:
    count = min(4, len(names))
    config = replace(config, objects_min=count, objects_max=count, object_names=tuple(names))
    with open_simulation(split, config) as backend:
        rng = np.random.default_rng(seed)
        for _ in range(scenes):
            backend.reset(rng, new_scene=True)
            yield backend, rng


def pick_each(
    names: Sequence[str], scenes: Iterable[tuple[SimulationBackend, np.random.Generator]]
) -> dict[str, Counter[PickOutcome]]:
    """Pick each object of each scene once and put it back; by name, how often its picks ended how."""
    outcomes = {name: Counter[PickOutcome]() for name in names}
    for backend, _ in scenes:
        for state, grasp in each_object(backend):
            outcomes[state.name][backend.pick(grasp.x, grasp.y, grasp.angle).outcome] += 1
            backend.place(grasp.x, grasp.y)
    return outcomes


def failures(counts: Counter[PickOutcome]) -> str:
    """The outcomes of picks that did not hold the object, and how often each came."""
    failed = [(outcome, count) for outcome, count in counts.items() if outcome is not PickOutcome.HELD]
    return ", ".join(f"{outcome.name.lower()} {count}" for outcome, count in failed)


def held_share(counts: Counter[PickOutcome]) -> float:
    """Share of picks that ended with the object held."""
    return counts[PickOutcome.HELD] / max(counts.total(), 1)


if __name__ == "__main__":
    run_module(main, AimedPickOptions, __doc__)
