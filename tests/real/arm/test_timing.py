"""Joint commands keep the limits of speed, acceleration and jerk, and start and end at rest."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabletop_interaction.real.arm.settings import RATE_HZ, MotionSettings
from tabletop_interaction.real.arm.timing import caps_of, restarted, time_path
from tabletop_interaction.sawyer.kinematics import HOME, MAX_SPEED, straight_down_path

CAPS = caps_of(MotionSettings())
ANGLES = st.lists(st.floats(-2, 2), min_size=7, max_size=7).map(np.array)


def _rates(path, commands):
    """Speeds, accelerations and jerks of commands, at rest before and after."""
    padded = np.concatenate([[path[0]] * 3, commands, [path[-1]] * 3])
    speed = np.diff(padded, axis=0) * RATE_HZ
    acceleration = np.diff(speed, axis=0) * RATE_HZ
    return speed, acceleration, np.diff(acceleration, axis=0) * RATE_HZ


def _assert_within(path, commands, slack):
    for rate, cap in zip(_rates(path, commands), (CAPS.speed, CAPS.acceleration, CAPS.jerk), strict=True):
        assert (np.abs(rate) <= slack * cap).all()


@given(ANGLES, ANGLES)
@settings(max_examples=60, deadline=None)
def test_a_line_in_joint_space_keeps_every_limit(start, end):
    path = np.array([start, end])
    _assert_within(path, time_path(path, CAPS), 1 + 1e-6)


@given(st.floats(0.35, 0.8), st.floats(-0.25, 0.25), st.floats(-1.5, 1.5))
@settings(max_examples=20, deadline=None)
def test_a_path_straight_down_keeps_every_limit(x, y, angle):
    path = straight_down_path(x, y, 0.1, -0.09, angle, HOME)
    # A cubic's third derivative jumps at its knots.
    _assert_within(path, time_path(path, CAPS), 1.02)


@given(ANGLES, ANGLES)
@settings(max_examples=30, deadline=None)
def test_the_commands_end_exactly_at_the_end_and_stay_on_the_line(start, end):
    commands = time_path(np.array([start, end]), CAPS)
    assert (commands[-1] == end).all()
    low, high = np.minimum(start, end) - 1e-9, np.maximum(start, end) + 1e-9
    assert ((commands >= low) & (commands <= high)).all()


def test_a_long_path_runs_at_its_slowest_joints_limit():
    path = np.array([np.zeros(7), [2.5, 0, 0, 0, 0, 0, 0]])
    speed, _, _ = _rates(path, time_path(path, CAPS))
    assert speed.max() == pytest.approx(MotionSettings().speed_ratio * MAX_SPEED[0], rel=1e-6)


def test_a_path_takes_at_least_its_minimum_duration():
    path = np.array([np.zeros(7), np.full(7, 0.1)])
    assert len(time_path(path, CAPS)) < 1.5 * RATE_HZ
    assert 5 * RATE_HZ < len(time_path(path, CAPS, min_seconds=5.0)) < 6.5 * RATE_HZ


def test_a_path_without_motion_is_one_command():
    here = np.full((3, 7), 0.3)
    assert time_path(here, CAPS).tolist() == [[0.3] * 7]


@given(st.integers(0, 10**6), st.floats(0.0, 1.0))
@settings(max_examples=30, deadline=None)
def test_a_path_restarted_anywhere_keeps_the_limits_from_rest_to_rest(seed, where):
    goal = np.random.default_rng(seed).uniform(-1, 1, 7)
    commands = time_path(np.array([np.zeros(7), goal]), CAPS)
    rest = commands[int(where * (len(commands) - 1)) :]
    again = restarted(rest, CAPS)
    assert again[-1] == pytest.approx(goal)
    velocities = np.diff(np.concatenate([rest[:1], again]), axis=0) * RATE_HZ
    accelerations = np.diff(velocities, axis=0, prepend=np.zeros((1, 7))) * RATE_HZ
    assert (np.abs(velocities) <= 1.001 * CAPS.speed).all()
    assert (np.abs(accelerations) <= 1.01 * CAPS.acceleration + 1e-6).all()
    assert (np.abs(np.diff(accelerations, axis=0)) * RATE_HZ <= 1.1 * CAPS.jerk + 1e-3).all()
