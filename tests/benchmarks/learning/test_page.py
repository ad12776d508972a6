"""The page of the learning benchmark shows means with bands, single seeds, the baseline and both tables."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tabletop_interaction.benchmarks.learning.page import learning_charts, learning_page
from tabletop_interaction.benchmarks.learning.scores import LearningScores
from tabletop_interaction.reports.learning_run import LearningRun

WriteRun = Callable[..., LearningRun]


@pytest.fixture
def scores(write_run: WriteRun) -> LearningScores:
    """Two seeds: AP at IoU 0.3 after 4 interactions 50 and 60."""
    return LearningScores({0: write_run("a", 20, 50, "m---"), 1: write_run("b", 30, 60, "mm--")})


def test_the_band_is_one_deviation_to_each_side_of_the_mean(scores: LearningScores) -> None:
    mean, *seeds, baseline = learning_charts(scores)[0].series
    deviation = np.sqrt(2 * 5.0**2)
    np.testing.assert_allclose(mean.y, [25.0, 55.0])
    np.testing.assert_allclose(mean.interval, [[25 - deviation, 25 + deviation], [55 - deviation, 55 + deviation]])
    assert [list(line.y) for line in seeds] == [[20.0, 50.0], [30.0, 60.0]]
    assert {line.style for line in seeds} == {"thin"}
    assert (list(baseline.y), baseline.style) == ([22.5, 22.5], "dashed")
    assert [entry.label for entry in learning_charts(scores)[0].legend] == [
        "mean of the seeds",
        "single seeds",
        "simple baseline",
        "± one standard deviation",
    ]


def test_what_moved_has_a_chart_without_a_baseline(scores: LearningScores) -> None:
    moved = learning_charts(scores)[-1].series
    np.testing.assert_allclose(moved[0].y, [75.0, 0.0])
    assert all(line.style != "dashed" for line in moved)


def test_one_seed_has_no_band(scores: LearningScores) -> None:
    chart = learning_charts(LearningScores({0: scores.runs[0]}))[0]
    assert [entry.label for entry in chart.legend] == ["one seed", "simple baseline"]


def test_the_page_has_the_figures_and_a_row_for_each_seed(scores: LearningScores, tmp_path: Path) -> None:
    text = learning_page("runs", scores, ["A further note"]).write(tmp_path / "results.html").read_text()
    plain = " ".join(re.sub(r"<[^>]*>", " ", text).split())
    assert "55.0 ± 7.1, 50.0 to 60.0" in plain
    assert "by seed, after 4 interactions" in plain
    assert "worst seed 50.0 %, best 60.0 %; after 4 interactions; simple baseline: 22.5 %" in plain
    assert "A further note" in plain
    assert text.count("<table") == 2
