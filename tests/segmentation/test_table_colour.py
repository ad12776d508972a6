"""The simple baseline finds what has another colour than the table, and nothing else."""

import cv2
import numpy as np
import pytest

from tabletop_interaction.segmentation.config import UNLIMITED
from tabletop_interaction.segmentation.opening import file_of, is_network, open_segmenter
from tabletop_interaction.segmentation.table_colour import NAME, TableColour

TABLE, RED, WHITE = (90, 120, 100), (200, 60, 50), (250, 250, 250)


def disc(centre, radius):
    """Mask (120, 160) of a disc."""
    return cv2.circle(np.zeros((120, 160), np.uint8), centre, radius, 1, -1) > 0


@pytest.fixture
def picture():
    """A red and a white disc on a table of one colour with faint noise."""
    noise = np.random.default_rng(0).integers(-3, 4, (120, 160, 3))
    drawn = np.full((120, 160, 3), TABLE) + noise
    drawn[disc((40, 60), 15)], drawn[disc((120, 50), 12)] = RED, WHITE
    return drawn.astype(np.uint8)


def test_discs_of_another_colour_are_found_and_the_brightest_first(picture):
    found = TableColour().segment(picture)
    assert len(found) == 2
    for mask, truth in zip(found.masks, (disc((120, 50), 12), disc((40, 60), 15)), strict=True):
        assert (mask & truth).sum() / (mask | truth).sum() > 0.95
    white = np.linalg.norm(np.subtract(WHITE, TABLE)) / (255 * 3**0.5)
    assert found.scores[0] == pytest.approx(white, abs=0.02)


def test_exchanged_colour_channels_change_nothing(picture):
    first, second = (TableColour().segment(one) for one in (picture, picture[:, :, ::-1]))
    np.testing.assert_array_equal(first.masks, second.masks)
    np.testing.assert_allclose(first.scores, second.scores)


def test_a_turned_picture_has_turned_masks(picture):
    first, second = (TableColour().segment(one).masks for one in (picture, np.rot90(picture, 2)))
    np.testing.assert_array_equal(np.rot90(first, 2, axes=(1, 2)), second)


def test_a_table_of_one_colour_has_no_object():
    assert len(TableColour().segment(np.full((60, 80, 3), TABLE, np.uint8))) == 0


def test_parts_that_are_too_small_thin_or_large_are_no_objects():
    drawn = np.full((120, 160, 3), TABLE, np.uint8)
    drawn[10:14, 5:150] = drawn[30:40, 30:40] = drawn[50:110, 20:140] = RED
    assert len(TableColour().segment(drawn)) == 0


def test_its_name_opens_it_without_weights(picture):
    assert (file_of(NAME), is_network(NAME)) == (None, False)
    found = open_segmenter(NAME, limits=UNLIMITED).segment(picture)
    np.testing.assert_array_equal(found.masks, TableColour().segment(picture).masks)
