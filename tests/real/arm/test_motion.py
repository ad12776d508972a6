"""A motion ends in one outcome within its time limit; the arm holds unless it reached its goal."""

from dataclasses import replace

import numpy as np
import pytest

from tabletop_interaction.real.arm.motion import MotionOutcome, follow
from tabletop_interaction.real.arm.settings import SawyerSettings

SETTINGS = SawyerSettings()
SECONDS = 2.0


def _way(sawyer):
    return np.linspace(sawyer.positions, sawyer.positions + 0.2, round(SECONDS * 100))


def _follow(sawyer, way):
    start = sawyer.clock.now()
    outcome = follow(sawyer, sawyer.clock, way, SETTINGS)
    return outcome, sawyer.clock.now() - start


def test_a_healthy_arm_reaches_the_end_at_100_commands_per_second(sawyer):
    way = _way(sawyer)
    outcome, seconds = _follow(sawyer, way)
    assert outcome is MotionOutcome.REACHED
    assert seconds == pytest.approx(SECONDS, abs=0.02)
    assert np.array_equal(sawyer.commands, way)
    assert sawyer.holds == 0


@pytest.mark.parametrize(
    ("reported", "expected"),
    [
        ({"estop_pressed": True, "stopped": True, "enabled": False}, MotionOutcome.ESTOP),
        ({"stopped": True}, MotionOutcome.STOPPED),
        ({"enabled": False}, MotionOutcome.STOPPED),
        ({"error": True}, MotionOutcome.STOPPED),
        ({"collided": True}, MotionOutcome.COLLISION),
        ({"tip_force": np.array([0.0, 9.0, 13.0])}, MotionOutcome.FORCE),
    ],
)
def test_a_reported_cause_stops_the_arm_within_a_tick(sawyer, reported, expected):
    sawyer.clock.at(1.0, lambda: sawyer.reported.update(reported))
    outcome, seconds = _follow(sawyer, _way(sawyer))
    assert outcome is expected
    assert seconds == pytest.approx(1.0, abs=0.015)
    assert sawyer.holds == 1


def test_missing_joint_states_stop_the_arm_within_a_quarter_of_a_second(sawyer):
    sawyer.clock.at(1.0, lambda: sawyer.reported.update(stamp=sawyer.clock.now()))
    outcome, seconds = _follow(sawyer, _way(sawyer))
    assert outcome is MotionOutcome.STALE_STATE
    assert seconds == pytest.approx(1.0 + SETTINGS.safety.max_state_age_s, abs=0.025)
    assert sawyer.holds == 1


def test_a_joint_that_lags_for_three_ticks_stops_the_arm(sawyer):
    start = sawyer.positions.copy()
    sawyer.reported = {"positions": start}
    outcome, seconds = _follow(sawyer, _way(sawyer))
    assert outcome is MotionOutcome.TRACKING_ERROR
    assert seconds == pytest.approx(SECONDS * 0.15 / 0.2, abs=0.05)


def test_a_lag_of_two_ticks_does_not_stop_the_arm(sawyer):
    behind = sawyer.positions - 0.5
    sawyer.clock.at(0.5, lambda: sawyer.reported.update(positions=behind))
    sawyer.clock.at(0.52, sawyer.reported.clear)
    assert _follow(sawyer, _way(sawyer))[0] is MotionOutcome.REACHED


def test_an_arm_that_does_not_reach_its_goal_times_out_after_the_settling_time(sawyer):
    sawyer.command = lambda q: setattr(sawyer, "positions", q - 0.05)
    outcome, seconds = _follow(sawyer, _way(sawyer))
    assert outcome is MotionOutcome.TIMEOUT
    assert seconds == pytest.approx(SECONDS + SETTINGS.motion.settle_s, abs=0.05)
    assert sawyer.holds == 1


def test_a_steady_force_does_not_stop_the_arm(sawyer):
    sawyer.reported = {"tip_force": np.array([0.0, 0.0, -30.0])}
    assert _follow(sawyer, _way(sawyer))[0] is MotionOutcome.REACHED


def test_a_fading_force_does_not_stop_the_arm_and_a_returning_one_does(sawyer):
    pushes = iter([np.array([0.0, 0.0, push]) for push in [*np.linspace(40, 0, 50), *np.linspace(0, 40, 50)]])
    healthy = sawyer.state
    sawyer.state = lambda: replace(healthy(), tip_force=next(pushes))
    outcome, seconds = _follow(sawyer, _way(sawyer))
    assert outcome is MotionOutcome.FORCE
    assert seconds == pytest.approx(0.5 + 0.5 * 15 / 40, abs=0.03)


def test_an_arm_that_must_not_move_gets_no_command(sawyer):
    sawyer.reported = {"enabled": False}
    assert _follow(sawyer, _way(sawyer))[0] is MotionOutcome.STOPPED
    assert sawyer.commands == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_ctrl_c_and_errors_hold_the_arm_and_reach_the_caller(sawyer, error):
    def interrupt():
        raise error

    sawyer.clock.at(1.0, interrupt)
    with pytest.raises(error):
        _follow(sawyer, _way(sawyer))
    assert sawyer.holds == 1


def test_a_late_tick_delays_the_motion_and_skips_no_command(sawyer):
    way = _way(sawyer)
    sawyer.clock.at(1.0, lambda: setattr(sawyer.clock, "time", sawyer.clock.time + 0.2))
    outcome, seconds = _follow(sawyer, way)
    assert outcome is MotionOutcome.REACHED
    assert seconds == pytest.approx(SECONDS + 0.2, abs=0.03)
    assert np.array_equal(sawyer.commands, way)
