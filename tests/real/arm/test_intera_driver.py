"""The driver reports what the SDK reports, holds only at recent joint angles, and finds joints by name."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabletop_interaction.errors import RobotFault
from tabletop_interaction.real.arm.driver import (
    COLLISION_TOPIC,
    FORCE_TOPIC,
    JOINT_STATES_TOPIC,
    ROBOT_TOPIC,
    Heard,
)
from tabletop_interaction.real.arm.intera_connection import connect
from tabletop_interaction.real.arm.intera_driver import rest_point
from tabletop_interaction.real.arm.motion import cause_to_stop
from tabletop_interaction.real.arm.settings import SawyerSettings
from tabletop_interaction.real.arm.topics import JointStates, UnusableMessage, read_joints
from tabletop_interaction.sawyer.kinematics import forward
from tabletop_interaction.sawyer.model import ARM_JOINT_NAMES


def test_a_connected_driver_reports_the_arms_state(twin):
    driver = connect(twin.modules, twin.clock, SawyerSettings(), "robot")
    state, grip = driver.state(), driver.gripper()
    assert state.positions == pytest.approx(twin.robot.arm.joint_angles())
    assert forward(state.positions)[:3, 3] == pytest.approx(twin.robot.tip_position(), abs=1e-4)
    assert (state.enabled, state.stopped, state.error, state.estop_pressed, state.collided) == (True, *[False] * 4)
    assert state.stamp <= twin.clock.now() < state.stamp + 0.1
    assert grip.opening == pytest.approx(0.0417, abs=1e-3)
    driver.close()
    driver.close()


def test_enable_clears_a_stop_once_the_button_is_up(twin):
    driver = connect(twin.modules, twin.clock, SawyerSettings(), "robot")
    twin.robot.press_estop()
    with pytest.raises(RobotFault, match=r"cannot be enabled .*E-Stop"):
        driver.enable()
    twin.robot.release_estop()
    twin.clock.sleep(0.02)
    assert not driver.state().enabled
    driver.enable()
    assert driver.state().enabled
    twin.robot.halt()
    twin.clock.sleep(0.02)
    assert driver.state().stopped
    driver.enable()
    assert not driver.state().stopped
    driver.close()


def test_holding_commands_the_measured_joints_but_never_old_ones(twin, monkeypatch):
    driver, commanded = connect(twin.modules, twin.clock, SawyerSettings(), "robot"), []
    monkeypatch.setattr(twin.robot, "command", commanded.append)
    driver.hold()
    assert commanded[0] == pytest.approx(driver.state().positions)
    twin.robot.faults.silent.add(JOINT_STATES_TOPIC)
    twin.clock.sleep(0.5)
    driver.hold()
    assert len(commanded) == 1


def test_closing_holds_only_an_arm_that_was_commanded(twin, monkeypatch):
    commanded = []
    monkeypatch.setattr(twin.robot, "command", commanded.append)
    connect(twin.modules, twin.clock, SawyerSettings(), "robot").close()
    assert commanded == []
    driver = connect(twin.modules, twin.clock, SawyerSettings(), "robot")
    driver.command(driver.state().positions)
    driver.close()
    assert len(commanded) == 2


def test_a_gripper_without_signals_reports_an_error(twin, monkeypatch):
    driver = connect(twin.modules, twin.clock, SawyerSettings(), "robot")
    monkeypatch.setattr(driver._gripper, "get_position", lambda: None)
    assert driver.gripper().error
    assert math.isnan(driver.gripper().opening)
    driver.close()


def test_a_moving_arm_is_held_where_it_comes_to_rest_and_not_past_its_last_command():
    here, speeds, commanded = np.zeros(7), np.array([0.4, -0.4, 0.4, 0.0, 0.0, 3.0, -3.0]), np.zeros(7)
    commanded[:6] = [0.08, -0.08, 0.004, 0.1, -0.1, -0.1]
    rest = rest_point(here, speeds, commanded)
    assert rest == pytest.approx([0.4**2 / 20, -(0.4**2) / 16, 0.004, 0, 0, 0, 0])


@pytest.mark.parametrize("command", [np.full(7, np.nan), np.array([0, 0, 0, np.inf, 0, 0, 0]), np.zeros(6)])
def test_a_command_that_is_not_seven_finite_angles_is_never_sent(twin, monkeypatch, command):
    driver, commanded = connect(twin.modules, twin.clock, SawyerSettings(), "robot"), []
    monkeypatch.setattr(twin.robot, "command", commanded.append)
    with pytest.raises(RobotFault, match="not 7 finite angles; it was not sent"):
        driver.command(command)
    assert commanded == []
    driver.close()


@pytest.mark.parametrize("topic", [JOINT_STATES_TOPIC, FORCE_TOPIC])
def test_messages_that_are_not_finite_count_as_missing(twin, topic):
    driver = connect(twin.modules, twin.clock, SawyerSettings(), "robot")
    twin.robot.faults.not_finite.add(topic)
    twin.clock.sleep(0.3)
    state = driver.state()
    assert np.isfinite([*state.positions, *state.tip_force]).all()
    cause = cause_to_stop(state, twin.clock.now(), SawyerSettings().safety)
    assert topic in cause.said
    assert "is not finite" in cause.said
    driver.close()


@pytest.mark.parametrize("topic", [FORCE_TOPIC, COLLISION_TOPIC, ROBOT_TOPIC])
def test_a_silent_topic_ages_alone(twin, topic):
    driver = connect(twin.modules, twin.clock, SawyerSettings(), "robot")
    twin.robot.faults.silent.add(topic)
    for _ in range(4):
        twin.clock.sleep(0.1)
    old = [name for name, heard in driver.state().heard.items() if twin.clock.now() - heard.stamp > 0.25]
    assert old == [topic]
    driver.close()


def _message(seconds, names, values, velocities=None):
    stamp = SimpleNamespace(to_sec=lambda: seconds)
    velocity = values if velocities is None else velocities
    return SimpleNamespace(header=SimpleNamespace(stamp=stamp), name=names, position=values, velocity=velocity)


@pytest.fixture
def joint_states(sawyer):
    """The subscriber, and what sends it a message."""
    handlers = []
    rospy = SimpleNamespace(Subscriber=lambda topic, kind, callback, **options: handlers.append(callback))
    return JointStates(rospy, None, sawyer.clock), handlers[0]


def test_joints_are_found_by_name_and_repetitions_stay_old(sawyer, joint_states):
    states, send = joint_states
    send(_message(1.0, ["head_pan"], [9.0]))
    assert states.newest is None
    send(_message(1.1, ["head_pan", *reversed(ARM_JOINT_NAMES)], [9.0, *range(7)]))
    assert states.newest.positions.tolist() == [6, 5, 4, 3, 2, 1, 0]
    assert states.newest.head == 9.0
    came = states.newest.stamp
    sawyer.clock.sleep(1.0)
    send(_message(1.1, list(ARM_JOINT_NAMES), [0.0] * 7))
    assert states.newest.stamp == came


@given(
    names=st.permutations(["head_pan", "torso_t0", *ARM_JOINT_NAMES]),
    bad=st.sampled_from(["nan", "inf", "short", "long", "missing", "double", "speeds"]),
    joint=st.sampled_from(ARM_JOINT_NAMES),
)
def test_messages_that_cannot_be_used_are_refused_with_a_reason(names, bad, joint):
    values, velocities, at = [0.1] * 9, [0.0] * 9, names.index(joint)
    read_joints(_message(1.0, names, values, velocities), 0.0)
    match bad:
        case "nan" | "inf":
            values[at] = float(bad)
        case "short" | "long":
            values = values[:-1] if bad == "short" else [*values, 0.0]
        case "missing":
            names = [name.replace(joint, "other") for name in names]
        case "double":
            names[(at + 1) % 9] = joint
        case "speeds":
            velocities = velocities[:3]
    with pytest.raises(UnusableMessage):
        read_joints(_message(1.0, names, values, velocities), 0.0)


def test_a_refused_message_leaves_the_last_usable_one_and_says_why(sawyer, joint_states):
    states, send = joint_states
    send(_message(1.0, list(ARM_JOINT_NAMES), [0.1] * 7))
    came = states.newest.stamp
    sawyer.clock.sleep(0.1)
    send(_message(1.1, list(ARM_JOINT_NAMES), [math.nan] * 7))
    assert states.newest.positions.tolist() == [0.1] * 7
    assert states.kept[1] == Heard(came, "position is not finite")
    send(_message(1.2, list(ARM_JOINT_NAMES), [0.2] * 7))
    assert states.refused == ""


def test_speeds_that_a_robot_does_not_send_come_from_its_angles(sawyer, joint_states):
    states, send = joint_states
    send(_message(1.0, list(ARM_JOINT_NAMES), [0.1] * 7, []))
    assert states.newest.velocities.tolist() == [0.0] * 7
    sawyer.clock.sleep(0.1)
    send(_message(1.1, list(ARM_JOINT_NAMES), [0.15] * 7, []))
    assert states.newest.velocities == pytest.approx([0.5] * 7)
