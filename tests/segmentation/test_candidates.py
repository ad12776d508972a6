"""The best positions of score maps, and the ranking of their masks."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tabletop_interaction.segmentation.candidates import best_candidates, expected_ious, ranked_by_support
from tabletop_interaction.segmentation.config import UNLIMITED, ProposalConfig

score_map = st.tuples(st.integers(1, 5), st.integers(1, 5)).flatmap(
    lambda shape: arrays(np.float32, shape, elements=st.integers(-9, 9).map(float))
)


def peaks_of(logits):
    height, width = logits.shape
    return [
        (logits[r, c], r, c)
        for r in range(height)
        for c in range(width)
        if logits[r, c] == logits[max(r - 1, 0) : r + 2, max(c - 1, 0) : c + 2].max()
    ]


@given(st.lists(score_map, min_size=1, max_size=3), st.integers(1, 6), st.integers(1, 6))
def test_candidates_are_the_best_local_maxima(score_maps, per_scale, most):
    config = ProposalConfig(candidates_per_scale=per_scale, max_masks=most, min_probability=0.1)
    found = best_candidates(score_maps, config)
    logits = [score_maps[scale][*position] for scale, position in zip(found.scale, found.position_rc, strict=True)]
    kept = [sorted((value for value, *_ in peaks_of(one)), reverse=True)[:per_scale] for one in score_maps]
    wanted = sorted((value for values in kept for value in values), reverse=True)[:most]
    assert logits == [value for value in wanted if 1 / (1 + np.exp(-value)) >= 0.1]
    np.testing.assert_allclose(found.score, 1 / (1 + np.exp(-np.array(logits, np.float64))), rtol=1e-6)
    chosen = set(zip(found.scale.tolist(), map(tuple, found.position_rc.tolist()), strict=True))
    assert len(chosen) == len(logits)
    assert chosen <= {(scale, (r, c)) for scale, one in enumerate(score_maps) for _, r, c in peaks_of(one)}


def test_the_expected_iou_is_that_of_the_probabilities():
    probability = np.array([[[0.9, 0.8], [0.4, 0.1]], [[1.0, 1.0], [0.0, 0.0]], [[0.2, 0.2], [0.1, 0.4]]])
    logits = np.log(np.maximum(probability, 1e-12)) - np.log(np.maximum(1 - probability, 1e-12))
    found = expected_ious(logits.astype(np.float32))
    np.testing.assert_allclose(found, [1.7 / 2.5, 1.0, 0.0], atol=1e-5)
    # With a lower threshold a third pixel is inside.
    lower = expected_ious(logits[:1].astype(np.float32), threshold=np.log(0.3 / 0.7))
    assert lower == pytest.approx([2.1 / 3.1], abs=1e-5)


def test_a_pixel_that_is_no_number_is_outside_its_mask():
    logits = np.full((2, 2, 2), 5.0, np.float32)
    logits[0, 0, 0] = np.nan
    broken, whole = expected_ious(logits)
    assert 0.9 < broken == pytest.approx(whole)


@given(arrays(np.float32, (3, 4, 4), elements=st.floats(-100, 100, width=32)), st.floats(-3, 3))
def test_an_expected_iou_is_a_share(logits, threshold):
    found = expected_ious(logits, threshold)
    assert found.shape == (3,)
    assert ((found >= 0) & (found <= 1)).all()


def squares(*corners, side=10):
    masks = np.zeros((len(corners), 40, 40), bool)
    for mask, (row, column) in zip(masks, corners, strict=True):
        mask[row : row + side, column : column + side] = True
    return masks


def test_votes_of_like_masks_raise_a_score():
    # The first two overlap with IoU 90 / 110, the third is alone.
    masks, quality = squares((0, 0), (0, 1), (25, 25)), np.array([0.8, 0.5, 0.8], np.float32)
    found = ranked_by_support(masks, quality, UNLIMITED)
    iou = 90 / 110
    support = np.array([0.8 * np.sqrt(0.8 + 0.5 * iou), 0.8 * np.sqrt(0.8)])
    np.testing.assert_allclose(found.scores, 1 - np.exp(-1.6 * support), rtol=1e-5)
    assert (found.masks == masks[[0, 2]]).all()


def test_masks_that_overlap_less_give_no_votes():
    masks, quality = squares((0, 0), (0, 5)), np.array([0.8, 0.5], np.float32)
    found = ranked_by_support(masks, quality, UNLIMITED)
    np.testing.assert_allclose(-np.log(1 - found.scores) / 1.6, [0.8**1.5, 0.5**1.5], rtol=1e-5)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30), st.floats(0, 1)), max_size=8))
def test_ranked_masks_are_distinct_and_their_scores_fall(rows):
    masks = squares(*[(row, column) for row, column, _ in rows])
    found = ranked_by_support(masks, np.array([quality for *_, quality in rows], np.float32), UNLIMITED)
    assert (np.diff(found.scores) <= 0).all()
    assert ((found.scores >= 0) & (found.scores <= 1)).all()
    for number, mask in enumerate(found.masks):
        for other in found.masks[:number]:
            assert (mask & other).sum() / (mask | other).sum() <= UNLIMITED.nms_iou


def test_masks_of_low_score_are_dropped_after_they_have_voted():
    masks, quality = squares((0, 0), (0, 1), (25, 25)), np.array([0.8, 0.5, 0.4], np.float32)
    strict = replace(UNLIMITED, min_score=0.5)
    found = ranked_by_support(masks, quality, strict)
    assert found.scores.tolist() == ranked_by_support(masks, quality, UNLIMITED).scores[:1].tolist()


def test_without_masks_there_are_no_segments():
    assert len(ranked_by_support(np.zeros((0, 8, 9), bool), np.zeros(0, np.float32), UNLIMITED)) == 0
