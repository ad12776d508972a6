"""Overlays that are drawn box by box are those of the whole picture."""

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tabletop_interaction.segmentation.coco import Detections
from tabletop_interaction.segmentation.lettering import fitting, words_width, write_words
from tabletop_interaction.segmentation.overlays import distinct_colours, outlined, overlay
from tabletop_interaction.segmentation.rle import rle_from_mask


@given(st.integers(0, 2**32 - 1), st.booleans())
@settings(max_examples=20, deadline=None)
def test_an_overlay_tints_and_outlines_whole_masks(seed: int, at_border: bool) -> None:
    rng = np.random.default_rng(seed)
    picture = rng.integers(0, 256, (90, 120, 3), np.uint8)
    mask = cv2.blur(rng.random(picture.shape[:2]), (9, 9)) > 0.5
    if not at_border:
        mask[:8], mask[:, :30], mask[70:], mask[:, 100:] = False, False, False, False
    mask[40, 60] = True
    (colour,) = distinct_colours(1)
    tinted = picture.copy()
    tinted[mask] = 0.55 * tinted[mask] + 0.45 * np.array(colour)
    # The score is written over the mask's centre; its letters differ from the tint.
    drawn = overlay(picture, Detections((rle_from_mask(mask),), np.array([0.5])))
    plain = outlined(tinted, mask, colour, 2)
    letters = (drawn != plain).any(axis=2)
    assert letters.sum() < 0.1 * letters.size
    rows, columns = np.flatnonzero(letters.any(axis=1)), np.flatnonzero(letters.any(axis=0))
    assert np.ptp(rows) < 24
    assert np.ptp(columns) < 60


def test_an_outline_shows_on_light_and_on_dark_tables() -> None:
    """A light line alone was lost on a light table, and a dark one on a dark table."""
    mask = np.zeros((40, 40), np.bool_)
    mask[10:30, 10:30] = True
    for table, colour in ((0, (255, 255, 255)), (255, (255, 255, 255)), (255, (255, 221, 51))):
        drawn = outlined(np.full((40, 40, 3), table, np.uint8), mask, colour)
        across = drawn[20, 5:15].mean(axis=1)
        assert np.ptp(across) > 120


def test_words_are_cut_to_fit_and_written_on_their_own_pixels_only() -> None:
    assert fitting("short", 16, 200) == "short"
    cut = fitting("a long name of a file", 16, 80)
    assert cut.endswith("...")
    assert words_width(cut, 16) <= 80
    picture = np.full((60, 120, 3), 90, np.uint8)
    write_words(picture, "87 %", (20, 40), 20)
    changed = (picture != 90).any(axis=2)
    assert changed[24:42, 18:70].any()
    changed[22:46, 16:72] = False
    assert not changed.any()
    write_words(picture, "outside", (500, 500), 20)
