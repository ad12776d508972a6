"""`tabletop benchmark`: the benchmark's labelled pictures, and figures made on several of its sets."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from tabletop_interaction.benchmarks.checksums import checksum_of, published_checksum, record_checksums, verdict
from tabletop_interaction.benchmarks.generalisation import evaluate_generalisation
from tabletop_interaction.benchmarks.label_sets import SETS, make_set, spec_of
from tabletop_interaction.cli.loading import Device, claim_folder, load_segmenter


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
        folders = []
        for spec in [spec_of(name) for name in self.sets]:
            folder = make_set(spec, self.out, self.workers)
            print(verdict(spec.name, checksum_of(folder), published_checksum(spec.name)))
            print(f"  {folder.path}, rendered by {folder.renderer}")
            folders.append(folder)
        if self.record is not None:
            record_checksums(folders, self.record)
            print(f"checksums: {self.record}")


@dataclass(frozen=True)
class Generalisation:
    """Measure AP with objects and table tops that a network was or was not trained on, and the drop.

    Example: tabletop benchmark generalisation --model runs/learn/model.safetensors
    """

    model: str = "default"
    """The network's checkpoint."""
    sets_dir: Path = Path("runs/sets")
    """Where the benchmark's sets are or shall be; those that are missing are made."""
    out: Path = Path("runs/generalisation")
    """Folder of results.json."""
    fast: bool = False
    """Three scales instead of seven: under half the time."""
    device: Device = "cpu"
    """Where the network runs."""
    workers: int = 1
    """Processes that make missing sets."""
    seed: int = 0
    """Accepted by every command; sets and bootstrap have seeds of their own."""

    def run(self) -> None:
        """Evaluate on the four sets, print the table, write results.json."""
        segmenter = load_segmenter(self.model, fast=self.fast, device=self.device)
        claim_folder(self.out, "benchmark generalisation")
        result = evaluate_generalisation(segmenter, self.model, self.sets_dir, self.workers)
        console = Console()
        console.print(result.table())
        for line in result.footnotes():
            console.print(line, highlight=False, markup=False)
        path = self.out / "results.json"
        path.write_text(json.dumps(result.document(), indent=2) + "\n", encoding="utf-8")
        print(path)


@dataclass(frozen=True)
class Benchmark:
    """Make the benchmark's sets, and the figures that stand on several of them.

    Example: tabletop benchmark make-sets --out runs/sets --workers 2
    """

    what: Annotated[
        Annotated[MakeSets, tyro.conf.subcommand("make-sets")]
        | Annotated[Generalisation, tyro.conf.subcommand("generalisation")],
        tyro.conf.arg(name=""),
    ]

    def run(self) -> None:
        """Run the chosen part."""
        self.what.run()
