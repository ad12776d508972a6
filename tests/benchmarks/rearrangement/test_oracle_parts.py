"""True masks and true matches are those of the simulation, and known for pictures of the episode only."""

from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from tabletop_interaction.benchmarks.rearrangement.oracle_parts import TrueMatcher, TrueSegmenter


def test_true_masks_are_the_objects_and_true_matches_the_same_ones(world):
    world.reset(np.random.default_rng(0), new_scene=True)
    image, ids = world.observe()["view_0"], world.instance_maps()["view_0"]
    masks = TrueSegmenter(world).segment(image).masks
    assert 4 <= len(masks) <= 8
    np.testing.assert_array_equal(masks.any(0), ids > 0)
    found = SimpleNamespace(image=image, masks=masks)
    turned = SimpleNamespace(image=image, masks=masks[::-1])
    matches = TrueMatcher(world).match(found, turned)
    assert [(one.now, one.goal, one.stands) for one in matches] == [
        (i, len(masks) - 1 - i, True) for i in range(len(masks))
    ]


def test_of_several_segments_of_an_object_the_best_is_matched_and_one_of_the_table_is_not(world):
    world.reset(np.random.default_rng(0), new_scene=True)
    image = world.observe()["view_0"]
    whole = TrueSegmenter(world).segment(image).masks
    half = whole[0] & (np.cumsum(whole[0]).reshape(whole[0].shape) <= whole[0].sum() / 2)
    table = ~whole.any(0)
    now = SimpleNamespace(image=image, masks=np.array([table, half, whole[0], whole[1] | whole[0] & half]))
    goal = SimpleNamespace(image=image, masks=np.array([half, table, whole[1]]))
    assert [(one.now, one.goal) for one in TrueMatcher(world).match(now, goal)] == [(2, 0), (3, 2)]


def test_an_object_stands_by_its_true_position_and_not_by_its_masks(world):
    world.reset(np.random.default_rng(0), new_scene=True)
    goal, states = world.observe()["view_0"], world.object_states()
    masks = TrueSegmenter(world).segment(goal).masks
    aside = replace(states[0], position=states[0].position + np.array([0.01, 0, 0]))
    world.arrange([aside, *states[1:]])
    now = world.observe()["view_0"]
    shaved = np.array([cv2.erode(mask.astype(np.uint8), np.ones((9, 9))) > 0 for mask in masks])
    matches = TrueMatcher(world).match(
        SimpleNamespace(image=now, masks=masks), SimpleNamespace(image=goal, masks=shaved)
    )
    assert len(matches) == len(masks)
    assert [one.stands for one in matches] == [False] + [True] * (len(masks) - 1)


def test_an_agent_with_true_parts_sees_pictures_of_this_episode_only(world):
    world.reset(np.random.default_rng(0), new_scene=True)
    image = world.observe()["view_0"]
    world.reset(np.random.default_rng(1), new_scene=True)
    with pytest.raises(LookupError, match="has not shown"):
        TrueSegmenter(world).segment(image)
