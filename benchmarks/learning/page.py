"""The results page of the learning benchmark: curves of the mean with a band of one deviation, and all figures."""

from collections.abc import Sequence

import numpy as np
from rich.table import Table

from tabletop_interaction.arrays import Floats
from tabletop_interaction.benchmarks.figures import counted
from tabletop_interaction.benchmarks.learning.scores import MOVED, LearningScores
from tabletop_interaction.benchmarks.results.result import Figure
from tabletop_interaction.benchmarks.results.seeds import over_seeds
from tabletop_interaction.benchmarks.results.tables import figure_text
from tabletop_interaction.reports.charts import Line, LineChart
from tabletop_interaction.reports.figures_page import TERMS_OF_AP, TERMS_OF_DEVIATION, FiguresPage
from tabletop_interaction.reports.learning_run import IOUS
from tabletop_interaction.reports.page import Essential

_PER_CENT = (0.0, 100.0)
_BAND = "± one standard deviation"
_MEAN, _BASELINE = 0, 5


def learning_page(
    name: str, scores: LearningScores, notes: Sequence[str] = (), more: Sequence[Table] = ()
) -> FiguresPage:
    """The content of results.html.

    Args:
        name: of the benchmark's folder.
        notes, more: further notes and tables.
    """
    return FiguresPage(
        title=f"{name}: learning, {counted(len(scores.runs), 'seed')}",
        introduction=f"Runs of tabletop learn over {counted(scores.interactions, 'interaction')} that differ by their "
        f"seed alone{', evaluated on ' + scores.held_out if scores.held_out else ''}.",
        essentials=_essentials(scores),
        charts=learning_charts(scores),
        table=scores.table(),
        notes=[*scores.notes(), *notes],
        terms=(*TERMS_OF_AP[:2], *TERMS_OF_DEVIATION),
        more=(scores.seeds_table(), *more),
    )


def learning_charts(scores: LearningScores) -> list[LineChart]:
    """AP at each IoU, and the share of the interactions that moved an object, against interactions."""
    at = np.array(scores.points, np.float64)
    charts = []
    for iou in IOUS:
        by_seed = np.array([scores.ap(point, iou) for point in scores.points], np.float64)
        lines = _lines(at, by_seed)
        if iou in scores.baseline:
            level = scores.baseline[iou]
            ends = np.array([0.0, at[-1]])
            lines += (Line("simple baseline", ends, np.full(2, level), _BASELINE, "dashed", f"{level:.1f} %"),)
        charts.append(_chart(f"AP at IoU {iou}", "AP, %", lines))
    pairs = [(begin, end) for begin, end in zip([0, *scores.points], scores.points, strict=False) if end > begin]
    moved = np.array([scores.moved(*pair) for pair in pairs], np.float64)
    ends = np.array([end for _, end in pairs], np.float64)
    label = "since the evaluation before, %"
    return [*charts, _chart("Interactions that moved an object", label, _lines(ends, moved))]


def _chart(title: str, y_label: str, lines: tuple[Line, ...]) -> LineChart:
    return LineChart(title, "interactions", y_label, lines, y_range=_PER_CENT, interval_label=_BAND)


def _lines(at: Floats, by_seed: Floats) -> tuple[Line, ...]:
    """The mean with its band, and a thin line for each seed; by_seed: (points, seeds)."""
    figures = [over_seeds(values, "%") for values in by_seed]
    mean = np.array([figure.value for figure in figures])
    deviation = np.array([np.nan if figure.deviation is None else figure.deviation for figure in figures])
    band = np.stack([mean - deviation, mean + deviation], axis=1)
    several = by_seed.shape[1] > 1
    label = "mean of the seeds" if several else "one seed"
    shown = Line(label, at, mean, _MEAN, value=_with_unit(figures[-1]), interval=band)
    if not several:
        return (shown,)
    # One entry in the legend is enough for all seeds.
    labels = ["single seeds", *[""] * (by_seed.shape[1] - 1)]
    seeds = (Line(name, at, ap, _MEAN, "thin") for name, ap in zip(labels, by_seed.T, strict=True))
    return (shown, *seeds)


def _essentials(scores: LearningScores) -> list[Essential]:
    last = list(scores.rows().values())[len(scores.points) - 1]
    each = [(f"AP at IoU {iou}", last[f"AP at IoU {iou}"], _baseline_note(scores, iou)) for iou in IOUS]
    each.append((MOVED, scores.costs()[MOVED], "of all interactions"))
    return [Essential(name, _with_unit(figure), _ends(figure) + note) for name, figure, note in each]


def _baseline_note(scores: LearningScores, iou: float) -> str:
    known = f"; simple baseline: {scores.baseline[iou]:.1f} %" if iou in scores.baseline else ""
    return f"after {counted(scores.interactions, 'interaction')}{known}"


def _with_unit(figure: Figure) -> str:
    """Mean ± deviation with the unit."""
    mean = figure_text(figure, figure.unit).partition(" (")[0]
    return f"{mean} {figure.unit}"


def _ends(figure: Figure) -> str:
    if figure.low is None or figure.high is None:
        return "one seed; "
    return f"worst seed {figure.low:.1f} %, best {figure.high:.1f} %; "
