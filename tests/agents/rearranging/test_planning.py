"""Moves are planned so that every object reaches its goal and none is put onto another; gaps are known to a cell."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from tabletop_interaction.agents.rearranging.planning import (
    Clearance,
    PlanningConfig,
    Purpose,
    TableObject,
    emptiest_point,
    plan_move,
)
from tabletop_interaction.envs import Arena
from tabletop_interaction.errors import InvalidConfiguration

ARENA = Arena(-0.30, 0.30, -0.245, 0.245)
CONFIG = PlanningConfig()
PX_A_METRE = 700.0
SPOTS = np.array([(x, y) for x in (-0.2, -0.07, 0.07, 0.2) for y in (-0.16, 0.0, 0.16)])
SQUARE = np.stack(np.meshgrid(*[np.arange(-0.02, 0.0201, 0.003)] * 2), axis=-1).reshape(-1, 2)
CLEARANCE = Clearance([SQUARE], ARENA)


def _object(at, goal=None, graspable=True):
    """A square of 4 cm."""
    at = np.array(at, float)
    goal = None if goal is None else np.array(goal, float)
    distance = 0.0 if goal is None else PX_A_METRE * float(np.linalg.norm(goal - at))
    return TableObject(SQUARE + at, at, goal, distance, stands=False, graspable=graspable)


def _after(objects, move):
    moved = _object(move.place, objects[move.object].goal, objects[move.object].graspable)
    return [moved if i == move.object else one for i, one in enumerate(objects)]


def _gap(objects, number):
    others = [one.footprint for i, one in enumerate(objects) if i != number]
    return min((cdist(objects[number].footprint, one).min() for one in others), default=np.inf)


def _solved(objects, most=20):
    """Play moves, each checked, until there is none; the moves."""
    moves = []
    while len(moves) < most:
        move = plan_move(objects, ARENA, CONFIG)
        if move.object is None:
            break
        objects = _after(objects, move)
        moves.append(move)
        assert _gap(objects, move.object) > 0, "an object was put onto another"
        assert ARENA.contains(*move.place)
    return objects, moves


@st.composite
def _arrangements(draw):
    """Up to six squares on spots of a grid, goals a permutation of other spots: chains and cycles of any length."""
    count = draw(st.integers(1, 6))
    start = draw(st.permutations(range(len(SPOTS))))[:count]
    goal = draw(st.permutations(range(len(SPOTS))))[:count]
    return [_object(SPOTS[i], SPOTS[j]) for i, j in zip(start, goal, strict=True)]


@settings(max_examples=60, deadline=None)
@given(_arrangements())
def test_every_arrangement_is_reached_without_putting_one_object_onto_another(objects):
    final, moves = _solved(objects)
    assert all(one.distance_px <= CONFIG.aim_px for one in final)
    parked = [move for move in moves if move.purpose is Purpose.PARK]
    assert len(moves) <= len(objects) + len(parked)
    assert len(parked) <= len(objects) // 2, "one parked object opens a cycle"


@pytest.mark.parametrize("length", [2, 3])
def test_a_cycle_is_opened_by_parking_one_object(length):
    spots = SPOTS[[0, 4, 8]][:length]
    objects = [_object(spot, goal) for spot, goal in zip(spots, np.roll(spots, 1, axis=0), strict=True)]
    _, moves = _solved(objects)
    assert [move.purpose for move in moves].count(Purpose.PARK) == 1
    assert len(moves) == length + 1


def test_the_occupant_that_can_reach_its_own_goal_goes_first():
    objects = [_object((-0.2, 0), (0, 0)), _object((0, 0), (0.2, 0))]
    final, moves = _solved(objects)
    assert [move.object for move in moves] == [1, 0]
    assert all(one.distance_px == 0 for one in final)


def test_an_occupant_without_a_goal_is_parked_inside_the_arena_clear_of_everything():
    objects = [_object((-0.2, 0), (0, 0)), _object((0, 0)), _object((0.1, 0.1))]
    move = plan_move(objects, ARENA, CONFIG)
    assert (move.purpose, move.object) == (Purpose.PARK, 1)
    assert _gap(_after(objects, move), 1) > CONFIG.parking_gap_m - 0.006
    assert np.abs(SQUARE + move.place - objects[0].goal).max() > 0.04
    assert ARENA.contains(*move.place)


def test_an_object_at_its_goal_blocks_nobody():
    beside = replace(_object((0.035, 0)), stands=True)
    move = plan_move([_object((-0.2, 0), (0, 0)), beside], ARENA, CONFIG)
    assert (move.purpose, move.object) == (Purpose.TO_GOAL, 0)


def test_far_objects_come_before_near_ones_and_near_ones_are_moved_again_at_last():
    near = _object((0, 0), (0, 10 / PX_A_METRE))
    far = _object((0.2, 0), (-0.2, 0.1))
    assert plan_move([near, far], ARENA, CONFIG).object == 1
    again = plan_move([near], ARENA, CONFIG)
    assert (again.purpose, again.object) == (Purpose.AGAIN, 0)


def test_an_object_within_the_tolerance_is_not_moved():
    move = plan_move([_object((0, 0), (0, 7 / PX_A_METRE))], ARENA, CONFIG)
    assert (move.purpose, move.object, move.place) == (Purpose.DONE, None, None)


def test_an_object_that_cannot_be_grasped_is_reported_and_blocks_no_other():
    stuck, free = _object((0, 0), (0.2, 0), graspable=False), _object((-0.2, 0), (-0.2, 0.15))
    assert plan_move([stuck], ARENA, CONFIG).purpose is Purpose.NO_GRASP
    assert plan_move([stuck, free], ARENA, CONFIG).object == 1


def test_a_full_table_has_no_room_to_park():
    everywhere = [
        replace(_object(at), stands=True) for at in np.mgrid[-0.3:0.31:0.06, -0.24:0.25:0.06].reshape(2, -1).T
    ]
    move = plan_move([_object((-0.2, 0), (0, 0)), _object((0, 0)), *everywhere], ARENA, CONFIG)
    assert move.purpose is Purpose.NO_ROOM


def test_the_emptiest_point_is_far_from_objects_and_in_the_arena():
    objects = [_object(spot) for spot in SPOTS if spot[0] < 0.1]
    point = emptiest_point(objects, ARENA)
    assert ARENA.contains(*point)
    assert point[0] > 0.15
    assert ARENA.contains(*emptiest_point([], ARENA))


@given(st.floats(-0.45, 0.45), st.floats(-0.40, 0.40))
def test_clearance_is_the_distance_to_the_nearest_point(x, y):
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


def test_clearance_without_footprints_is_infinite():
    assert Clearance([], ARENA).around(SQUARE) == np.inf


@pytest.mark.parametrize("name", ["within_px", "aim_px", "goal_gap_m", "parking_gap_m", "border_m"])
def test_a_negative_distance_is_refused(name):
    with pytest.raises(InvalidConfiguration, match=f"{name} is -1"):
        PlanningConfig(**{name: -1})
