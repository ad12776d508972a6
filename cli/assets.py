"""`tabletop assets`: pictures of the simulation's parts: every object, every table top, the arm at work."""

from dataclasses import dataclass

from tabletop_interaction.cli.arguments import NewFolder
from tabletop_interaction.files import claimed_folder
from tabletop_interaction.ranges import Seed


@dataclass(frozen=True)
class Assets:
    """Render contact sheets of all objects and all table tops, and a film of the arm.

    Example: tabletop assets --out docs/pictures
    """

    out: NewFolder
    """Folder of objects.jpg, backgrounds.jpg and arm.gif."""
    seed: Seed = 3
    """Seed of the film's scene."""

    def run(self) -> None:
        """Write the pictures and print where they are."""
        from tabletop_interaction.benchmarks.ground_truth import AimedAgent
        from tabletop_interaction.reports.assets import write_arm_film, write_asset_sheets

        with claimed_folder(self.out, "assets"):
            sheets = write_asset_sheets(self.out)
            film = write_arm_film(self.out / "arm.gif", AimedAgent, seed=self.seed)
        print(*sheets, film, sep="\n")
