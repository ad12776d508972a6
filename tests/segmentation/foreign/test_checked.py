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
        (None, "the segmenter mine:Own returned no segments: .* has no attribute 'masks'"),
        (SimpleNamespace(masks=squares(3) * 1.0, scores=[1]), "mine:Own returned no segments: masks are float64"),
        (SimpleNamespace(masks=squares(3)[:, :9], scores=[1]), r"masks of \(9, 10\) for a picture of \(10, 10\)"),
    ],
)
def test_what_is_no_answer_is_refused(answer, said):
    with pytest.raises(InvalidDetections, match=said):
        answering(answer).segment(PICTURE)
