"""Does choosing help? Runs that pick their own hypotheses against runs that pick at random.

The paper claims that the robot's hypotheses make its experiments better: more picks move an object, so that the same
number of interactions gives more masks. Compared are the share of picks that move an object over a run, the number of
masks, and average precision on the same held-out pictures.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from tabletop_interaction.arrays import Floats
from tabletop_interaction.benchmarks.figures import table_of_columns
from tabletop_interaction.benchmarks.results.result import Figure
from tabletop_interaction.benchmarks.results.shares import share_of
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.files import dotted, plain
from tabletop_interaction.reports.charts import COLOURS, Line, LineChart, chart_file, trailing_mean
from tabletop_interaction.reports.learning_page import LONG_WINDOW, WINDOW, ap_line
from tabletop_interaction.reports.learning_run import IOUS, LearningRun, read_learning_run
from tabletop_interaction.segmentation.evaluation.precision_recall import FEWEST_PICTURES

QUARTERS = 4
"""Equal parts of a run, each with its own share of picks that move an object."""

_PANEL = (400, 300)
_PER_CENT = (0.0, 100.0)
_MOST_DIFFERENCES = 12
_INTERVALS = "bands are 95 % intervals of AP, a bootstrap over the held-out pictures, not over runs"


@dataclass(frozen=True)
class RunFigures:
    """The figures of one run.

    Attributes:
        moved_by_quarter: share of the interactions that moved an object, by quarter of the run; None for an empty one.
        moved, grasped: picks or pushes that moved an object, and picks that held something.
        masks: examples with a mask at the last update; 0 without an update.
        steps, evaluated_after: training steps and interactions before the last evaluation.
        ap: at the last evaluation, by IoU threshold, per cent.
    """

    policy: str
    interactions: int
    moved_by_quarter: tuple[float | None, ...]
    moved: int
    grasped: int
    masks: int
    steps: int
    evaluated_after: int
    ap: Mapping[float, float]


@dataclass(frozen=True)
class Comparison:
    """Runs by name that were evaluated on the same pictures of the set `set_name`; `compare_runs` makes it."""

    runs: Mapping[str, LearningRun]
    figures: Mapping[str, RunFigures]
    set_name: str
    pictures: int

    def table(self) -> Table:
        """A table with a row for each figure and a column for each run."""
        title = f"active against passive; AP on {self.pictures} pictures of {self.set_name}"
        word = _interactions(self.runs.values())
        return table_of_columns(title, "", {name: _cells(figures, word) for name, figures in self.figures.items()})

    def footnotes(self) -> list[str]:
        """What limits the comparison: settings that differ, runs of different length."""
        lines = [f"{name} differs: {values}" for name, values in self.differences().items()]
        if len(lines) > _MOST_DIFFERENCES:
            lines = [*lines[:_MOST_DIFFERENCES], f"and {len(lines) - _MOST_DIFFERENCES} more settings differ"]
        return lines + self._at_equal_length()

    def differences(self) -> dict[str, str]:
        """By name, the settings that are not the same in all runs, as text."""
        # Earlier versions, which only picked, did not name the primitive.
        settings = {name: {"primitive": run.primitive, **dotted(run.config)} for name, run in self.runs.items()}
        keys = dict.fromkeys(key for one in settings.values() for key in one)
        values = {key: [str(one.get(key, "not set")) for one in settings.values()] for key in keys}
        return {
            key: ", ".join(f"{value} ({name})" for name, value in zip(settings, each, strict=True))
            for key, each in values.items()
            if len(set(each)) > 1
        }

    def _at_equal_length(self) -> list[str]:
        if len({figures.evaluated_after for figures in self.figures.values()}) == 1:
            return []
        by_run = {name: {e.interactions: e for e in run.evaluations} for name, run in self.runs.items()}
        common = set.intersection(*(set(evaluations) for evaluations in by_run.values()))
        if not common:
            return ["the runs were evaluated after different numbers of interactions, and never after the same"]
        last = max(common)
        ap = ", ".join(
            f"{name} {' / '.join(_one_digit(at[last].ap.get(iou)) for iou in IOUS)}" for name, at in by_run.items()
        )
        ious = " / ".join(str(iou) for iou in IOUS)
        return [f"different lengths; after {last:,}, the last count at which all were evaluated, AP at {ious}: {ap}"]

    def document(self) -> dict[str, Any]:
        """The content of results.json."""
        runs = {
            name: {"folder": str(run.folder), "seed": run.seed, **plain(self.figures[name])}
            for name, run in self.runs.items()
        }
        return {
            "set": self.set_name,
            "pictures": self.pictures,
            "runs": runs,
            "settings_that_differ": self.differences(),
        }

    def result(self) -> dict[str, dict[str, Figure]]:
        """The figures of a result file."""
        word = _interactions(self.runs.values())
        return {
            name: {
                **{f"AP at IoU {iou}": Figure(one.ap[iou], "%") for iou in IOUS if iou in one.ap},
                f"{word} that move an object": share_of(one.moved, one.interactions),
                "labelled masks": Figure(one.masks, decimals=0),
            }
            for name, one in self.figures.items()
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
            f"learning runs given: {len(folders)}; give two or more to compare, e.g. active=runs/a passive=runs/b"
        )
    runs = {name: read_learning_run(folder) for name, folder in folders.items()}
    for name, run in runs.items():
        if not run.attempts or not run.evaluations:
            missing = "evaluation" if run.attempts else "interaction"
            raise InvalidConfiguration(f"{name} ({run.folder}) has no {missing} yet; resume it before comparing")
    set_name, pictures = _common_set(runs)
    return Comparison(runs, {name: _figures(run) for name, run in runs.items()}, set_name, pictures)


def named_folders(arguments: Sequence[str]) -> dict[str, Path]:
    """Folders by name, from arguments `name=folder` or `folder`; InvalidConfiguration if two have the same name."""
    folders: dict[str, Path] = {}
    for argument in arguments:
        # The name of a folder may contain "=".
        named = "=" in argument and not Path(argument).is_dir()
        name, folder = argument.split("=", 1) if named else (Path(argument).resolve().name, argument)
        if name in folders:
            raise InvalidConfiguration(
                f"two runs are called {name!r}; name them: active={folders[name]} passive={folder}"
            )
        folders[name] = Path(folder)
    return folders


def comparison_svg(comparison: Comparison) -> str:
    """Charts of AP at IoU 0.3 and 0.5 and of the share that moves an object, against interactions; a colour a run."""
    runs = list(comparison.runs.values())
    word = _interactions(runs)
    window = LONG_WINDOW if min(len(run.attempts) for run in runs) >= 2 * LONG_WINDOW else WINDOW
    moved = [Line("", *_moved_points(run, window)) for run in runs]
    charts = [
        *(_ap_chart(runs, iou) for iou in IOUS[:2]),
        _chart(f"{word.capitalize()} that move an object", f"of the last {window} {word}, %", moved),
    ]
    with_intervals = any(evaluation.ap_interval for run in runs for evaluation in run.evaluations)
    notes = [_INTERVALS] if with_intervals else []
    if with_intervals and comparison.pictures < FEWEST_PICTURES:
        notes.append(f"the intervals are unreliable: {comparison.pictures} pictures, fewer than {FEWEST_PICTURES}")
    references = ["simple baseline on the same pictures"] if _baseline(runs, IOUS[0]) else []
    return chart_file(charts, list(comparison.runs), notes, references)


def _figures(run: LearningRun) -> RunFigures:
    """The figures of a run that has interactions and an evaluation."""
    last = run.evaluations[-1]
    quarters = np.array_split(run.moved, QUARTERS)
    return RunFigures(
        policy=str(run.config.get("policy", "-")),
        interactions=len(run.attempts),
        moved_by_quarter=tuple(float(part.mean()) if len(part) else None for part in quarters),
        moved=int(run.moved.sum()),
        grasped=int(run.grasped.sum()),
        masks=run.updates[-1].objects if run.updates else 0,
        steps=last.steps,
        evaluated_after=last.interactions,
        ap=last.ap,
    )


def _common_set(runs: Mapping[str, LearningRun]) -> tuple[str, int]:
    """Name and number of pictures of the set on which all runs were evaluated."""
    sets = {name: (run.evaluations[-1].set_name, run.evaluations[-1].pictures) for name, run in runs.items()}
    if len(set(sets.values())) > 1:
        listed = ", ".join(
            f"{name} on {pictures} pictures of {set_name}" for name, (set_name, pictures) in sets.items()
        )
        raise InvalidConfiguration(
            f"the runs were evaluated on different pictures: {listed}; average precision is comparable on the same set "
            "only, so evaluate their networks on one set with tabletop evaluate"
        )
    return next(iter(sets.values()))


def _interactions(runs: Iterable[LearningRun]) -> str:
    """The word for the interactions of all runs."""
    return "interactions" if any(run.primitive == "push" for run in runs) else "picks"


def _cells(figures: RunFigures, word: str) -> dict[str, str]:
    """The rows of a run's column in the table; `word` for its interactions."""
    quarters = {
        f"{word} that move an object, quarter {number}": "-" if share is None else f"{100 * share:.1f} %"
        for number, share in enumerate(figures.moved_by_quarter, start=1)
    }
    return {
        "policy": figures.policy,
        "interactions": f"{figures.interactions:,}",
        **quarters,
        f"{word} that move an object": f"{figures.moved:,}",
        f"{word} that hold something": f"{figures.grasped:,}",
        "labelled masks": f"{figures.masks:,}",
        "training steps": f"{figures.steps:,}",
        "evaluated after": f"{figures.evaluated_after:,}",
        **{f"AP at IoU {iou}, %": _one_digit(figures.ap.get(iou)) for iou in IOUS},
    }


def _chart(title: str, y_label: str, curves: Sequence[Line]) -> LineChart:
    lines = tuple(replace(line, label="", value="", colour=number % COLOURS) for number, line in enumerate(curves))
    return LineChart(title, "interactions", y_label, lines, y_range=_PER_CENT, size=_PANEL)


def _ap_chart(runs: Sequence[LearningRun], iou: float) -> LineChart:
    """AP of each run, and of the simple baseline as a dashed line."""
    chart = _chart(f"AP at IoU {iou}", "AP, %", [ap_line(run.evaluations, iou) for run in runs])
    ends = np.array([0.0, max(run.evaluations[-1].interactions for run in runs)])
    dashed = [Line("", ends, np.full(2, ap), len(runs) % COLOURS, "dashed") for ap in _baseline(runs, iou)]
    return replace(chart, series=(*chart.series, *dashed))


def _baseline(runs: Sequence[LearningRun], iou: float) -> list[float]:
    """AP of the simple baseline, per cent, from the first run that has it; the runs' pictures are the same."""
    return [run.evaluations[-1].baseline_ap[iou] for run in runs if iou in run.evaluations[-1].baseline_ap][:1]


def _moved_points(run: LearningRun, window: int) -> tuple[Floats, Floats]:
    made = np.arange(1, len(run.attempts) + 1, dtype=np.float64)
    return made[window // 5 :], 100 * trailing_mean(run.moved, window)[window // 5 :]


def _one_digit(value: float | None) -> str:
    return "-" if value is None or np.isnan(value) else f"{value:.1f}"
