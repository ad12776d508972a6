"""`tabletop benchmark`: make the benchmark's labelled sets, and measure figures on them."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro
from rich.console import Console

from tabletop_interaction.benchmarks.rearrangement.setting import Setting, episode_keys, scenes_of
from tabletop_interaction.benchmarks.results.measured import ResultOptions
from tabletop_interaction.cli.arguments import UNSET, NewFile, NewFolder, PossibleFolder
from tabletop_interaction.cli.learning_benchmark import MeasureLearning
from tabletop_interaction.cli.options import SET_NAMES, NetworkOptions, options, print_result, seeds_from
from tabletop_interaction.cli.rearrange import check_used_segmenter, refuse_unused_parts
from tabletop_interaction.cli.simulations import SimulationOptions
from tabletop_interaction.envs import Split
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.files import claimed_folder, write_file, write_json
from tabletop_interaction.progress import track
from tabletop_interaction.ranges import Processes, Range, Seed
from tabletop_interaction.segmentation.config import Device

if TYPE_CHECKING:
    from tabletop_interaction.benchmarks.rearrangement.setting import EpisodeKey
    from tabletop_interaction.processes import WorkerDeath


@dataclass(frozen=True)
class MakeSets:
    """Render the benchmark's labelled pictures (COCO JSON and PNG) and compare them with the published checksums.

    Example: tabletop benchmark make-sets --out runs/sets --sets test val --workers 2

    The same command resumes after a stop.
    """

    out: NewFolder = Path("runs/sets")
    """Folder of the sets, each in a folder of its own."""
    sets: tuple[str, ...] = SET_NAMES
    """Sets to make; all of them, 2,160 pictures, take about ten minutes on one core."""
    workers: Annotated[int, Range(1, 1024)] = 1
    """Processes that render."""
    record: Annotated[NewFile | None, UNSET] = None
    """JSON file to which the checksums are written; for maintainers."""

    def run(self) -> None:
        """Make each set and say whether it is the published one."""
        from tabletop_interaction.benchmarks.segmentation.checksums import (
            checksum_of,
            published_checksum,
            record_checksums,
            verdict,
        )
        from tabletop_interaction.benchmarks.segmentation.label_sets import make_set, spec_of

        folders = []
        for spec in [spec_of(name) for name in self.sets]:
            folder = make_set(spec, self.out, self.workers)
            print(verdict(spec.name, checksum_of(folder), published_checksum(spec.name)))
            print(f"  {folder.path}, rendered by {folder.renderer}")
            folders.append(folder)
        if self.record is not None:
            record_checksums(folders, self.record)
            print(f"checksums: {self.record}")


@dataclass(frozen=True, kw_only=True)
class MeasureGeneralisation:
    """Measure average precision on known and new objects and table tops, and the drop from known to new.

    Example: tabletop benchmark generalisation --model runs/learn/model.safetensors
    """

    network: NetworkOptions = field(default_factory=NetworkOptions)
    sets_dir: PossibleFolder = Path("runs/sets")
    """Folder of the benchmark's sets; a missing set is rendered there."""
    out: NewFolder = Path("runs/generalisation")
    """Folder of results.html and results.json."""
    workers: Annotated[int, Range(1, 1024)] = 1
    """Processes that render missing sets."""
    results: ResultOptions = field(default_factory=ResultOptions)

    def run(self) -> None:
        """Evaluate on the four sets, print the table, write the page and results.json."""
        from tabletop_interaction.benchmarks.segmentation.evaluation import (
            evaluate_generalisation,
            training_seeds,
        )

        segmenter = self.network.load()
        path = self.out / "results.json"
        with claimed_folder(self.out, "benchmark generalisation"):
            result = evaluate_generalisation(segmenter, self.network.model, self.sets_dir, self.workers)
            write_json(path, result.document())
            page = result.page().write(self.out / "results.html")
        print_result(Console(), result.table(), result.footnotes())
        print(page, path, sep="\n")
        intervals = next(iter(result.evaluations.values())).intervals
        notes = [line for line in result.footnotes() if not line.startswith("per cent")]
        seeds = training_seeds([self.network.model])
        self.results.keep(result.figures(), seeds=seeds, interval=intervals.describe(), notes=notes)


@dataclass(frozen=True)
class ActivePassive:
    """Compare learning runs that choose their picks with runs that do not, on the same held-out pictures.

    Example: tabletop benchmark active-passive active=runs/active passive=runs/passive
    """

    runs: Annotated[tuple[str, ...], tyro.conf.Positional, UNSET]
    """Folders of `tabletop learn`, two or more; NAME=FOLDER gives a run another name than its folder's."""
    out: NewFolder = Path("runs/active-passive")
    """Folder of results.html, results.json and curves.svg."""
    results: ResultOptions = field(default_factory=ResultOptions)

    def run(self) -> None:
        """Print the table and its explanation, write figures and curves."""
        from tabletop_interaction.benchmarks.results.shares import WILSON
        from tabletop_interaction.benchmarks.segmentation.active_passive import (
            compare_runs,
            comparison_page,
            comparison_svg,
            named_folders,
        )

        comparison = compare_runs(named_folders(self.runs))
        document, curves = self.out / "results.json", self.out / "curves.svg"
        with claimed_folder(self.out, "benchmark active-passive"):
            write_json(document, comparison.document())
            write_file(curves, comparison_svg(comparison))
            page = comparison_page(comparison).write(self.out / "results.html")
        print_result(Console(), comparison.table(), comparison.footnotes())
        print(page, document, curves, sep="\n")
        notes = [f"AP on {comparison.pictures} pictures of the set {comparison.set_name}", *comparison.footnotes()]
        seeds = sorted({run.seed for run in comparison.runs.values()})
        self.results.keep(comparison.result(), seeds=seeds, interval=f"{WILSON}, of shares", notes=notes)


@dataclass(frozen=True, kw_only=True)
class CompareRearrangement:
    """Measure how often agents rearrange a table until it matches a picture, all in the same seeded episodes.

    Example: tabletop benchmark rearrangement --episodes 20 --agents full oracle random --workers 2

    full: masks and matching from pictures alone. true-masks: masks that the simulation knows. true-matches: matches
    that it knows. oracle: both. inverse: the network of --inverse-model. random: uniform picks. module:Class: your
    own, called with (views, arena, rng) once an episode; it has act(observation, info). The same command resumes.

    --split train test --tables-split train test measures the four kinds of generalisation: known and new objects on
    known and new table tops.
    """

    out: NewFolder = Path("runs/rearrangement")
    """Folder of results.html, results.json and episodes.csv, which cover all episodes in the folder."""
    episodes: Annotated[int, Range(1, 10**6)] = 20
    """Episodes of each agent in each kind of scene."""
    agents: tuple[str, ...] = ("full", "oracle", "random")
    """Agents, as listed above."""
    split: tuple[Split, ...] = ("test",)
    """Splits of the objects, one or more."""
    tables_split: Annotated[tuple[Split, ...], UNSET] = ()
    """Splits of the table tops, each with all splits of --split; by default objects and tables of the same split."""
    setting: Annotated[Setting, options(Setting, "displaced", "model", "features", "fast", "inverse_model")]
    simulation: SimulationOptions = field(default_factory=SimulationOptions)
    device: Device = "cpu"
    """Device of the networks."""
    workers: Processes = 0
    """Processes at once; 0 or 1 runs in this process. Only the measured times depend on it."""
    seed: Seed = 0
    """Seed of the first episode; the next ones count up."""
    results: ResultOptions = field(default_factory=ResultOptions)

    def run(self) -> None:
        """Run the missing episodes with a progress bar, print the table, write the files."""
        from tabletop_interaction.benchmarks.rearrangement import run
        from tabletop_interaction.benchmarks.rearrangement.agents import LearnedParts, check_agents
        from tabletop_interaction.benchmarks.rearrangement.episode import try_agents
        from tabletop_interaction.benchmarks.rearrangement.folder import read_settings
        from tabletop_interaction.benchmarks.results.shares import WILSON
        from tabletop_interaction.benchmarks.segmentation.evaluation import training_seeds

        seeds = self._checked_seeds()
        setting = replace(self.setting, simulation=self.simulation.settings())
        if not read_settings(self.out):
            # Folders of earlier versions may have such settings, and resume only with the same.
            refuse_unused_parts(self.agents, self.setting)
        check_agents(self.agents, self.setting.inverse_model)
        check_used_segmenter(self.agents, self.setting)
        inverse_model = None if self.setting.inverse_model is None else Path(self.setting.inverse_model)
        load = NetworkOptions(self.setting.model, self.setting.fast, self.device).load
        make_parts = partial(LearnedParts.loaded_by, load, self.setting.features, inverse_model)
        parts = make_parts()
        keys = episode_keys(self.agents, scenes_of(self.split, self.tables_split), seeds)
        if absent := run.missing_episodes(self.out, keys):
            try_agents(list(dict.fromkeys(key.agent for key in absent)), absent[0].scenes, setting, parts)
        console = Console()
        with claimed_folder(self.out, "benchmark rearrangement"):
            missing = len(run.missing_episodes(self.out, keys))
            episodes = run.run_benchmark(self.out, keys, setting, make_parts, self.workers, _report_death)
            for _ in track(episodes, "episodes", missing):
                pass
            scores, document = run.write_results(self.out, keys, setting)
        kinds, played_seeds = ", ".join(document["scenes"]), document["seeds"]
        title = f"rearrangement, {kinds}, seeds {played_seeds[0]} to {played_seeds[-1]}; 95 % Wilson intervals"
        console.print(scores.table(title))
        print(*(self.out / name for name in ("results.html", "results.json", "episodes.csv")), sep="\n")
        trained = training_seeds([setting.model]) or ()
        self.results.keep(scores.figures(), seeds=played_seeds, network_seeds=trained, interval=WILSON)

    def _checked_seeds(self) -> range:
        self.simulation.prepare()
        seeds = seeds_from(self.seed, self.episodes, "--episodes")
        if not self.split:
            raise InvalidConfiguration("--split names no split; accepted are one or more of train, val, test and dev")
        for split in self.split:
            self.simulation.check(split)
        return seeds


def _report_death(death: WorkerDeath[EpisodeKey]) -> None:
    print(f"{death}; another process repeats it", file=sys.stderr)


@dataclass(frozen=True)
class Benchmark:
    """Make the benchmark's sets, and measure figures on several of them.

    Example: tabletop benchmark make-sets --out runs/sets --workers 2
    """

    what: Annotated[
        Annotated[MakeSets, tyro.conf.subcommand("make-sets")]
        | Annotated[MeasureGeneralisation, tyro.conf.subcommand("generalisation")]
        | Annotated[MeasureLearning, tyro.conf.subcommand("learning")]
        | Annotated[ActivePassive, tyro.conf.subcommand("active-passive")]
        | Annotated[CompareRearrangement, tyro.conf.subcommand("rearrangement")],
        tyro.conf.arg(name=""),
    ]

    def run(self) -> None:
        """Run the chosen part."""
        self.what.run()
