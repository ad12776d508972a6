"""Segments are matched one to one, whatever their order; what stands is matched with itself."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabletop_interaction.agents.features import Colours
from tabletop_interaction.agents.rearranging.matching import (
    AppearanceMatcher,
    MatchingConfig,
    SegmentedPicture,
    assign,
    changed_shares,
)
from tabletop_interaction.errors import InvalidConfiguration

RED, GREEN, BLUE = (200, 40, 40), (40, 180, 60), (40, 60, 200)
SHAPE = (120, 160)
DIAGONAL = float(np.hypot(*SHAPE))
CONFIG = MatchingConfig()


def _table(*squares):
    """Squares of 20 px, each a colour and its upper left corner x, y, on a grey table."""
    image = np.full((*SHAPE, 3), 110, np.uint8)
    image[::7] = 120
    masks = np.zeros((len(squares), *SHAPE), bool)
    for mask, (colour, (x, y)) in zip(masks, squares, strict=True):
        mask[y : y + 20, x : x + 20] = True
        image[mask] = colour
    return SegmentedPicture(image, masks)


def _pairs(now, goal):
    return {(match.now, match.goal) for match in AppearanceMatcher(Colours()).match(now, goal)}


def _matrices(count):
    numbers = st.floats(-1, 1, width=32)
    return st.lists(numbers, min_size=count, max_size=count)


@st.composite
def _problems(draw):
    rows, columns = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    similarities = np.array(draw(_matrices(rows * columns))).reshape(rows, columns)
    seed = draw(st.integers(0, 2**32 - 1))
    distances = np.random.default_rng(seed).uniform(0, DIAGONAL, (rows, columns))
    return similarities, distances, np.zeros((rows, columns), bool)


@given(_problems())
def test_no_segment_is_matched_twice_and_none_below_the_threshold(problem):
    found = assign(*problem, DIAGONAL, CONFIG)
    rows, columns = [one[0] for one in found], [one[1] for one in found]
    assert len(set(rows)) == len(rows)
    assert len(set(columns)) == len(columns)
    assert all(similarity >= CONFIG.least_similarity for *_, similarity in found)


@given(_problems(), st.randoms(use_true_random=False))
def test_the_order_of_segments_does_not_matter(problem, random):
    similarities, distances, alike = problem
    rows, columns = list(range(similarities.shape[0])), list(range(similarities.shape[1]))
    random.shuffle(rows)
    random.shuffle(columns)
    shuffled = assign(similarities[rows][:, columns], distances[rows][:, columns], alike, DIAGONAL, CONFIG)
    found = assign(*problem, DIAGONAL, CONFIG)
    assert {(rows[i], columns[j]) for i, j, _ in shuffled} == {(i, j) for i, j, _ in found}


@given(st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_objects_that_look_equal_are_matched_with_the_least_movement(count, seed):
    rng = np.random.default_rng(seed)
    here, there = rng.uniform(0, 100, (2, count, 2))
    distances = np.linalg.norm(here[:, None] - there[None], axis=2)
    found = assign(np.full((count, count), 0.9), distances, np.zeros((count, count), bool), DIAGONAL, CONFIG)
    least = min(sum(distances[i, j] for i, j in enumerate(order)) for order in permutations(range(count)))
    assert len(found) == count
    assert np.isclose(sum(distances[i, j] for i, j, _ in found), least)


def test_appearance_outweighs_place():
    similarities = np.array([[0.65, 0.95], [0.95, 0.65]])
    distances = np.array([[0.0, 100.0], [100.0, 0.0]])
    found = assign(similarities, distances, np.ones((2, 2), bool), DIAGONAL, CONFIG)
    assert [(i, j) for i, j, _ in found] == [(0, 1), (1, 0)]


def test_moved_squares_are_matched_by_colour():
    now = _table((RED, (10, 10)), (GREEN, (60, 20)), (BLUE, (110, 80)))
    goal = _table((BLUE, (10, 80)), (RED, (60, 80)), (GREEN, (110, 10)))
    assert _pairs(now, goal) == {(0, 1), (1, 2), (2, 0)}


def test_an_object_that_only_one_picture_shows_is_matched_with_nothing():
    now = _table((RED, (10, 10)), (GREEN, (60, 20)))
    goal = _table((RED, (60, 80)), (BLUE, (110, 10)))
    assert _pairs(now, goal) == {(0, 0)}


def test_a_square_that_stands_is_matched_with_itself_though_a_twin_has_moved():
    now = _table((RED, (10, 10)), (RED, (60, 20)))
    goal = _table((RED, (110, 80)), (RED, (10, 10)))
    matches = AppearanceMatcher(Colours()).match(now, goal)
    assert [(match.now, match.goal, match.stands) for match in matches] == [(0, 1, True), (1, 0, False)]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 140), st.integers(0, 100))
def test_the_share_that_changed_is_what_another_picture_does_not_cover(x, y):
    now, goal = _table((RED, (60, 40))), _table((RED, (x, y)))
    uncovered = 1 - max(0, 20 - abs(x - 60)) * max(0, 20 - abs(y - 40)) / 400
    # The difference is blurred against noise, which moves its border by a pixel or two.
    assert abs(changed_shares(now, goal.image)[0] - uncovered) < 0.35
    if (x, y) == (60, 40):
        assert changed_shares(now, goal.image)[0] == 0


def test_a_segment_that_looks_mostly_as_before_has_not_gone_far():
    # The lower half of the print changes, since a red square is to stand there; the upper half stays.
    now, goal = _table((GREEN, (10, 10))), _table((GREEN, (10, 10)), (RED, (10, 24)), (GREEN, (110, 80)))
    goal = SegmentedPicture(goal.image, goal.masks[1:])
    assert _pairs(now, goal) == set()


def test_pictures_without_segments_have_no_matches():
    empty = _table()
    assert AppearanceMatcher(Colours()).match(empty, empty) == ()
    assert AppearanceMatcher(Colours()).match(_table((RED, (10, 10))), empty) == ()
    assert empty.centroids_xy.shape == (0, 2)


def test_centroids_are_pixels_x_y():
    assert _table((RED, (10, 40))).centroids_xy.tolist() == [[19.5, 49.5]]


@pytest.mark.parametrize(("name", "value"), [("least_similarity", 2), ("distance_weight", -1), ("most_changed", 1.5)])
def test_thresholds_outside_their_range_are_refused(name, value):
    with pytest.raises(InvalidConfiguration, match=f"{name} is {value}"):
        MatchingConfig(**{name: value})
