"""Figures over seeds are those of the runs: known numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tabletop_interaction.benchmarks.learning.scores import (
    CPU_SECONDS,
    MOVED,
    PER_CPU_MINUTE,
    SECONDS,
    WHOLE_RUN,
    FinalFigures,
    LearningScores,
)
from tabletop_interaction.benchmarks.results.result import Figure
from tabletop_interaction.reports.learning_run import LearningRun

WriteRun = Callable[..., LearningRun]


@pytest.fixture
def scores(write_run: WriteRun) -> LearningScores:
    """Three seeds: AP at IoU 0.3 after 4 interactions 50, 60 and 70."""
    runs = {
        0: write_run("a", 20, 50, "m---", 60.0),
        1: write_run("b", 30, 60, "mm--", 120.0),
        2: write_run("c", 40, 70, "mmmm", 180.0),
    }
    return LearningScores(runs)


def test_each_point_has_mean_deviation_worst_and_best(scores: LearningScores) -> None:
    rows = scores.rows()
    assert list(rows) == ["after 2 interactions", "after 4 interactions"]
    end = rows["after 4 interactions"]
    assert end["AP at IoU 0.3"] == Figure(60.0, "%", 50.0, 70.0, deviation=10.0)
    assert end["AP at IoU 0.5"] == Figure(50.0, "%", 40.0, 60.0, deviation=10.0)
    assert end["AP at IoU 0.75"] == Figure(30.0, "%", 20.0, 40.0, deviation=10.0)
    assert rows["after 2 interactions"]["AP at IoU 0.3"].value == 30.0


def test_shares_that_moved_are_of_the_interactions_since_the_row_above(scores: LearningScores) -> None:
    # The first halves moved 1, 2 and 2 of 2, the second ones 0, 0 and 2 of 2.
    first, second = (row[MOVED] for row in scores.rows().values())
    assert (first.value, first.low, first.high) == (pytest.approx(250 / 3), 50.0, 100.0)
    assert (second.value, second.low, second.high) == (pytest.approx(100 / 3), 0.0, 100.0)
    assert scores.costs()[MOVED].value == pytest.approx((25 + 50 + 100) / 3)


def test_costs_are_those_of_the_whole_run(scores: LearningScores) -> None:
    costs = scores.result()[WHOLE_RUN]
    assert (costs[SECONDS].value, costs[SECONDS].deviation) == (12.0, 0.0)
    assert (costs[CPU_SECONDS].value, costs[CPU_SECONDS].deviation) == (120.0, 60.0)
    # 40, 50 and 60 % after 1, 2 and 3 minutes.
    assert costs[PER_CPU_MINUTE].value == pytest.approx((40 + 25 + 20) / 3)


def test_without_the_processor_time_of_every_run_there_is_none(scores: LearningScores, write_run: WriteRun) -> None:
    mixed = LearningScores({**scores.runs, 3: write_run("d", 20, 50, cpu=None)})
    assert CPU_SECONDS not in mixed.costs()
    assert CPU_SECONDS not in [column.header for column in mixed.seeds_table().columns]


def test_a_run_that_has_no_network_yet_counts_as_zero(scores: LearningScores, write_run: WriteRun) -> None:
    late = LearningScores({**scores.runs, 3: write_run("late", None, 40, "---m")})
    assert late.points == [2, 4]
    assert late.ap(2, 0.3) == [20.0, 30.0, 40.0, 0.0]
    assert late.ap(4, 0.5) == [40.0, 50.0, 60.0, 30.0]
    assert "AP is 0 where a run had no network yet, because no interaction had given a mask: seed 3" in late.notes()
    assert not any("no network" in note for note in scores.notes())


def test_seeds_that_never_moved_anything_have_figures_too(write_run: WriteRun) -> None:
    none = LearningScores({0: write_run("a", None, None, "----"), 1: write_run("b", None, None, "----")})
    assert none.rows()["after 4 interactions"]["AP at IoU 0.3"] == Figure(0.0, "%", 0.0, 0.0, deviation=0.0)
    assert "no run has a network: AP is 0" in none.notes()


def test_a_point_that_another_run_was_not_evaluated_at_is_left_out(scores: LearningScores) -> None:
    less = replace(scores.runs[1], evaluations=scores.runs[1].evaluations[1:])
    assert LearningScores({**scores.runs, 1: less}).points == [4]


def test_final_figures_are_a_row(scores: LearningScores) -> None:
    finals = {seed: FinalFigures(200, {0.3: 40.0 + seed, 0.5: 30.0, 0.75: 10.0}) for seed in scores.runs}
    row = LearningScores(scores.runs, {"test": finals}).rows()["finished networks, 200 test pictures"]
    assert row["AP at IoU 0.3"] == Figure(41.0, "%", 40.0, 42.0, deviation=1.0)
    assert MOVED not in row


def test_one_seed_has_figures_without_a_deviation(scores: LearningScores) -> None:
    one = LearningScores({1: scores.runs[1]})
    assert one.rows()["after 4 interactions"]["AP at IoU 0.3"] == Figure(60.0, "%")
    assert one.notes()[0] == "one seed: how far another one would differ is not known"
    assert one.seeds_table().row_count == 1


def test_tables_have_means_above_ends_and_a_row_for_each_seed(scores: LearningScores) -> None:
    table = scores.table()
    assert str(table.title) == "seeds 0 to 2: per cent"
    assert list(table.columns[1].cells) == ["30.0 ± 10.0,\n20.0 to 40.0", "60.0 ± 10.0,\n50.0 to 70.0"]
    by_seed = scores.seeds_table()
    assert list(by_seed.columns[0].cells) == ["0", "1", "2", "mean", "±"]
    assert list(by_seed.columns[2].cells) == ["40.0", "50.0", "60.0", "50.0", "10.0"]


def test_the_document_names_each_seed(scores: LearningScores) -> None:
    seeds = scores.document()["seeds"]
    assert list(seeds) == ["0", "1", "2"]
    assert seeds["2"]["ap"]["4"] == {"0.3": 70.0, "0.5": 60.0, "0.75": 40.0}
    assert seeds["0"]["moved"] == 0.25
