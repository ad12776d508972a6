"""The curve of a run of `tabletop learn`: AP at each evaluation, and the share of interactions that moved an object.

Run: python -m tabletop_interaction.benchmarks.segmentation.learning_curve --run runs/learn
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from tabletop_interaction.benchmarks.figures import figures_table
from tabletop_interaction.benchmarks.results.measured import ResultOptions
from tabletop_interaction.benchmarks.results.result import Figure
from tabletop_interaction.benchmarks.results.shares import WILSON, share_of
from tabletop_interaction.benchmarks.results.tables import figure_text
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.program import run_module
from tabletop_interaction.reports.learning_run import IOUS, LearningRun, read_learning_run


@dataclass(frozen=True, kw_only=True)
class CurveOptions(ResultOptions):
    """Options of the curve of a learning run."""

    run: Path
    """Folder of the run."""


def main(options: CurveOptions) -> None:
    """Read the run and print the table. Raises InvalidConfiguration for a run without an evaluation."""
    run = read_learning_run(options.run)
    rows = dict(curve(run))
    if not rows:
        raise InvalidConfiguration(f"{options.run} has no evaluation yet; resume the run first")
    columns = list(dict.fromkeys(column for cells in rows.values() for column in cells))
    texts = [
        (row, *(figure_text(cells[name], "%") if name in cells else "-" for name in columns))
        for row, cells in rows.items()
    ]
    last = run.evaluations[-1]
    on = f"AP on {last.pictures} pictures of the set {last.set_name}"
    Console().print(figures_table(f"{options.run}: per cent; {on}, seed {run.seed}", ("", *columns), texts))
    notes = [on, "Shares are of the interactions since the row above"]
    options.keep(rows, seeds=(run.seed,), interval=f"{WILSON}, of shares", notes=notes)


def curve(run: LearningRun) -> Iterator[tuple[str, dict[str, Figure]]]:
    """A row for each evaluation: AP, and the share of the interactions since the one before that moved an object."""
    begun = 0
    for evaluation in run.evaluations:
        moved = run.moved[begun : evaluation.interactions]
        cells = {f"AP at IoU {iou}": Figure(evaluation.ap[iou], "%") for iou in IOUS if iou in evaluation.ap}
        if len(moved):
            cells["moved an object"] = share_of(int(moved.sum()), len(moved))
        yield f"after {evaluation.interactions:,} interactions", cells
        begun = evaluation.interactions


if __name__ == "__main__":
    run_module(main, CurveOptions, __doc__)
