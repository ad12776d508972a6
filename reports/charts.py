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


STYLE = f"""
:root {{ {_variables(0)} }}
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
_BAR_RIGHT, _BAR_BOTTOM = 12, 30
_MOST_POINTS = 400
_DOTS_UP_TO = 25
_GROUP_SHARE, _BAR_SHARE = 0.82, 0.84
_WIDEST_BAR, _WIDE_ENOUGH_FOR_NUMBERS = 44.0, 22.0
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
    """

    label: str
    x: Floats
    y: Floats
    colour: int = 0
    style: Literal["solid", "pale", "dashed"] = "solid"
    value: str = ""
    dots: bool = True

    def finite(self) -> tuple[Floats, Floats]:
        """The finite points, evenly thinned to at most 400; the last one stays."""
        known = np.isfinite(self.x) & np.isfinite(self.y)
        x, y = self.x[known], self.y[known]
        chosen = np.linspace(0, len(x) - 1, min(len(x), _MOST_POINTS)).astype(int)
        return x[chosen], y[chosen]


class _Chart:
    """A chart of a size (width, height) that draws itself into a figure."""

    title: str
    size: tuple[int, int]

    @matplotlib.rc_context(_SETTINGS)
    def svg(self) -> str:
        """An SVG element for a page, as wide as its place."""
        figure = _figure(*self.size)
        self._draw(figure)
        box = f"0 0 {self.size[0]} {self.size[1]}"
        start = f'<svg class="chart" viewBox="{box}" role="img" aria-label="{escape(self.title)}">'
        return f"{start}{_content(figure)}</svg>"

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
    """

    title: str
    x_label: str
    y_label: str
    series: tuple[Line, ...]
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None
    size: tuple[int, int] = (560, 320)

    @property
    def empty(self) -> bool:
        """Whether no line except dashed references has a point."""
        return all(len(line.finite()[0]) == 0 for line in self.series if line.style != "dashed")

    def _draw(self, figure: Figure, left: float = 0, top: float = 0) -> None:
        axes = self._axes(figure, left, top)
        for line in reversed(self.series):
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
        return axes


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


@dataclass(frozen=True)
class Bar:
    """A share and its interval, per cent."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Bars:
    """The bars of one series, one a group, None where there is none; its name, and text for the legend."""

    label: str
    bars: tuple[Bar | None, ...]
    colour: int = 0
    style: Literal["solid"] = "solid"
    value: str = ""


@dataclass(frozen=True)
class BarChart(_Chart):
    """Groups of bars from 0 to 100 %; a bar has its interval as a line and, where there is space, its value above.

    Attributes:
        title, y_label: as those of a `LineChart`.
        groups: names of the groups, from left to right.
        series: each group has a bar of each, in this order.
    """

    title: str
    y_label: str
    groups: tuple[str, ...]
    series: tuple[Bars, ...]
    size: tuple[int, int] = (560, 320)

    @property
    def empty(self) -> bool:
        """Whether there is no bar."""
        return not any(bar for series in self.series for bar in series.bars)

    def _draw(self, figure: Figure, left: float = 0, top: float = 0) -> None:
        right, bottom = left + self.size[0] - _BAR_RIGHT, top + self.size[1] - _BAR_BOTTOM
        axes = _framed_axes(figure, (left + _LEFT, top + _TOP, right, bottom), self.y_label)
        width = (self.size[0] - _LEFT - _BAR_RIGHT) / len(self.groups)
        middles = (np.arange(len(self.groups)) + 0.5) * width
        axes.set(xlim=(0, width * len(self.groups)), ylim=(0, 100))
        axes.set_xticks(middles, self.groups)
        axes.tick_params(axis="x", length=0, pad=9)
        step = min(_WIDEST_BAR, _GROUP_SHARE * width / len(self.series))
        for number, series in enumerate(self.series):
            xs = middles + (number + 0.5 - len(self.series) / 2) * step
            for x, bar in zip(xs.tolist(), series.bars, strict=True):
                if bar is not None:
                    _draw_bar(axes, bar, _colour(series.colour), x, step)


def _draw_bar(axes: Axes, bar: Bar, colour: str, x: float, step: float) -> None:
    axes.bar(x, bar.value, width=_BAR_SHARE * step, color=colour, zorder=2, clip_on=False)
    axes.plot([x, x], [bar.low, bar.high], color=_INK, linewidth=1, zorder=3, clip_on=False)
    if step >= _WIDE_ENOUGH_FOR_NUMBERS:
        above = (0, 5)
        axes.annotate(f"{bar.value:.0f}", (x, bar.high), above, textcoords="offset points", ha="center")


@matplotlib.rc_context(_SETTINGS)
def chart_file(charts: Sequence[LineChart], legend: Sequence[str]) -> str:
    """An SVG file: charts side by side with their titles, and a common legend below, a line and a colour an entry."""
    panels_height = max(chart.size[1] for chart in charts) + _TITLE_HEIGHT
    width = sum(chart.size[0] for chart in charts) + _GAP * (len(charts) - 1)
    height = panels_height + _LEGEND_HEIGHT * (len(legend) + 1)
    figure = _figure(width, height)
    left = 0
    for chart in charts:
        chart._draw(figure, left, _TITLE_HEIGHT)
        _write(figure, left + _LEFT, _TITLE_HEIGHT - 4, chart.title, fontweight="bold", color=_INK)
        left += chart.size[0] + _GAP
    for number, label in enumerate(legend):
        baseline = panels_height + _LEGEND_HEIGHT * (number + 1)
        up = 1 - (baseline - 4) / height
        sample = Line2D([_LEFT / width, (_LEFT + 22) / width], [up, up], color=_colour(number % COLOURS), linewidth=2)
        figure.add_artist(sample)
        _write(figure, _LEFT + 32, baseline, label)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}"><style>{STYLE}</style>'
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
