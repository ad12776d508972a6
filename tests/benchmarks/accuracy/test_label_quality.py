"""Labels of simulated interactions agree with the truth, and the summary counts them."""

import dataclasses

import cv2
import numpy as np
import pytest

from tabletop_interaction.benchmarks.accuracy.label_quality import (
    LabelQualityOptions,
    PairScore,
    _keep_worst,
    cropped,
    judged_pairs,
    summarise,
)
from tabletop_interaction.frame_difference import FrameDifferenceConfig
from tabletop_interaction.simulation import open_simulation


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    options = LabelQualityOptions(
        out=tmp_path_factory.mktemp("unused"), interactions=6, seed=4, interactions_per_scene=3
    )
    with open_simulation("train", None) as backend:
        return list(judged_pairs(backend, options))


def test_most_simulated_interactions_are_labelled_rightly(simulated):
    summary = summarise([judged.score for judged in simulated])
    assert summary["true_positives"] >= 4
    assert summary["precision"] >= 0.85
    assert summary["recall"] >= 0.85
    assert summary["iou_mean"] >= 0.75


def test_a_simulated_mask_lies_in_its_window_and_is_whole(simulated):
    for judged in simulated:
        if not judged.answer.moved:
            assert not judged.answer.mask.any()
            continue
        assert judged.answer.mask.sum() > FrameDifferenceConfig().min_area
        rows, columns = np.nonzero(judged.answer.mask)
        assert np.abs(columns - judged.click[0]).max() <= 121
        assert np.abs(rows - judged.click[1]).max() <= 121
        assert cv2.connectedComponents(judged.answer.mask.astype(np.uint8))[0] == 2


def test_the_summary_counts_known_answers():
    right = PairScore("true positive", True, 1, 0.8, 0.002)
    scores = [
        right,
        dataclasses.replace(right, iou=0.4),
        dataclasses.replace(right, iou=0.1, objects=2),
        dataclasses.replace(right, kind="false positive", iou=0.0, objects=0),
        dataclasses.replace(right, kind="disturbed", seconds=0.012),
    ]
    summary = summarise(scores)
    assert (summary["precision"], summary["recall"]) == (0.75, 1.0)
    assert summary["masks"] == 2
    assert summary["iou_mean"] == pytest.approx(0.6)
    assert summary["iou_above_075"] == 0.5
    assert summary["ms_per_pair"] == pytest.approx(4.0)
    assert np.isnan(summarise([])["precision"])


def test_an_error_sheet_has_no_rows_that_are_right(simulated):
    """Masks of an IoU of 0.95 filled the sheet when there were few errors."""
    positive = next(judged for judged in simulated if judged.score.kind == "true positive")
    kept = []
    for kind in ("true positive", "false positive"):
        for iou in (0.9, 0.6, 0.76, 0.2):
            score = dataclasses.replace(positive.score, kind=kind, iou=iou, objects=1)
            _keep_worst(kept, dataclasses.replace(positive, score=score), 8)
    assert [one.score.iou for one in kept] == [0.2, 0.2, 0.6, 0.6]


def test_a_crop_lies_inside_the_picture():
    """Crops at a border had black bands."""
    picture = np.full((350, 430, 3), 200, np.uint8)
    for click in ((2.0, 3.0), (428.0, 347.0), (215.0, 175.0)):
        part = cropped(picture, np.array(click))
        assert part.shape[0] == part.shape[1] == FrameDifferenceConfig().window
        assert part.min() == 200
