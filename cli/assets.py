"""`tabletop assets`: draw all objects, all table tops and the arm."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from tabletop_interaction.cli.arguments import NewFolder
from tabletop_interaction.cli.simulations import SimulationOptions
from tabletop_interaction.files import claimed_folder
from tabletop_interaction.ranges import Count, Seed

if TYPE_CHECKING:
    from tabletop_interaction.sim_assets import Catalogue
    from tabletop_interaction.simulation import SimulationConfig


@dataclass(frozen=True)
class Assets:
    """Render contact sheets of all objects and all table tops, and a film of the arm.

    Example: tabletop assets --out docs/pictures

    Example: tabletop assets --objects meshes --tables photos --out runs/assets

    Objects of --objects are picked, aimed by ground truth; their sizes, widths and shares of held picks are listed.
    """

    out: NewFolder
    """Folder of objects.jpg, backgrounds.jpg and arm.gif."""
    simulation: SimulationOptions = field(default_factory=SimulationOptions)
    picks: Count = 5
    """Picks of each object of --objects."""
    seed: Seed = 3
    """Seed of the scenes of film and picks."""

    def run(self) -> None:
        """Write the pictures and print where they are."""
        from tabletop_interaction.benchmarks.ground_truth import AimedAgent
        from tabletop_interaction.reports.assets import write_arm_film, write_asset_sheets
        from tabletop_interaction.simulation.scene import catalogue_of, config_from_plain

        self.simulation.prepare()
        config = config_from_plain(self.simulation.settings() or {})
        catalogue = catalogue_of(config)
        own = {kind: tuple(names) for kind, names in catalogue.checksums().items()}
        # Whatever splits they belong to.
        config = replace(config, object_names=own.get("objects"), backgrounds=own.get("tables"))
        with claimed_folder(self.out, "assets"):
            captions = self._pick(config, catalogue) if self.simulation.objects is not None else {}
            sheets = write_asset_sheets(self.out, catalogue, captions)
            film = write_arm_film(self.out / "arm.gif", AimedAgent, config, seed=self.seed)
        print(*sheets, film, sep="\n")

    def _pick(self, config: SimulationConfig, catalogue: Catalogue) -> dict[str, str]:
        """Pick the objects from files and print their table; a caption of each with its share of held picks."""
        from tabletop_interaction.benchmarks.accuracy.grasp_success import equal_scenes, failures, held_share, pick_each
        from tabletop_interaction.sim_assets.meshes.graspable import graspable_width

        names = config.object_names or ()
        outcomes = pick_each(names, equal_scenes(config, names, "train", self.picks, self.seed))
        table = Table(*("object", "size, mm", "mass, g", "pieces", "graspable width, mm", "picks", "held", "why not"))
        for name, counts in outcomes.items():
            model = catalogue.object(name)
            size = " x ".join(f"{1000 * side:.0f}" for side in model.vertices.max(axis=0) - model.vertices.min(axis=0))
            width = f"{1000 * graspable_width(model):.0f}"
            held = f"{held_share(counts):.0%}" if counts else "-"
            weight, pieces = f"{1000 * model.mass:.0f}", str(len(model.collision))
            table.add_row(name, size, weight, pieces, width, str(counts.total()), held, failures(counts))
        Console().print(table)
        return {name: f"{name}: held {held_share(counts):.0%}" for name, counts in outcomes.items() if counts}
