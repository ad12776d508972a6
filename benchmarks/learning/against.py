"""Two learning benchmarks side by side, such as of old and new code: differences by seed, on the same pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from tabletop_interaction.benchmarks.figures import counted, figures_table
from tabletop_interaction.benchmarks.learning.folder import finished_runs, read_benchmark
from tabletop_interaction.benchmarks.learning.scores import LearningScores
from tabletop_interaction.benchmarks.results.seeds import paired_difference
from tabletop_interaction.benchmarks.segmentation.active_passive import differing_settings
from tabletop_interaction.benchmarks.segmentation.during_learning import HeldOutChoice
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.reports.learning_run import IOUS, LearningRun


@dataclass(frozen=True, eq=False)
class PairedScores:
    """The figures of two benchmarks on the seeds that both have.

    Attributes:
        name: of the other benchmark.
        ours, theirs: of the same seeds, one or more.
    """

    name: str
    ours: LearningScores
    theirs: LearningScores

    def table(self) -> Table:
        """At each common point the mean of the differences, this minus the other, ± its standard error."""
        seeds = counted(len(self.ours.runs), "common seed")
        rows = []
        for point in self._points:
            cells = (_difference(self.ours.ap(point, iou), self.theirs.ap(point, iou)) for iou in IOUS)
            rows.append((f"after {counted(point, 'interaction')}", *cells))
        headings = ("", *(f"AP at IoU {iou}" for iou in IOUS))
        table = figures_table(f"this minus {self.name}, points, {seeds}", headings, rows)
        table.title_justify = "left"
        return table

    def notes(self) -> list[str]:
        """What the differences are, and which settings differ."""
        runs = {"this": next(iter(self.ours.runs.values())), self.name: next(iter(self.theirs.runs.values()))}
        differing = [f"{name} differs: {values}" for name, values in differing_settings(runs).items()]
        empty = (
            [] if self._points else [f"no number of interactions after which both were evaluated, this and {self.name}"]
        )
        return [
            *empty,
            f"differences to {self.name}: mean of the differences by seed ± its standard error, which is uncertain "
            "itself with few seeds",
            *differing,
        ]

    @property
    def _points(self) -> list[int]:
        return sorted(set(self.ours.points) & set(self.theirs.points))


def check_other(other: Path, out: Path, held_out: HeldOutChoice, seeds: Sequence[int]) -> None:
    """Check before anything is run that a benchmark can be compared with.

    Args:
        other: folder of the other benchmark.
        out, held_out, seeds: of this one; `out` is its folder.

    Raises:
        ForeignFolder: it is no folder of a benchmark.
        InvalidConfiguration: it is this one, was evaluated on other pictures, or has none of the seeds.
    """
    if other.resolve() == out.resolve():
        raise InvalidConfiguration(f"--against {other} is the folder of this benchmark; name that of another one")
    there = read_benchmark(other)
    if (there["set"], there["pictures"]) != (held_out.set_name, held_out.pictures):
        raise InvalidConfiguration(
            f"--against {other} was evaluated on {there['pictures']} pictures of {there['set']}, and this benchmark on "
            f"{held_out.pictures} of {held_out.set_name}; average precision is comparable on the same pictures only"
        )
    found = finished_runs(other)
    if not set(found) & set(seeds):
        listed = ", ".join(map(str, found)) or "none"
        raise InvalidConfiguration(
            f"--against {other} has no finished run of the seeds {seeds[0]} to {seeds[-1]}; there are: {listed}"
        )


def paired_scores(other: Path, ours: LearningScores) -> PairedScores | None:
    """The figures of both benchmarks on their common seeds; None while there are none."""
    theirs = finished_runs(other)
    if not (common := [seed for seed in ours.runs if seed in theirs]):
        return None
    return PairedScores(str(other), _only(ours.runs, common), _only(theirs, common))


def _only(runs: Mapping[int, LearningRun], seeds: Sequence[int]) -> LearningScores:
    return LearningScores({seed: runs[seed] for seed in seeds})


def _difference(ours: Sequence[float], theirs: Sequence[float]) -> str:
    mean, error = paired_difference(ours, theirs)
    return f"{mean:+.1f}" if error is None else f"{mean:+.1f} ± {error:.1f}"
