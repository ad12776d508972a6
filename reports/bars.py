"""Bars with intervals and values; a chart is drawn as those of `charts` are."""

from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from tabletop_interaction.reports.drawing import (
    CAP_PX,
    INK,
    Chart,
    LegendEntry,
    colour_of,
    framed_axes,
    plain_number,
    write_at,
)

_MARGIN_LEFT, _MARGIN_RIGHT, _MARGIN_TOP, _MARGIN_BOTTOM = 8, 64, 8, 48
_BAR_PX, _BAR_SHARE, _GROUP_NAME_PX, _GROUP_GAP_PX = 22.0, 0.68, 22.0, 12.0


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
class BarChart(Chart):
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
    def extent(self) -> tuple[int, int]:
        return self.width, round(_MARGIN_TOP + len(self.groups) * self._group_px + _MARGIN_BOTTOM)

    @property
    def _group_px(self) -> float:
        return _GROUP_NAME_PX + len(self.series) * _BAR_PX + _GROUP_GAP_PX

    def draw(self, figure: Figure, left: float = 0, top: float = 0) -> None:
        width, height = self.extent
        right, bottom = left + width - _MARGIN_RIGHT, top + height - _MARGIN_BOTTOM
        axes = framed_axes(figure, (left + _MARGIN_LEFT, top + _MARGIN_TOP, right, bottom), "")
        axes.set(xlim=(0, 100), ylim=(len(self.groups) * self._group_px, 0))
        axes.set_yticks([])
        axes.grid(axis="x")
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        axes.xaxis.set_major_formatter(FuncFormatter(plain_number))
        write_at(figure, right, bottom + 40, self.x_label, horizontalalignment="right")
        for number, group in enumerate(self.groups):
            y = number * self._group_px
            axes.annotate(group, (0, y + _GROUP_NAME_PX - 6), color=INK, annotation_clip=False)
            for row, series in enumerate(self.series):
                if (bar := series.bars[number]) is not None:
                    _draw_bar(axes, bar, colour_of(series.colour), y + _GROUP_NAME_PX + (row + 0.5) * _BAR_PX)


def _draw_bar(axes: Axes, bar: Bar, colour: str, y: float) -> None:
    axes.barh(y, bar.value, height=_BAR_SHARE * _BAR_PX, color=colour, zorder=2, clip_on=False)
    axes.plot([bar.low, bar.high], [y, y], color=INK, linewidth=1, zorder=3, clip_on=False)
    for end in (bar.low, bar.high):
        axes.plot([end, end], [y - CAP_PX / 2, y + CAP_PX / 2], color=INK, linewidth=1, zorder=3, clip_on=False)
    value = f"{bar.value:.1f}".removesuffix(".0")
    axes.annotate(
        f"{value} %",
        (max(bar.value, bar.high), y),
        (7, 0),
        textcoords="offset points",
        va="center_baseline",
        color=INK,
        annotation_clip=False,
    )
