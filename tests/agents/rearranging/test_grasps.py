"""Grasps fit the gripper, keep its fingers off neighbours, and are not repeated after they failed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabletop_interaction.agents.grasp import GraspPoint
from tabletop_interaction.agents.rearranging.grasps import GraspMemory, GripperShape, choose_grasps, is_same_as_any
from tabletop_interaction.envs import Arena, PickOutcome, PickPlace
from tabletop_interaction.errors import InvalidConfiguration

ARENA = Arena(-0.30, 0.30, -0.245, 0.245)
GRIPPER = GripperShape()
GRASP = GraspPoint(-0.1, 0.0, 0.4)
WANTED = PickPlace(-0.1, 0.0, 0.4, 0.1, 0.0)
PLACE = np.array([0.105, 0.0])
"""Where the centroid should be: 5 mm beside the grasp."""


def _bar(x=0.0, y=0.0, angle=0.0, length=0.10, width=0.04):
    """Points of a bar whose narrow side lies along `angle`."""
    narrow, long = (np.arange(-size / 2, size / 2 + 1e-9, 0.002) for size in (width, length))
    points = np.stack(np.meshgrid(narrow, long), axis=-1).reshape(-1, 2)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return points @ turn + (x, y)


def _grasps(footprint, others=(), failed=(), displacement=None, poor=()):
    return choose_grasps(footprint, displacement, others, failed, ARENA, GRIPPER, poor)


@settings(max_examples=40, deadline=None)
@given(st.floats(-0.25, 0.25), st.floats(-0.2, 0.2), st.floats(-np.pi / 2, np.pi / 2 - 1e-3))
def test_the_first_grasp_of_a_bar_is_its_centre_across_its_long_side(x, y, angle):
    first = _grasps(_bar(x, y, angle))[0]
    assert np.hypot(first.x - x, first.y - y) < 0.002
    assert abs(np.sin(first.angle - angle)) < 0.01


@settings(max_examples=20, deadline=None)
@given(st.floats(-np.pi / 2, np.pi / 2 - 1e-3))
def test_failed_grasps_are_skipped_until_none_is_left(angle):
    failed = []
    while grasps := _grasps(_bar(angle=angle), failed=failed):
        assert not is_same_as_any(grasps[0], failed, GRIPPER)
        failed.append(grasps[0])
        assert len(failed) <= 12
    assert len(failed) >= 4


def test_a_poor_grasp_comes_after_those_that_fit_and_before_those_that_do_not():
    grasps = _grasps(_bar())
    second = _grasps(_bar(), poor=grasps[:1])
    assert set(second) == set(grasps)
    assert not is_same_as_any(second[0], grasps[:1], GRIPPER)
    fitting = [grasp for grasp in grasps if abs(grasp.angle) < 1.0]
    assert is_same_as_any(_grasps(_bar(), poor=fitting)[0], fitting, GRIPPER)


def test_axes_half_a_turn_apart_are_the_same():
    assert is_same_as_any(GraspPoint(0, 0, np.pi / 2 - 0.01), [GraspPoint(0, 0, -np.pi / 2)], GRIPPER)
    assert not is_same_as_any(GraspPoint(0, 0, np.pi / 4), [GraspPoint(0, 0, -np.pi / 2)], GRIPPER)


def test_fingers_avoid_neighbours_at_the_pick_and_at_the_place():
    square = _bar(length=0.044, width=0.044)
    beside = _bar(0.05, 0.0, length=0.044, width=0.044)
    assert abs(_grasps(square)[0].angle) < 1e-6 or abs(abs(_grasps(square)[0].angle) - np.pi / 2) < 1e-6
    kept_off = _grasps(square, [beside])[0]
    assert abs(np.cos(kept_off.angle)) < 0.5
    there = _grasps(square, [beside + np.array([0.1, 0.1])], displacement=np.array([0.1, 0.1]))[0]
    assert abs(np.cos(there.angle)) < 0.5


def test_an_object_outside_the_arena_is_not_grasped():
    assert _grasps(_bar(0.35, 0.0)) == []


def test_the_gripper_closes_on_the_body_of_a_bent_object():
    # An L: its centroid lies near the inner corner, outside the bars.
    corner = np.concatenate([_bar(0.0, 0.05, length=0.12, width=0.03), _bar(0.05, 0.0, np.pi / 2, 0.12, 0.03)])
    first = _grasps(corner)[0]
    assert np.linalg.norm(corner - (first.x, first.y), axis=1).min() < 0.01


def _after(outcome=PickOutcome.HELD, went=WANTED, seen=None):
    memory = GraspMemory()
    memory.add(GRASP, WANTED, PLACE, {"pick_outcome": int(outcome), "pick_place": went.to_array()})
    if seen is not None:
        memory.observe([np.array(centroid) for centroid in seen])
    return memory


@pytest.mark.parametrize(
    "outcome", [PickOutcome.NOTHING_THERE, PickOutcome.PUSHED_AWAY, PickOutcome.SLIPPED, PickOutcome.UNREACHABLE]
)
def test_a_grasp_that_held_nothing_has_failed_where_it_was_made(outcome):
    assert _after(outcome, seen=[PLACE]).failed == [GRASP]


def test_a_grasp_whose_object_was_put_back_has_failed():
    assert _after(went=PickPlace(-0.1, 0.0, 0.4, -0.1, 0.0), seen=[(-0.1, 0.0)]).failed == [GRASP]


@pytest.mark.parametrize("seen", [None, [], [(0.105, 0.012), (-0.2, 0.1)], [(0.3, 0.2)]])
def test_a_grasp_whose_object_lies_where_it_was_put_or_is_not_seen_is_neither_failed_nor_poor(seen):
    memory = _after(seen=seen)
    assert (memory.failed, memory.poor) == ([], [])


def test_a_grasp_whose_object_rolled_is_poor_where_the_object_is_now():
    memory = _after(seen=[(-0.2, 0.1), (0.105, 0.05)])
    assert memory.failed == []
    assert [(one.x, one.y, one.angle) for one in memory.poor] == [pytest.approx((0.1, 0.05, 0.4))]
    memory.observe([np.array([0.105, 0.05])])
    assert len(memory.poor) == 1


@pytest.mark.parametrize(("lies", "poor"), [((0.0, -0.1), [0.4]), ((0.0, -0.14), [0.4, -0.8])])
def test_a_poor_grasp_moves_with_its_object(lies, poor):
    memory = _after(seen=[(0.105, 0.05)])
    again = PickPlace(0.1, 0.05, -0.8, -0.005, -0.1)
    info = {"pick_outcome": int(PickOutcome.HELD), "pick_place": again.to_array()}
    memory.add(GraspPoint(0.1, 0.05, -0.8), again, np.array([0.0, -0.1]), info)
    memory.observe([np.array(lies)])
    assert [one.angle for one in memory.poor] == poor
    for one in memory.poor:
        assert (one.x + 0.005, one.y) == pytest.approx(lies)


def test_empty_points_are_remembered_until_something_is_placed_there():
    memory = _after(PickOutcome.NOTHING_THERE)
    there, elsewhere = (np.array([[x, 0.0], [x + 0.003, 0.0]]) for x in (-0.1, 0.1))
    assert memory.found_nothing_on(there)
    assert not memory.found_nothing_on(elsewhere)
    onto = PickPlace(0.1, 0.0, 0.4, -0.05, 0.0)
    memory.add(GRASP, onto, PLACE, {"pick_outcome": int(PickOutcome.HELD), "pick_place": onto.to_array()})
    assert not memory.found_nothing_on(there)


@pytest.mark.parametrize(("name", "value"), [("opening_m", 0), ("finger_m", -1), ("same_angle_rad", -1)])
def test_a_gripper_without_width_is_refused(name, value):
    with pytest.raises(InvalidConfiguration, match=f"{name} is {value}"):
        GripperShape(**{name: value})
