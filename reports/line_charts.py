"""Line charts and stacked charts as SVG, written by hand: they inherit the page's fonts, and its light or dark colours.

Coordinates inside an SVG are its own user units. Colours are numbers of a palette that `STYLE` defines, made for
colour-blind readers; a chart in a page needs `STYLE` once, a chart in a file brings it (`svg_file`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

STYLE = """
:root { --ink: #1d2329; --muted: #5d6873; --grid: #e4e7ea; --paper: #ffffff;
  --c0: #0072b2; --c1: #d55e00; --c2: #009e73; --c3: #b4568f; --c4: #b88700; --c5: #7d8791; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ec; --muted: #9aa5b0; --grid: #2e353c; --paper: #14181c;
  --c0: #56b4e9; --c1: #ff8f4d; --c2: #3fce9f; --c3: #e39ac9; --c4: #ecc14a; --c5: #8b97a3; } }
.chart { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; display: block; overflow: visible; }
.chart polygon { opacity: .85; }
.chart text { fill: var(--muted); } .chart .name { fill: var(--ink); font-weight: 600; }
.chart .grid { stroke: var(--grid); } .chart .axis { stroke: var(--muted); } .chart .interval { stroke: var(--ink); }
.chart .line { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
.chart .pale { opacity: .45; } .chart .dashed { stroke-width: 1.5; stroke-dasharray: 5 5; opacity: .75; }
.s0 { stroke: var(--c0); } .s1 { stroke: var(--c1); } .s2 { stroke: var(--c2); }
.s3 { stroke: var(--c3); } .s4 { stroke: var(--c4); } .s5 { stroke: var(--c5); }
.f0 { fill: var(--c0); } .f1 { fill: var(--c1); } .f2 { fill: var(--c2); }
.f3 { fill: var(--c3); } .f4 { fill: var(--c4); } .f5 { fill: var(--c5); }
"""
"""CSS of the charts: the page's colours as well, so that both change together."""

_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 24, 38, 48
_MOST_POINTS = 400
_DOTS_UP_TO = 25
_LEGEND_PX = 22
_TITLE_PX = 26
_GAP_PX = 24


@dataclass(frozen=True, eq=False)
class Line:
    """One curve: points (N,) x and y, what it is, its latest value as text for the legend, and whether few get dots."""

    label: str
    x: Floats
    y: Floats
    colour: int = 0
    style: Literal["solid", "pale", "dashed"] = "solid"
    value: str = ""
    dots: bool = True

    def finite(self) -> tuple[Floats, Floats]:
        """The points that can be drawn, thinned to some 400; the last one stays."""
        known = np.isfinite(self.x) & np.isfinite(self.y)
        x, y = self.x[known], self.y[known]
        chosen = np.linspace(0, len(x) - 1, min(len(x), _MOST_POINTS)).astype(int)
        return x[chosen], y[chosen]


@dataclass(frozen=True, eq=False)
class Chart:
    """Lines over common axes.

    Attributes:
        title: what is shown, a phrase.
        x_label, y_label: quantity and unit.
        lines: what is drawn, the first on top.
        x_range, y_range: None lets them reach from 0 to the largest value.
        size: width and height, user units.
    """

    title: str
    x_label: str
    y_label: str
    lines: tuple[Line, ...]
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None
    size: tuple[int, int] = (560, 320)

    @property
    def empty(self) -> bool:
        """Whether no line but dashed references has a point."""
        return all(len(line.finite()[0]) == 0 for line in self.lines if line.style != "dashed")


def line_chart_svg(chart: Chart) -> str:
    """The chart with a curve a line; few points get dots."""
    axes = _Axes.of(chart)
    curves = "".join(_curve(line, axes) for line in reversed(chart.lines))
    return page_svg(chart.size, chart.title, _frame(chart, axes) + curves)


def stacked_chart_svg(chart: Chart) -> str:
    """The chart with its lines, which share their x, as bands on top of one another, the first at the bottom."""
    axes = _Axes.of(chart)
    below = np.zeros(len(chart.lines[0].finite()[0]))
    bands = ""
    for line in chart.lines:
        x, y = line.finite()
        bands += _band(axes.points(x, below), axes.points(x, below + y), line.colour)
        below = below + y
    return page_svg(chart.size, chart.title, bands + _frame(chart, axes))


def svg_file(charts: Sequence[Chart], legend: Sequence[Line]) -> str:
    """An SVG file of its own: charts side by side, under them a legend line each."""
    width = sum(chart.size[0] for chart in charts) + _GAP_PX * (len(charts) - 1)
    top = max(chart.size[1] for chart in charts) + _TITLE_PX + _LEGEND_PX
    parts, x = [], 0
    for chart in charts:
        axes = _Axes.of(chart)
        curves = "".join(_curve(line, axes) for line in reversed(chart.lines))
        name = svg_text(_LEFT, -4, chart.title, css="name")
        parts.append(f'<g transform="translate({x} {_TITLE_PX})">{name}{_frame(chart, axes)}{curves}</g>')
        x += chart.size[0] + _GAP_PX
    for number, line in enumerate(legend):
        y = top + _LEGEND_PX * number
        parts.append(f'<path class="line s{line.colour}" d="M{_LEFT} {y - 4}h22"/>')
        parts.append(svg_text(_LEFT + 32, y, f"{line.label} {line.value}".strip()))
    height = top + _LEGEND_PX * len(legend)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}"><style>{STYLE}</style>'
        f'<rect width="{width}" height="{height}" style="fill: var(--paper)"/>{"".join(parts)}</svg>\n'
    )


def trailing_mean(values: Floats, window: int) -> Floats:
    """(N,) mean of the last `window` values up to each, of fewer at the beginning."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(0, ends - window)
    return np.asarray((sums[ends] - sums[starts]) / (ends - starts))


def round_ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten within [low, high], about so many."""
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= 0.999 * raw)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


@dataclass(frozen=True)
class _Axes:
    """The data's rectangle and the drawing's; both left, right and bottom, top."""

    x_range: tuple[float, float]
    y_range: tuple[float, float]
    right: float
    bottom: float

    @staticmethod
    def of(chart: Chart) -> _Axes:
        points = [line.finite() for line in chart.lines]
        x_range = chart.x_range or _from_zero(np.concatenate([x for x, _ in points]))
        y_range = chart.y_range or _from_zero(np.concatenate([y for _, y in points]), 1.05)
        return _Axes(x_range, y_range, chart.size[0] - _RIGHT, chart.size[1] - _BOTTOM)

    def points(self, x: Floats, y: Floats) -> Floats:
        """(N, 2) user units."""
        (x0, x1), (y0, y1) = self.x_range, self.y_range
        return np.stack(
            [
                _LEFT + (x - x0) / (x1 - x0) * (self.right - _LEFT),
                self.bottom - (np.clip(y, y0, y1) - y0) / (y1 - y0) * (self.bottom - _TOP),
            ],
            axis=1,
        )


def _from_zero(values: Floats, room: float = 1.0) -> tuple[float, float]:
    top = float(values.max(initial=0.0))
    return 0.0, top * room if top > 0 else 1.0


def _frame(chart: Chart, axes: _Axes) -> str:
    """Grid, tick labels and the axes' names; the y axis' name stands above it, to be read without turning the head."""
    parts = []
    for value in round_ticks(*axes.y_range):
        y = axes.points(np.array([axes.x_range[0]]), np.array([value]))[0, 1]
        parts.append(f'<path class="grid" d="M{_LEFT} {y:.1f}H{axes.right:.1f}"/>')
        parts.append(svg_text(_LEFT - 8, y + 4.5, _number(value), anchor="end"))
    for value in round_ticks(*axes.x_range, about=max(2, chart.size[0] // 90)):
        x = axes.points(np.array([value]), np.array([axes.y_range[0]]))[0, 0]
        parts.append(f'<path class="axis" d="M{x:.1f} {axes.bottom}v4"/>')
        parts.append(svg_text(x, axes.bottom + 20, _number(value), anchor="middle"))
    parts.append(f'<path class="axis" d="M{_LEFT} {axes.bottom}H{axes.right}"/>')
    parts.append(svg_text(axes.right, axes.bottom + 40, chart.x_label, anchor="end"))
    parts.append(svg_text(4, _TOP - 20, chart.y_label))
    return "".join(parts)


def _curve(line: Line, axes: _Axes) -> str:
    points = axes.points(*line.finite())
    if len(points) == 0:
        return ""
    drawn = f'<polyline class="line s{line.colour} {line.style}" points="{_joined(points)}"/>'
    if line.dots and line.style == "solid" and len(points) <= _DOTS_UP_TO:
        drawn += "".join(f'<circle class="f{line.colour}" cx="{x:.1f}" cy="{y:.1f}" r="3.2"/>' for x, y in points)
    return drawn


def _band(lower: Floats, upper: Floats, colour: int) -> str:
    return f'<polygon class="f{colour}" points="{_joined(upper)} {_joined(lower[::-1])}"/>'


def _joined(points: Floats) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) else f"{value:g}"


def svg_text(x: float, y: float, content: str, *, anchor: str = "start", css: str = "") -> str:
    """Words at a point, escaped."""
    kind = f' class="{css}"' if css else ""
    return f'<text{kind} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(content)}</text>'


def page_svg(size: tuple[int, int], title: str, content: str) -> str:
    """An SVG for a page, as wide as its place."""
    return (
        f'<svg class="chart" viewBox="0 0 {size[0]} {size[1]}" role="img" aria-label="{escape(title)}">{content}</svg>'
    )
