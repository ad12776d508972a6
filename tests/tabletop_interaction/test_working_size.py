"""Pictures of any size are compared at one size, and their masks come back."""

import cv2
import numpy as np
import pytest

from tabletop_interaction.frame_difference import frame_difference
from tabletop_interaction.push_difference import push_difference
from tabletop_interaction.working_size import at_longer_side, resized_points, size_scale


def _pair(shape, at):
    """Noisy pictures of a smooth table with and without a disc, at a share of width and height, and the disc's mask."""
    height, width = shape
    coarse = np.random.default_rng(0).uniform(120, 150, (height // 16 + 2, width // 16 + 2, 3)).astype(np.float32)
    table = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    with_disc = table.copy()
    radius = round(0.05 * max(shape))
    cv2.circle(with_disc, (round(at[0] * width), round(at[1] * height)), radius, (40, 60, 200), -1)
    noise = np.random.default_rng(1)
    pictures = [np.clip(one + noise.normal(0, 1, one.shape), 0, 255).astype(np.uint8) for one in (with_disc, table)]
    truth = np.abs(with_disc - table).max(2) > 0
    return pictures, truth


@pytest.mark.parametrize("shape", [(128, 128), (96, 160), (350, 430), (480, 640), (900, 700)])
def test_a_vanished_object_is_found_in_pictures_of_any_size(shape):
    (before, after), truth = _pair(shape, (0.4, 0.6))
    found = frame_difference(before, after, (0.4 * shape[1], 0.6 * shape[0]))
    assert found.mask.shape == shape
    assert found.moved
    iou = (found.mask & truth).sum() / (found.mask | truth).sum()
    assert iou > 0.75
    assert not frame_difference(before, before, (0.4 * shape[1], 0.6 * shape[0])).moved


@pytest.mark.parametrize("shape", [(128, 128), (480, 640)])
def test_a_push_is_seen_in_pictures_of_any_size(shape):
    (before, _), _ = _pair(shape, (0.3, 0.5))
    (after, _), _ = _pair(shape, (0.6, 0.5))
    path = [(0.2 * shape[1], 0.5 * shape[0]), (0.5 * shape[1], 0.5 * shape[0])]
    found = push_difference(before, after, path)
    assert sorted(one.place for one in found.regions) == ["new", "old"]
    assert all(one.mask.shape == shape for one in found.regions)


def test_pictures_of_working_size_stay_the_same_array():
    picture = np.zeros((350, 430, 3), np.uint8)
    assert at_longer_side(picture) is picture
    assert size_scale(350, 430) == 1.0


def test_resized_pixels_follow_the_picture():
    corners = np.array([[-0.5, -0.5], [127.5, 63.5]])
    np.testing.assert_allclose(resized_points(corners, (64, 128), (215, 430)), [[-0.5, -0.5], [429.5, 214.5]])
