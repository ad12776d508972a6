"""Charts of lines and of stacked bands.

A chart stands in a page (`chart.svg()`), which holds `drawing.STYLE` once, or in a file of its own (`chart_file`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from tabletop_interaction.arrays import Floats
from tabletop_interaction.reports.drawing import (
    CAP_PX,
    COLOURS,
    INK,
    LEFT,
    MUTED,
    SETTINGS,
    STYLE,
    Chart,
    LegendEntry,
    colour_of,
    framed_axes,
    new_figure,
    plain_number,
    svg_content,
    write_at,
)

_RIGHT, _TOP, _BOTTOM = 24, 38, 48
_MOST_POINTS = 400
_DOTS_UP_TO = 25
_LINES_UP_TO = 40
_BAND_ALPHA = 0.16
_TITLE_HEIGHT, _LEGEND_HEIGHT, _GAP = 26, 22, 24
_LINE_STYLES: dict[str, dict[str, Any]] = {
    "solid": {"linewidth": 2},
    "pale": {"linewidth": 2, "alpha": 0.45},
    "thin": {"linewidth": 1, "alpha": 0.6},
    "dashed": {"linewidth": 1.5, "linestyle": (0, (3.3, 3.3)), "alpha": 0.75},
}


@dataclass(frozen=True, eq=False)
class Line:
    """One curve of a chart.

    Attributes:
        label: its name in the legend; empty for a curve without a legend entry.
        x, y: (N,) points; those that are not finite are left out.
        colour: number of a colour, 0 to 5.
        value: text beside the label in the legend, such as the latest value.
        dots: whether a solid line of 25 points or fewer has a dot at each.
        interval: (N, 2) low and high of each point, drawn as a band, for a single point as a capped line.
    """

    label: str
    x: Floats
    y: Floats
    colour: int = 0
    style: Literal["solid", "pale", "thin", "dashed"] = "solid"
    value: str = ""
    dots: bool = True
    interval: Floats | None = None

    def finite(self) -> tuple[Floats, Floats]:
        """The finite points, evenly thinned to at most 400; the last one stays."""
        chosen = self._chosen()
        return self.x[chosen], self.y[chosen]

    def finite_interval(self) -> tuple[Floats, Floats, Floats]:
        """x, low and high of the points of `finite` that have an interval."""
        if self.interval is None:
            return np.empty(0), np.empty(0), np.empty(0)
        x, (low, high) = self.x[self._chosen()], self.interval[self._chosen()].T
        known = np.isfinite(low) & np.isfinite(high)
        return x[known], low[known], high[known]

    def _chosen(self) -> NDArray[np.intp]:
        known = np.flatnonzero(np.isfinite(self.x) & np.isfinite(self.y))
        return known[np.linspace(0, len(known) - 1, min(len(known), _MOST_POINTS)).astype(int)]


@dataclass(frozen=True, eq=False)
class Marks:
    """Places on the x axis where something begins, such as a new scene, and what that is."""

    x: Floats
    label: str


@dataclass(frozen=True, eq=False)
class LineChart(Chart):
    """Lines over common axes.

    Attributes:
        title: what is shown, a phrase.
        x_label, y_label: quantity and unit.
        series: the lines, the first on top; the legend has an entry for each.
        x_range, y_range: limits; None means from 0 to the largest value.
        marks: places on the x axis; up to 40 are lines over the whole height, more are ticks.
        interval_label: what the intervals of the lines are, for the legend.
    """

    title: str
    x_label: str
    y_label: str
    series: tuple[Line, ...]
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None
    size: tuple[int, int] = (560, 320)
    marks: Marks | None = None
    interval_label: str = "95 % interval"

    @property
    def empty(self) -> bool:
        """Whether no line except dashed references has a point."""
        return all(len(line.finite()[0]) == 0 for line in self.series if line.style != "dashed")

    @property
    def legend(self) -> tuple[LegendEntry, ...]:
        """The lines that have a label, the intervals, and the marks."""
        entries = [self._entry(line) for line in self.series if line.label]
        if any(len(line.finite_interval()[0]) for line in self.series):
            entries.append(LegendEntry(self.interval_label, "band", "c0"))
        if self.marks is not None and len(self.marks.x):
            entries.append(LegendEntry(self.marks.label, "mark", "muted"))
        return tuple(entries)

    def _entry(self, line: Line) -> LegendEntry:
        return LegendEntry(line.label, line.style, f"c{line.colour}", line.value)

    @property
    def extent(self) -> tuple[int, int]:
        return self.size

    def draw(self, figure: Figure, left: float = 0, top: float = 0) -> None:
        axes = self._axes(figure, left, top)
        for line in reversed(self.series):
            _draw_interval(axes, line)
            x, y = line.finite()
            dotted = line.dots and line.style == "solid" and len(x) <= _DOTS_UP_TO
            look = {"color": colour_of(line.colour), "marker": "o" if dotted else None, **_LINE_STYLES[line.style]}
            axes.plot(x, np.clip(y, *axes.get_ylim()), clip_on=False, **look)

    def _axes(self, figure: Figure, left: float, top: float) -> Axes:
        right, bottom = left + self.size[0] - _RIGHT, top + self.size[1] - _BOTTOM
        axes = framed_axes(figure, (left + LEFT, top + _TOP, right, bottom), self.y_label)
        points = [line.finite() for line in self.series]
        axes.set_xlim(self.x_range or _from_zero(np.concatenate([x for x, _ in points])))
        axes.set_ylim(self.y_range or _from_zero(np.concatenate([y for _, y in points]), 1.05))
        axes.xaxis.set_major_locator(MaxNLocator(max(5, self.size[0] // 90), steps=[1, 2, 5, 10]))
        axes.xaxis.set_major_formatter(FuncFormatter(plain_number))
        write_at(figure, right, bottom + 40, self.x_label, horizontalalignment="right")
        self._draw_marks(axes)
        return axes

    def _draw_marks(self, axes: Axes) -> None:
        if self.marks is None:
            return
        low, high = axes.get_xlim()
        inside = self.marks.x[(self.marks.x > low) & (self.marks.x <= high)]
        if len(inside) <= _LINES_UP_TO:
            look: dict[str, Any] = {"linewidth": 1, "linestyle": (0, (1, 3))}
        else:
            look = {"linewidth": 0.7}
        top = 1.0 if len(inside) <= _LINES_UP_TO else 0.03
        axes.vlines(inside, 0, top, transform=axes.get_xaxis_transform(), color=MUTED, zorder=3, **look)


def _draw_interval(axes: Axes, line: Line) -> None:
    x, low, high = line.finite_interval()
    low, high = (np.clip(edge, *axes.get_ylim()) for edge in (low, high))
    colour = colour_of(line.colour)
    if len(x) > 1:
        edge = np.concatenate([low, high[::-1]])
        axes.fill(np.concatenate([x, x[::-1]]), edge, color=colour, alpha=_BAND_ALPHA, linewidth=0)
    elif len(x):
        axes.vlines(x, low, high, color=colour, linewidth=1.5, clip_on=False)
        for end in (low, high):
            axes.plot(x, end, color=colour, marker="_", markersize=CAP_PX, markeredgewidth=1.5, clip_on=False)


@dataclass(frozen=True, eq=False)
class StackedChart(LineChart):
    """Lines that share their x, drawn as bands on top of one another, the first at the bottom."""

    def draw(self, figure: Figure, left: float = 0, top: float = 0) -> None:
        axes = self._axes(figure, left, top)
        axes.set_axisbelow(False)
        below = np.zeros(len(self.series[0].finite()[0]))
        for line in self.series:
            x, y = line.finite()
            edge = np.clip(np.concatenate([below + y, below[::-1]]), *axes.get_ylim())
            colour = colour_of(line.colour)
            axes.fill(np.concatenate([x, x[::-1]]), edge, color=colour, alpha=0.85, linewidth=0, clip_on=False)
            below = below + y

    def _entry(self, line: Line) -> LegendEntry:
        return LegendEntry(line.label, "block", f"c{line.colour}", line.value)


@matplotlib.rc_context(SETTINGS)
def chart_file(
    charts: Sequence[LineChart], legend: Sequence[str], notes: Sequence[str] = (), references: Sequence[str] = ()
) -> str:
    """An SVG file: charts side by side with their titles, and a common legend below, a line and a colour an entry.

    `references` are the names of dashed lines, whose colours follow those of `legend`; `notes` are lines below the
    legend. The file shrinks to the window's width.
    """
    panels_height = max(chart.size[1] for chart in charts) + _TITLE_HEIGHT
    width = sum(chart.size[0] for chart in charts) + _GAP * (len(charts) - 1)
    names = [*legend, *references]
    height = panels_height + _LEGEND_HEIGHT * (len(names) + len(notes) + 1)
    figure = new_figure(width, height)
    left = 0
    for chart in charts:
        chart.draw(figure, left, _TITLE_HEIGHT)
        write_at(figure, left + LEFT, _TITLE_HEIGHT - 4, chart.title, fontweight="bold", color=INK)
        left += chart.size[0] + _GAP
    for number, label in enumerate(names):
        baseline = panels_height + _LEGEND_HEIGHT * (number + 1)
        up = 1 - (baseline - 4) / height
        look = _LINE_STYLES["solid" if number < len(legend) else "dashed"]
        sample = Line2D([LEFT / width, (LEFT + 22) / width], [up, up], color=colour_of(number % COLOURS), **look)
        figure.add_artist(sample)
        write_at(figure, LEFT + 32, baseline, label)
    for number, note in enumerate(notes, start=len(names) + 1):
        write_at(figure, LEFT, panels_height + _LEGEND_HEIGHT * number, note)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" style="max-width: 100%; height: auto"><style>{STYLE}</style>'
        f'<rect width="{width}" height="{height}" style="fill: var(--paper)"/>{svg_content(figure)}</svg>\n'
    )


def trailing_mean(values: Floats, window: int) -> Floats:
    """(N,) mean of the last `window` values up to each, of fewer at the beginning."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(0, ends - window)
    return np.asarray((sums[ends] - sums[starts]) / (ends - starts))


def _from_zero(values: Floats, stretch: float = 1.0) -> tuple[float, float]:
    top = float(values.max(initial=0.0))
    return 0.0, top * stretch if top > 0 else 1.0
