"""Clearance is the distance to the nearest covered point, to within a cell."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tabletop_interaction.agents.rearranging.clearance import Clearance
from tabletop_interaction.envs import Arena

ARENA = Arena(-0.30, 0.30, -0.245, 0.245)
SQUARE = np.stack(np.meshgrid(*[np.arange(-0.02, 0.0201, 0.003)] * 2), axis=-1).reshape(-1, 2)
CLEARANCE = Clearance([SQUARE], ARENA)


@given(st.floats(-0.45, 0.45), st.floats(-0.40, 0.40))
def test_it_is_the_distance_to_the_nearest_point(x, y):
    found = CLEARANCE.at(np.array([[x, y]]))
    assert abs(found[0] - np.linalg.norm(SQUARE - (x, y), axis=1).min()) < 0.006


@given(st.floats(-0.3, 0.3), st.floats(-0.25, 0.25))
def test_a_footprint_meets_itself_and_the_gap_between_two_squares_is_that_of_their_sides(x, y):
    gap = max(abs(x), abs(y)) - 0.04
    found = CLEARANCE.around(SQUARE + np.array([x, y]))
    if gap <= -0.006:
        assert found == 0
    else:
        assert found > gap - 0.006


def test_nothing_is_infinitely_far():
    assert Clearance([], ARENA).around(SQUARE) == np.inf
