"""Bars are as high as their share, with an interval; what was not tried has none."""

from xml.dom import minidom

import pytest

from tabletop_interaction.reports.bar_charts import Bar, BarChart, Bars, bar_chart_svg


def _drawn(*series, groups=("a", "b")):
    chart = BarChart("title", "share, %", groups, tuple(series), size=(264, 168))
    return chart, minidom.parseString(bar_chart_svg(chart))


def test_half_is_half_as_high_as_all_and_its_interval_reaches_from_low_to_high():
    _, document = _drawn(Bars("one", (Bar(100, 60, 100), Bar(50, 20, 80))))
    heights = [float(rect.getAttribute("height")) for rect in document.getElementsByTagName("rect")]
    assert heights == pytest.approx([100, 50])
    (interval,) = [path for path in document.getElementsByTagName("path") if path.getAttribute("d").endswith("V58.0")]
    assert interval.getAttribute("d").split("V")[0].endswith(" 118.0")


def test_what_was_not_tried_has_no_bar():
    _, document = _drawn(Bars("one", (Bar(100, 60, 100), None)), Bars("two", (None, Bar(0, 0, 30)), colour=1))
    assert [rect.getAttribute("class") for rect in document.getElementsByTagName("rect")] == ["f0", "f1"]


def test_bars_stand_in_their_group_in_order():
    _, document = _drawn(*(Bars(str(n), (Bar(9, 0, 20), Bar(9, 0, 20)), colour=n) for n in range(3)))
    rects = document.getElementsByTagName("rect")
    left_to_right = sorted(rects, key=lambda rect: float(rect.getAttribute("x")))
    assert [rect.getAttribute("class") for rect in left_to_right] == ["f0", "f1", "f2"] * 2


def test_names_are_escaped_and_a_chart_without_bars_is_empty():
    chart, document = _drawn(Bars("none", (None,)), groups=("<a> & b",))
    assert chart.empty
    assert "<a> & b" in [text.firstChild.data for text in document.getElementsByTagName("text")]
