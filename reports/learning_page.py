"""The report of a learning run: one HTML page without outside files, rewritten during the run.

It shows what the paper's section 5 shows: average precision and recall of hypotheses against the number of
interactions, precision-recall curves, and the masks on the same held-out pictures over time (figure 4).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np

from tabletop_interaction.agents.learning.learner import Update
from tabletop_interaction.arrays import Floats
from tabletop_interaction.files import dotted, write_file
from tabletop_interaction.reports.charts import Line, LineChart, Marks, StackedChart, trailing_mean
from tabletop_interaction.reports.figures_page import TERMS_OF_AP, interval_words
from tabletop_interaction.reports.learning_pictures import (
    PANELS,
    chosen_evaluations,
    open_album,
    pictures_over_time,
    unlabelled,
)
from tabletop_interaction.reports.learning_run import IOUS, HeldOutFigures, LearningRun, read_learning_run
from tabletop_interaction.reports.outcomes import OUTCOMES
from tabletop_interaction.reports.page import Essential, day, render_page
from tabletop_interaction.segmentation.evaluation.precision_recall import FEWEST_PICTURES

PAPER_AP = {0.3: 45.9, 0.5: 22.5}
"""Per cent, "Ours + robust set loss" after 50,000 interactions, on the paper's own test set (table 1)."""
PAPER_INTERACTIONS = 50_000

WINDOW, LONG_WINDOW = 50, 500
"""Interactions per share: the last 50, and for the trend of a long run the last 500."""

_TERMS = (
    ("held-out pictures", "labelled pictures of other objects and table tops, which the robot never learns from"),
    ("new scene", "the table is cleared, and other objects are laid on it"),
)
_LATEST = 8
_FEWEST = 10
_PER_CENT = (0.0, 100.0)
_SMALL, _WIDE = (380, 270), (1120, 300)
_OUTCOME_COLOURS = (0, 1, 2, 3, 5, 4)


def write_report(run_folder: Path) -> Path:
    """Write report.html into the folder of a run at any stage, and return its path; errors as `read_learning_run`."""
    run = read_learning_run(run_folder)
    album, columns, day = open_album(run), chosen_evaluations(run.evaluations), _day(run.times)
    scenes = Marks(album.new_scenes(run.attempts), "new scene")
    page = render_page(
        Path(__file__).with_name("learning_page.html.j2"),
        title=f"{run.folder.resolve().name}: learning by interaction{f', {day}' if day else ''}",
        run=run,
        when=period(run.times),
        paper_ap=PAPER_AP,
        paper_interactions=PAPER_INTERACTIONS,
        pushes=run.primitive == "push",
        moments=PANELS[run.primitive],
        essentials=essentials(run),
        terms_of_curves=(*TERMS_OF_AP, *_TERMS),
        ap=ap_chart(run.evaluations, scenes),
        picks=picks_chart(run, scenes),
        recall=[recall_chart(run.evaluations, iou) for iou in PAPER_AP],
        curves=[precision_recall_chart(run.evaluations, iou) for iou in PAPER_AP],
        outcomes=outcomes_chart(run, scenes),
        training=training_charts(run.updates),
        columns=columns,
        truth=bool(run.truth),
        rows=pictures_over_time(run.truth if columns else (), columns),
        ap_text=lambda evaluation: " / ".join(_per_cent(evaluation, iou).removesuffix(" %") for iou in PAPER_AP),
        latest=[album.show(attempt) for attempt in run.attempts[: -_LATEST - 1 : -1]],
        unlabelled=unlabelled(run, album),
        settings=dotted(run.config),
    )
    path = run_folder / "report.html"
    write_file(path, page)
    return path


def essentials(run: LearningRun) -> tuple[Essential, ...]:
    """Figures of the page's head: interactions, shares of picks, AP; a dash where there is no figure yet."""
    first, last = (run.evaluations[0], run.evaluations[-1]) if run.evaluations else (None, None)
    return (
        Essential("interactions", f"{len(run.attempts):,}", _pace(run)),
        *(Essential(f"{_plural(run)} that {one.plural}", *_then_and_now(one.hit)) for one in _successes(run)),
        *(Essential(f"AP at IoU {iou}", _per_cent(last, iou), _ap_note(first, last, iou)) for iou in PAPER_AP),
    )


def duration(seconds: float) -> str:
    """A time in words: "2 h 05 min", "7 min", "40 s"."""
    minutes = int(seconds // 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes} min" if minutes else f"{seconds:.0f} s"


def period(times: Sequence[datetime]) -> str:
    """The time from the first to the last, in words; empty without any."""
    if not times:
        return ""
    start, end = times[0], times[-1]
    if start.date() == end.date():
        return f"{day(start)}, {start:%H:%M} to {end:%H:%M} UTC"
    return f"{day(start)}, {start:%H:%M}, to {day(end)}, {end:%H:%M} UTC"


def ap_chart(evaluations: Sequence[HeldOutFigures], scenes: Marks | None = None) -> LineChart:
    """Average precision with its intervals against interactions; that of the simple baseline is dashed."""
    at = _at(evaluations)
    lines = [ap_line(evaluations, iou, colour) for colour, iou in enumerate(IOUS)]
    ends = np.array([0.0, at.max(initial=0.0)])
    known = evaluations[-1].baseline_ap if evaluations else {}
    baseline = [
        Line(f"simple baseline, IoU {iou}", ends, np.full(2, known[iou]), colour, "dashed", f"{known[iou]:.1f} %")
        for colour, iou in enumerate(PAPER_AP)
        if iou in known
    ]
    label = interval_label(min((e.pictures for e in evaluations), default=FEWEST_PICTURES))
    chart = LineChart(
        "Average precision", "interactions", "AP, %", (*lines, *baseline), y_range=_PER_CENT, marks=scenes
    )
    return replace(chart, interval_label=label)


def interval_label(pictures: int) -> str:
    """The legend's words for intervals from a number of pictures."""
    return f"95 % interval{f', unreliable ({pictures} pictures)' if pictures < FEWEST_PICTURES else ''}"


def ap_line(evaluations: Sequence[HeldOutFigures], iou: float, colour: int = 0) -> Line:
    """Average precision at an IoU against interactions, with its intervals where they were recorded."""
    unknown = (np.nan, np.nan)
    interval = np.array([e.ap_interval.get(iou, unknown) for e in evaluations], np.float64).reshape(-1, 2)
    ap = np.array([e.ap.get(iou, np.nan) for e in evaluations], np.float64)
    return replace(_per_cent_line(f"IoU {iou}", _at(evaluations), ap, colour), interval=interval)


def recall_chart(evaluations: Sequence[HeldOutFigures], iou: float) -> LineChart:
    """Share of the held-out objects among the hypotheses at fixed precisions, against interactions."""
    precisions = sorted({precision for e in evaluations for precision in e.recall_at_precision.get(iou, {})})
    lines = []
    for colour, precision in enumerate(precisions):
        recall = np.array([e.recall_at_precision.get(iou, {}).get(precision, np.nan) for e in evaluations])
        lines.append(_per_cent_line(f"precision {100 * precision:.0f} %", _at(evaluations), 100 * recall, colour))
    title = f"Recall of hypotheses, IoU {iou}"
    return LineChart(title, "interactions", "objects found, %", tuple(lines), y_range=_PER_CENT)


def precision_recall_chart(evaluations: Sequence[HeldOutFigures], iou: float) -> LineChart:
    """Precision against recall at the last evaluation and, paler, at the first."""
    lines = [_curve_line("last", evaluation, iou, 0) for evaluation in evaluations[-1:]]
    if len(evaluations) > 1:
        lines.append(replace(_curve_line("first", evaluations[0], iou, 1), style="pale"))
    title = f"Precision and recall, IoU {iou}"
    return LineChart(title, "recall, %", "precision, %", tuple(lines), _PER_CENT, _PER_CENT)


def picks_chart(run: LearningRun, scenes: Marks | None = None) -> LineChart:
    """Shares of the interactions that move an object and that hold something; for a long run over both windows."""
    long, name = len(run.attempts) >= 2 * LONG_WINDOW, _plural(run)
    window = LONG_WINDOW if long else WINDOW
    lines = [_share_line(one.singular, run, one.hit, one.colour, window) for one in _successes(run)]
    if long:
        lines += [
            replace(_share_line(f"{one.singular}, of {WINDOW}", run, one.hit, one.colour, WINDOW), style="pale")
            for one in _successes(run)
        ]
    y_label, title = f"of the last {window} {name}, %", f"{name.capitalize()} that hit"
    return LineChart(title, "interactions", y_label, tuple(lines), y_range=_PER_CENT, marks=scenes)


def outcomes_chart(run: LearningRun, scenes: Marks | None = None) -> StackedChart | None:
    """Outcomes of the picks, shares of the last 50 stacked to 100 %; the values are shares of the whole run.

    None for pushes, whose outcome the gripper does not report.
    """
    if run.primitive == "push":
        return None
    lines = []
    for (outcome, label), colour in zip(OUTCOMES.items(), _OUTCOME_COLOURS, strict=True):
        hit = np.array([attempt.pick_outcome == outcome for attempt in run.attempts], np.float64)
        line = _share_line(label, run, hit, colour, WINDOW)
        lines.append(replace(line, value=f"{100 * hit.mean():.1f} %" if len(hit) else ""))
    title, y_label = "Outcomes of the picks", f"of the last {WINDOW} picks, %"
    return StackedChart(title, "interactions", y_label, tuple(lines), y_range=_PER_CENT, size=_WIDE, marks=scenes)


def training_charts(updates: Sequence[Update]) -> tuple[LineChart, ...]:
    """Losses and mask IoU against training steps, and examples against interactions."""
    steps = np.array([update.step for update in updates], np.float64)
    made = np.array([update.interactions for update in updates], np.float64)

    def line(label: str, x: Floats, name: str, colour: int, form: str = ".3f") -> Line:
        # A loss that was not measured is None, which becomes NaN.
        values = np.array([getattr(update, name) for update in updates], np.float64)
        return Line(label, x, values, colour, value=format(values[-1], form) if len(values) else "")

    losses = (line("score", steps, "score_loss", 0), line("mask", steps, "mask_loss", 1))
    ious = np.array([100 * update.mask_iou for update in updates], np.float64)
    latest = f"{ious[-1]:.1f} %" if len(ious) else ""
    iou = Line("predicted against target", steps, ious, 2, value=latest)
    examples = (line("masks", made, "objects", 0, ",.0f"), line("background", made, "background", 5, ",.0f"))
    return (
        LineChart("Training losses", "training steps", "loss, nats", losses, size=_SMALL),
        LineChart("Mask IoU in training", "training steps", "IoU, %", (iou,), y_range=_PER_CENT, size=_SMALL),
        LineChart("Self-made examples", "interactions", "examples", examples, size=_SMALL),
    )


@dataclass(frozen=True, eq=False)
class _Success:
    """What an interaction may achieve: a phrase for several and for one, (N,) 1.0 where it did, a colour's number."""

    plural: str
    singular: str
    hit: Floats
    colour: int


def _successes(run: LearningRun) -> list[_Success]:
    moves = _Success("move an object", "moves an object", run.moved, 2)
    holds = _Success("hold something", "holds something", run.grasped, 0)
    return [moves] if run.primitive == "push" else [moves, holds]


def _plural(run: LearningRun) -> str:
    return "pushes" if run.primitive == "push" else "picks"


def _pace(run: LearningRun) -> str:
    planned = f"of {run.config['interactions']:,} planned; " if "interactions" in run.config else ""
    seconds = run.attempts[-1].seconds if run.attempts else 0.0
    if seconds <= 0:
        return f"{planned}no time measured yet"
    return f"{planned}{60 * len(run.attempts) / seconds:.1f} a minute over {duration(seconds)} of work"


def _then_and_now(values: Floats) -> tuple[str, str]:
    """The share at the end, and a note with the share at the start; for a short run, of its halves."""
    window = min(WINDOW, (len(values) + 1) // 2)
    if window == 0:
        return "-", "no interaction yet"
    start, end = 100 * values[:window].mean(), 100 * values[-window:].mean()
    return f"{end:.0f} %", f"of the last {window}; {start:.0f} % of the first {window}"


def _ap_note(first: HeldOutFigures | None, last: HeldOutFigures | None, iou: float) -> str:
    if first is None or last is None:
        return "no evaluation yet"
    start = f"; {_per_cent(first, iou)} after {first.interactions:,}" if first is not last else ""
    baseline = f"; simple baseline: {last.baseline_ap[iou]:.1f} %" if iou in last.baseline_ap else ""
    after = f"after {last.interactions:,} on {last.pictures:,} pictures of {last.set_name}"
    return f"{_interval(last, iou)}{after}{start}{baseline}"


def _interval(evaluation: HeldOutFigures, iou: float) -> str:
    if iou not in evaluation.ap_interval:
        return ""
    return f"{interval_words(*evaluation.ap_interval[iou], evaluation.pictures >= FEWEST_PICTURES)}; "


def _per_cent(evaluation: HeldOutFigures | None, iou: float) -> str:
    value = evaluation.ap.get(iou, np.nan) if evaluation else np.nan
    return f"{value:.1f} %" if np.isfinite(value) else "-"


def _per_cent_line(label: str, x: Floats, y: Floats, colour: int) -> Line:
    value = f"{y[-1]:.1f} %" if len(y) and np.isfinite(y[-1]) else ""
    return Line(label, x, y, colour, value=value)


def _curve_line(when: str, evaluation: HeldOutFigures, iou: float, colour: int) -> Line:
    recall, precision = evaluation.curves.get(iou, (np.empty(0), np.empty(0)))
    label = f"{when}, after {evaluation.interactions:,}"
    return Line(label, 100 * recall, 100 * precision, colour, value=f"AP {_per_cent(evaluation, iou)}")


def _share_line(label: str, run: LearningRun, hit: Floats, colour: int, window: int) -> Line:
    """Trailing mean of 0 or 1 for each interaction, per cent, from the tenth interaction on."""
    numbers = np.array([attempt.number for attempt in run.attempts], np.float64)
    return _per_cent_line(label, numbers[_FEWEST - 1 :], 100 * trailing_mean(hit, window)[_FEWEST - 1 :], colour)


def _day(times: Sequence[datetime]) -> str:
    """The days of the first and of the last time; empty without any."""
    return " to ".join(dict.fromkeys(map(day, times)))


def _at(evaluations: Sequence[HeldOutFigures]) -> Floats:
    return np.array([evaluation.interactions for evaluation in evaluations], np.float64)
