"""`tabletop benchmark`: the figures that we quote, and the labelled pictures under them; a subcommand each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from tabletop_interaction.benchmarks.checksums import checksum_of, published_checksum, record_checksums, verdict
from tabletop_interaction.benchmarks.label_sets import SETS, make_set, spec_of


@dataclass(frozen=True)
class MakeSets:
    """Render the benchmark's labelled pictures (COCO JSON and PNG) and compare them with the published checksums.

    Example: tabletop benchmark make-sets --out runs/sets --sets test val --workers 2
    The same command goes on where an earlier one stopped.
    """

    out: Path = Path("runs/sets")
    """Folder of the sets; each gets a folder of its own in it."""
    sets: tuple[str, ...] = tuple(SETS)
    """Which sets; all 2,100 pictures take some ten minutes on one core."""
    workers: int = 1
    """Processes that render."""
    record: Path | None = None
    """Also write the checksums into this JSON file; for maintainers."""
    seed: int = 0
    """Accepted by every command; the sets have seeds of their own."""

    def run(self) -> None:
        """Make each set and say whether it is the published one."""
        specs = [spec_of(name) for name in self.sets]
        folders = []
        for spec in specs:
            folder = make_set(spec, self.out, self.workers)
            print(verdict(spec.name, checksum_of(folder), published_checksum(spec.name)))
            print(f"  {folder.path}, rendered by {folder.renderer}")
            folders.append(folder)
        if self.record is not None:
            record_checksums(folders, self.record)
            print(f"checksums: {self.record}")


@dataclass(frozen=True)
class Benchmark:
    """Make what the benchmark stands on, and its figures."""

    what: Annotated[
        Annotated[MakeSets, tyro.conf.subcommand("make-sets")],
        tyro.conf.arg(name=""),
    ]

    def run(self) -> None:
        """Run the chosen part."""
        self.what.run()
