"""Figures of learning runs that differ by their seed alone: mean, deviation, worst and best over the seeds.

After each evaluation that all runs have: average precision, and the share of the interactions since the evaluation
before that moved an object. A run that has no network yet, since no interaction has given a mask, finds no object: its
AP is 0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from rich.table import Table

from tabletop_interaction.benchmarks.figures import counted, figures_table
from tabletop_interaction.benchmarks.results.result import Figure
from tabletop_interaction.benchmarks.results.seeds import OVER_SEEDS, over_seeds
from tabletop_interaction.benchmarks.results.tables import figure_text
from tabletop_interaction.files import plain
from tabletop_interaction.reports.learning_run import IOUS, LearningRun

MOVED = "moved an object"
WHOLE_RUN = "whole run"
"""The row of a result file with the costs of a run."""
SECONDS, CPU_SECONDS, PER_CPU_MINUTE = "seconds", "CPU seconds", "AP 0.5 per CPU minute"

_AP_COLUMNS = {iou: f"AP at IoU {iou}" for iou in IOUS}


@dataclass(frozen=True)
class FinalFigures:
    """AP of a finished network by IoU, per cent, and the number of pictures of the set."""

    pictures: int
    ap: Mapping[float, float]


@dataclass(frozen=True, eq=False)
class LearningScores:
    """The figures of finished runs.

    Attributes:
        runs: by seed; one or more, of equal settings.
        finals: of the finished networks, by name of the set and seed.
    """

    runs: Mapping[int, LearningRun]
    finals: Mapping[str, Mapping[int, FinalFigures]] = field(default_factory=dict)

    @property
    def interactions(self) -> int:
        """Interactions of each run."""
        return len(next(iter(self.runs.values())).attempts)

    @property
    def held_out(self) -> str:
        """The pictures of the evaluations in words; empty if no run has a network."""
        last = [run.evaluations[-1] for run in self.runs.values() if run.evaluations]
        return f"{counted(last[0].pictures, 'picture')} of the set {last[0].set_name}" if last else ""

    @property
    def baseline(self) -> Mapping[float, float]:
        """AP of the simple baseline on the same pictures by IoU, per cent; empty if no run has a network."""
        return next((run.evaluations[-1].baseline_ap for run in self.runs.values() if run.evaluations), {})

    @cached_property
    def points(self) -> list[int]:
        """The numbers of interactions after which every run was evaluated, or had no network; the last one always."""
        found: set[int] = {self.interactions}
        for run in self.runs.values():
            found |= {one.interactions for one in run.evaluations}
        for run in self.runs.values():
            found &= {one.interactions for one in run.evaluations} | _without_network(run) | {self.interactions}
        return sorted(found)

    def ap(self, interactions: int, iou: float) -> list[float]:
        """AP of each seed at a point, per cent."""
        found = ((run, [one for one in run.evaluations if one.interactions == interactions]) for run in self._each)
        return [one[0].ap[iou] if one else 0.0 for _, one in found]

    def moved(self, begin: int, end: int) -> list[float]:
        """For each seed the share of the interactions after the first `begin`, up to `end`, that moved an object, %."""
        return [100 * float(run.moved[begin:end].mean()) for run in self._each]

    def seconds(self) -> list[float]:
        """Wall-clock seconds of each seed's run up to its last update, evaluations included."""
        return [run.updates[-1].seconds for run in self._each]

    def cpu_seconds(self) -> list[float] | None:
        """Processor seconds of each seed's run without evaluations; None if those of a run are unknown."""
        found = [run.updates[-1].cpu_seconds for run in self._each]
        known = [one for one in found if one is not None]
        return known if len(known) == len(found) else None

    def rows(self) -> dict[str, dict[str, Figure]]:
        """A row for each point, and one for each final set."""
        found: dict[str, dict[str, Figure]] = {}
        for begin, end in zip([0, *self.points], self.points, strict=False):
            cells = {_AP_COLUMNS[iou]: over_seeds(self.ap(end, iou), "%") for iou in IOUS}
            if end > begin:
                cells[MOVED] = over_seeds(self.moved(begin, end), "%")
            found[f"after {counted(end, 'interaction')}"] = cells
        for name, finals in self.finals.items():
            pictures = next(iter(finals.values())).pictures
            ap = {iou: [finals[seed].ap[iou] for seed in self.runs] for iou in IOUS}
            label = f"finished networks, {pictures} {name} pictures"
            found[label] = {_AP_COLUMNS[iou]: over_seeds(ap[iou], "%") for iou in IOUS}
        return found

    def costs(self) -> dict[str, Figure]:
        """Share that moved an object, times, and AP for the time, of the whole run."""
        cells = {MOVED: over_seeds(self.moved(0, self.interactions), "%"), SECONDS: over_seeds(self.seconds(), "s", 0)}
        if (cpu := self.cpu_seconds()) is not None:
            cells[CPU_SECONDS] = over_seeds(cpu, "s", 0)
            cells[PER_CPU_MINUTE] = over_seeds(self._ap_per_minute(cpu), decimals=2)
        return cells

    def result(self) -> dict[str, dict[str, Figure]]:
        """The figures of a result file."""
        return {**self.rows(), WHOLE_RUN: self.costs()}

    def table(self) -> Table:
        """Mean ± deviation of AP and of the share that moved an object, and below them the worst and the best seed."""
        rows, columns = self.rows(), [*_AP_COLUMNS.values(), MOVED]
        cells = ((name, *(_cell(row.get(column)) for column in columns)) for name, row in rows.items())
        table = figures_table(f"{_seeds(self.runs)}: per cent", ("", *columns), cells)
        table.title_justify = "left"
        return table

    def seeds_table(self) -> Table:
        """AP at the end, share that moved an object and times of each seed."""
        cpu = self.cpu_seconds()
        columns = {
            **{_AP_COLUMNS[iou]: (self.ap(self.interactions, iou), 1) for iou in IOUS},
            f"{MOVED}, %": (self.moved(0, self.interactions), 1),
            SECONDS: (self.seconds(), 0),
            **({} if cpu is None else {CPU_SECONDS: (cpu, 0), PER_CPU_MINUTE: (self._ap_per_minute(cpu), 2)}),
        }
        lines = [
            (str(seed), *(f"{values[at]:,.{decimals}f}" for values, decimals in columns.values()))
            for at, seed in enumerate(self.runs)
        ]
        means = [over_seeds(values, decimals=decimals) for values, decimals in columns.values()]
        if len(lines) > 1:
            lines.append(("mean", *(f"{one.value:,.{one.decimals}f}" for one in means)))
            lines.append(("±", *(f"{one.deviation:,.{one.decimals}f}" for one in means)))
        title = f"by seed, after {counted(self.interactions, 'interaction')}"
        table = figures_table(title, ("seed", *columns), lines)
        table.title_justify = "left"
        return table

    def notes(self) -> list[str]:
        """What a reader of the tables has to know, a sentence each."""
        baseline = ", ".join(f"{self.baseline[iou]:.1f} % at IoU {iou}" for iou in IOUS if iou in self.baseline)
        found = [OVER_SEEDS] if len(self.runs) > 1 else ["one seed: how far another one would differ is not known"]
        found += [f"AP on {self.held_out}"] if self.held_out else ["no run has a network: AP is 0"]
        found += [f"AP of the simple baseline on the same pictures: {baseline}"] if baseline else []
        found.append("shares of what moved an object are of the interactions since the row above")
        found.append("seconds are those of the whole run; CPU seconds, of all threads, are without evaluations")
        if empty := [str(seed) for seed, run in self.runs.items() if self._had_no_network(run)]:
            seeds = ", ".join(empty)
            found.append(
                f"AP is 0 where a run had no network yet, because no interaction had given a mask: seed {seeds}"
            )
        return found

    def document(self) -> dict[str, Any]:
        """What results.json says of the seeds."""
        cpu = self.cpu_seconds()
        seeds = {
            seed: {
                "ap": {point: {iou: self.ap(point, iou)[at] for iou in IOUS} for point in self.points},
                "moved": self.moved(0, self.interactions)[at] / 100,
                "seconds": self.seconds()[at],
                "cpu_seconds": None if cpu is None else cpu[at],
                "final": {name: finals[seed].ap for name, finals in self.finals.items()},
            }
            for at, seed in enumerate(self.runs)
        }
        return {"seeds": plain(seeds), "baseline_ap": plain(dict(self.baseline))}

    @property
    def _each(self) -> Sequence[LearningRun]:
        return list(self.runs.values())

    def _ap_per_minute(self, cpu: Sequence[float]) -> list[float]:
        ap = self.ap(self.interactions, 0.5)
        return [60 * one / max(seconds, 1e-9) for one, seconds in zip(ap, cpu, strict=True)]

    def _had_no_network(self, run: LearningRun) -> bool:
        return bool(_without_network(run) & set(self.points))


def has_network(run: LearningRun) -> bool:
    """Whether a run has a network after its last update."""
    return run.config.get("model") is not None or any(update.step > 0 for update in run.updates)


def _without_network(run: LearningRun) -> set[int]:
    """The numbers of interactions of the updates after which a run had no network."""
    if run.config.get("model") is not None:
        return set()
    return {update.interactions for update in run.updates if update.step == 0}


def _cell(figure: Figure | None) -> str:
    """Mean ± deviation, and on a second line, which keeps the table narrow, the worst and the best."""
    if figure is None:
        return "-"
    mean, _, interval = figure_text(figure, figure.unit).partition(" (")
    return f"{mean},\n{interval.removesuffix(')')}" if interval else mean


def _seeds(runs: Mapping[int, LearningRun]) -> str:
    listed = list(runs)
    if len(listed) > 1 and listed == list(range(listed[0], listed[-1] + 1)):
        return f"seeds {listed[0]} to {listed[-1]}"
    return f"seed{'s' if len(listed) > 1 else ''} {', '.join(map(str, listed))}"
