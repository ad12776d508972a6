"""Masks of annotations are those of pycocotools, where it reads them; what it cannot read safely is refused."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from tabletop_interaction.segmentation.label_faults import Fault, FaultKind
from tabletop_interaction.segmentation.label_masks import rle_from_segmentation
from tabletop_interaction.segmentation.rle import Rle, mask_from_rle, rle_from_runs

HEIGHT, WIDTH = 23, 31
SIZE = [HEIGHT, WIDTH]


def of_pycocotools(segmentation: Any) -> list[list[int]]:
    coco = COCO()
    coco.imgs = {1: {"height": HEIGHT, "width": WIDTH}}
    rle = coco.annToRLE({"image_id": 1, "segmentation": segmentation})
    return list(coco_mask.decode(rle).tolist())


def read(segmentation: Any) -> list[list[int]]:
    rle = rle_from_segmentation(segmentation, HEIGHT, WIDTH)
    if isinstance(rle, Fault):
        assert rle.kind is FaultKind.NO_PIXEL
        return [[0] * WIDTH for _ in range(HEIGHT)]
    return list(mask_from_rle(rle).astype(int).tolist())


numbers = st.one_of(
    st.integers(-40, 70), st.floats(-40, 70), st.floats(-2, 33, width=16), st.integers(-10, 40).map(lambda n: n / 2)
)
polygons = st.lists(st.lists(numbers, min_size=0, max_size=15), min_size=1, max_size=4).filter(lambda p: len(p[0]) > 4)


@given(polygons)
@settings(deadline=None, max_examples=40)
def test_polygons_are_filled_as_by_pycocotools(segmentation: list[list[float]]) -> None:
    assert read(segmentation) == of_pycocotools(segmentation)


@st.composite
def runs_of_a_picture(draw: st.DrawFn) -> list[int]:
    cuts = sorted(draw(st.lists(st.integers(0, HEIGHT * WIDTH), max_size=20)))
    return [end - start for start, end in zip([0, *cuts], [*cuts, HEIGHT * WIDTH], strict=True)]


@given(runs_of_a_picture(), st.booleans())
@settings(deadline=None, max_examples=40)
def test_runs_are_decoded_as_by_pycocotools(runs: list[int], as_text: bool) -> None:
    counts = rle_from_runs(np.array(runs), HEIGHT, WIDTH).counts if as_text else runs
    segmentation = {"size": SIZE, "counts": counts}
    assert read(segmentation) == of_pycocotools(segmentation)


@given(st.lists(runs_of_a_picture(), min_size=1, max_size=3))
@settings(deadline=None, max_examples=40)
def test_several_encodings_are_one_mask(several: list[list[int]]) -> None:
    segmentation = [{"size": SIZE, "counts": runs} for runs in several]
    union = np.any([of_pycocotools(each) for each in segmentation], axis=0).astype(int)
    # pycocotools decodes empty runs, but does not unite them.
    assert read(segmentation) == union.tolist()
    if all(all(runs) for runs in several):
        assert read(segmentation) == of_pycocotools(segmentation)


def test_empty_runs_do_not_end_a_comparison() -> None:
    runs = {"size": SIZE, "counts": [50, 20, 0, 30, 613]}
    mask = rle_from_segmentation(runs, HEIGHT, WIDTH)
    assert mask == rle_from_runs(np.array([50, 50, 613]), HEIGHT, WIDTH)


TRIANGLE = [[2.5, 3, 20, 5, 9, 20]]


@pytest.mark.parametrize(
    "segmentation",
    [
        TRIANGLE[0],
        [[2.5, 3], [20, 5], [9, 20]],
        [[[2.5, 3], [20, 5], [9, 20]]],
        [["2.5", "3", "20", "5", "9", "20"]],
        [[2.5, 3, 20, 5, 9, 20, 7]],
        [[], TRIANGLE[0], [1, 1], [1, 1, 30, 20]],
        {"size": [23.0, "31"], "counts": rle_from_segmentation(TRIANGLE, HEIGHT, WIDTH).counts},  # type: ignore[union-attr]
    ],
)
def test_other_spellings_of_a_mask_are_the_same_mask(segmentation: Any) -> None:
    assert rle_from_segmentation(segmentation, HEIGHT, WIDTH) == rle_from_segmentation(TRIANGLE, HEIGHT, WIDTH)


@given(st.text(st.characters(max_codepoint=130), max_size=12))
@settings(deadline=None, max_examples=40)
def test_any_text_of_runs_is_sound_or_refused(counts: str) -> None:
    mask = rle_from_segmentation({"size": SIZE, "counts": counts}, HEIGHT, WIDTH)
    if isinstance(mask, Rle):
        assert mask.area == mask_from_rle(mask).sum() > 0
    else:
        assert mask.kind in (FaultKind.RLE_DAMAGED, FaultKind.NO_PIXEL)


json_values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.sampled_from(["size", "counts"])
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=6),
        st.dictionaries(st.sampled_from(["size", "counts", "x"]), inner, max_size=3),
    ),
    max_leaves=12,
)


@given(json_values)
@settings(deadline=None, max_examples=30)
def test_any_json_is_a_mask_or_a_fault(segmentation: Any) -> None:
    mask = rle_from_segmentation(segmentation, HEIGHT, WIDTH)
    assert isinstance(mask, Fault) or mask.area > 0


def test_a_far_polygon_is_refused_before_its_outline_is_followed() -> None:
    for far in (1e7, -1e9, 1e308):
        fault = rle_from_segmentation([[0, 0, far, 0, 5, 5]], HEIGHT, WIDTH)
        assert isinstance(fault, Fault)
        assert fault.kind is FaultKind.COORDINATES
    assert read([[0, 0, 9e5, 0, 5, 5]]) == of_pycocotools([[0, 0, 9e5, 0, 5, 5]])
