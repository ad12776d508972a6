"""What moved is labelled by a rule that also uses the gripper's report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from tabletop_interaction.agents.labelling.frame_labels import label_interaction, label_interactions
from tabletop_interaction.envs.backend import PickOutcome
from tabletop_interaction.envs.records.encoded import EncodedPictures
from tabletop_interaction.envs.records.picture_format import PictureFormat
from tabletop_interaction.envs.records.png import encode_picture
from tabletop_interaction.envs.records.reading import open_interactions
from tabletop_interaction.envs.records.recompressing import recompress
from tabletop_interaction.segmentation.rle import mask_from_rle, mask_iou


def test_a_held_object_is_labelled_where_it_stood_and_where_it_was_put(folder: Path) -> None:
    row = open_interactions(folder)[0]
    picked, placed = label_interaction(row)
    assert (picked.pair, picked.label, picked.moment) == ("pick", "object", "before")
    assert (placed.pair, placed.label, placed.moment) == ("place", "object", "after")
    for label, picture in ((picked, row.before["view_0"]), (placed, row.after["view_0"])):
        assert label.mask is not None
        red, found = picture[..., 0] > 150, mask_from_rle(label.mask)
        assert (red & found).sum() > 0.9 * (red | found).sum()
        x, y = np.round(label.click_xy).astype(int)
        assert red[y, x]


def test_jpeg_pictures_have_the_labels_of_lossless_ones(folder: Path, tmp_path: Path) -> None:
    recompress(folder, tmp_path / "jpeg", PictureFormat("jpeg"))
    exact, lossy = (list(label_interactions(open_interactions(each))) for each in (folder, tmp_path / "jpeg"))
    assert [(label.pair, label.label) for label in lossy] == [(label.pair, label.label) for label in exact]
    for one, other in zip(exact, lossy, strict=True):
        if one.mask is not None and other.mask is not None:
            assert mask_iou(mask_from_rle(one.mask), mask_from_rle(other.mask)) > 0.95


def test_closing_on_nothing_labels_background_and_no_place_pair(folder: Path) -> None:
    (label,) = label_interaction(open_interactions(folder)[1])
    assert (label.pair, label.label, label.moved, label.mask) == ("pick", "background", False, None)


def test_a_pick_that_touched_something_proves_no_background(folder: Path) -> None:
    row = open_interactions(folder)[1]
    for outcome in (PickOutcome.SLIPPED, PickOutcome.BLOCKED, PickOutcome.PUSHED_AWAY, PickOutcome.UNREACHABLE):
        (label,) = label_interaction(replace(row, pick_outcome=outcome))
        assert label.label == "unknown"


def test_an_object_that_moved_without_being_held_is_labelled_nudged(folder: Path) -> None:
    row = replace(open_interactions(folder)[0], grasped=False, pick_outcome=PickOutcome.SLIPPED)
    (label,) = label_interaction(row)
    assert label.label == "nudged"
    assert label.mask is not None


def test_the_larger_of_two_unlike_masks_is_labelled_nudged(folder: Path) -> None:
    row = open_interactions(folder)[0]
    both = row.after["view_0"].copy()
    x, y = np.round(row.place_xy[0]).astype(int)
    both[y - 30 : y + 30, x : x + 90] = (200, 40, 40)
    merged = replace(row, after=EncodedPictures({"view_0": encode_picture(both)}))
    picked, placed = label_interaction(merged)
    assert (picked.label, placed.label) == ("object", "nudged")
    assert placed.mask is not None


def test_labels_come_in_the_order_of_the_rows(folder: Path) -> None:
    rows = open_interactions(folder)
    one_by_one = [label for row in rows for label in label_interaction(row)]
    assert list(label_interactions(rows)) == one_by_one
