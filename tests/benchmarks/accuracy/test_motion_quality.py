"""The benchmark of masks from motion, on masks whose scores are known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console

from tabletop_interaction.benchmarks.accuracy.motion_quality import (
    ClipScore,
    MotionOptions,
    moved_objects,
    results_table,
    score_clip,
)
from tabletop_interaction.benchmarks.ground_truth import Snapshot
from tabletop_interaction.envs.backend import ObjectState


def box(x: int, width: int = 20, height: int = 30) -> NDArray[np.bool_]:
    mask = np.zeros((100, 120), bool)
    mask[10 : 10 + height, x : x + width] = True
    return mask


def moment(at: dict[int, int]) -> Snapshot:
    instances = sum((id_ * box(x).astype(np.int32) for id_, x in at.items()), np.zeros((100, 120), np.int32))
    states = tuple(
        ObjectState(id_, "box", np.array([x / 1000, 0, 0]), np.array([0, 0, 0, 1.0])) for id_, x in at.items()
    )
    return Snapshot({}, {"view_0": instances}, states)


def test_an_object_counts_in_the_frames_next_to_its_movement() -> None:
    moments = [moment({1: 0, 2: 60}), moment({1: 0, 2: 60}), moment({1: 25, 2: 60}), moment({1: 25, 2: 90})]
    found = moved_objects(moments, "view_0")
    assert [len(masks) for masks in found] == [0, 1, 2, 1]
    np.testing.assert_array_equal(found[1][0], box(0))
    np.testing.assert_array_equal(found[3][0], box(90))


def test_ious_are_of_the_best_moved_object_and_zero_without_one() -> None:
    score = score_clip([[box(0, 10), box(50)], [box(50)]], [[box(0), box(50)], []], 0.1)
    assert score.ious == pytest.approx((0.5, 1.0, 0.0))
    assert score.found == pytest.approx((0.5, 1.0))


def test_recall_leaves_out_objects_with_few_visible_pixels() -> None:
    assert score_clip([[]], [[box(0, 10, 10), box(50)]], 0.1).found == (0.0,)


def test_the_table_shows_shares_and_nan_without_clips() -> None:
    console = Console(record=True, width=100)
    console.print(results_table([ClipScore((0.9, 0.6, 0.0), (0.9, 0.2), 0.1)], MotionOptions(pushes=2)))
    console.print(results_table([], MotionOptions(pushes=2)))
    said = console.export_text()
    assert "66.7%" in said
    assert "33.3%" in said
    assert "50.0% of 2" in said
    assert "1.5" in said
    assert "nan" in said
