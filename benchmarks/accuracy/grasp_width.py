"""Share of aimed picks of a box that end with it held, by the box's width and by gripper.

The box stands alone on the table. It is 50 mm high and 30 mm longer than wide; picks close across its width.

Run: python -m tabletop_interaction.benchmarks.accuracy.grasp_width --trials 10
"""

from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from rich.console import Console

from tabletop_interaction.benchmarks.figures import figures_table
from tabletop_interaction.benchmarks.ground_truth import each_object
from tabletop_interaction.benchmarks.results.measured import ResultOptions
from tabletop_interaction.benchmarks.results.result import Rows
from tabletop_interaction.benchmarks.results.shares import WILSON, share_of
from tabletop_interaction.envs.gripper import GRIPPER_NAMES, GripperName
from tabletop_interaction.program import run_module
from tabletop_interaction.progress import track
from tabletop_interaction.ranges import Count, Range, Seed
from tabletop_interaction.sim_assets import Catalogue, ObjectModel, load_object
from tabletop_interaction.sim_assets.catalogue import Asset, generated_tables
from tabletop_interaction.simulation import SimulationBackend, SimulationConfig
from tabletop_interaction.simulation.renderer import ComposedRenderer
from tabletop_interaction.simulation.world import World

_BOX = "train_00_box"
_HEIGHT_M, _LONGER_M = 0.05, 0.03
_KG_PER_M3, _LEAST_KG = 300.0, 0.03


@dataclass(frozen=True, kw_only=True)
class GraspWidthOptions(ResultOptions):
    """Options of the benchmark of grasps by width."""

    trials: Count = 10
    """Scenes of each box with each gripper."""
    widths_mm: tuple[Annotated[int, Range(1, 500, unit="mm")], ...] = (15, 30, 50, 60, 90, 120, 150, 170)
    """Widths of the boxes."""
    seed: Seed = 0
    """Seed of the random numbers."""


def main(options: GraspWidthOptions) -> None:
    """Pick and print the table."""
    held = {
        f"{width_mm} mm": {gripper: held_boxes(gripper, width_mm / 1000, options) for gripper in GRIPPER_NAMES}
        for width_mm in track(options.widths_mm, "widths")
    }
    rows = [
        (width, *(f"{each / options.trials:.0%}" for each in grippers.values())) for width, grippers in held.items()
    ]
    title = f"boxes held, {options.trials} aimed picks each, seed {options.seed}"
    Console().print(figures_table(title, ("width", *GRIPPER_NAMES), rows))
    figures: Rows = {
        width: {str(gripper): share_of(each, options.trials) for gripper, each in grippers.items()}
        for width, grippers in held.items()
    }
    options.keep(figures, seeds=(options.seed,), interval=WILSON)


def held_boxes(gripper: GripperName, width_m: float, options: GraspWidthOptions) -> int:
    """How many picks of a box, metres wide, hold it."""
    config = SimulationConfig(1, 1, object_names=("box",), gripper=gripper)
    catalogue = Catalogue([Asset("box", ("train",), lambda: box(width_m))], generated_tables())
    views = config.cameras
    rng, held = np.random.default_rng(options.seed), 0
    with SimulationBackend("train", config, catalogue, World(), ComposedRenderer(views), views) as backend:
        for _ in range(options.trials):
            backend.reset(rng, new_scene=True)
            for _, grasp in each_object(backend):
                held += backend.pick(grasp.x, grasp.y, grasp.angle).held
    return held


def box(width_m: float) -> ObjectModel:
    """A box of that width along x, metres: a cuboid of the catalogue, stretched."""
    model = load_object(_BOX)
    size = np.array([width_m, width_m + _LONGER_M, _HEIGHT_M])
    middle = (model.vertices.max(axis=0) + model.vertices.min(axis=0)) / 2
    stretch = size / np.ptp(model.vertices, axis=0)
    return replace(
        model,
        name="box",
        vertices=((model.vertices - middle) * stretch).astype(np.float32),
        collision=tuple(((hull - middle) * stretch).astype(np.float32) for hull in model.collision),
        mass=float(max(size.prod() * _KG_PER_M3, _LEAST_KG)),
    )


if __name__ == "__main__":
    run_module(main, GraspWidthOptions, __doc__)
