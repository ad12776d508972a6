"""A target that a backend cannot reach, or that is none, is refused in one line before anything moves."""

import numpy as np
import pytest

from tabletop_interaction.envs import Arena
from tabletop_interaction.envs.targets import check_angle, check_inside
from tabletop_interaction.errors import UnreachableTarget

ARENA = Arena(-0.3, 0.3, -0.245, 0.245)


def test_the_arenas_border_belongs_to_it():
    check_inside(ARENA, "pick", (0.3, -0.245))
    check_inside(ARENA, "sweep", np.array([0.3, -0.245]))


@pytest.mark.parametrize("where", [(0.301, 0.0), (0.0, -0.246), (np.nan, 0.0), (0.0, np.inf)])
def test_a_point_outside_the_arena_is_refused(where):
    with pytest.raises(UnreachableTarget, match=r"outside the arena.*nothing was moved"):
        check_inside(ARENA, "pick", where)


@pytest.mark.parametrize("where", ["ab", ("a", 0), (0,), (0, 0, 0), None, 3, (np.zeros(2), 0), (0j, 0)])
def test_what_is_no_point_is_refused(where):
    with pytest.raises(UnreachableTarget, match=r"sweep at .* is no point; nothing was moved; accepted are x and y"):
        check_inside(ARENA, "sweep", where)


@pytest.mark.parametrize("angle", ["x", None, np.nan, np.inf, (0, 1), 1j])
def test_what_is_no_angle_is_refused(angle):
    with pytest.raises(UnreachableTarget, match=r"place angle is .*; nothing was moved; accepted is a finite number"):
        check_angle("place", angle)
