"""`tabletop benchmark`: the benchmark's labelled pictures, and figures made on several of its sets."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.console import Console
from rich.progress import track

from tabletop_interaction.benchmarks.rearrangement.agents import LearnedParts, check_agents
from tabletop_interaction.benchmarks.rearrangement.episode import EpisodeKey, scenes_of
from tabletop_interaction.benchmarks.rearrangement.run import (
    episode_keys,
    missing_episodes,
    run_benchmark,
    write_results,
)
from tabletop_interaction.benchmarks.rearrangement.setting import Setting
from tabletop_interaction.benchmarks.segmentation.active_passive import compare_runs, comparison_svg, named_folders
from tabletop_interaction.benchmarks.segmentation.checksums import (
    checksum_of,
    published_checksum,
    record_checksums,
    verdict,
)
from tabletop_interaction.benchmarks.segmentation.generalisation import evaluate_generalisation
from tabletop_interaction.benchmarks.segmentation.label_sets import SETS, make_set, spec_of
from tabletop_interaction.cli.loading import Device, claim_folder, load_segmenter
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.processes import WorkerDeath


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
    """Three scales instead of seven: about two thirds of the time."""
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
class ActivePassive:
    """Compare learning runs that choose their picks with runs that do not, on the same held-out pictures.

    Example: tabletop benchmark active-passive active=runs/active passive=runs/passive
    """

    runs: Annotated[tuple[str, ...], tyro.conf.Positional]
    """Folders of `tabletop learn`, two or more; name=folder gives a run another name than its folder's."""
    out: Path = Path("runs/active-passive")
    """Folder of results.json and curves.svg."""
    seed: int = 0
    """Accepted by every command; nothing here is drawn."""

    def run(self) -> None:
        """Print the table and what to know about it, write figures and curves."""
        comparison = compare_runs(named_folders(self.runs))
        claim_folder(self.out, "benchmark active-passive")
        console = Console()
        console.print(comparison.table())
        for line in comparison.footnotes():
            console.print(line, highlight=False, markup=False)
        results, curves = self.out / "results.json", self.out / "curves.svg"
        results.write_text(json.dumps(comparison.document(), indent=2) + "\n", encoding="utf-8")
        curves.write_text(comparison_svg(comparison), encoding="utf-8")
        print(results, curves, sep="\n")


Split = Literal["train", "val", "test"]


@dataclass(frozen=True)
class Rearrangement:
    """Let agents bring tables to what a picture shows, the same seeded episodes each, and score them by truth.

    Example: tabletop benchmark rearrangement --episodes 20 --agents full oracle random --workers 2

    full: masks and matching from pictures alone. true-masks: masks that the simulation knows. true-matches: matches
    that it knows. oracle: both. inverse: the network of --inverse-model. random: uniform picks. module:Class: your
    own, called with (views, arena, rng) once an episode; it has act(observation, info). The same command goes on
    where an earlier one stopped.

    --split train test --tables train test plays the four kinds of generalisation: both objects on both table tops.
    """

    out: Path = Path("runs/rearrangement")
    """Folder of results.html, results.json and episodes.csv."""
    episodes: int = 20
    """How many each agent plays, of each kind of scene."""
    agents: tuple[str, ...] = ("full", "oracle", "random")
    """Who plays."""
    split: tuple[Split, ...] = ("test",)
    """Objects; one split or more."""
    tables: tuple[Split, ...] = ()
    """Table tops; every split of objects on every one of these, by default each on its own."""
    displaced: Literal[1, 2, 3] | None = None
    """How many objects stand elsewhere in the goal; any of them by default."""
    model: str = "default"
    """The network's checkpoint."""
    features: str = "efficientnet-lite0"
    """What objects are recognised by: efficientnet-lite0, alexnet or trunk."""
    fast: bool = True
    """Three scales of the picture instead of seven."""
    inverse_model: Path | None = None
    """The inverse model's file; only the agent inverse needs it."""
    device: Device = "cpu"
    """Where the networks run."""
    workers: int = 0
    """Processes that play at once; 0 or 1 plays in this one. The rows are the same but for the times."""
    seed: int = 0
    """Of the first episode; the next ones count up."""

    def run(self) -> None:
        """Play what is missing with a progress bar, print the table, write the files."""
        self._check()
        inverse_model = None if self.inverse_model is None else str(self.inverse_model)
        setting = Setting(self.model, self.fast, self.features, self.displaced, inverse_model=inverse_model)
        load = partial(load_segmenter, self.model, fast=self.fast, device=self.device)
        make_parts = partial(LearnedParts.loaded_by, load, self.features, self.inverse_model)
        make_parts()
        claim_folder(self.out, "benchmark rearrangement")
        seeds = range(self.seed, self.seed + self.episodes)
        scenes = scenes_of(self.split, self.tables)
        keys = episode_keys(self.agents, scenes, seeds)
        console = Console()
        missing = len(missing_episodes(self.out, keys))
        played = run_benchmark(self.out, keys, setting, make_parts, self.workers, partial(_tell, console))
        for _ in track(played, "episodes", missing, console=console):
            pass
        scores = write_results(self.out, keys, setting)
        kinds = ", ".join(one.name for one in scenes)
        title = f"rearrangement, {kinds}, seeds {seeds[0]} to {seeds[-1]}; 95 % Wilson intervals"
        console.print(scores.table(title))
        print(*(self.out / name for name in ("results.html", "results.json", "episodes.csv")), sep="\n")

    def _check(self) -> None:
        if self.episodes < 1 or self.seed < 0 or self.workers < 0:
            raise InvalidConfiguration(
                f"--episodes {self.episodes} must be positive, --seed {self.seed} and --workers {self.workers} not "
                "negative"
            )
        if not self.split:
            raise InvalidConfiguration("--split names no split; accepted are one or more of train, val and test")
        check_agents(self.agents, self.inverse_model)


def _tell(console: Console, death: WorkerDeath[EpisodeKey]) -> None:
    console.print(f"{death}; another one takes it up", markup=False, highlight=False, soft_wrap=True)


@dataclass(frozen=True)
class Benchmark:
    """Make the benchmark's sets, and the figures that stand on several of them.

    Example: tabletop benchmark make-sets --out runs/sets --workers 2
    """

    what: Annotated[
        Annotated[MakeSets, tyro.conf.subcommand("make-sets")]
        | Annotated[Generalisation, tyro.conf.subcommand("generalisation")]
        | Annotated[ActivePassive, tyro.conf.subcommand("active-passive")]
        | Annotated[Rearrangement, tyro.conf.subcommand("rearrangement")],
        tyro.conf.arg(name=""),
    ]

    def run(self) -> None:
        """Run the chosen part."""
        self.what.run()
