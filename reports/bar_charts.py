"""Bars with intervals as SVG: shares of several things side by side, group by group, in the manner of `line_charts`.

Values are per cent; coordinates inside the SVG are its own user units.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from tabletop_interaction.reports.line_charts import page_svg, svg_text

_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 38, 30
_TICKS = (0, 20, 40, 60, 80, 100)
_GROUP_SHARE, _BAR_SHARE = 0.82, 0.84
_WIDEST, _WIDE_ENOUGH_FOR_NUMBERS = 44.0, 22.0


@dataclass(frozen=True)
class Bar:
    """A share and its interval, all in 0 to 100."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Bars:
    """The bars of one thing, one a group, None where there is none; what it is, and a text for the legend."""

    label: str
    bars: tuple[Bar | None, ...]
    colour: int = 0
    style: Literal["solid"] = "solid"
    value: str = ""


@dataclass(frozen=True)
class BarChart:
    """Groups of bars.

    Attributes:
        title: what is shown, a phrase.
        y_label: quantity and unit.
        groups: names of the groups, from left to right.
        series: in each group a bar each, in this order.
        size: width and height, user units.
    """

    title: str
    y_label: str
    groups: tuple[str, ...]
    series: tuple[Bars, ...]
    size: tuple[int, int] = (560, 320)

    @property
    def empty(self) -> bool:
        """Whether there is no bar."""
        return not any(bar for one in self.series for bar in one.bars)


def bar_chart_svg(chart: BarChart) -> str:
    """The chart; a bar has its interval as a line and, where there is room, its value above."""
    return page_svg(chart.size, chart.title, "".join([*_frame(chart), *_bars(chart)]))


def _frame(chart: BarChart) -> Iterator[str]:
    right, bottom = chart.size[0] - _RIGHT, chart.size[1] - _BOTTOM
    for tick in _TICKS:
        y = _height(chart, tick)
        yield f'<path class="{"grid" if tick else "axis"}" d="M{_LEFT} {y:.1f}H{right}"/>'
        yield svg_text(_LEFT - 8, y + 4.5, str(tick), anchor="end")
    for number, name in enumerate(chart.groups):
        yield svg_text(_LEFT + (number + 0.5) * _group_width(chart), bottom + 20, name, anchor="middle")
    yield svg_text(4, _TOP - 20, chart.y_label)


def _bars(chart: BarChart) -> Iterator[str]:
    step = min(_WIDEST, _GROUP_SHARE * _group_width(chart) / len(chart.series))
    for group in range(len(chart.groups)):
        first = _LEFT + (group + 0.5) * _group_width(chart) - step * len(chart.series) / 2
        for number, one in enumerate(chart.series):
            bar = one.bars[group]
            if bar is not None:
                yield _bar(chart, bar, one.colour, first + (number + 0.5) * step, step)


def _bar(chart: BarChart, bar: Bar, colour: int, x: float, step: float) -> str:
    width, zero = _BAR_SHARE * step, _height(chart, 0)
    top, low, high = (_height(chart, value) for value in (bar.value, bar.low, bar.high))
    drawn = f'<rect class="f{colour}" x="{x - width / 2:.1f}" y="{top:.1f}" width="{width:.1f}" '
    drawn += f'height="{zero - top:.1f}"/><path class="interval" d="M{x:.1f} {low:.1f}V{high:.1f}"/>'
    if step >= _WIDE_ENOUGH_FOR_NUMBERS:
        drawn += svg_text(x, high - 5, f"{bar.value:.0f}", anchor="middle")
    return drawn


def _group_width(chart: BarChart) -> float:
    return (chart.size[0] - _LEFT - _RIGHT) / len(chart.groups)


def _height(chart: BarChart, per_cent: float) -> float:
    bottom = chart.size[1] - _BOTTOM
    return bottom - per_cent / 100 * (bottom - _TOP)
