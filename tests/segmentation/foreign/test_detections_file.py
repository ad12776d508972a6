"""Detections in a file are looked up by the picture's name or id, and refused where they are none."""

import json
from pathlib import Path

import numpy as np
import pytest

from tabletop_interaction.errors import InvalidDetections
from tabletop_interaction.segmentation import ProposalConfig
from tabletop_interaction.segmentation.config import UNLIMITED
from tabletop_interaction.segmentation.foreign.detections_file import load_detections
from tabletop_interaction.segmentation.rle import rle_from_mask

MASK = np.zeros((8, 9), np.bool_)
MASK[2:5, 3:7] = True
RLE = rle_from_mask(MASK).to_coco()
POLYGON = [[3, 2, 7, 2, 7, 5, 3, 5]]


def entry(image_id=1, score=0.5, segmentation=RLE, **more):
    return {"image_id": image_id, "category_id": 1, "score": score, "segmentation": segmentation, **more}


@pytest.fixture
def load(tmp_path):
    def loaded(*entries, limits=UNLIMITED):
        (tmp_path / "found.json").write_text(json.dumps(entries))
        return load_detections(tmp_path / "found.json", limits)

    return loaded


def test_masks_of_a_picture_of_a_set_are_found_by_its_id(load):
    file = load(entry(1, 0.5), entry("2", 0.25, POLYGON), entry(1.0, 0.75))
    assert file.of(1, "a.png", (8, 9)).scores.tolist() == [0.5, 0.75]
    (rle,) = file.of(2, "b.png", (8, 9)).rles
    assert rle == rle_from_mask(MASK)
    assert file.of(3, "000001.png", (8, 9)).rles == ()


def test_a_file_name_counts_before_the_id(load):
    file = load(entry(1, 0.5, file_name="photos/a.png"), entry(1, 0.25, file_name="photos/b.png"))
    assert file.of(1, "b.png", (8, 9)).scores.tolist() == [0.25]
    assert file.of(1, "photos/a.png", (8, 9)).scores.tolist() == [0.5]
    assert file.of(1, "c.png", (8, 9)).rles == ()


def test_a_file_name_that_fits_two_is_refused(load):
    file = load(entry(file_name="x/a.png"), entry(file_name="y/a.png"))
    assert len(file.of(1, "x/a.png", (8, 9)).rles) == 1
    with pytest.raises(InvalidDetections, match=r"a\.png fits x/a\.png and y/a\.png"):
        file.of(1, "a.png", (8, 9))


@pytest.mark.parametrize("image_id", ["kitchen.jpg", "kitchen"])
def test_a_photo_is_found_by_an_id_that_names_it(load, image_id):
    assert len(load(entry(image_id)).in_photo(Path("photos/kitchen.jpg"), (8, 9)).rles) == 1


def test_a_photo_is_found_by_its_number_as_coco_numbers_them(load):
    assert len(load(entry(397133)).in_photo(Path("000000397133.jpg"), (8, 9)).rles) == 1
    with pytest.raises(InvalidDetections, match=r"has no detection in 000000397134\.jpg; accepted are entries whose"):
        load(entry(397133)).in_photo(Path("000000397134.jpg"), (8, 9))


def test_limits_of_score_and_area_hold(load):
    limits = ProposalConfig(min_score=0.5, min_area=12, max_area_share=12 / 72)
    assert load(entry(1, 0.5), entry(1, 0.4), limits=limits).of(1, "a", (8, 9)).scores.tolist() == [0.5]
    tight = ProposalConfig(min_area=0, max_area_share=11 / 72)
    assert load(entry(), limits=tight).of(1, "a", (8, 9)).rles == ()


def test_a_mask_without_a_pixel_is_left_out(load):
    assert load(entry(segmentation=[])).of(1, "a", (8, 9)).rles == ()


def test_masks_of_another_size_are_refused(load):
    with pytest.raises(InvalidDetections, match="image 1: masks of another size than their picture"):
        load(entry()).of(1, "a", (9, 9))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no file"),
        ("{", "is damaged"),
        ("[]", r"is \[\]; accepted is a list"),
        ('{"images": [], "annotations": []}', "is a label set; accepted is a list"),
        ("[1]", "entry 0, is 1"),
        (json.dumps([entry(), {"image_id": 1, "score": 1, "bbox": [0, 0, 1, 1]}]), "entry 1, has no segmentation"),
        (json.dumps([entry(score=None)]), "entry 0, has score None"),
        (json.dumps([entry(score=float("nan"))]), "entry 0, has score nan"),
        (json.dumps([entry(image_id=None)]), "entry 0, has image_id None"),
    ],
)
def test_files_of_something_else_are_refused(content, said, tmp_path):
    path = tmp_path / "found.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InvalidDetections, match=said):
        load_detections(path, UNLIMITED)
