"""Judges: the 15 px rule on true positions, and pictures alone."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from tabletop_interaction.envs import Arrangement, Goal, ObjectState
from tabletop_interaction.envs.judges import PictureJudge, TrueJudge, differing_regions, judge_by_truth
from tabletop_interaction.errors import InvalidConfiguration


def _object(id_, x, y):
    return ObjectState(id_, "thing", np.array([x, y, 0.0]), np.eye(4)[3])


START = (_object(1, -0.1, 0.0), _object(2, 0.1, 0.1), _object(3, 0.0, -0.1))
GOAL = (_object(1, 0.1, 0.0), _object(2, 0.1, 0.1), _object(3, -0.2, -0.1))


class _World:
    """Ground truth with given object states."""

    def __init__(self, states):
        self.states = states

    def object_states(self):
        return self.states

    def instance_maps(self):
        return {}

    def depth_maps(self):
        return {}

    @property
    def max_objects(self):
        return len(self.states)


@pytest.fixture
def verdict_on(painted_table):
    view = painted_table().views[0]

    def verdict(states):
        return TrueJudge(_World(states), view, Arrangement(START, GOAL, (1, 3), False))({})

    return verdict


@pytest.fixture
def shifted(painted_table):
    """An object's state moved to the right by pixels of view_0."""
    view = painted_table().views[0]

    def shift(state, pixels):
        return replace(state, position=view.unproject(view.project(state.position[None]) + np.array([pixels, 0.0]))[0])

    return shift


def test_remaining_distance_is_one_at_the_start_and_zero_at_the_goal(verdict_on):
    start, goal = verdict_on(START), verdict_on(GOAL)
    assert (start.success, start.fraction_done, start.remaining) == (False, 0.0, 1.0)
    assert (goal.success, goal.fraction_done, goal.remaining) == (True, 1.0, 0.0)
    np.testing.assert_allclose(start.distances_m, [0.2, 0.2])


def test_14_px_beside_the_goal_is_success_and_16_px_is_not(verdict_on, shifted):
    for pixels, success in ((14, True), (16, False)):
        verdict = verdict_on((shifted(GOAL[0], pixels), *GOAL[1:]))
        assert verdict.success is success
        np.testing.assert_allclose(verdict.distances_px, [pixels, 0], atol=1e-6)
        assert verdict.fraction_done == (1.0 if success else 0.5)


def test_an_undisplaced_object_that_moves_more_than_15_px_prevents_success(verdict_on, shifted):
    for pixels, success in ((14, True), (16, False)):
        verdict = verdict_on((GOAL[0], shifted(GOAL[1], pixels), GOAL[2]))
        assert verdict.success is success
        assert verdict.others_px == pytest.approx(pixels)
        assert verdict.fraction_done == 1.0


def test_remaining_distance_is_the_sum_over_displaced_objects(verdict_on):
    verdict = verdict_on((_object(1, 0.0, 0.0), *START[1:]))
    assert verdict.remaining == pytest.approx(0.75)


def test_the_judge_by_truth_needs_an_arrangement_and_ground_truth(painted_table):
    with pytest.raises(InvalidConfiguration, match="'pictures' or None"):
        judge_by_truth(painted_table(), Goal({}), {})


def _picture(x, gain=1.0, seed=0):
    """A patterned table with a patterned 60 px square at (x, 150), exposed."""
    pattern = np.random.default_rng(42)
    table = cv2.resize(pattern.integers(90, 160, (35, 43, 3), np.uint8), (430, 350), interpolation=cv2.INTER_CUBIC)
    square = pattern.integers(0, 2, (6, 6, 1), np.uint8) * np.array([200, 40, 30], np.uint8)
    table[150:210, x : x + 60] = cv2.resize(square, (60, 60), interpolation=cv2.INTER_NEAREST)
    noise = np.random.default_rng(seed).normal(0, 1.5, table.shape)
    return np.clip(np.round(gain * table + noise), 0, 255).astype(np.uint8)


def test_noise_and_exposure_alone_do_not_differ():
    assert not differing_regions(_picture(200), _picture(200, gain=1.04, seed=1)).any()


def test_an_object_close_to_its_goal_does_not_differ_for_any_pattern():
    assert not differing_regions(_picture(200), _picture(208, seed=1)).any()


@pytest.mark.parametrize("pixels", [25, 40, 150])
def test_an_object_far_from_its_goal_differs_at_both_places(pixels):
    apart = differing_regions(_picture(200), _picture(200 + pixels, seed=1))
    columns = np.flatnonzero(apart.any(0))
    assert 99 <= columns.min() <= 104
    assert 128 + pixels / 2 - 4 <= columns.max() <= 131 + pixels / 2


def test_the_difference_is_symmetric():
    one, other = _picture(200), _picture(240, seed=1)
    assert np.mean(differing_regions(one, other) != differing_regions(other, one)) < 1e-3


def test_the_judge_by_pictures_measures_progress_by_the_area_that_differs():
    goal = _picture(300)
    judge = PictureJudge("view_0", goal, int(differing_regions(_picture(100), goal).sum()))
    far, near, there = (judge({"view_0": _picture(x, seed=2)}) for x in (100, 330, 300))
    assert far.remaining == pytest.approx(1.0, abs=0.1)
    assert 0 < near.remaining < far.remaining
    assert (there.success, there.remaining, there.fraction_done) == (True, 0.0, 1.0)
    assert not far.success
    assert not near.success
