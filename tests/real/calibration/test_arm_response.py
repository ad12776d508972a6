"""Lag, noise and message rates that are put in are measured back; limits below them are refused."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabletop_interaction.errors import CalibrationRejected, InvalidConfiguration
from tabletop_interaction.real.arm.settings import MotionSettings, SafetySettings, SawyerSettings
from tabletop_interaction.real.calibration.arm_response import (
    ArmResponse,
    Arrivals,
    ForceNoise,
    arrivals_of,
    check_response,
    force_noise,
    lag_of,
)
from tabletop_interaction.sawyer.kinematics import MAX_SPEED

MEASURED = ArmResponse(
    robot="a Sawyer",
    measured_at=datetime(2026, 11, 20, tzinfo=UTC),
    lag_s=(0.06,) * 7,
    steady_error_rad=(0.004,) * 7,
    force_at_rest=ForceNoise(0.5, 1.0),
    force_moving=ForceNoise(1.5, 4.0),
    topics={"/robot/joint_states": Arrivals(100.0, 0.012)},
)


def _angles(times):
    return 0.04 * np.sin(2 * np.pi * 0.3 * times) * np.sin(np.pi * times / 10) ** 2


@settings(max_examples=25)
@given(lag=st.floats(0.0, 0.4), offset=st.floats(-0.05, 0.05), gain=st.floats(0.8, 1.2), seed=st.integers(0, 99))
def test_a_known_lag_is_measured_whatever_offset_and_gain_the_joint_has(lag, offset, gain, seed):
    sent_at = np.arange(0, 10, 0.01)
    measured_at = np.sort(np.random.default_rng(seed).uniform(0, 10, 900))
    measured = offset + gain * np.where(measured_at < lag, 0, _angles(measured_at - lag))
    measured += np.random.default_rng(seed).normal(0, 1e-4, len(measured))
    assert lag_of(sent_at, _angles(sent_at), measured_at, measured, "right_j0") == pytest.approx(lag, abs=0.004)


def test_a_joint_that_moves_otherwise_is_rejected():
    times = np.arange(0, 10, 0.01)
    with pytest.raises(CalibrationRejected, match="right_j3 does not follow its commands"):
        lag_of(times, _angles(times), times, np.zeros(1000), "right_j3")
    with pytest.raises(CalibrationRejected, match="does not follow"):
        lag_of(times, _angles(times), times, _angles(times - 0.9), "right_j3")


def test_the_noise_of_a_force_has_its_known_size():
    forces = np.random.default_rng(0).normal((0, 0, 4.6), 0.3, (5000, 3))
    noise = force_noise([forces, forces + 10])
    assert noise.rms_n == pytest.approx(0.3 * np.sqrt(3), rel=0.03)
    assert noise.change_n > 3 * 0.3


def test_a_force_that_fades_is_no_rise():
    forces = np.array([[0, 0, 5.0], [0, 0, 1.0], [0, 0, 2.0], [0, 0, 1.5]])
    assert force_noise([forces]).change_n == pytest.approx(1.0)


def test_repeated_stamps_count_once():
    assert arrivals_of(np.array([1.0, 1.0, 1.01, 1.01, 1.04])) == Arrivals(50.0, 0.03)
    with pytest.raises(CalibrationRejected, match="silent"):
        arrivals_of(np.ones(5))


def test_a_force_limit_below_three_times_the_noise_is_refused():
    low = SawyerSettings(safety=SafetySettings(max_force_change_n=4.4))
    with pytest.raises(InvalidConfiguration, match=r"is 4\.4 N.*1\.50 N of noise.*accepted is 4\.5 N.*raise it to 6, "):
        check_response(MEASURED, low)
    check_response(MEASURED, SawyerSettings(safety=SafetySettings(max_force_change_n=4.5)))


def test_a_tracking_limit_below_the_lag_at_the_set_speed_is_refused():
    expected = 0.06 * 0.5 * MAX_SPEED.max() + 0.004
    assert MEASURED.tracking_error(0.5) == (pytest.approx(expected), "right_j6")
    tight, loose = (SafetySettings(max_tracking_error_rad=expected + slack) for slack in (-0.002, 0.002))
    with pytest.raises(InvalidConfiguration, match=r"at speed_ratio 0\.5 right_j6 of a Sawyer is 0\.140 rad behind"):
        check_response(MEASURED, SawyerSettings(MotionSettings(speed_ratio=0.5), tight))
    check_response(MEASURED, SawyerSettings(MotionSettings(speed_ratio=0.5), loose))


def test_an_arm_that_was_not_measured_refuses_nothing():
    check_response(None, SawyerSettings(safety=SafetySettings(max_force_change_n=3.0)))


def test_the_suggested_limit_exceeds_noise_and_largest_change():
    assert MEASURED.smallest_force_limit_n == 6.0
    assert replace(MEASURED, force_moving=ForceNoise(2.4, 2.5)).smallest_force_limit_n == 7.5
