"""Masks survive their encoding; box, centre and overlap are those of the pixels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabletop_interaction.segmentation.rle import (
    box_from_rle,
    mask_from_rle,
    mask_iou,
    rle_from_mask,
    rle_from_part,
    rle_from_runs,
    rle_ious,
    runs_from_counts,
)


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


@given(st.integers(0, 3), st.integers(0, 3), st.integers(0, 2**32 - 1))
def test_overlaps_of_encoded_masks_are_those_of_their_pixels(first: int, second: int, seed: int) -> None:
    masks = np.random.default_rng(seed).random((first + second, 9, 7)) < 0.5
    rles = [rle_from_mask(mask) for mask in masks]
    expected = [[mask_iou(one, other) for other in masks[first:]] for one in masks[:first]]
    found = rle_ious(rles[:first], rles[first:])
    assert found.shape == (first, second)
    assert found == pytest.approx(np.reshape(expected, (first, second)))


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


@given(st.integers(1, 40), st.integers(1, 40), st.data())
def test_a_part_is_encoded_as_in_its_whole_picture(height: int, width: int, data: st.DataObject) -> None:
    rows, columns = data.draw(st.integers(1, height)), data.draw(st.integers(1, width))
    part = np.random.default_rng(data.draw(st.integers(0, 99))).random((rows, columns)) < data.draw(st.floats(0, 1))
    whole = np.pad(part, ((0, height - rows), (0, width - columns)))
    # The latter is packed by pycocotools.
    assert rle_from_part(part, height, width) == rle_from_mask(whole)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_the_box_of_a_mask_is_decoded_alone(height: int, width: int, seed: int, share: float) -> None:
    mask = np.random.default_rng(seed).random((height, width)) < share / 10
    mask[height // 2, width // 2] = True
    box, (x, y) = box_from_rle(rle_from_mask(mask))
    assert box.any(axis=0)[[0, -1]].all()
    assert box.any(axis=1)[[0, -1]].all()
    whole = np.pad(box, ((y, height - y - box.shape[0]), (x, width - x - box.shape[1])))
    assert (whole == mask).all()


@given(st.lists(st.integers(0, 2**28 - 1), min_size=1, max_size=30))
def test_runs_are_unpacked_as_they_were_packed(runs: list[int]) -> None:
    assert runs_from_counts(rle_from_runs(np.array(runs), 1, sum(runs) or 1).counts).tolist() == runs


@pytest.mark.parametrize("counts", ["", "é", "0\n", "P", "0P", "PPPPPP0", "p0"])
def test_a_damaged_string_of_runs_is_refused(counts: str) -> None:
    with pytest.raises(ValueError, match="the string has"):
        runs_from_counts(counts)
