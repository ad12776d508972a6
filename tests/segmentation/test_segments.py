"""Segments of any masks and scores: sorted, with tight boxes, and refused where they are none."""

import numpy as np
import pytest

from tabletop_interaction.errors import InvalidDetections
from tabletop_interaction.segmentation import Segments

MASKS = np.zeros((3, 6, 8), np.bool_)
MASKS[0, 2, 5] = True
MASKS[2, 1:4, 2:8] = True


def test_segments_are_sorted_and_have_tight_boxes():
    segments = Segments.of(MASKS, [0.25, 1, 0.5])
    assert segments.scores.tolist() == [0.5, 0.25]
    assert segments.boxes.tolist() == [[2, 1, 8, 4], [5, 2, 6, 3]]
    assert (segments.masks == MASKS[[2, 0]]).all()
    assert segments.scores.dtype == segments.boxes.dtype == np.float32


def test_no_masks_are_segments_too():
    segments = Segments.of(MASKS[:0], [])
    assert (len(segments), segments.masks.shape, segments.boxes.shape) == (0, (0, 6, 8), (0, 4))


@pytest.mark.parametrize(
    ("masks", "scores", "said"),
    [
        (MASKS.astype(np.uint8), [1, 1, 1], r"masks are uint8 \(3, 6, 8\); accepted is an array bool"),
        (MASKS[0], [1], r"masks are bool \(6, 8\)"),
        ([MASKS[0]], [1], "masks are"),
        (MASKS, [1, 1], r"3 masks came with scores \(2,\)"),
        (MASKS, [1, 1, 1.5], r"a score is 1\.5; accepted is 0 to 1"),
        (MASKS, [1, 1, np.nan], "a score is nan"),
        (MASKS, ["a", "b", "c"], "scores are .*; accepted are numbers"),
    ],
)
def test_what_is_no_segment_is_refused(masks, scores, said):
    with pytest.raises(InvalidDetections, match=said):
        Segments.of(masks, scores)
