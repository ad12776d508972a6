"""Does it help to choose? Runs that pick their own hypotheses beside runs that pick at random.

The paper's claim is that the robot's hypotheses make its experiments better: more picks move an object, so that the
same number of interactions brings more masks. Compared: how often picks hit over a run, what they brought, and
average precision on the same held-out pictures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.reports.charts import COLOURS, Line, LineChart, chart_file, trailing_mean
from tabletop_interaction.reports.learning_page import LONG_WINDOW, WINDOW, flat_settings
from tabletop_interaction.reports.learning_run import (
    IOUS,
    Floats,
    HeldOut,
    LearningRun,
    read_learning_run,
)

QUARTERS = 4
"""Equal parts of a run over which the share of hits is told."""

_PANEL = (400, 300)
_PER_CENT = (0.0, 100.0)
_MOST_DIFFERENCES = 12


@dataclass(frozen=True)
class RunFigures:
    """What is compared of one run.

    Attributes:
        policy: as its settings say.
        interactions: made.
        moved_by_quarter: share of the picks that moved an object, by quarter of the run; NaN for an empty one.
        moved, grasped: picks that moved an object, and that held something.
        masks: examples with a mask that it had at its last update; 0 without one.
        steps: of the network before the last evaluation.
        evaluated_after: interactions before the last evaluation.
        ap: of the last evaluation by IoU threshold, per cent.
    """

    policy: str
    interactions: int
    moved_by_quarter: tuple[float, ...]
    moved: int
    grasped: int
    masks: int
    steps: int
    evaluated_after: int
    ap: Mapping[float, float]


@dataclass(frozen=True)
class Comparison:
    """Runs by name that were evaluated on the same pictures; made by `compare_runs`."""

    runs: Mapping[str, LearningRun]
    figures: Mapping[str, RunFigures]

    @property
    def set_name(self) -> str:
        """The held-out set."""
        return self._any_evaluation.set_name

    @property
    def pictures(self) -> int:
        """How many pictures it has."""
        return self._any_evaluation.pictures

    @property
    def _any_evaluation(self) -> HeldOut:
        return next(iter(self.runs.values())).evaluations[-1]

    def table(self) -> Table:
        """A row a figure, a column a run."""
        table = Table(
            title=f"active against passive; AP on {self.pictures} pictures of {self.set_name}", title_justify="left"
        )
        table.add_column("")
        for name in self.runs:
            table.add_column(name, justify="right")
        for label, cells in self._rows():
            table.add_row(label, *cells)
        return table

    def _rows(self) -> list[tuple[str, list[str]]]:
        all_figures = list(self.figures.values())
        rows = [
            ("policy", [f.policy for f in all_figures]),
            ("interactions", [f"{f.interactions:,}" for f in all_figures]),
        ]
        for quarter in range(QUARTERS):
            cells = [_share(f.moved_by_quarter[quarter]) for f in all_figures]
            rows.append((f"picks that move an object, quarter {quarter + 1}", cells))
        rows += [
            ("picks that move an object", [f"{f.moved:,}" for f in all_figures]),
            ("picks that hold something", [f"{f.grasped:,}" for f in all_figures]),
            ("labelled masks", [f"{f.masks:,}" for f in all_figures]),
            ("steps of the network", [f"{f.steps:,}" for f in all_figures]),
            ("evaluated after", [f"{f.evaluated_after:,}" for f in all_figures]),
        ]
        return rows + [(f"AP at IoU {iou}, %", [_one_digit(f.ap.get(iou)) for f in all_figures]) for iou in IOUS]

    def footnotes(self) -> list[str]:
        """What a reader must know before believing the table: settings that differ, runs of unlike length."""
        lines = [f"{name} differs: {values}" for name, values in self.differences().items()]
        if len(lines) > _MOST_DIFFERENCES:
            lines = [*lines[:_MOST_DIFFERENCES], f"and {len(lines) - _MOST_DIFFERENCES} more settings differ"]
        return lines + self._at_equal_length()

    def differences(self) -> dict[str, str]:
        """By name, the settings that are not the same in all runs, as text."""
        settings = {name: dict(flat_settings(run.config)) for name, run in self.runs.items()}
        names = dict.fromkeys(key for one in settings.values() for key in one)
        told = {key: [one.get(key, "not set") for one in settings.values()] for key in names}
        return {
            key: ", ".join(f"{value} ({name})" for name, value in zip(settings, values, strict=True))
            for key, values in told.items()
            if len(set(values)) > 1
        }

    def _at_equal_length(self) -> list[str]:
        if len({figures.evaluated_after for figures in self.figures.values()}) == 1:
            return []
        by_run = {name: {e.interactions: e for e in run.evaluations} for name, run in self.runs.items()}
        common = set.intersection(*(set(evaluations) for evaluations in by_run.values()))
        if not common:
            return ["the runs were evaluated after unlike numbers of interactions, and never after the same"]
        last = max(common)
        ap = {name: " / ".join(_one_digit(at[last].ap.get(iou)) for iou in IOUS) for name, at in by_run.items()}
        told = ", ".join(f"{name} {values}" for name, values in ap.items())
        ious = " / ".join(str(iou) for iou in IOUS)
        return [f"unlike lengths; after {last:,}, the last count at which all were evaluated, AP at {ious}: {told}"]

    def document(self) -> dict[str, Any]:
        """The figures as plain JSON."""
        return {
            "set": self.set_name,
            "pictures": self.pictures,
            "runs": {name: _document(self.runs[name], figures) for name, figures in self.figures.items()},
            "settings_that_differ": self.differences(),
        }


def compare_runs(folders: Mapping[str, Path]) -> Comparison:
    """Read runs by name and compare them.

    Raises:
        InvalidConfiguration: fewer than two runs, one without interactions or evaluations, or evaluations on
            different sets.
        ForeignFolder, UnreadableRecords: as `read_learning_run`.
    """
    if len(folders) < 2:
        raise InvalidConfiguration(
            f"{len(folders)} run came; two or more are compared, e.g. active=runs/a passive=runs/b"
        )
    runs = {name: read_learning_run(folder) for name, folder in folders.items()}
    for name, run in runs.items():
        if not run.attempts or not run.evaluations:
            missing = "evaluation" if run.attempts else "interaction"
            raise InvalidConfiguration(f"{name} ({run.folder}) has no {missing} yet; let it go on before comparing")
    _check_same_set(runs)
    return Comparison(runs, {name: run_figures(run) for name, run in runs.items()})


def run_figures(run: LearningRun) -> RunFigures:
    """The figures of a run that has interactions and an evaluation."""
    last = run.evaluations[-1]
    return RunFigures(
        policy=str(run.config.get("policy", "-")),
        interactions=len(run.attempts),
        moved_by_quarter=tuple(_mean(part) for part in np.array_split(run.moved, QUARTERS)),
        moved=int(run.moved.sum()),
        grasped=int(run.grasped.sum()),
        masks=run.updates[-1].objects if run.updates else 0,
        steps=last.steps,
        evaluated_after=last.interactions,
        ap=last.ap,
    )


def named_folders(arguments: Sequence[str]) -> dict[str, Path]:
    """Folders by name from `name=folder`, or from folders, which are called by their own names.

    Raises:
        InvalidConfiguration: two have the same name.
    """
    folders: dict[str, Path] = {}
    for argument in arguments:
        # A folder may have the sign in its name.
        named = "=" in argument and not Path(argument).is_dir()
        name, folder = argument.split("=", 1) if named else (Path(argument).resolve().name, argument)
        if name in folders:
            raise InvalidConfiguration(
                f"two runs are called {name!r}; name them: active={folders[name]} passive={folder}"
            )
        folders[name] = Path(folder)
    return folders


def comparison_svg(comparison: Comparison) -> str:
    """AP at IoU 0.3 and 0.5 and the share of picks that move an object, against interactions; a colour a run."""
    runs = list(comparison.runs.items())
    charts = [_chart(f"AP at IoU {iou}", "AP, %", [_ap_line(run, iou, at) for at, (_, run) in enumerate(runs)])
              for iou in IOUS[:2]]  # fmt: skip
    window = LONG_WINDOW if min(len(run.attempts) for _, run in runs) >= 2 * LONG_WINDOW else WINDOW
    hits = [_hits_line(run, window, at) for at, (_, run) in enumerate(runs)]
    charts.append(_chart("Picks that move an object", f"of the last {window} picks, %", hits))
    legend = [Line(name, np.empty(0), np.empty(0), at % COLOURS) for at, (name, _) in enumerate(runs)]
    return chart_file(charts, legend)


def _check_same_set(runs: Mapping[str, LearningRun]) -> None:
    sets = {name: (run.evaluations[-1].set_name, run.evaluations[-1].pictures) for name, run in runs.items()}
    if len(set(sets.values())) > 1:
        told = ", ".join(f"{name} on {pictures} pictures of {set_name}" for name, (set_name, pictures) in sets.items())
        raise InvalidConfiguration(
            f"the runs were evaluated on different pictures: {told}; average precision is compared on the same set "
            "only, so evaluate their networks on one with tabletop evaluate"
        )


def _document(run: LearningRun, figures: RunFigures) -> dict[str, Any]:
    return {
        "folder": str(run.folder),
        "seed": run.seed,
        **{name: value for name, value in vars(figures).items() if name != "ap"},
        "moved_by_quarter": [None if np.isnan(share) else share for share in figures.moved_by_quarter],
        "ap": {str(iou): value for iou, value in figures.ap.items()},
    }


def _chart(title: str, y_label: str, lines: Sequence[Line]) -> LineChart:
    return LineChart(title, "interactions", y_label, tuple(lines), y_range=_PER_CENT, size=_PANEL)


def _ap_line(run: LearningRun, iou: float, number: int) -> Line:
    made = np.array([evaluation.interactions for evaluation in run.evaluations], np.float64)
    ap = np.array([evaluation.ap.get(iou, np.nan) for evaluation in run.evaluations], np.float64)
    return Line("", made, ap, number % COLOURS)


def _hits_line(run: LearningRun, window: int, number: int) -> Line:
    made = np.arange(1, len(run.attempts) + 1, dtype=np.float64)
    shares = 100 * trailing_mean(run.moved, window)
    return Line("", made[window // 5 :], shares[window // 5 :], number % COLOURS)


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _share(value: float) -> str:
    return "-" if np.isnan(value) else f"{100 * value:.1f} %"


def _one_digit(value: float | None) -> str:
    return "-" if value is None or np.isnan(value) else f"{value:.1f}"
