"""Label sets on disk: they survive writing and reading; invalid ones are refused."""

from __future__ import annotations

import copy
import json
import unicodedata
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
        (edited(lambda d: d["images"].clear()), 'no entry in "images"'),
        (edited(lambda d: d["annotations"].clear()), 'no entry in "annotations"'),
        (edited(lambda d: d["images"].append(5)), r"images\[2\]: Expected `object`, got `int`"),
        (edited(lambda d: d["images"].append({**d["images"][0], "width": 9})), "ids that come twice: 1 .image 7"),
        (edited(lambda d: d["images"][1].update(file_name="a.png")), "images 7 and 3 are 'a.png'"),
        (edited(lambda d: d["images"][0].pop("id")), r"images\[0\] has None"),
        (edited(lambda d: d["images"][0].update(id=True)), r"images\[0\] has True"),
        (edited(lambda d: d["images"][0].update(height=0)), "image 7 has height 0, width 40"),
        (edited(lambda d: d["images"][0].update(height=30.5)), "image 7 has height 30.5"),
        (edited(lambda d: d["images"][0].pop("width")), "image 7 has height 30, width None"),
        (edited(lambda d: d["images"][0].update(height=10**6, width=10**6)), "1000000 x 1000000 px"),
        (edited(lambda d: d["images"][0].pop("file_name")), "images without a file name: 1"),
        (edited(lambda d: d["images"][0].update(file_name="a\0")), "images without a file name: 1"),
        (edited(lambda d: d["annotations"].append(d["annotations"][0])), "ids that come twice: 1 .annotation 5"),
        (edited(lambda d: d["annotations"][0].update(image_id=99)), "annotation 5 names image 99"),
        (edited(lambda d: d["annotations"][0].update(iscrowd=2)), "annotation 5 has 2"),
        (edited(lambda d: d["annotations"].append([])), r"annotations\[1\]: Expected `object`, got `array`"),
        (with_segmentation(None), "has no mask: annotations without a mask: 1 .annotation 5"),
        (with_segmentation([]), "has no mask: annotations without a mask: 1"),
        (with_segmentation([[]]), "has no mask: annotations without a mask: 1"),
        (with_segmentation([[1, 2, 3, 4]]), "masks without a pixel in their picture: 1"),
        (with_segmentation([[-9, -9, -5, -9, -5, -5]]), "masks without a pixel in their picture: 1"),
        (with_segmentation({"size": SIZE, "counts": [HEIGHT * WIDTH]}), "masks without a pixel in their picture: 1"),
        (with_segmentation([[1, 2, 3, 4, 1e12, 6]]), "far outside the picture: 1"),
        (with_segmentation([[1, 2, 3, 4, 1e308, -1e308]]), "far outside the picture: 1"),
        (with_segmentation([[1, 2, 3, 4, float("nan"), 6]]), "not finite"),
        (with_segmentation([[1, 2, 3, 4, float("inf"), 6]]), "not finite"),
        (with_segmentation(5), "neither polygons nor an RLE: 1"),
        (with_segmentation([["a", 2, 3, 4, 5, 6]]), "neither polygons nor an RLE: 1"),
        (with_segmentation([[[1, 2, 3], [4, 5, 6]]]), "neither polygons nor an RLE: 1"),
        (with_segmentation({"size": [WIDTH, HEIGHT], "counts": GOOD_COUNTS}), "height and width are exchanged"),
        (with_segmentation({"size": SIZE, "counts": [3, 4]}), "its runs have 7 px, its picture has 1200"),
        (with_segmentation({"size": SIZE, "counts": [1300, -100]}), "damaged RLEs: 1"),
        (with_segmentation({"size": SIZE, "counts": [1199.5, 0.5]}), "damaged RLEs: 1"),
        (with_segmentation({"size": SIZE, "counts": GOOD_COUNTS[:-1]}), "damaged RLEs: 1"),
        (with_segmentation({"size": SIZE, "counts": GOOD_COUNTS + "P"}), "damaged RLEs: 1"),
        (with_segmentation({"size": SIZE, "counts": "é"}), "damaged RLEs: 1"),
        (with_segmentation({"size": SIZE, "counts": ""}), "damaged RLEs: 1"),
        (with_segmentation({"size": SIZE, "counts": 5}), "neither polygons nor an RLE: 1"),
    ],
)
def test_an_invalid_label_set_is_refused_with_its_place(tmp_path: Path, document: Any, message: str) -> None:
    with pytest.raises(InvalidLabelSet, match=message):
        load_label_set(write_json(tmp_path / "set.json", document))


def test_all_faults_are_counted_in_one_line_of_bounded_length(tmp_path: Path) -> None:
    document = valid_document()
    document["annotations"] += [
        {"id": number, "image_id": 3, "segmentation": {"size": SIZE, "counts": "9" * 10_000}}
        for number in range(10, 500)
    ]
    document["annotations"] += [{"id": number, "image_id": "none" * 999} for number in range(500, 900)]
    with pytest.raises(InvalidLabelSet) as raised:
        load_label_set(write_json(tmp_path / "set.json", document))
    message = str(raised.value)
    assert "damaged RLEs: 490 (annotation 10: " in message
    assert 'annotations of an image that is not among "images": 400 (annotation 500 names' in message
    assert len(message) < 1000
    assert "\n" not in message


def test_harmless_faults_are_skipped_and_counted(tmp_path: Path) -> None:
    document = valid_document()
    document["images"].append(document["images"][0])
    document["annotations"] += [
        {"id": 8, "image_id": 3, "bbox": [1, 2, 3, 4]},
        {"id": 9, "image_id": 3, "segmentation": []},
        {"id": 2206849, "image_id": 3, "segmentation": [[5.1, 5.1, 5.2, 5.1, 5.2, 5.2]]},
    ]
    read = load_label_set(write_json(tmp_path / "set.json", document))
    assert [found.object_id for found in read.objects] == [5]
    assert read.notes == (
        f"{tmp_path}/set.json, skipped: image entries that repeat an earlier one: 1 (image 7); annotations without a "
        "mask: 2 (annotation 8: no segmentation); masks without a pixel in their picture: 1 (annotation 2206849: "
        "segmentation [[5.1, 5.1, 5.2, 5.1, 5.2, 5.2]])",
    )


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_other_encodings_are_read(tmp_path: Path, encoding: str) -> None:
    document = edited(lambda d: d["images"][0].update(file_name="été.png"))
    (tmp_path / "set.json").write_bytes(json.dumps(document, ensure_ascii=False).encode(encoding))
    assert load_label_set(tmp_path / "set.json").images[1].file_name == "été.png"


def test_numbers_that_are_not_finite_harm_only_what_is_read(tmp_path: Path) -> None:
    document = edited(
        lambda d: d["annotations"][0].update(area=float("nan"), bbox=[-float("inf")], note='NaN "Infinity')
    )
    document["images"][0]["file_name"] = "NaN.png"
    read = load_label_set(write_json(tmp_path / "set.json", document))
    assert [image.file_name for image in read.images] == ["b.png", "NaN.png"]


@pytest.mark.parametrize("key", [7.0, "7"])
def test_ids_and_sizes_may_be_floats_or_text(tmp_path: Path, key: float | str) -> None:
    document = edited(lambda d: d["images"][0].update(id=key, height=float(HEIGHT), width=str(WIDTH)))
    document["annotations"][0].update(id=str(key), iscrowd=None)
    assert load_label_set(write_json(tmp_path / "set.json", document)).objects[0].image_id == 7
    document["images"][0]["id"] = 7
    document["annotations"][0]["image_id"] = key
    assert load_label_set(write_json(tmp_path / "set.json", document)).objects[0].image_id == 7


def test_ids_that_are_names_become_numbers(tmp_path: Path) -> None:
    document = edited(lambda d: d["images"][0].update(id="007.png"))
    document["annotations"][0].update(image_id="007.png")
    document["annotations"].append({**document["annotations"][0], "id": None})
    read = load_label_set(write_json(tmp_path / "set.json", document))
    assert [(image.image_id, image.file_name) for image in read.images] == [(1, "a.png"), (2, "b.png")]
    assert [(found.object_id, found.image_id) for found in read.objects] == [(1, 1), (2, 1)]
    assert "numbered from 1" in read.notes[0]


@pytest.mark.parametrize(("flag", "is_crowd"), [(None, False), (0.0, False), ("1", True), (True, True), (1, True)])
def test_crowd_flags_of_all_tools(tmp_path: Path, flag: object, is_crowd: bool) -> None:
    document = edited(lambda d: d["annotations"][0].update(iscrowd=flag))
    assert load_label_set(write_json(tmp_path / "set.json", document)).objects[0].is_crowd == is_crowd


def test_pictures_are_found_under_names_of_other_systems(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    (folder / "sub").mkdir(parents=True)
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for name in ("sub/a b.png", unicodedata.normalize("NFD", "é.png")):
        iio.imwrite(folder / name, picture)
    document = edited(lambda d: d["images"][0].update(file_name=r"images\sub\a%20b.PNG"))
    document["images"][1]["file_name"] = unicodedata.normalize("NFC", "é.png")
    read = load_label_set(write_json(tmp_path / "set.json", document), folder)
    assert [(folder / image.file_name).is_file() for image in read.images] == [True, True]
    assert read.read(read.images[1]).shape == picture.shape
    iio.imwrite(folder / "sub/A b.png", picture)
    with pytest.raises(InvalidLabelSet, match=r"fits 'sub/A b.png' and 'sub/a b.png'"):
        load_label_set(tmp_path / "set.json", folder)
    document["images"][0]["file_name"] = "sub/a b.png"
    document["images"][1]["file_name"] = "sub//a%20b.png"
    with pytest.raises(InvalidLabelSet, match=r"images 7 and 3 are 'sub/a b.png'"):
        load_label_set(write_json(tmp_path / "set.json", document), folder)


def test_a_missing_file_and_invalid_json_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidLabelSet, match="does not exist"):
        load_label_set(tmp_path / "set.json")
    with pytest.raises(InvalidLabelSet, match="is no file"):
        load_label_set(tmp_path)
    nested = b'{"images": ' + b"[" * 10**5
    for content in (b"<annotation/>", b"", nested, b'{"images": [], "annotations": [' + b"\xff" * 9, b"\xff\xfe\x00"):
        (tmp_path / "set.json").write_bytes(content)
        with pytest.raises(InvalidLabelSet, match="is not JSON"):
            load_label_set(tmp_path / "set.json")


def test_missing_unreadable_and_resized_pictures_are_refused(tmp_path: Path) -> None:
    path = write_json(tmp_path / "set.json", valid_document())
    with pytest.raises(InvalidLabelSet, match=r"not in the folder: 2 \(image 7: 'a.png' in "):
        load_label_set(path, tmp_path)
    for name in ("a.png", "b.png"):
        iio.imwrite(tmp_path / name, np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    assert load_label_set(path, tmp_path).images_dir == tmp_path
    iio.imwrite(tmp_path / "b.png", np.zeros((HEIGHT, WIDTH + 1, 3), np.uint8))
    with pytest.raises(InvalidLabelSet, match="30 x 41, not 30 x 40 px"):
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


def test_pictures_are_compared_before_a_mask_is_decoded(tmp_path: Path) -> None:
    pixels = [10**8 - 1, 1]
    document = {
        "images": [{"id": 1, "file_name": "a.png", "height": 10**4, "width": 10**4}],
        "annotations": [{"id": 1, "image_id": 1, "segmentation": {"size": [10**4, 10**4], "counts": pixels}}],
    }
    labels = write_json(tmp_path / "labels.json", document)
    iio.imwrite(tmp_path / "a.png", np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    with pytest.raises(InvalidLabelSet, match="has 30 x 40, not 10000 x 10000 px"):
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
