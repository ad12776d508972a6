"""Actions convert to metres and back; actions outside the action space are refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabletop_interaction.envs import Arena, PickPlace, Push
from tabletop_interaction.envs.actions import LONGEST_PUSH_M, SHORTEST_PUSH_M, pick_place_from_action, push_from_action
from tabletop_interaction.errors import InvalidAction

ARENA = Arena(-0.3, 0.3, -0.2, 0.25)
unit = st.floats(-1, 1, width=32)


@given(st.tuples(unit, unit, unit, unit, unit))
def test_an_action_returns_from_metres(action):
    again = pick_place_from_action(action, ARENA).to_action(ARENA)
    expected = np.array(action, np.float32)
    expected[2] = -1 if expected[2] == 1 else expected[2]  # half a turn leaves a parallel gripper as it is
    np.testing.assert_allclose(again, expected, atol=1e-5)


def test_the_corners_of_the_box_are_the_corners_of_the_arena():
    done = pick_place_from_action([-1, 1, 1, 1, -1], ARENA)
    assert done == PickPlace(-0.3, 0.25, np.pi / 2, 0.3, -0.2)


@given(st.floats(-10, 10))
def test_any_gripper_angle_fits_the_box_up_to_half_a_turn(angle):
    action = PickPlace(0, 0, angle, 0, 0).to_action(ARENA)
    again = pick_place_from_action(action, ARENA).angle
    assert abs(np.sin(again - angle)) < 1e-5


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ([0, 0, 0, 0, np.nan], "finite"),
        ([0, 0, 0, 0, 1.1], r"in \[-1, 1\]"),
        ([0, 0, 0, 0], "shape"),
        (np.zeros((1, 5)), "shape"),
        ("left a bit", "not an array of numbers"),
        ([1j] * 5, "not an array of numbers but of complex"),
        ([True] * 5, "not an array of numbers but of bool"),
        (["0.5"] * 5, "not an array of numbers"),
        (np.ma.masked_all(5), "not an array of numbers"),
    ],
)
def test_bad_actions_are_refused_with_their_value(action, message):
    with pytest.raises(InvalidAction, match=message):
        pick_place_from_action(action, ARENA)


@given(st.tuples(unit, unit, unit, unit))
def test_every_push_starts_and_ends_inside_the_arena_and_is_not_shorter_than_the_shortest(action):
    push = push_from_action(action, ARENA)
    assert ARENA.contains(*push.start_xy)
    assert ARENA.contains(*push.end_xy, margin=1e-9)
    assert SHORTEST_PUSH_M - 1e-9 <= push.length <= LONGEST_PUSH_M + 1e-9


@given(st.tuples(unit, unit, unit, unit))
def test_a_push_that_ends_at_the_border_keeps_its_start_and_direction(action):
    values = np.array(action, np.float64)
    push = push_from_action(action, ARENA)
    np.testing.assert_allclose(push.start_xy, [0.28 * values[0], 0.025 + 0.205 * values[1]], atol=1e-12)
    assert push.direction == values[2] * np.pi


@given(st.tuples(st.floats(-0.2, 0.2), st.floats(-0.5, 0.5), st.floats(-20, 20), st.floats(0.02, 0.25)))
def test_a_push_returns_from_its_action_unless_it_is_shortened(values):
    wanted = Push(values[0], values[1] * 0.2, values[2], values[3])
    push = push_from_action(wanted.to_action(ARENA), ARENA)
    inside = wanted.within(ARENA)
    np.testing.assert_allclose(push.start_xy, wanted.start_xy, atol=1e-6)
    np.testing.assert_allclose(push.end_xy, inside.end_xy, atol=1e-5)


def test_known_pushes():
    np.testing.assert_allclose(push_from_action([0, 0, 0, -1], ARENA).to_array(), [0, 0.025, 0, 0.02], atol=1e-12)
    assert push_from_action([1, 0, 0, 1], ARENA).end_xy == pytest.approx((0.3, 0.025))
    assert Push.between((0, 0), (0, 0.1)) == Push(0.0, 0.0, np.pi / 2, 0.1)


def test_a_push_of_five_numbers_is_refused_with_the_names_of_the_four():
    with pytest.raises(InvalidAction, match=r"\(4,\): start x, start y, direction, length"):
        push_from_action(np.zeros(5), ARENA)
    with pytest.raises(InvalidAction, match=r"Push\.to_action"):
        push_from_action([0, 0, 2, 0], ARENA)
