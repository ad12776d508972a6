"""Points and angles as shares of cells and bins, and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabletop_interaction.agents.inverse.targets import angle_of, point_of, shares_of_angles, shares_of_cells


@given(st.floats(3.5, 211.5), st.floats(3.5, 171.5))
def test_a_point_is_read_off_its_shares_to_a_fraction_of_a_cell(x, y):
    shares = shares_of_cells(np.array([[x, y]]), (22, 27))[0].astype(np.float64)
    assert shares.sum() == pytest.approx(1, abs=1e-6)
    assert (shares > 0).sum() <= 4
    assert point_of(shares, int(shares.argmax())) == pytest.approx((x, y), abs=1e-3)


def test_a_point_beyond_the_outermost_centres_counts_as_on_them():
    corner = shares_of_cells(np.array([[-0.5, 175.5]]), (22, 27))[0]
    assert corner[21, 0] == 1


@given(st.floats(-1.57, 1.57))
def test_an_angle_is_read_off_its_shares_around_the_half_circle(angle):
    shares = shares_of_angles(np.array([angle]), 18)[0].astype(np.float64)
    assert shares.sum() == pytest.approx(1, abs=1e-5)
    assert abs((angle_of(shares) - angle + np.pi / 2) % np.pi - np.pi / 2) < 1e-4


def test_opposite_directions_are_one_line():
    first, second = shares_of_angles(np.array([0.3, 0.3 - np.pi]), 18)
    np.testing.assert_allclose(first, second, atol=1e-6)
