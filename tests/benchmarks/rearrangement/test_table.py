"""Figures: shares with intervals, means and causes."""

import pytest

from tabletop_interaction.benchmarks.rearrangement.table import AgentScore, Scores, Share, percent


def test_an_interval_is_wilsons():
    share = Share.of([True] * 8 + [False] * 2)
    assert (share.hits, share.trials) == (8, 10)
    assert (share.low, share.high) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert str(Share.of([])) == "-"


def test_one_failure_in_two_hundred_is_not_rounded_to_none(episode_of):
    assert str(Share.of([True] * 199 + [False])) == "99.5 (97-100)"
    assert [percent(share) for share in (0, 0.0001, 0.95, 0.9999, 1)] == ["0", "<0.1", "95", ">99.9", "100"]
    almost = [episode_of(fixed_strict=0.0), *(episode_of() for _ in range(199))]
    assert dict(Scores.of(almost).rows())["Fixed Strict, %"] == ["99.5"]


def test_figures_count_distances_numbers_and_causes(episode_of):
    one = episode_of(displaced=1, max_m=0.009, mean_px=4.0)
    two = episode_of(displaced=2, max_m=0.015, mean_px=20.0, fixed_strict=0.5, cause="grasp", tables="train")
    score = AgentScore.of([one, two])
    assert (score.within["2 cm"].hits, score.within["1 cm"].hits) == (2, 1)
    assert [score.by_displaced[n].trials for n in (1, 2, 3)] == [1, 1, 0]
    hits = {name: share.hits for name, share in score.by_scenes.items()}
    assert hits == {"test on test (D)": 1, "test on train (C)": 0}
    assert (score.fixed_strict, score.mean_px, score.causes) == (0.75, 12.0, {"grasp": 1})


def test_success_by_kind_of_scene_is_shown_if_there_are_several(episode_of):
    rows = dict(Scores.of([episode_of(), episode_of(tables="train", cause="grasp")]).rows())
    assert rows["  test on train (C), %"] == ["0 (0-79)"]
    assert not any("on train" in name or "on test" in name for name, _ in Scores.of([episode_of()]).rows())
