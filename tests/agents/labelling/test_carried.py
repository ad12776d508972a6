"""Masks are carried to the pictures in which their object still stands, and to no other."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tabletop_interaction.agents.labelling.carried import carry_masks
from tabletop_interaction.envs.records.picture_format import LOSSLESS, PictureFormat, decode_picture
from tabletop_interaction.segmentation.rle import Rle, rle_from_mask

BOXES = {"a": (20, 30), "b": (80, 40), "c": (40, 110)}


def table(seed: int, objects: str, gain: float = 1.0) -> np.ndarray:
    """A grey table with noise of its own and some 30 px boxes on it."""
    rng = np.random.default_rng(seed)
    picture = np.full((140, 160, 3), 120.0)
    for name in objects:
        y, x = BOXES[name]
        picture[y : y + 30, x : x + 30] = (200, 40, 40)
    return np.clip(picture * gain + rng.normal(0, 2, picture.shape), 0, 255).astype(np.uint8)


def mask(*names: str) -> Rle:
    drawn = np.zeros((140, 160), bool)
    for name in names:
        y, x = BOXES[name]
        drawn[y : y + 30, x : x + 30] = True
    return rle_from_mask(drawn)


def test_a_mask_is_carried_both_ways_until_its_object_moves() -> None:
    pictures = dict(enumerate([table(0, "b"), table(1, "ab"), table(2, "ab", 1.05), table(3, "ab"), table(4, "b")]))
    assert carry_masks({2: [mask("a")]}, pictures) == {1: [mask("a")], 2: [mask("a")], 3: [mask("a")]}


def test_movement_elsewhere_does_not_end_the_carrying() -> None:
    pictures = dict(enumerate([table(0, "abc"), table(1, "ab"), table(2, "a")]))
    found = carry_masks({0: [mask("c")], 1: [mask("b")], 2: [mask("a")]}, pictures)
    assert {number: {one.counts for one in here} for number, here in found.items()} == {
        0: {mask(name).counts for name in "abc"},
        1: {mask(name).counts for name in "ab"},
        2: {mask("a").counts},
    }


def test_a_mask_is_not_carried_across_a_missing_picture() -> None:
    pictures = {0: table(0, "a"), 1: table(1, "a"), 3: table(3, "a")}
    assert set(carry_masks({0: [mask("a")]}, pictures)) == {0, 1}


def test_the_smaller_of_overlapping_masks_is_kept() -> None:
    pictures = {0: table(0, "ab"), 1: table(1, "ab")}
    found = carry_masks({0: [mask("a", "b")], 1: [mask("b")]}, pictures)
    assert found == {0: [mask("b")], 1: [mask("b")]}


def test_of_masks_of_like_area_the_one_labelled_nearer_in_time_is_kept() -> None:
    y, x = BOXES["a"]
    drawn = np.zeros((140, 160), bool)
    drawn[y : y + 30, x : x + 31] = True
    wider = rle_from_mask(drawn)
    pictures = {0: table(0, "a"), 1: table(1, "a")}
    assert carry_masks({0: [wider], 1: [mask("a")]}, pictures) == {0: [wider], 1: [mask("a")]}


@pytest.mark.parametrize("recorded_as", [PictureFormat(), LOSSLESS])
def test_recorded_pictures_differ_less_than_an_object_that_is_nudged(recorded_as: PictureFormat) -> None:
    """The error of the format is larger at the edges of a texture than on a smooth table."""
    pictures = {
        number: decode_picture(recorded_as.encode(textured(number, nudged_px=2 if number == 8 else 0)))
        for number in range(9)
    }
    assert sorted(carry_masks({3: [mask("a")]}, pictures)) == list(range(8))


def textured(seed: int, nudged_px: int) -> np.ndarray:
    """A smooth dark table with a patterned object on it, under a light that drifts."""
    rng = np.random.default_rng(seed)
    picture = np.full((140, 160, 3), (60.0, 45.0, 50.0))
    pattern = cv2.resize(np.random.default_rng(99).uniform(20, 230, (10, 10, 3)), (30, 30))
    y, x = BOXES["a"][0], BOXES["a"][1] + nudged_px
    picture[y : y + 30, x : x + 30] = pattern
    lit = picture * rng.uniform(0.97, 1.03) + rng.normal(0, 1, picture.shape)
    return np.clip(lit, 0, 255).astype(np.uint8)
