"""Maps keep centres and scale areas; shadows and colours change the intended pixels only."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabletop_interaction.segmentation.training.augmentation import (
    affine,
    cut_out_opacity,
    shadowed,
    warped_picture,
    warped_point,
    with_other_colours,
)

SIDE = 96


def test_the_opacity_of_a_cut_out_ends_a_little_inside_its_mask():
    mask = np.zeros((40, 40), np.float32)
    mask[10:30, 10:30] = 1
    along = cut_out_opacity(mask)[20]
    assert along[:10].max() == 0
    assert 0.3 < along[10] < 0.8
    assert along[12:28].min() == 1


@pytest.mark.parametrize("seed", range(8))
def test_other_colours_keep_every_grey(seed):
    greys = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    assert np.abs(with_other_colours(greys, np.random.default_rng(seed)).astype(int) - greys).max() <= 1


def test_other_colours_change_a_colour():
    red = np.full((2, 2, 3), (200, 20, 20), np.uint8)
    assert len({tuple(with_other_colours(red, np.random.default_rng(seed))[0, 0]) for seed in range(20)}) > 10


@pytest.mark.parametrize("seed", range(8))
def test_a_shadow_darkens_near_the_object_only(disc, seed):
    white = np.full((SIDE, SIDE, 3), 255, np.float32)
    result = shadowed(white, disc, np.random.default_rng(seed))
    assert result.max() <= 255
    assert result.min() < 245
    assert (result[:4, :4] > 254).all()


@given(st.floats(0.3, 3), st.floats(-3, 3), st.booleans(), st.tuples(*[st.floats(-500, 500)] * 4).map(np.array))
def test_the_map_takes_the_centre_to_the_target_and_areas_by_the_scale(scale, turn, mirror, points) -> None:
    matrix = affine(scale, turn, mirror, points[:2], points[2:])
    assert warped_point(matrix, points[:2]) == pytest.approx(points[2:], abs=1e-6)
    assert np.linalg.det(matrix[:, :2]) == pytest.approx(-(scale**2) if mirror else scale**2)


def test_a_shrunken_picture_keeps_its_mean_and_loses_its_stripes() -> None:
    stripes = np.zeros((200, 200, 3), np.uint8)
    stripes[:, ::2] = 200
    crop = warped_picture(stripes, affine(0.5, 0.0, False, np.array([100.0, 100.0]), np.array([48.0, 48.0])), 96)
    middle = crop[10:80, 10:80].astype(float)
    assert middle.mean() == pytest.approx(100, abs=20)
    assert middle.std() < 25
