"""Distance between where an aimed pick-and-place should leave an object and where it comes to rest, by family.

The hand moves by the wanted displacement of the object. The error is what the object moves besides: it is pushed or
turned as the fingers close, slips in the lift, or rolls when it is released.

Run: python -m tabletop_interaction.benchmarks.accuracy.placing --trials 10
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from rich.console import Console
from rich.table import Table

from tabletop_interaction.benchmarks.accuracy.grasp_success import AimedPickOptions, scenes_of_four
from tabletop_interaction.benchmarks.figures import figures_table
from tabletop_interaction.benchmarks.ground_truth import each_object
from tabletop_interaction.benchmarks.results.result import Figure
from tabletop_interaction.envs.backend import ObjectState
from tabletop_interaction.program import run_module
from tabletop_interaction.sim_assets import ObjectModel
from tabletop_interaction.simulation import SimulationBackend
from tabletop_interaction.simulation.scene import Placement, free_placement

_QUANTILES = {"median": 0.5, "90th percentile": 0.9, "largest": 1.0}


def main(options: AimedPickOptions) -> None:
    """Pick, place and print the table."""
    errors = defaultdict(list)
    for backend, rng in scenes_of_four(options):
        for model, error_m in place_each(backend, rng):
            errors[model.family].append(1e3 * error_m)
    Console().print(_table(errors, options))
    everything = np.array([error for found in errors.values() for error in found])
    row = {"placed": Figure(len(everything), decimals=0)}
    row |= {name: Figure(np.quantile(everything, at), "mm") for name, at in _QUANTILES.items()}
    options.keep({f"{options.split} objects": row}, seeds=(options.seed,))


def place_each(backend: SimulationBackend, rng: np.random.Generator) -> Iterator[tuple[ObjectModel, float]]:
    """Pick each object of the scene once, and place it where nothing else stands.

    Yields each object that was held and its distance from the wanted position, metres on the table.
    """
    for state, grasp in each_object(backend):
        models = backend.world.models
        others = [_placement(models[other.id], other) for other in backend.object_states() if other.id != state.id]
        free = free_placement(rng, models[state.id], backend.arena, others)
        if not backend.pick(grasp.x, grasp.y, grasp.angle).held:
            continue
        backend.place(free.x, free.y)
        wanted = state.position[:2] + np.subtract((free.x, free.y), (grasp.x, grasp.y))
        end = next(other for other in backend.object_states() if other.id == state.id)
        yield models[state.id], float(np.linalg.norm(end.position[:2] - wanted))


def _placement(model: ObjectModel, state: ObjectState) -> Placement:
    return Placement(model, float(state.position[0]), float(state.position[1]), 0.0)


def _table(errors: Mapping[str, Sequence[float]], options: AimedPickOptions) -> Table:
    everything = [error for found in errors.values() for error in found]
    rows = [
        (family, str(len(found)), *(f"{figure:.1f}" for figure in np.quantile(found, tuple(_QUANTILES.values()))))
        for family, found in [*errors.items(), ("all", everything)]
    ]
    title = f"aimed pick-and-places, {options.split} objects, seed {options.seed}: error in mm"
    return figures_table(title, ("family", "placed", *_QUANTILES), rows)


if __name__ == "__main__":
    run_module(main, AimedPickOptions, __doc__)
