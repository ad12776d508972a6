"""Push difference: an object at its old and its new place, from two pictures that both show it."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabletop_interaction.errors import InvalidPicturePair
from tabletop_interaction.push_difference import push_difference
from tabletop_interaction.segmentation.rle import mask_iou

SHAPE = (350, 430)


def _disc(x, y, radius=28):
    rows, columns = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]]
    return (columns - x) ** 2 + (rows - y) ** 2 <= radius**2


def _table(seed=0):
    grain = cv2.GaussianBlur(np.random.default_rng(seed).standard_normal(SHAPE).astype(np.float32), (0, 0), 3)
    return np.float32([150, 110, 75]) * (1 + 0.1 * grain / grain.std())[..., None]


def _picture(*discs, seed=1):
    scene = _table()
    for disc, colour in discs:
        scene[disc] = colour
    noise = np.random.default_rng(seed).standard_normal(scene.shape) * 2
    return np.clip(np.round(cv2.GaussianBlur(scene, (3, 3), 0.6) + noise), 0, 255).astype(np.uint8)


BLUE, RED = (60, 120, 160), (170, 60, 50)
OLD, NEW = _disc(150, 175), _disc(250, 175)
PATH = [[100, 175], [222, 175]]


def test_an_object_that_left_its_place_is_outlined_at_both():
    found = push_difference(_picture((OLD, BLUE)), _picture((NEW, BLUE), seed=2), PATH)
    masks = {region.place: region.mask for region in found.regions}
    assert found.moved
    assert found.changed
    assert len(found.regions) == 2
    assert mask_iou(masks["old"], OLD) > 0.93
    assert mask_iou(masks["new"], NEW) > 0.93


@settings(max_examples=25, deadline=None)
@given(st.integers(70, 110), st.integers(0, 359), st.integers(0, 10**6))
def test_exchanging_the_pictures_exchanges_old_and_new(distance, degrees, seed):
    turn = np.deg2rad(degrees)
    old, new = np.array([215, 175]), np.array([215, 175]) + distance * np.array([np.cos(turn), np.sin(turn)])
    before = _picture((_disc(*old), BLUE), seed=seed)
    after = _picture((_disc(*new), BLUE), seed=seed + 1)
    forth = {one.place: one.mask for one in push_difference(before, after, [old, new]).regions}
    back = {one.place: one.mask for one in push_difference(after, before, [new, old]).regions}
    assert forth.keys() == back.keys() == {"old", "new"}
    assert mask_iou(forth["old"], back["new"]) > 0.95
    assert mask_iou(forth["new"], back["old"]) > 0.95


def test_an_object_whose_places_overlap_is_there_in_both():
    found = push_difference(_picture((OLD, BLUE)), _picture((_disc(180, 175), BLUE), seed=2), PATH)
    assert [region.place for region in found.regions] == ["both"]


def test_two_objects_that_moved_apart_are_four_regions():
    before = _picture((_disc(100, 100), BLUE), (_disc(170, 250), RED))
    after = _picture((_disc(180, 100), BLUE), (_disc(250, 250), RED), seed=2)
    places = [region.place for region in push_difference(before, after, [[90, 175], [260, 175]]).regions]
    assert sorted(places) == ["new", "new", "old", "old"]


def test_what_changed_far_from_the_path_does_not_count():
    before, after = _picture((_disc(60, 60), BLUE)), _picture((_disc(60, 200), BLUE), seed=2)
    assert not push_difference(before, after, [[330, 120], [400, 120]]).moved


def test_a_small_shift_is_a_change_without_a_region():
    found = push_difference(_picture((OLD, BLUE)), _picture((_disc(155, 175), BLUE), seed=2), PATH)
    assert found.changed
    assert not found.moved


@pytest.mark.parametrize("path", [PATH, [[-900, 10], [-800, 10]]])
def test_equal_scenes_and_paths_beside_the_picture_show_nothing(path):
    found = push_difference(_picture((OLD, BLUE)), _picture((OLD, BLUE), seed=2), path)
    assert (found.moved, found.changed) == (False, False)


@pytest.mark.parametrize("path", [[[1, 2]], [[1, 2], [3, np.nan]], "here", [[1, 2, 3], [4, 5, 6]]])
def test_a_path_that_is_not_two_points_is_refused(path):
    with pytest.raises(InvalidPicturePair, match="two points"):
        push_difference(_picture(), _picture(), path)
