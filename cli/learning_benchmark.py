"""The part `learning` of `tabletop benchmark`: runs of `tabletop learn` with several seeds, and means over them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from rich.console import Console

from tabletop_interaction.benchmarks.results.measured import ResultOptions
from tabletop_interaction.cli.arguments import UNSET, Folder, NewFolder, PossibleFolder
from tabletop_interaction.cli.backends import BackendOptions
from tabletop_interaction.cli.learn import LearningOptions, run_config
from tabletop_interaction.cli.options import (
    LearnSession,
    NetworkOptions,
    SessionOptions,
    SetName,
    print_result,
    seeds_from,
)
from tabletop_interaction.cli.simulations import SimulationOptions
from tabletop_interaction.files import claimed_folder, write_json
from tabletop_interaction.ranges import Range

if TYPE_CHECKING:
    from rich.table import Table

    from tabletop_interaction.agents.learning.config import LearningConfig
    from tabletop_interaction.benchmarks.learning.folder import SharedSettings
    from tabletop_interaction.benchmarks.learning.scores import LearningScores


@dataclass(frozen=True, kw_only=True)
class MeasureLearning:
    """Measure learning from nothing: `tabletop learn` once for each seed, then mean and standard deviation.

    Example: tabletop benchmark learning --seeds 5 --out runs/benchmark-learning

    Example: tabletop benchmark learning --seeds 5 --policy random --against runs/benchmark-learning --out runs/random

    The runs follow one another in this process, since a training uses all cores. The same command resumes; with more
    --seeds it adds runs to those that are there.
    """

    out: NewFolder = Path("runs/benchmark-learning")
    """Folder of the runs, seed-0, seed-1 and so on, of results.html and results.json, which cover all finished runs."""
    seeds: Annotated[int, Range(1, 1000)] = 5
    """Number of runs; their seeds count up from --seed."""
    learning: LearningOptions
    simulation: SimulationOptions = field(default_factory=SimulationOptions)
    session: SessionOptions = field(default_factory=SessionOptions)
    sets_dir: PossibleFolder = Path("runs/sets")
    """Folder of the benchmark's sets; a missing set is rendered there."""
    final_set: Annotated[SetName | None, UNSET] = None
    """Set on which the finished networks of all seeds are evaluated, too; test is for final figures only."""
    against: Annotated[Folder | None, UNSET] = None
    """Folder of another learning benchmark on the same pictures; the differences by seed are printed, this minus it."""
    results: ResultOptions = field(default_factory=ResultOptions)

    def run(self) -> None:
        """Learn with every seed that the folder lacks, print the tables, write the files."""
        self.session.check()
        world = BackendOptions(simulation=self.simulation)
        world.check()
        settings = self._settings(run_config(self.learning, world))
        seeds = seeds_from(self.learning.seed, self.seeds, "--seeds")
        from tabletop_interaction.benchmarks.learning import against, folder
        from tabletop_interaction.cli.learn_session import check_session

        folder.check_settings(self.out, settings)
        if self.against is not None:
            against.check_other(self.against, self.out, settings.held_out, seeds)
        finished = folder.finished_runs(self.out)
        missing = [seed for seed in seeds if seed not in finished]
        for seed in missing[:1]:
            check_session(folder.seed_folder(self.out, seed), settings.of(seed), world)
        with claimed_folder(self.out, "benchmark learning"):
            folder.seal_records(finished.values())
            for number, seed in enumerate(missing, start=1):
                print(f"seed {seed}, run {number} of {len(missing)}", flush=True)
                self._learn(settings, seed, world)
                self._write()
            self._evaluate_finals()
            self._report()

    def _settings(self, config: LearningConfig) -> SharedSettings:
        from tabletop_interaction.benchmarks.learning.folder import SharedSettings
        from tabletop_interaction.benchmarks.segmentation.during_learning import default_held_out

        held_out = default_held_out(self.session.set_name, self.session.pictures)
        return SharedSettings(config, held_out, self.session.evaluate_every)

    def _learn(self, settings: SharedSettings, seed: int, world: BackendOptions) -> None:
        from tabletop_interaction.benchmarks.learning.folder import keep_settings, seed_folder
        from tabletop_interaction.cli.learn_session import run_session

        keep_settings(self.out, settings, self.session.device)
        session = LearnSession(**{**vars(self.session), **vars(settings.held_out)})
        run_session(seed_folder(self.out, seed), settings.of(seed), session, world, self.sets_dir, resume=False)

    def _evaluate_finals(self) -> None:
        """Evaluate the finished networks that were not evaluated on the final set yet."""
        if self.final_set is None:
            return
        from tabletop_interaction.benchmarks.learning import folder
        from tabletop_interaction.benchmarks.segmentation.evaluation import benchmark_set, evaluate
        from tabletop_interaction.benchmarks.segmentation.label_sets import ABOUT_TEST

        if self.final_set == "test":
            print(ABOUT_TEST)
        if not (missing := folder.missing_finals(self.out, self.final_set, folder.finished_runs(self.out))):
            return
        data = benchmark_set(self.final_set, self.sets_dir)
        for seed in missing:
            network = NetworkOptions(str(folder.model_of(self.out, seed)), device=self.session.device).load()
            folder.keep_final(self.out, seed, self.final_set, evaluate(network, data, f"seed {seed}"))

    def _write(self) -> tuple[LearningScores, list[Table], list[str]]:
        """Write results.json and results.html; returns the figures, further tables and further notes."""
        from tabletop_interaction.benchmarks.learning import against, folder
        from tabletop_interaction.benchmarks.learning.page import learning_page
        from tabletop_interaction.benchmarks.learning.scores import LearningScores

        runs = folder.finished_runs(self.out)
        scores = LearningScores(runs, folder.read_finals(self.out, runs))
        notes, tables = folder.maker_notes(self.out), []
        if self.against is not None and (paired := against.paired_scores(self.against, scores)) is not None:
            tables.append(paired.table())
            notes += paired.notes()
        write_json(self.out / "results.json", {**folder.read_benchmark(self.out), **scores.document()})
        learning_page(self.out.resolve().name, scores, notes, tables).write(self.out / "results.html")
        return scores, tables, notes

    def _report(self) -> None:
        """Write the files again, and print what they say."""
        from tabletop_interaction.benchmarks.results.seeds import OVER_SEEDS

        scores, tables, notes = self._write()
        console, runs = Console(), scores.runs
        console.print(scores.table())
        for table in tables:
            console.print(table)
        print_result(console, scores.seeds_table(), [*scores.notes(), *notes])
        print(self.out / "results.html", self.out / "results.json", sep="\n")
        interval = OVER_SEEDS if len(runs) > 1 else None
        self.results.keep(scores.result(), seeds=list(runs), interval=interval, notes=[*scores.notes()[1:], *notes])
