"""Masks survive their encoding; box, centre and overlap are those of the pixels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabletop_interaction.segmentation.rle import mask_from_rle, mask_iou, rle_from_mask


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_decoding_inverts_encoding(height: int, width: int, seed: int, share: float) -> None:
    mask = np.random.default_rng(seed).random((height, width)) < share
    rle = rle_from_mask(mask)
    assert (mask_from_rle(rle) == mask).all()
    assert rle.area == mask.sum()


def test_the_centre_is_the_middle_of_the_tight_box() -> None:
    mask = np.zeros((40, 60), bool)
    mask[10:15, 20:30] = True
    mask[12, 35] = True
    rle = rle_from_mask(mask)
    assert rle.box_xywh == (20, 10, 16, 5)
    assert rle.centre_xy == (27.5, 12)


def test_overlap_is_common_pixels_among_all() -> None:
    one, other = np.zeros((2, 10, 10), bool)
    assert mask_iou(one, other) == 1
    one[:4] = True
    assert mask_iou(one, other) == 0
    other[2:6] = True
    assert mask_iou(one, other) == mask_iou(other, one) == pytest.approx(1 / 3)
    assert mask_iou(one, one) == 1


def test_masks_of_another_type_are_refused() -> None:
    with pytest.raises(ValueError, match="uint8"):
        rle_from_mask(np.zeros((3, 3), np.uint8))  # type: ignore[arg-type]
