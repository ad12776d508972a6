"""Photos are segmented at the network's scale, and get masks in their own pixels."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tabletop_interaction.errors import InvalidPicture
from tabletop_interaction.segmentation.coco import Detections
from tabletop_interaction.segmentation.overlays import distinct_colours, overlay
from tabletop_interaction.segmentation.photos import _resized_rle, coco_results, detect
from tabletop_interaction.segmentation.proposals import Segments
from tabletop_interaction.segmentation.rle import mask_from_rle, rle_from_mask


class BrightPart:
    """A stand-in that segments pixels brighter than grey and remembers the size of its picture."""

    def __init__(self) -> None:
        self.seen: tuple[int, ...] = ()

    def segment(self, image: NDArray[np.uint8]) -> Segments:
        self.seen = image.shape
        mask = image[:, :, 0] > 127
        return Segments(mask[None], np.zeros((1, 4), np.float32), np.array([0.8], np.float32))


def disc(height: int, width: int) -> NDArray[np.bool_]:
    rows, columns = np.mgrid[:height, :width]
    return np.asarray(np.hypot(rows - height / 2, columns - width / 3) < height / 4)


@pytest.mark.parametrize(
    ("size", "longer_side", "seen"),
    [
        ((350, 430), 430, (350, 430, 3)),
        ((1400, 1720), 430, (350, 430, 3)),
        ((1720, 1400), 860, (860, 700, 3)),
        ((175, 215), 430, (350, 430, 3)),
    ],
)
def test_masks_have_the_size_of_the_photo(size: tuple[int, int], longer_side: int, seen: tuple[int, ...]) -> None:
    truth, segmenter = disc(*size), BrightPart()
    found = detect(segmenter, np.repeat(truth[:, :, None] * np.uint8(255), 3, axis=2), longer_side)
    mask = mask_from_rle(found.rles[0])
    assert segmenter.seen == seen
    assert mask.shape == size
    assert (mask & truth).sum() / (mask | truth).sum() > 0.97
    assert found.scores.tolist() == [pytest.approx(0.8)]


def test_masks_that_vanish_at_the_photos_size_are_dropped() -> None:
    class OnePixel:
        def segment(self, image: NDArray[np.uint8]) -> Segments:
            masks = np.zeros((1, *image.shape[:2]), np.bool_)
            masks[0, 5, 5] = True
            return Segments(masks, np.zeros((1, 4), np.float32), np.ones(1, np.float32))

    assert detect(OnePixel(), np.zeros((40, 50, 3), np.uint8)).rles == ()


@given(st.integers(0, 2**32 - 1), st.integers(8, 40), st.integers(8, 40), st.floats(0.3, 12))
@settings(max_examples=50, deadline=None)
def test_masks_are_resized_as_whole_pictures(seed: int, height: int, width: int, ratio: float) -> None:
    rng = np.random.default_rng(seed)
    mask = np.zeros((height, width), np.bool_)
    top, left = rng.integers(0, height), rng.integers(0, width)
    mask[top : top + rng.integers(1, height), left : left + rng.integers(1, width)] = True
    mask &= rng.random(mask.shape) < 0.9
    size = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    interpolation = cv2.INTER_LINEAR if size[0] > width else cv2.INTER_AREA
    whole = cv2.resize(mask.astype(np.uint8) * 255, size, interpolation=interpolation) > 127
    assert mask_from_rle(_resized_rle(mask, size)).tolist() == whole.tolist()


def test_an_invalid_side_is_refused() -> None:
    with pytest.raises(InvalidPicture, match="64 to 4096"):
        detect(BrightPart(), np.zeros((40, 50, 3), np.uint8), 5000)


def test_results_carry_the_pictures_name_and_its_boxes() -> None:
    masks = np.zeros((1, 20, 30), np.bool_)
    masks[0, 5:10, 7:19] = True
    (entry,) = coco_results(3, "a.jpg", Detections(tuple(map(rle_from_mask, masks)), np.array([0.25])))
    assert (entry["image_id"], entry["file_name"], entry["score"]) == (3, "a.jpg", 0.25)
    assert entry["bbox"] == [7, 5, 12, 5]


def test_an_overlay_changes_a_copy_on_the_masks_only() -> None:
    picture = np.full((200, 300, 3), 90, np.uint8)
    masks = np.zeros((2, 200, 300), np.bool_)
    masks[0, 20:90, 20:90], masks[1, 100:180, 150:260] = True, True
    drawn = overlay(picture, Detections(tuple(map(rle_from_mask, masks)), np.array([0.9, 0.6])))
    assert (picture == 90).all()
    assert (drawn[:15] == 90).all()
    assert (drawn[30, 30] != drawn[110, 160]).any()
    assert (overlay(picture, Detections((), np.zeros(0))) == picture).all()


def test_forty_colours_are_distinct() -> None:
    assert len(set(distinct_colours(40))) == 40
