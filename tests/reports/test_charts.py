"""Charts show their data at the right place, in the page's colours, the same each time."""

from __future__ import annotations

import re
import warnings
from xml.dom import minidom

import numpy as np
import pytest

from tabletop_interaction.reports.bars import Bar, BarChart, Bars
from tabletop_interaction.reports.charts import (
    Line,
    LineChart,
    Marks,
    StackedChart,
    chart_file,
    trailing_mean,
)


def paths(svg: str, colour: str) -> list[list[tuple[float, float]]]:
    """The points of each path that has a colour in its style."""
    found = [path for path in minidom.parseString(svg).getElementsByTagName("path") if "d" in path.attributes]
    drawn = [path.getAttribute("d") for path in found if f"var(--{colour})" in path.getAttribute("style")]
    return [[(float(x), float(y)) for x, y in re.findall(r"([\d.]+) ([\d.]+)", path)] for path in drawn]


def words(svg: str) -> list[str]:
    return [text.firstChild.data for text in minidom.parseString(svg).getElementsByTagName("text")]  # type: ignore[union-attr]


def line_chart(*lines: Line, kind: type[LineChart] = LineChart, title: str = "t") -> LineChart:
    """A chart whose frame is 100 units wide and 100 high, from (52, 138) up to (152, 38)."""
    return kind(title, "x", "y", lines, (0.0, 100.0), (0.0, 100.0), size=(176, 186))


def bar_chart(*series: Bars, groups: tuple[str, ...] = ("a", "b")) -> BarChart:
    """A chart whose frame is 200 units wide, from 8 to 208."""
    return BarChart("title", "share, %", groups, series, width=272)


def line(*y: float, **changes: object) -> Line:
    return Line("", np.linspace(0.0, 100.0, len(y)), np.array(y), **changes)  # type: ignore[arg-type]


def test_a_curve_goes_through_its_points_that_are_numbers() -> None:
    svg = line_chart(line(0.0, np.nan, 100.0, dots=False)).svg()
    assert paths(svg, "c0") == [[(52, 138), (152, 38)]]


def test_values_outside_the_range_are_drawn_at_its_edge() -> None:
    svg = line_chart(line(50.0, 300.0, dots=False)).svg()
    assert paths(svg, "c0") == [[(52, 88), (152, 38)]]


def test_words_of_any_script_are_in_the_chart_without_a_warning() -> None:
    """matplotlib warned about each letter of a run's name that its own font lacks."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        svg = chart_file([line_chart(line(0.0, 1.0))], ["\u5b9f\u9a13"])
    assert "\u5b9f\u9a13" in words(svg)


def test_few_points_get_dots_and_many_are_thinned() -> None:
    assert line_chart(line(*range(25))).svg().count("<use") > line_chart(line(*range(26))).svg().count("<use")
    x, y = line(*range(5000)).finite()
    assert len(x) == 400
    assert (y[0], y[-1]) == (0, 4999)


def test_bands_stand_on_one_another() -> None:
    lines = (line(10.0, 20.0), line(30.0, 30.0, colour=1))
    svg = line_chart(*lines, kind=StackedChart).svg()
    (lower,), (upper,) = paths(svg, "c0"), paths(svg, "c1")
    assert set(lower) == {(52, 138), (152, 138), (52, 128), (152, 118)}
    assert set(upper) == {(52, 128), (152, 118), (52, 98), (152, 88)}


def test_a_chart_with_nothing_but_references_is_empty() -> None:
    assert line_chart(line(np.nan), line(1.0, 1.0, style="dashed")).empty
    assert not line_chart(line(1.0)).empty


def test_ticks_are_round() -> None:
    chart = LineChart("t", "x", "y", (Line("", np.array([3996.0]), np.array([0.59])),), size=(400, 300))
    assert words(chart.svg())[:8] == ["0", "1,000", "2,000", "3,000", "0", "0.2", "0.4", "0.6"]


def test_half_is_half_as_long_as_all_and_its_capped_interval_reaches_from_low_to_high() -> None:
    svg = bar_chart(Bars("one", (Bar(100, 60, 100), Bar(50, 20, 80)))).svg()
    lengths = [max(x for x, _ in bar) - min(x for x, _ in bar) for bar in paths(svg, "c0")]
    assert lengths == pytest.approx([200, 100])
    ends = [sorted({x for x, _ in line}) for line in paths(svg, "ink")]
    assert ends == [[128, 208], [128], [208], [48, 168], [48], [168]]


def test_values_stand_beside_their_bars_however_many_there_are() -> None:
    series = [Bars(str(number), (Bar(number, 0, 40),), colour=number % 6) for number in range(12)]
    chart = bar_chart(*series, groups=("a",))
    assert [f"{number} %" for number in range(12)] == [
        word for word in words(chart.svg()) if re.fullmatch(r"\d+ %", word)
    ]
    assert "99.5 %" in words(bar_chart(Bars("one", (Bar(99.5, 97, 100),)), groups=("a",)).svg())


def test_a_missing_value_has_no_bar() -> None:
    svg = bar_chart(Bars("one", (Bar(100, 60, 100), None)), Bars("two", (None, Bar(0, 0, 30)), colour=1)).svg()
    assert [len(paths(svg, colour)) for colour in ("c0", "c1", "ink")] == [1, 1, 2 * 3]


def test_bars_stand_in_their_group_in_order() -> None:
    svg = bar_chart(*(Bars(str(n), (Bar(9, 0, 20), Bar(9, 0, 20)), colour=n) for n in range(3))).svg()
    top = {min(y for _, y in bar): colour for colour in ("c0", "c1", "c2") for bar in paths(svg, colour)}
    assert [top[y] for y in sorted(top)] == ["c0", "c1", "c2"] * 2


def test_a_line_has_its_interval_as_a_band_and_a_single_point_as_a_capped_line() -> None:
    interval = np.array([[20.0, 80.0], [40.0, 60.0]])
    chart = line_chart(line(50.0, 50.0, dots=False, interval=interval))
    band = paths(chart.svg(), "c0")[0]
    assert {(52, 118), (52, 58), (152, 98), (152, 78)} <= set(band)
    assert "95 % interval" in [entry.label for entry in chart.legend]
    one = line_chart(Line("", np.array([50.0]), np.array([50.0]), interval=interval[:1]))
    assert [(102, 118), (102, 58)] in paths(one.svg(), "c0")
    assert "95 % interval" not in [entry.label for entry in line_chart(line(50.0)).legend]


def test_marks_inside_the_axis_are_lines_and_many_are_ticks() -> None:
    def heights(*marks: float) -> list[float]:
        chart = LineChart("t", "x", "y", (line(1.0),), (0, 100), (0, 100), (176, 186), Marks(np.array(marks), "new"))
        assert chart.legend[-1].label == "new"
        found = [path for path in paths(chart.svg(), "muted") if len(path) == 2 and path[0][0] == path[1][0]]
        return [abs(one[0][1] - one[1][1]) for one in found if 52 < one[0][0] <= 152]

    assert heights(50.0, 300.0) == [100]
    assert heights(*range(1, 60)) == pytest.approx([3] * 59)


def test_names_are_escaped_and_never_read_as_formulas() -> None:
    chart = bar_chart(Bars("none", (None,)), groups=("<a> & $b$",))
    assert chart.empty
    assert "<a> & $b$" in words(chart.svg())
    assert "a $x$ <b>" in words(chart_file([line_chart(line(1.0), title="a $x$ <b>")], []))


def test_the_same_chart_gives_the_same_text_without_outside_references() -> None:
    chart = line_chart(line(1.0, 2.0), line(3.0, 2.0, colour=1))
    assert chart.svg() == chart.svg()
    assert "://" not in chart.svg()
    assert not re.search("#[0-9a-f]{6}[^0-9a-f]", chart.svg())


def test_a_file_has_its_charts_and_a_legend_line_each() -> None:
    charts = [line_chart(line(1.0, 2.0, dots=False), line(3.0, 2.0, colour=1, dots=False))] * 3
    svg = chart_file(charts, ["first 9 %"])
    assert (len(paths(svg, "c0")), len(paths(svg, "c1"))) == (3 + 1, 3)
    assert words(svg)[-1] == "first 9 %"
    assert words(chart_file(charts, ["first 9 %"], ["a note"]))[-2:] == ["first 9 %", "a note"]


def test_means_trail() -> None:
    assert trailing_mean(np.array([1.0, 0, 0, 1, 1]), 2).tolist() == [1, 0.5, 0, 0.5, 1]
