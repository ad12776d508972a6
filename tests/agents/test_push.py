"""A push of a mask goes through its centre from outside, and frees the old place where there is room."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabletop_interaction.agents.push import FREE_GAP_M, START_GAP_M, push_from_mask
from tabletop_interaction.envs import Arena, View
from tabletop_interaction.envs.views import camera_pose

ARENA = Arena(-0.30, 0.30, -0.245, 0.245)
INTRINSICS = np.array([[400.0, 0, 149.5], [0, 400.0, 124.5], [0, 0, 1]])
FROM_ABOVE = View(
    "view_0", 250, 300, INTRINSICS, camera_pose(np.array([0, 0, 0.7]), np.zeros(3), np.array([0, 1.0, 0]))
)


def _disc(x, y, radius_m):
    """The mask of a disc on the table, 0.02 m above it, where masks are projected to."""
    rows, columns = np.mgrid[0:250, 0:300]
    points = FROM_ABOVE.unproject(np.column_stack([columns.ravel(), rows.ravel()]).astype(np.float64), 0.02)
    return (np.hypot(points[:, 0] - x, points[:, 1] - y) <= radius_m).reshape(250, 300)


def _distance(point, push):
    """Distance of a point to the line of a push."""
    along = np.array([np.cos(push.direction), np.sin(push.direction)])
    offset = np.array(point) - push.start_xy
    return abs(offset[0] * along[1] - offset[1] * along[0])


@settings(max_examples=40, deadline=None)
@given(st.floats(-0.17, 0.17), st.floats(-0.12, 0.12), st.floats(0.02, 0.045), st.integers(0, 10**6))
def test_the_push_of_a_disc_starts_outside_it_and_leaves_its_place_free(x, y, radius, seed):
    push = push_from_mask(_disc(x, y, radius), FROM_ABOVE, ARENA, np.random.default_rng(seed))
    assert push is not None
    assert _distance((x, y), push) < 0.004
    assert np.hypot(push.start_x - x, push.start_y - y) == pytest.approx(radius + START_GAP_M, abs=0.01)
    moved = push.length - START_GAP_M
    assert moved == pytest.approx(2 * radius + FREE_GAP_M, abs=0.01)
    assert ARENA.contains(*push.start_xy)
    assert ARENA.contains(*push.end_xy, margin=1e-9)


def test_directions_differ_and_the_same_seed_repeats_them():
    mask = _disc(0, 0, 0.04)
    pushes = [push_from_mask(mask, FROM_ABOVE, ARENA, np.random.default_rng(seed)) for seed in (0, 1, 2, 0)]
    assert pushes[0] == pushes[3]
    assert len({round(push.direction, 2) for push in pushes}) == 3


@given(st.floats(-0.19, 0.19), st.floats(-0.14, 0.14), st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_no_push_leaves_a_smaller_arena(x, y, seed):
    arena = Arena(-0.2, 0.2, -0.15, 0.15)
    push = push_from_mask(_disc(x, y, 0.04), FROM_ABOVE, arena, np.random.default_rng(seed))
    if push is not None:
        assert arena.contains(*push.start_xy)
        assert arena.contains(*push.end_xy, margin=1e-9)


def test_without_a_start_inside_the_arena_there_is_no_push():
    arena = Arena(-0.05, 0.05, -0.05, 0.05)
    assert push_from_mask(_disc(0, 0, 0.06), FROM_ABOVE, arena, np.random.default_rng(0)) is None


def test_a_large_object_in_a_small_arena_gets_the_longest_push_there_is():
    arena = Arena(-0.12, 0.12, -0.12, 0.12)
    push = push_from_mask(_disc(0, 0, 0.06), FROM_ABOVE, arena, np.random.default_rng(0))
    assert push is not None
    assert 0.1 < push.length < 0.06 * 2 + START_GAP_M + FREE_GAP_M
