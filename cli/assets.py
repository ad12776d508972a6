"""`tabletop assets`: contact sheets of every object and every background."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tabletop_interaction.benchmarks.asset_sheets import write_asset_sheets


@dataclass(frozen=True)
class Assets:
    """Render contact sheets of all objects and all backgrounds.

    Example: tabletop assets --out docs/pictures
    """

    out: Path
    """Where objects.jpg and backgrounds.jpg go."""
    seed: int = 0
    """Accepted by every command; the sheets do not depend on it."""

    def run(self) -> None:
        """Write the sheets and print where they are."""
        for path in write_asset_sheets(self.out):
            print(path)
