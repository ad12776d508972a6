"""What a foreign segmenter returns is sorted, limited, and refused where it is no answer."""

from types import SimpleNamespace

import numpy as np
import pytest

from tabletop_interaction.errors import InvalidDetections
from tabletop_interaction.segmentation import ProposalConfig, Segments
from tabletop_interaction.segmentation.foreign.checked import CheckedSegmenter

PICTURE = np.zeros((10, 10, 3), np.uint8)


LIMITS = ProposalConfig(min_area=2, max_area_share=0.5, min_score=0.2)


def answering(answer):
    return CheckedSegmenter("mine:Own", SimpleNamespace(segment=lambda picture: answer), LIMITS)


def squares(*sides):
    masks = np.zeros((len(sides), 10, 10), np.bool_)
    for mask, side in zip(masks, sides, strict=True):
        mask[:side, :side] = True
    return masks


def test_masks_beyond_the_limits_are_dropped():
    answer = SimpleNamespace(masks=squares(1, 2, 3, 7, 8), scores=[0.9, 0.3, 0.5, 0.8, 0.9])
    found = answering(answer).segment(PICTURE)
    assert found.scores.tolist() == pytest.approx([0.8, 0.5, 0.3])
    assert found.masks.sum(axis=(1, 2)).tolist() == [49, 9, 4]
    unsure = SimpleNamespace(masks=squares(3), scores=[0.1])
    assert len(answering(unsure).segment(PICTURE)) == 0


def test_nothing_found_is_an_answer():
    assert len(answering(Segments.of(squares(), [])).segment(PICTURE)) == 0


def test_a_segmenter_that_draws_does_not_change_the_picture():
    def draw(picture):
        picture[:] = 9
        return Segments.of(squares(3), [1])

    CheckedSegmenter("mine:Own", SimpleNamespace(segment=draw), ProposalConfig()).segment(PICTURE)
    assert not PICTURE.any()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (None, "the segmenter mine:Own returned None; accepted are Segments, as Segments.of"),
        ([squares(3)[0]], r"the segmenter mine:Own returned \[array.*; accepted are Segments"),
        (SimpleNamespace(masks=squares(3) * 1.0, scores=[1]), "mine:Own returned no segments: masks are float64"),
        (SimpleNamespace(masks=squares(3)[:, :9], scores=[1]), r"masks of \(9, 10\) for a picture of \(10, 10\)"),
    ],
)
def test_what_is_no_answer_is_refused(answer, said):
    with pytest.raises(InvalidDetections, match=said):
        answering(answer).segment(PICTURE)


def test_a_segmenter_that_fails_is_named_with_the_line_of_its_code():
    def fail(picture):
        raise RuntimeError("out of\nmemory")

    with pytest.raises(InvalidDetections) as failed:
        CheckedSegmenter("mine:Own", SimpleNamespace(segment=fail), LIMITS).segment(PICTURE)
    line = fail.__code__.co_firstlineno + 1
    assert "mine:Own failed on a picture (10, 10, 3) (RuntimeError: out of memory, in " in str(failed.value)
    assert f"test_checked.py line {line})" in str(failed.value)


def test_a_segmenter_that_takes_no_picture_and_one_that_answers_wrongly_are_named():
    takes_none = CheckedSegmenter("mine:Own", SimpleNamespace(segment=lambda: None), LIMITS)
    with pytest.raises(InvalidDetections, match=r"mine:Own failed .*takes 0 positional arguments but 1 was given\)"):
        takes_none.segment(PICTURE)
    wrong = SimpleNamespace(segment=lambda picture: Segments.of(squares(3), [7]))
    with pytest.raises(InvalidDetections, match="the segmenter mine:Own: a score is 7; accepted is 0 to 1"):
        CheckedSegmenter("mine:Own", wrong, LIMITS).segment(PICTURE)
