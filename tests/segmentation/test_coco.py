"""Label sets on disk: they survive writing and reading; invalid ones are refused."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as hnp

from tabletop_interaction.arrays import Mask
from tabletop_interaction.errors import InvalidDetections, InvalidLabelSet
from tabletop_interaction.segmentation.coco import Detections, load_label_set, write_label_set
from tabletop_interaction.segmentation.rle import (
    Rle,
    mask_from_rle,
    rle_from_mask,
)

HEIGHT, WIDTH = 30, 40


def box_mask(x: int, y: int, width: int, height: int) -> Mask:
    mask = np.zeros((HEIGHT, WIDTH), np.bool_)
    mask[y : y + height, x : x + width] = True
    return mask


def valid_document() -> dict[str, Any]:
    return {
        "images": [
            {"id": 7, "file_name": "a.png", "height": HEIGHT, "width": WIDTH},
            {"id": 3, "file_name": "b.png", "height": HEIGHT, "width": WIDTH},
        ],
        "annotations": [
            {
                "id": 5,
                "image_id": 7,
                "category_id": 1,
                "segmentation": rle_from_mask(box_mask(2, 3, 10, 12)).to_coco(),
                "iscrowd": 0,
            }
        ],
        "categories": [{"id": 1, "name": "object"}],
    }


def write_json(path: Path, document: Any) -> Path:
    path.write_text(json.dumps(document))
    return path


@given(hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=40)))
@settings(max_examples=40, deadline=None)
def test_mask_from_rle_inverts_rle_from_mask(mask: Mask) -> None:
    rle = rle_from_mask(mask)
    np.testing.assert_array_equal(mask_from_rle(rle), mask)
    assert rle.area == mask.sum()


def test_a_written_label_set_is_read_back(tmp_path: Path) -> None:
    masks = np.stack([box_mask(0, 0, 10, 10), box_mask(20, 5, 11, 12)])
    write_label_set(tmp_path / "set.json", ["a.png", "b.png"], [masks, np.zeros((0, HEIGHT, WIDTH), np.bool_)])
    read = load_label_set(tmp_path / "set.json")
    assert [(image.image_id, image.file_name) for image in read.images] == [(1, "a.png"), (2, "b.png")]
    np.testing.assert_array_equal([mask_from_rle(found.rle) for found in read.objects_in(1)], masks)
    assert read.objects_in(2) == ()
    assert read.objects[1].rle.box_xywh == (20.0, 5.0, 11.0, 12.0)


def test_objects_under_a_hundred_pixels_are_crowd_and_hidden_ones_are_left_out(tmp_path: Path) -> None:
    masks = np.stack([box_mask(0, 0, 10, 10), box_mask(20, 0, 9, 11), box_mask(0, 0, 0, 0)])
    write_label_set(tmp_path / "set.json", ["a.png"], [masks])
    assert [found.is_crowd for found in load_label_set(tmp_path / "set.json").objects] == [False, True]
    written = json.loads((tmp_path / "set.json").read_text())["annotations"]
    assert [(entry["iscrowd"], entry["ignore"]) for entry in written] == [(0, 0), (1, 1)]


def test_the_same_label_set_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one.json", "two.json"):
        write_label_set(tmp_path / name, ["a.png"], [box_mask(1, 1, 12, 12)[None]])
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()


def test_an_existing_file_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "set.json"
    path.write_text("mine")
    with pytest.raises(FileExistsError, match="never overwritten"):
        write_label_set(path, ["a.png"], [box_mask(1, 1, 12, 12)[None]])
    assert path.read_text() == "mine"


@pytest.mark.parametrize(
    ("names", "masks", "message"),
    [
        (["a.png"], [], "picture 1 has no masks"),
        (["a.png"], [box_mask(1, 1, 12, 12)[None]] * 2, "picture 2 has no file name"),
        (["a.png"] * 2, [box_mask(1, 1, 12, 12)[None]] * 2, "comes twice"),
        (["a.png"], [box_mask(1, 1, 12, 12)], "bool \\(N, height, width\\)"),
        (["a.png"], [box_mask(0, 0, 0, 0)[None]], "no mask has a pixel"),
    ],
)
def test_invalid_masks_are_not_written(tmp_path: Path, names: list[str], masks: list[Mask], message: str) -> None:
    with pytest.raises(InvalidLabelSet, match=message):
        write_label_set(tmp_path / "set.json", names, masks)
    assert list(tmp_path.iterdir()) == []


def test_images_and_objects_are_sorted_by_id(tmp_path: Path) -> None:
    read = load_label_set(write_json(tmp_path / "set.json", valid_document()))
    assert [image.image_id for image in read.images] == [3, 7]


def test_polygons_and_uncompressed_runs_are_accepted(tmp_path: Path) -> None:
    document = valid_document()
    mask = box_mask(2, 3, 10, 12)
    document["annotations"][0]["segmentation"] = [[2, 3, 12, 3, 12, 15, 2, 15]]
    # Column by column: 2 empty columns and 3 px, then 12 px of the object and 18 px to its next column.
    runs = [2 * HEIGHT + 3, *[12, HEIGHT - 12] * 9, 12, HEIGHT - 15 + 28 * HEIGHT]
    document["annotations"].append({"id": 6, "image_id": 3, "segmentation": {"size": [HEIGHT, WIDTH], "counts": runs}})
    for found in load_label_set(write_json(tmp_path / "set.json", document)).objects:
        np.testing.assert_array_equal(mask_from_rle(found.rle), mask)


def test_a_foreign_ignore_flag_has_no_effect(tmp_path: Path) -> None:
    document = valid_document()
    document["annotations"][0]["ignore"] = 1
    assert not load_label_set(write_json(tmp_path / "set.json", document)).objects[0].is_crowd


def edited(edit: Callable[[dict[str, Any]], object]) -> Any:
    document = copy.deepcopy(valid_document())
    edit(document)
    return document


def with_segmentation(segmentation: Any) -> Any:
    return edited(lambda document: document["annotations"][0].update(segmentation=segmentation))


SIZE = [HEIGHT, WIDTH]
GOOD_COUNTS = rle_from_mask(box_mask(2, 3, 10, 12)).counts


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "Expected `object`, got `array`"),
        (edited(lambda d: d.pop("images")), "missing required field `images`"),
        ({"images": {}, "annotations": []}, "Expected `array`, got `object` - at `[$].images`"),
        (edited(lambda d: d["images"].clear() or d["annotations"].clear()), "length >= 1 - at `[$].images`"),
        (edited(lambda d: d["annotations"].clear()), "length >= 1 - at `[$].annotations`"),
        (edited(lambda d: d["images"].append(5)), r"Expected `object`, got `int` - at `[$].images\[2\]`"),
        (edited(lambda d: d["images"].append(d["images"][0])), "image id 7 comes twice"),
        (edited(lambda d: d["images"][1].update(file_name="a.png")), "file name 'a.png' comes twice"),
        (edited(lambda d: d["images"][0].update(id="7")), r"Expected `int`, got `str` - at `[$].images\[0\].id`"),
        (edited(lambda d: d["images"][0].update(height=0)), r"Expected `int` >= 1 - at `[$].images\[0\].height`"),
        (edited(lambda d: d["images"][0].pop("width")), r"missing required field `width` - at `[$].images\[0\]`"),
        (edited(lambda d: d["images"][0].update(file_name="/etc/a.png")), "a relative path"),
        (edited(lambda d: d["annotations"].append(d["annotations"][0])), "annotation id 5 comes twice"),
        (edited(lambda d: d["annotations"][0].update(image_id=99)), "names image 99"),
        (
            edited(lambda d: d["annotations"][0].update(iscrowd=2)),
            r"Invalid enum value 2 - at `[$].annotations\[0\].iscrowd`",
        ),
        (with_segmentation(None), r"got `null` - at `[$].annotations\[0\].segmentation`"),
        (with_segmentation([]), r"has polygon \[\]"),
        (with_segmentation([[1, 2, 3, 4]]), "three points"),
        (with_segmentation([[1, 2, 3, 4, 1e12, 6]]), "in or near the picture"),
        (with_segmentation([[-9, -9, -5, -9, -5, -5]]), "covers no pixel"),
        (
            with_segmentation({"size": [WIDTH, HEIGHT], "counts": GOOD_COUNTS}),
            "must have their picture's size",
        ),
        (with_segmentation({"size": SIZE, "counts": [3, 4]}), "damaged RLE"),
        (
            with_segmentation({"size": SIZE, "counts": [1300, -100]}),
            r">= 0 - at `[$].annotations\[0\].segmentation.counts",
        ),
        (with_segmentation({"size": SIZE, "counts": GOOD_COUNTS[:-1]}), "damaged RLE"),
        (with_segmentation({"size": SIZE, "counts": "é"}), "damaged RLE"),
        (with_segmentation({"size": SIZE, "counts": 5}), r"Expected `str [|] array`, got `int`"),
        (with_segmentation({"size": SIZE, "counts": [HEIGHT * WIDTH]}), "covers no pixel"),
    ],
)
def test_an_invalid_label_set_is_refused_with_its_place(tmp_path: Path, document: Any, message: str) -> None:
    with pytest.raises(InvalidLabelSet, match=message):
        load_label_set(write_json(tmp_path / "set.json", document))


def test_a_missing_file_and_invalid_json_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidLabelSet, match="does not exist"):
        load_label_set(tmp_path / "set.json")
    (tmp_path / "set.json").write_text("<annotation/>")
    with pytest.raises(InvalidLabelSet, match="is not JSON"):
        load_label_set(tmp_path / "set.json")


def test_missing_unreadable_and_resized_pictures_are_refused(tmp_path: Path) -> None:
    path = write_json(tmp_path / "set.json", valid_document())
    with pytest.raises(InvalidLabelSet, match="does not exist"):
        load_label_set(path, tmp_path)
    for name in ("a.png", "b.png"):
        iio.imwrite(tmp_path / name, np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    assert load_label_set(path, tmp_path).images_dir == tmp_path
    iio.imwrite(tmp_path / "b.png", np.zeros((HEIGHT, WIDTH + 1, 3), np.uint8))
    with pytest.raises(InvalidLabelSet, match="is 30 x 41 px"):
        load_label_set(path, tmp_path)
    (tmp_path / "b.png").write_text("no picture")
    with pytest.raises(InvalidLabelSet, match="cannot be read"):
        load_label_set(path, tmp_path)


@pytest.mark.parametrize(
    ("rles", "scores", "message"),
    [
        ((), [1.0], "0 masks came with scores"),
        ((rle_from_mask(box_mask(0, 0, 5, 5)),), [np.nan], "must be finite"),
        ((rle_from_mask(box_mask(0, 0, 0, 0)),), [1.0], "has no pixel"),
    ],
)
def test_invalid_detections_are_refused(rles: tuple[Rle, ...], scores: list[float], message: str) -> None:
    with pytest.raises(InvalidDetections, match=message):
        Detections(rles, np.array(scores))


def test_a_huge_size_is_refused_before_a_mask_is_decoded(tmp_path: Path) -> None:
    huge, pixels = 10**6, [10**12 - 1, 1]
    document = {
        "images": [{"id": 1, "file_name": "a.png", "height": huge, "width": huge}],
        "annotations": [{"id": 1, "image_id": 1, "segmentation": {"size": [huge, huge], "counts": pixels}}],
    }
    labels = write_json(tmp_path / "labels.json", document)
    iio.imwrite(tmp_path / "a.png", np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    with pytest.raises(InvalidLabelSet, match="is 30 x 40 px, but the label set says"):
        load_label_set(labels, tmp_path)


def test_an_animation_has_the_size_of_its_first_picture(tmp_path: Path) -> None:
    document = valid_document()
    for image in document["images"]:
        image["file_name"] = image["file_name"].replace(".png", ".gif")
        frames = np.zeros((3, HEIGHT, WIDTH, 3), np.uint8)
        frames[1] = 90
        frames[2] = 200
        iio.imwrite(tmp_path / image["file_name"], frames)
    assert len(load_label_set(write_json(tmp_path / "labels.json", document), tmp_path).images) == 2
