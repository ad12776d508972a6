"""Planned moves end at their goals, by forward kinematics, on any level table; impossible moves are refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabletop_interaction.errors import ObstacleCollision, UnreachableTarget
from tabletop_interaction.real.arm.moves import Moves
from tabletop_interaction.real.arm.obstacles import BoxInArena, obstacles_of
from tabletop_interaction.real.arm.settings import MotionSettings, SafetySettings
from tabletop_interaction.sawyer.kinematics import forward

MOTION = MotionSettings()
BASE_FROM_ARENA = np.array([[0, 1, 0, 0.575], [-1, 0, 0, 0], [0, 0, 1, -0.1], [0, 0, 0, 1.0]])
MOVES = Moves(BASE_FROM_ARENA, MOTION, SafetySettings())
POINTS = st.tuples(st.floats(-0.3, 0.3), st.floats(-0.245, 0.245), st.floats(-1.57, 1.57))


def _tip(q, moves=MOVES):
    return np.linalg.inv(moves.base_from_arena) @ forward(q)


def _assert_at(pose, x, y, z):
    assert pose[:3, 3] == pytest.approx([x, y, z], abs=2e-4)
    assert pose[2, 2] == pytest.approx(-1, abs=1e-4)


@given(POINTS)
@settings(max_examples=25, deadline=None)
def test_a_pick_goes_straight_down_to_its_point_at_its_angle(point):
    x, y, angle = point
    above, down = MOVES.above(MOVES.away_q, x, y, angle), MOVES.down(x, y, angle, MOTION.grasp_m)
    _assert_at(_tip(above[-1]), x, y, MOTION.transit_m)
    assert np.abs(above[-1] - down[0]).max() < 0.01
    tips = np.array([_tip(q)[:3, 3] for q in down[::10]])
    assert np.hypot(*(tips[:, :2] - (x, y)).T).max() < 2e-3
    _assert_at(_tip(down[-1]), x, y, MOTION.grasp_m)
    assert abs(_tip(down[-1])[:2, 1] @ (np.cos(angle), np.sin(angle))) == pytest.approx(1, abs=1e-5)


@given(POINTS)
@settings(max_examples=15, deadline=None)
def test_the_path_up_is_straight_and_the_path_away_stays_high(point):
    x, y, angle = point
    up = MOVES.up(MOVES.down(x, y, angle, MOTION.grasp_m)[-1])
    _assert_at(_tip(up[-1]), x, y, MOTION.transit_m)
    assert np.hypot(*(np.array([_tip(q)[:2, 3] for q in up[::10]]) - (x, y)).T).max() < 2e-3
    away = MOVES.away(up[-1])
    assert MOVES.is_away(away[-1])
    assert min(_tip(q)[2, 3] for q in away[::20]) > MOTION.transit_m - 0.02


def test_the_path_down_has_the_descent_speed():
    down = MOVES.down(0.0, 0.0, 0.3, MOTION.grasp_m)
    heights = np.array([_tip(q)[2, 3] for q in down])
    assert 0.8 * MOTION.descent_m_s < -np.diff(heights).min() * 100 < 1.2 * MOTION.descent_m_s


def test_moves_reach_points_of_a_turned_and_shifted_table():
    turn = np.array([[np.cos(0.4), -np.sin(0.4), 0, 0.02], [np.sin(0.4), np.cos(0.4), 0, 0.01], [0, 0, 1, 0.03]])
    moves = Moves(BASE_FROM_ARENA @ np.vstack([turn, [0, 0, 0, 1]]), MOTION, SafetySettings())
    pose = _tip(moves.down(0.1, -0.1, 0.7, MOTION.grasp_m)[-1], moves)
    _assert_at(pose, 0.1, -0.1, MOTION.grasp_m)
    assert abs(pose[:2, 1] @ (np.cos(0.7), np.sin(0.7))) == pytest.approx(1, abs=1e-5)


def test_a_sweep_keeps_its_height_and_the_fingers_across_its_path():
    _, down, along = MOVES.sweep(MOVES.away_q, (-0.3, -0.245), (0.0, 0.0))
    _assert_at(_tip(down[-1]), -0.3, -0.245, MOTION.sweep_height_m)
    _assert_at(_tip(along[-1]), 0.0, 0.0, MOTION.sweep_height_m)
    heights = [_tip(q)[2, 3] for q in along]
    assert np.ptp(heights) < 2e-3
    closing = _tip(along[-1])[:2, 1]
    assert closing @ (0.3, 0.245) == pytest.approx(0, abs=1e-3)


def test_an_arm_at_the_travelling_height_does_not_rise():
    assert MOVES.up(MOVES.away_q).tolist() == [MOVES.away_q.tolist()]


def test_a_gripper_that_does_not_point_down_cannot_rise_straight():
    q = MOVES.down(0.0, 0.0, 0.0, MOTION.grasp_m)[-1].copy()
    q[5] += 0.3
    with pytest.raises(UnreachableTarget, match="does not point down"):
        MOVES.up(q)


def _among(**boxes):
    return Moves(BASE_FROM_ARENA, MOTION, SafetySettings(), obstacles_of(boxes, BASE_FROM_ARENA))


def test_a_wall_between_the_away_posture_and_the_table_is_met_and_named():
    moves = _among(
        tray=BoxInArena(corners=((0.5, 0.5, 0), (0.6, 0.6, 0.1))),
        wall=BoxInArena(corners=((-0.60, -0.7, 0.0), (-0.55, 0.1, 0.6))),
    )
    with pytest.raises(ObstacleCollision, match=r"m from wall in command \d+ of \d+; .* nothing was moved"):
        moves.above(moves.away_q, 0.0, 0.0, 0.3)


def test_a_box_beside_the_arm_changes_no_path():
    moves = _among(post=BoxInArena(centre=(0.8, 0.6, 0.4), size=(0.05, 0.05, 0.8)))
    np.testing.assert_array_equal(moves.above(moves.away_q, 0.1, 0.0, 0.3), MOVES.above(MOVES.away_q, 0.1, 0.0, 0.3))


def test_what_hangs_from_the_gripper_is_kept_away_from_a_tray_that_the_empty_gripper_passes():
    moves = _among(tray=BoxInArena(corners=((-0.5, -0.3, 0.0), (-0.36, 0.3, 0.12))))
    start = moves.above(moves.away_q, 0.0, 0.0, 0.3)[-1]
    moves.away(start)
    with pytest.raises(ObstacleCollision, match=r"the held object would come to .* from tray"):
        moves.carrying.away(start)


def test_a_sweep_that_could_not_leave_wherever_it_ends_is_refused():
    sign = BoxInArena(corners=((-0.05, 0.02, 0.35), (0.05, 0.05, 0.6)))
    with pytest.raises(ObstacleCollision, match="sign"):
        _among(sign=sign).sweep(MOVES.away_q, (-0.25, 0.0), (0.25, 0.0))


def test_every_way_out_of_the_views_is_planned_before_the_first_part_of_it():
    roof = _among(roof=BoxInArena(corners=((-0.9, -1.5, 0.55), (-0.5, 0.5, 0.6))))
    with pytest.raises(ObstacleCollision, match="roof"):
        roof.leave(MOVES.down(0.0, 0.0, 0.0, MOTION.grasp_m)[-1])
    assert roof.leave(roof.away_q) == ()


def test_a_point_out_of_reach_is_refused():
    far = BASE_FROM_ARENA.copy()
    far[0, 3] = 1.4
    with pytest.raises(UnreachableTarget, match="cannot be brought"):
        Moves(far, MOTION, SafetySettings()).above(MOVES.away_q, 0.2, 0.2, 0.0)


def test_a_point_outside_the_workspace_is_refused():
    small = SafetySettings(workspace_high=(0.2, 0.45, 0.95))
    with pytest.raises(UnreachableTarget, match="outside the workspace"):
        Moves(BASE_FROM_ARENA, MOTION, small).above(MOVES.away_q, 0.28, 0.0, 0.0)


@pytest.mark.parametrize("angle", [np.nan, np.inf])
def test_an_angle_that_is_not_finite_is_refused(angle):
    with pytest.raises(UnreachableTarget, match="angle"):
        MOVES.above(MOVES.away_q, 0.0, 0.0, angle)
