"""`tabletop assets`: pictures of what the simulation is made of: every object, every background, the arm at work."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tabletop_interaction.cli.loading import claim_folder
from tabletop_interaction.reports.asset_sheets import write_asset_sheets
from tabletop_interaction.reports.films import write_arm_film


@dataclass(frozen=True)
class Assets:
    """Render contact sheets of all objects and all backgrounds, and a film of the arm.

    Example: tabletop assets --out docs/pictures
    """

    out: Path
    """Where objects.jpg, backgrounds.jpg and arm.gif go."""
    seed: int = 3
    """Scene of the film."""

    def run(self) -> None:
        """Write the pictures and print where they are."""
        claim_folder(self.out, "assets")
        for path in (*write_asset_sheets(self.out), write_arm_film(self.out / "arm.gif", seed=self.seed)):
            print(path)
