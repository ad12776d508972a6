"""Actions convert to metres and back; actions outside the action space are refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabletop_interaction.envs import Arena, PickPlace
from tabletop_interaction.envs.actions import pick_place_from_action
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
