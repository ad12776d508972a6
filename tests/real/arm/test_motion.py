"""A motion ends in one outcome within its time limit; the arm holds unless it reached its goal."""

import signal
from dataclasses import replace

import numpy as np
import pytest

from tabletop_interaction.errors import RobotFault, UnreachableTarget
from tabletop_interaction.real.arm.driver import (
    COLLISION_TOPIC,
    FORCE_TOPIC,
    JOINT_STATES_TOPIC,
    ROBOT_TOPIC,
    ArmState,
    Heard,
)
from tabletop_interaction.real.arm.motion import MotionOutcome, cause_to_stop, follow, wait_for_rest
from tabletop_interaction.real.arm.settings import RATE_HZ, SawyerSettings
from tabletop_interaction.real.arm.timing import caps_of, time_path

SETTINGS = SawyerSettings()
TOPICS = (JOINT_STATES_TOPIC, FORCE_TOPIC, COLLISION_TOPIC, ROBOT_TOPIC)
CAPS = caps_of(SETTINGS.motion)
SECONDS = 2.0


def _way(sawyer):
    return np.linspace(sawyer.positions, sawyer.positions + 0.2, round(SECONDS * 100))


def _anything(commands):
    """A check that accepts all commands."""


def _follow(sawyer, way):
    start = sawyer.clock.now()
    cause = follow(sawyer, sawyer.clock, way, SETTINGS, _anything)
    return MotionOutcome.REACHED if cause is None else cause.outcome, sawyer.clock.now() - start


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
        ({"error": True}, MotionOutcome.ERROR),
        ({"collided": True}, MotionOutcome.COLLISION),
        ({"tip_force": np.array([0.0, 9.0, 13.0])}, MotionOutcome.FORCE),
        ({"tip_force": np.full(3, np.nan)}, MotionOutcome.FORCE),
    ],
)
def test_a_reported_cause_stops_the_arm_within_a_tick(sawyer, reported, expected):
    sawyer.clock.at(1.0, lambda: sawyer.reported.update(reported))
    outcome, seconds = _follow(sawyer, _way(sawyer))
    assert outcome is expected
    assert seconds == pytest.approx(1.0, abs=0.015)
    assert sawyer.holds == 1


@pytest.mark.parametrize("topic", [JOINT_STATES_TOPIC, FORCE_TOPIC, COLLISION_TOPIC, ROBOT_TOPIC])
def test_a_topic_that_falls_silent_stops_the_arm_at_its_age_limit_and_is_named(sawyer, topic):
    way, start = _way(sawyer), sawyer.clock.now()
    sawyer.clock.at(1.0, lambda: sawyer.reported.update(stamps={topic: sawyer.clock.now()}))
    cause = follow(sawyer, sawyer.clock, way, SETTINGS, _anything)
    assert cause.outcome is MotionOutcome.STALE_STATE
    assert f"stopped arriving ({topic} is 0.2" in cause.said
    assert f"rostopic hz {topic}" in cause.remedy
    assert sawyer.clock.now() - start == pytest.approx(1.25, abs=0.025)
    assert sawyer.holds == 1


def test_the_topic_that_is_silent_longest_is_named_with_its_last_message():
    heard = {ROBOT_TOPIC: Heard(9.0), FORCE_TOPIC: Heard(8.0, "force is not finite"), COLLISION_TOPIC: Heard(9.9)}
    state = ArmState(np.zeros(7), np.zeros(7), np.zeros(3), True, False, False, False, False, heard)
    cause = cause_to_stop(state, 10.0, SETTINGS.safety)
    assert "endpoint_state is 2.00 s old, 0.25 s is accepted; the last message was unusable: force is not" in cause.said


def test_an_error_without_a_stop_says_how_it_is_cleared(sawyer):
    sawyer.reported = {"error": True}
    cause = cause_to_stop(sawyer.state(), sawyer.clock.now(), SETTINGS.safety)
    assert "error and did not stop" in cause.said
    assert "press the stop button and release it" in cause.remedy


def test_a_joint_that_lags_for_three_ticks_stops_the_arm(sawyer):
    start = sawyer.positions.copy()
    sawyer.reported = {"positions": start}
    outcome, seconds = _follow(sawyer, _way(sawyer))
    assert outcome is MotionOutcome.TRACKING_ERROR
    assert seconds == pytest.approx(SECONDS * 0.15 / 0.2, abs=0.05)


def test_the_joint_that_lags_most_is_named(sawyer):
    start, way = sawyer.positions.copy(), _way(sawyer)
    way[:, 4] += np.linspace(0, 0.1, len(way))
    sawyer.reported = {"positions": start}
    cause = follow(sawyer, sawyer.clock, way, SETTINGS, _anything)
    assert "(right_j4 is 0.15 rad behind, 0.15 rad is accepted)" in cause.said


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


def _interrupted(sawyer, error):
    def interrupt():
        raise error

    sawyer.clock.at(1.0, interrupt)
    with pytest.raises(error):
        _follow(sawyer, _smooth(sawyer))
    return np.array(sawyer.commands)


def _smooth(sawyer):
    return time_path(np.array([sawyer.positions, sawyer.positions + np.array([0.9, 0.2, 0.3, 0, 0, 0, 0])]), CAPS)


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_an_interrupted_arm_slows_down_on_its_path_without_a_jump_or_a_step_back(sawyer, error):
    start, way = sawyer.clock.now(), _smooth(sawyer)
    commands = _interrupted(sawyer, error)
    accelerations = np.diff(commands, 2, axis=0) * RATE_HZ**2
    assert (np.abs(accelerations) <= 2 * CAPS.acceleration).all()
    assert (np.diff(commands[:, 0]) >= 0).all()
    assert np.abs(commands[:, None] - way).max(axis=2).min(axis=1).max() < 0.005
    assert 0.05 < sawyer.clock.now() - start - 1.0 < 0.35
    assert sawyer.holds == 0


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_second_signal_does_not_interrupt_what_slows_the_arm_down(sawyer, second):
    sawyer.clock.at(1.03, lambda: signal.raise_signal(second))
    commands, before = _interrupted(sawyer, KeyboardInterrupt), signal.getsignal(second)
    assert np.abs(commands[-1] - commands[-2]).max() < 1e-3
    assert sawyer.clock.now() - 101 > 0.05
    assert sawyer.holds == 0
    assert signal.getsignal(second) == before != signal.SIG_IGN


def test_an_arm_that_cannot_be_slowed_down_is_held(sawyer):
    sawyer.clock.at(1.0, lambda: sawyer.reported.update(collided=True))
    _interrupted(sawyer, KeyboardInterrupt)
    assert sawyer.holds == 1


def test_a_tick_that_is_a_little_late_delays_the_motion_and_skips_no_command(sawyer):
    way = _way(sawyer)
    sawyer.clock.at(1.0, lambda: setattr(sawyer.clock, "time", sawyer.clock.time + 0.05))
    outcome, seconds = _follow(sawyer, way)
    assert outcome is MotionOutcome.REACHED
    assert seconds == pytest.approx(SECONDS + 0.05, abs=0.03)
    assert np.array_equal(sawyer.commands, way)


@pytest.mark.parametrize("stall_s", [0.12, 0.35, 1.0])
def test_after_a_stall_the_arm_comes_to_rest_and_resumes_on_a_new_profile(sawyer, stall_s):
    way = _smooth(sawyer)
    before = []

    def stall():
        before.append(len(sawyer.commands))
        # The arm rests a lag before its last command, and joint states arrive late after the stall.
        sawyer.positions = way[len(sawyer.commands) - 8]
        sawyer.reported["stamps"] = {JOINT_STATES_TOPIC: sawyer.clock.now()}
        sawyer.clock.time += stall_s
        sawyer.clock.at(0.05, sawyer.reported.clear)

    sawyer.clock.at(1.0, stall)
    outcome, _ = _follow(sawyer, way)
    assert outcome is MotionOutcome.REACHED
    assert sawyer.commands[-1] == pytest.approx(way[-1])
    later = np.array([way[before[0] - 8], *sawyer.commands[before[0] :]])
    velocities = np.diff(later, axis=0) * RATE_HZ
    accelerations = np.diff(velocities, axis=0, prepend=np.zeros((1, 7))) * RATE_HZ
    assert (np.abs(velocities) <= 1.001 * CAPS.speed).all()
    assert (np.abs(accelerations) <= 1.01 * CAPS.acceleration).all()


def test_an_arm_that_a_stall_left_off_its_path_does_not_move_on(sawyer):
    def stall():
        sawyer.positions = sawyer.positions + 0.3
        sawyer.clock.time += 0.4

    sawyer.clock.at(1.0, stall)
    assert _follow(sawyer, _smooth(sawyer))[0] is MotionOutcome.OFF_PATH
    assert sawyer.holds == 1


def test_a_way_back_to_the_path_that_is_not_free_is_not_taken(sawyer):
    checked, sent = [], []

    def stall():
        sent.append(len(sawyer.commands))
        sawyer.positions = sawyer.positions + 0.1
        sawyer.clock.time += 0.4

    def refuse(commands):
        checked.append(commands)
        raise UnreachableTarget("the hand would come to 0.01 m from post; choose another point")

    sawyer.clock.at(1.0, stall)
    way = _smooth(sawyer)
    cause = follow(sawyer, sawyer.clock, way, SETTINGS, refuse)
    assert "after a stall, the way back to its path: the hand would come to 0.01 m from post" in cause.said
    assert "choose" not in cause.said
    assert (len(sawyer.commands), sawyer.holds) == (sent[0], 1)
    # The whole rest was checked, from where the arm rests to the end.
    (anew,) = checked
    assert anew[0] == pytest.approx(sawyer.positions, abs=0.001)
    assert anew[-1] == pytest.approx(way[-1])


def test_a_path_that_is_not_finite_is_refused_before_the_first_command(sawyer):
    way = _way(sawyer)
    way[-1, 3] = np.nan
    with pytest.raises(RobotFault, match="not finite; nothing was moved"):
        _follow(sawyer, way)
    assert sawyer.commands == []


def _stall_in_command(sawyer, number, seconds):
    """Stop the process for `seconds` between the last check and the sending of command `number`."""
    command = sawyer.command

    def stopped(q):
        if len(sawyer.commands) == number:
            sawyer.clock.time += seconds
        command(q)

    sawyer.command = stopped


@pytest.mark.parametrize(("number", "seconds"), [(0, 0.15), (1, 0.4), (30, 0.12), (60, 5.0), (90, 60.0)])
def test_a_process_that_is_stopped_right_before_a_command_sends_it_and_then_starts_from_rest(sawyer, number, seconds):
    way = _smooth(sawyer)
    _stall_in_command(sawyer, number, seconds)
    assert _follow(sawyer, way)[0] is MotionOutcome.REACHED
    anew = np.array(sawyer.commands[number:])
    velocities = np.diff(anew, axis=0) * RATE_HZ
    accelerations = np.diff(velocities, axis=0, prepend=np.zeros((1, 7))) * RATE_HZ
    assert (np.abs(accelerations) <= 1.01 * CAPS.acceleration).all()


def test_a_process_that_stalls_again_and_again_ends_the_move_in_bounded_time(sawyer):
    def stall():
        sawyer.clock.time += 0.15
        sawyer.clock.at(0.5, stall)

    sawyer.clock.at(0.5, stall)
    start = sawyer.clock.now()
    cause = follow(sawyer, sawyer.clock, _smooth(sawyer), SETTINGS, _anything)
    assert "stalled more than 5 times" in cause.said
    assert "end other programs on this machine" in cause.remedy
    assert sawyer.clock.now() - start < 6
    assert sawyer.holds == 1


@pytest.mark.parametrize("seconds", [0.0, 0.04, 0.3, 30.0])
def test_a_process_that_is_stopped_while_it_waits_for_rest_does_not_call_the_topics_silent(sawyer, seconds):
    def stop():
        sawyer.reported["stamps"] = dict.fromkeys(TOPICS, sawyer.clock.now())
        sawyer.clock.time += seconds
        sawyer.clock.at(0.1, sawyer.reported.clear)

    sawyer.clock.at(0.05, stop)
    assert wait_for_rest(sawyer, sawyer.clock, SETTINGS) is None


def test_topics_that_stay_silent_while_the_arm_comes_to_rest_are_a_cause(sawyer):
    sawyer.reported["stamps"] = {FORCE_TOPIC: sawyer.clock.now() - 0.25}
    start = sawyer.clock.now()
    assert FORCE_TOPIC in wait_for_rest(sawyer, sawyer.clock, SETTINGS).said
    assert sawyer.clock.now() - start < 0.6
