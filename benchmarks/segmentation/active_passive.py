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
from tabletop_interaction.reports.charts import Line, LineChart, chart_file, trailing_mean
from tabletop_interaction.reports.drawing import COLOURS
from tabletop_interaction.reports.figures_page import TERMS_OF_AP, FiguresPage, interval_words
from tabletop_interaction.reports.learning_page import LONG_WINDOW, WINDOW, ap_line, interval_label
from tabletop_interaction.reports.learning_run import IOUS, LearningRun, read_learning_run
from tabletop_interaction.reports.page import Essential
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
        return differing_settings(self.runs)

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


def differing_settings(runs: Mapping[str, LearningRun]) -> dict[str, str]:
    """By name, the settings that are not the same in all runs, which have names, as text."""
    # Earlier versions, which only picked, did not name the primitive.
    settings = {name: {"primitive": run.primitive, **dotted(run.config)} for name, run in runs.items()}
    keys = dict.fromkeys(key for one in settings.values() for key in one)
    values = {key: [str(one.get(key, "not set")) for one in settings.values()] for key in keys}
    return {
        key: ", ".join(f"{value} ({name})" for name, value in zip(settings, each, strict=True))
        for key, each in values.items()
        if len(set(each)) > 1
    }


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
    charts = [replace(chart, size=_PANEL) for chart in comparison_charts(comparison)]
    known = _baseline(list(comparison.runs.values()), IOUS[0])
    references = ["simple baseline on the same pictures"] if known else []
    return chart_file(charts, list(comparison.runs), _notes(comparison), references)


def comparison_page(comparison: Comparison) -> FiguresPage:
    """The content of results.html."""
    names = list(comparison.runs)
    return FiguresPage(
        title=f"Learning runs compared: {', '.join(names)}",
        introduction=f"Runs that choose their {_interactions(comparison.runs.values())} by their hypotheses, and runs "
        f"that draw them at random, on the same {comparison.pictures} held-out pictures of {comparison.set_name}.",
        essentials=[_essential(name, comparison) for name in names],
        charts=comparison_charts(comparison),
        table=comparison.table(),
        notes=[*_notes(comparison), *comparison.footnotes()],
        terms=TERMS_OF_AP,
    )


def comparison_charts(comparison: Comparison) -> list[LineChart]:
    """AP at IoU 0.3 and 0.5, and the share of the interactions that move an object; a line a run."""
    runs = comparison.runs
    word = _interactions(runs.values())
    window = LONG_WINDOW if min(len(run.attempts) for run in runs.values()) >= 2 * LONG_WINDOW else WINDOW
    label = interval_label(comparison.pictures)
    moved = {name: Line(name, *_moved_points(run, window)) for name, run in runs.items()}
    return [
        *(replace(_ap_chart(runs, iou), interval_label=label) for iou in IOUS[:2]),
        _chart(f"{word.capitalize()} that move an object", f"of the last {window} {word}, %", moved),
    ]


def _ap_chart(runs: Mapping[str, LearningRun], iou: float) -> LineChart:
    """AP of each run, and of the simple baseline as a dashed line."""
    chart = _chart(f"AP at IoU {iou}", "AP, %", {name: ap_line(run.evaluations, iou) for name, run in runs.items()})
    ends = np.array([0.0, max(run.evaluations[-1].interactions for run in runs.values())])
    dashed = [
        Line("simple baseline", ends, np.full(2, ap), len(runs) % COLOURS, "dashed", f"{ap:.1f} %")
        for ap in _baseline(list(runs.values()), iou)
    ]
    return replace(chart, series=(*chart.series, *dashed))


def _notes(comparison: Comparison) -> list[str]:
    """What the intervals mean, if there are any."""
    if not any(evaluation.ap_interval for run in comparison.runs.values() for evaluation in run.evaluations):
        return []
    if comparison.pictures >= FEWEST_PICTURES:
        return [_INTERVALS]
    return [
        _INTERVALS,
        f"the intervals are unreliable: {comparison.pictures} pictures, fewer than {FEWEST_PICTURES}",
    ]


def _essential(name: str, comparison: Comparison) -> Essential:
    figures, evaluation = comparison.figures[name], comparison.runs[name].evaluations[-1]
    note = f"AP at IoU 0.5 after {figures.evaluated_after:,} interactions; policy {figures.policy}"
    if interval := evaluation.ap_interval.get(0.5):
        note = f"{interval_words(*interval, comparison.pictures >= FEWEST_PICTURES)}; {note}"
    return Essential(name, f"{_one_digit(figures.ap.get(0.5))} %", note)


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


def _chart(title: str, y_label: str, lines: Mapping[str, Line]) -> LineChart:
    series = tuple(replace(line, label=name, colour=n % COLOURS) for n, (name, line) in enumerate(lines.items()))
    return LineChart(title, "interactions", y_label, series, y_range=_PER_CENT)


def _baseline(runs: Sequence[LearningRun], iou: float) -> list[float]:
    """AP of the simple baseline, per cent, from the first run that has it; the runs' pictures are the same."""
    return [run.evaluations[-1].baseline_ap[iou] for run in runs if iou in run.evaluations[-1].baseline_ap][:1]


def _moved_points(run: LearningRun, window: int) -> tuple[Floats, Floats]:
    made = np.arange(1, len(run.attempts) + 1, dtype=np.float64)
    return made[window // 5 :], 100 * trailing_mean(run.moved, window)[window // 5 :]


def _one_digit(value: float | None) -> str:
    return "-" if value is None or np.isnan(value) else f"{value:.1f}"
