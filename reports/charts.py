"""Charts as SVG text, drawn by matplotlib: lines, stacked bands, and bars with intervals.

A chart stands in a page (`chart.svg()`), which holds `STYLE` once, or in a file of its own (`chart_file`). Fonts come
from the page; colours are CSS variables, so that a chart follows the reader's light or dark mode. Sizes are in the
SVG's user units. The same chart gives the same text.
"""

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Literal

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from tabletop_interaction.arrays import Floats

PALETTE = {
    "ink": ("#1d2329", "#e6e9ec"),
    "muted": ("#5d6873", "#9aa5b0"),
    "grid": ("#e4e7ea", "#2e353c"),
    "paper": ("#ffffff", "#14181c"),
    "c0": ("#0072b2", "#56b4e9"),
    "c1": ("#d55e00", "#ff8f4d"),
    "c2": ("#009e73", "#3fce9f"),
    "c3": ("#b4568f", "#e39ac9"),
    "c4": ("#b88700", "#ecc14a"),
    "c5": ("#7d8791", "#8b97a3"),
}
"""By CSS variable the colour in light and in dark mode; colour-blind readers can distinguish c0 to c5."""


def _variables(mode: int) -> str:
    return " ".join(f"--{name}: {colours[mode]};" for name, colours in PALETTE.items())


LIGHT = _variables(0)
"""CSS of the palette's light mode, which paper has too."""

STYLE = f"""
:root {{ {LIGHT} }}
@media (prefers-color-scheme: dark) {{ :root {{ {_variables(1)} }} }}
.chart {{ font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; display: block; overflow: visible; }}
.chart * {{ stroke-linejoin: round; }}
"""
"""CSS of the palette and of the charts, for a page's head."""

COLOURS = 6
"""Number of colours for data: c0 to c5."""

_INK, _MUTED, _GRID = (PALETTE[name][0] for name in ("ink", "muted", "grid"))
_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "charts",
    "font.size": 13,
    "text.color": _MUTED,
    "text.parse_math": False,
    "axes.facecolor": "none",
    "axes.edgecolor": _MUTED,
    "axes.linewidth": 1,
    "axes.spines.left": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": _GRID,
    "grid.linewidth": 1,
    "xtick.color": _MUTED,
    "xtick.major.size": 4,
    "xtick.major.pad": 5,
    "ytick.color": _MUTED,
    "ytick.major.size": 0,
    "ytick.major.pad": 8,
    "lines.markersize": 6.4,
    "lines.markeredgewidth": 0,
    "lines.solid_capstyle": "round",
}
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 24, 38, 48
_BAR_LEFT, _BAR_RIGHT, _BAR_TOP, _BAR_BOTTOM = 8, 64, 8, 48
_BAR_PX, _BAR_SHARE, _GROUP_NAME_PX, _GROUP_GAP_PX, _CAP_PX = 22.0, 0.68, 22.0, 12.0, 8.0
_MOST_POINTS = 400
_DOTS_UP_TO = 25
_LINES_UP_TO = 40
_BAND_ALPHA = 0.16
_TITLE_HEIGHT, _LEGEND_HEIGHT, _GAP = 26, 22, 24
_LINE_STYLES: dict[str, dict[str, Any]] = {
    "solid": {"linewidth": 2},
    "pale": {"linewidth": 2, "alpha": 0.45},
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
    style: Literal["solid", "pale", "dashed"] = "solid"
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


@dataclass(frozen=True)
class LegendEntry:
    """What a legend explains: a sample of a style in a colour, a CSS variable, then a label and a value."""

    label: str
    style: Literal["solid", "pale", "dashed", "band", "mark", "block"]
    colour: str
    value: str = ""


class _Chart:
    """A chart of a size (width, height) that draws itself into a figure."""

    title: str

    @property
    def legend(self) -> tuple[LegendEntry, ...]:
        """What the page writes above the chart."""
        raise NotImplementedError

    @matplotlib.rc_context(_SETTINGS)
    def svg(self) -> str:
        """An SVG element for a page, as wide as its place."""
        width, height = self._extent
        figure = _figure(width, height)
        self._draw(figure)
        box = f"0 0 {width} {height}"
        start = f'<svg class="chart" viewBox="{box}" role="img" aria-label="{escape(self.title)}">'
        return f"{start}{_content(figure)}</svg>"

    @property
    def _extent(self) -> tuple[int, int]:
        """Width and height."""
        raise NotImplementedError

    def _draw(self, figure: Figure, left: float = 0, top: float = 0) -> None:
        """Draw the chart into a figure, its top left corner at a point."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class LineChart(_Chart):
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
    def _extent(self) -> tuple[int, int]:
        return self.size

    def _draw(self, figure: Figure, left: float = 0, top: float = 0) -> None:
        axes = self._axes(figure, left, top)
        for line in reversed(self.series):
            _draw_interval(axes, line)
            x, y = line.finite()
            dotted = line.dots and line.style == "solid" and len(x) <= _DOTS_UP_TO
            look = {"color": _colour(line.colour), "marker": "o" if dotted else None, **_LINE_STYLES[line.style]}
            axes.plot(x, np.clip(y, *axes.get_ylim()), clip_on=False, **look)

    def _axes(self, figure: Figure, left: float, top: float) -> Axes:
        right, bottom = left + self.size[0] - _RIGHT, top + self.size[1] - _BOTTOM
        axes = _framed_axes(figure, (left + _LEFT, top + _TOP, right, bottom), self.y_label)
        points = [line.finite() for line in self.series]
        axes.set_xlim(self.x_range or _from_zero(np.concatenate([x for x, _ in points])))
        axes.set_ylim(self.y_range or _from_zero(np.concatenate([y for _, y in points]), 1.05))
        axes.xaxis.set_major_locator(MaxNLocator(max(5, self.size[0] // 90), steps=[1, 2, 5, 10]))
        axes.xaxis.set_major_formatter(FuncFormatter(_number))
        _write(figure, right, bottom + 40, self.x_label, horizontalalignment="right")
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
        axes.vlines(inside, 0, top, transform=axes.get_xaxis_transform(), color=_MUTED, zorder=3, **look)


def _draw_interval(axes: Axes, line: Line) -> None:
    x, low, high = line.finite_interval()
    low, high = (np.clip(edge, *axes.get_ylim()) for edge in (low, high))
    colour = _colour(line.colour)
    if len(x) > 1:
        edge = np.concatenate([low, high[::-1]])
        axes.fill(np.concatenate([x, x[::-1]]), edge, color=colour, alpha=_BAND_ALPHA, linewidth=0)
    elif len(x):
        axes.vlines(x, low, high, color=colour, linewidth=1.5, clip_on=False)
        for end in (low, high):
            axes.plot(x, end, color=colour, marker="_", markersize=_CAP_PX, markeredgewidth=1.5, clip_on=False)


@dataclass(frozen=True, eq=False)
class StackedChart(LineChart):
    """Lines that share their x, drawn as bands on top of one another, the first at the bottom."""

    def _draw(self, figure: Figure, left: float = 0, top: float = 0) -> None:
        axes = self._axes(figure, left, top)
        axes.set_axisbelow(False)
        below = np.zeros(len(self.series[0].finite()[0]))
        for line in self.series:
            x, y = line.finite()
            edge = np.clip(np.concatenate([below + y, below[::-1]]), *axes.get_ylim())
            colour = _colour(line.colour)
            axes.fill(np.concatenate([x, x[::-1]]), edge, color=colour, alpha=0.85, linewidth=0, clip_on=False)
            below = below + y

    def _entry(self, line: Line) -> LegendEntry:
        return LegendEntry(line.label, "block", f"c{line.colour}", line.value)


@dataclass(frozen=True)
class Bar:
    """A share and its interval, per cent."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Bars:
    """The bars of one series, one a group, None where there is none, and its name."""

    label: str
    bars: tuple[Bar | None, ...]
    colour: int = 0


@dataclass(frozen=True)
class BarChart(_Chart):
    """Groups of horizontal bars from 0 to 100 %, with their intervals as capped lines and their values beside them.

    Attributes:
        title: what is shown, a phrase.
        x_label: quantity and unit.
        groups: names of the groups, from top to bottom.
        series: each group has a bar of each, in this order.
        width: of the chart; the height follows from the bars.
    """

    title: str
    x_label: str
    groups: tuple[str, ...]
    series: tuple[Bars, ...]
    width: int = 560

    @property
    def empty(self) -> bool:
        """Whether there is no bar."""
        return not any(bar for series in self.series for bar in series.bars)

    @property
    def legend(self) -> tuple[LegendEntry, ...]:
        """The series, and the lines on their bars."""
        series = (LegendEntry(one.label, "block", f"c{one.colour}") for one in self.series)
        return (*series, LegendEntry("95 % interval", "solid", "ink"))

    @property
    def _extent(self) -> tuple[int, int]:
        return self.width, round(_BAR_TOP + len(self.groups) * self._group_px + _BAR_BOTTOM)

    @property
    def _group_px(self) -> float:
        return _GROUP_NAME_PX + len(self.series) * _BAR_PX + _GROUP_GAP_PX

    def _draw(self, figure: Figure, left: float = 0, top: float = 0) -> None:
        width, height = self._extent
        right, bottom = left + width - _BAR_RIGHT, top + height - _BAR_BOTTOM
        axes = _framed_axes(figure, (left + _BAR_LEFT, top + _BAR_TOP, right, bottom), "")
        axes.set(xlim=(0, 100), ylim=(len(self.groups) * self._group_px, 0))
        axes.set_yticks([])
        axes.grid(axis="x")
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        axes.xaxis.set_major_formatter(FuncFormatter(_number))
        _write(figure, right, bottom + 40, self.x_label, horizontalalignment="right")
        for number, group in enumerate(self.groups):
            y = number * self._group_px
            axes.annotate(group, (0, y + _GROUP_NAME_PX - 6), color=_INK, annotation_clip=False)
            for row, series in enumerate(self.series):
                if (bar := series.bars[number]) is not None:
                    _draw_bar(axes, bar, _colour(series.colour), y + _GROUP_NAME_PX + (row + 0.5) * _BAR_PX)


def _draw_bar(axes: Axes, bar: Bar, colour: str, y: float) -> None:
    axes.barh(y, bar.value, height=_BAR_SHARE * _BAR_PX, color=colour, zorder=2, clip_on=False)
    axes.plot([bar.low, bar.high], [y, y], color=_INK, linewidth=1, zorder=3, clip_on=False)
    for end in (bar.low, bar.high):
        axes.plot([end, end], [y - _CAP_PX / 2, y + _CAP_PX / 2], color=_INK, linewidth=1, zorder=3, clip_on=False)
    beside = {"textcoords": "offset points", "va": "center_baseline", "annotation_clip": False}
    value = f"{bar.value:.1f}".removesuffix(".0")
    axes.annotate(f"{value} %", (max(bar.value, bar.high), y), (7, 0), color=_INK, **beside)


@matplotlib.rc_context(_SETTINGS)
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
    figure = _figure(width, height)
    left = 0
    for chart in charts:
        chart._draw(figure, left, _TITLE_HEIGHT)
        _write(figure, left + _LEFT, _TITLE_HEIGHT - 4, chart.title, fontweight="bold", color=_INK)
        left += chart.size[0] + _GAP
    for number, label in enumerate(names):
        baseline = panels_height + _LEGEND_HEIGHT * (number + 1)
        up = 1 - (baseline - 4) / height
        look = _LINE_STYLES["solid" if number < len(legend) else "dashed"]
        sample = Line2D([_LEFT / width, (_LEFT + 22) / width], [up, up], color=_colour(number % COLOURS), **look)
        figure.add_artist(sample)
        _write(figure, _LEFT + 32, baseline, label)
    for number, note in enumerate(notes, start=len(names) + 1):
        _write(figure, _LEFT, panels_height + _LEGEND_HEIGHT * number, note)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" style="max-width: 100%; height: auto"><style>{STYLE}</style>'
        f'<rect width="{width}" height="{height}" style="fill: var(--paper)"/>{_content(figure)}</svg>\n'
    )


def trailing_mean(values: Floats, window: int) -> Floats:
    """(N,) mean of the last `window` values up to each, of fewer at the beginning."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(0, ends - window)
    return np.asarray((sums[ends] - sums[starts]) / (ends - starts))


def _figure(width: float, height: float) -> Figure:
    """An empty figure whose points are the SVG's user units."""
    return Figure((width / 72, height / 72), frameon=False)


def _framed_axes(figure: Figure, box: tuple[float, float, float, float], y_label: str) -> Axes:
    """Axes inside a box (left, top, right, bottom); the y axis' name stands above, to be read without turning."""
    left, top, right, bottom = box
    width, height = figure.get_size_inches() * 72
    axes = figure.add_axes((left / width, 1 - bottom / height, (right - left) / width, (bottom - top) / height))
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(_number))
    _write(figure, left - _LEFT + 4, top - 20, y_label)
    return axes


def _write(figure: Figure, x: float, y: float, words: str, **style: Any) -> None:
    """Write words, their baseline's start at a point from the figure's top left corner."""
    width, height = figure.get_size_inches() * 72
    figure.text(x / width, 1 - y / height, words, verticalalignment="baseline", **style)


def _content(figure: Figure) -> str:
    """What stands between the SVG's tags: colours as variables, text in the page's font, tenths of a unit."""
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    content = re.sub(r"(?s)^.*?<svg [^>]*>|<defs>\s*<style.*?</defs>|</svg>\s*$", "", stream.getvalue())
    content = re.sub(r' id="[^"]*_\d+"| transform="rotate\(-0 [^"]*"|font(-size|-family)?: [^;"]*;? ?', "", content)
    content = re.sub(r' (d|x|y)="[^"]*"', _shortened, content).replace("xlink:href", "href")
    for name, (light, _) in PALETTE.items():
        content = content.replace(light, f"var(--{name})")
    return re.sub(r">\s+<", "><", content).strip()


def _shortened(attribute: re.Match[str]) -> str:
    """A path or coordinate with one decimal, on one line."""
    return re.sub(r"\s*\n", "", re.sub(r"\d+\.\d+", lambda number: f"{float(number[0]):.1f}", attribute[0]))


def _colour(number: int) -> str:
    return PALETTE[f"c{number}"][0]


def _from_zero(values: Floats, stretch: float = 1.0) -> tuple[float, float]:
    top = float(values.max(initial=0.0))
    return 0.0, top * stretch if top > 0 else 1.0


def _number(value: float, _: int) -> str:
    return f"{value:,.0f}" if value == round(value) else f"{value:g}"
