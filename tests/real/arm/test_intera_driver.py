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
from tabletop_interaction.real.arm.intera_driver import is_near, rest_point
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
    with pytest.raises(RobotFault, match=r"cannot be enabled .*stop button pressed True"):
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


def test_a_stop_button_that_is_pressed_while_the_robot_is_enabled_stays_in_effect(twin, monkeypatch):
    driver = connect(twin.modules, twin.clock, SawyerSettings(), "robot")
    twin.robot.halt()
    twin.robot.at(1.0, twin.robot.press_estop)
    twin.robot.at(1.5, twin.robot.release_estop)
    sent = []
    monkeypatch.setattr(driver._switches.enable, "publish", sent.append)
    with pytest.raises(RobotFault, match="stop button pressed True"):
        driver.enable()
    before = len(sent)
    twin.clock.sleep(2.0)
    assert 10 < before == len(sent)
    driver.close()


def test_a_robot_that_does_not_report_its_state_is_not_enabled(twin):
    driver = connect(twin.modules, twin.clock, SawyerSettings(), "robot")
    twin.robot.halt()
    twin.robot.faults.silent.add(ROBOT_TOPIC)
    with pytest.raises(RobotFault, match=f"cannot be enabled: {ROBOT_TOPIC} sends nothing"):
        driver.enable()
    assert twin.robot.state.stopped
    driver.close()


@pytest.fixture
def commanded(twin, monkeypatch):
    """A driver, and what it commands the twin."""
    driver, sent = connect(twin.modules, twin.clock, SawyerSettings(), "robot"), []
    monkeypatch.setattr(twin.robot, "command", sent.append)
    yield driver, sent
    driver.close()


def test_holding_commands_the_measured_joints_but_never_old_ones(twin, commanded):
    driver, sent = commanded
    driver.command(driver.state().positions)
    driver.hold()
    assert sent[1] == pytest.approx(driver.state().positions, abs=1e-3)
    twin.robot.faults.silent.add(JOINT_STATES_TOPIC)
    twin.clock.sleep(0.5)
    driver.hold()
    assert len(sent) == 2


@pytest.mark.parametrize("apart", [0.5, 3.0])
def test_an_arm_that_is_not_where_it_was_commanded_is_not_commanded_to_where_it_seems_to_be(commanded, apart):
    driver, sent = commanded
    driver.hold()
    driver.command(driver.state().positions + apart * np.eye(7)[2])
    driver.hold()
    assert len(sent) == 1


def test_a_blocked_arm_is_held_where_it_is_and_one_that_is_measured_late_is_not_turned_back():
    here, speeds, commanded = np.zeros(7), np.array([0.4] * 6 + [0.0]), np.full(7, 0.03)
    assert is_near(here, speeds, commanded, 0.15)
    commanded[6] = 0.2
    assert is_near(here, speeds, commanded, 0.15)
    commanded[0] = 0.17
    assert not is_near(here, speeds, commanded, 0.15)


def test_closing_sends_no_command(commanded):
    driver, sent = commanded
    driver.command(driver.state().positions)
    driver.close()
    assert len(sent) == 1


@pytest.mark.parametrize("signal", ["get_position", "is_gripping", "has_error"])
def test_a_gripper_without_a_signal_reports_an_error(twin, monkeypatch, signal):
    driver = connect(twin.modules, twin.clock, SawyerSettings(), "robot")
    monkeypatch.setattr(driver._gripper, signal, lambda: None)
    assert driver.gripper().error
    driver.close()


def test_a_gripper_that_reports_no_number_reports_an_error(twin, monkeypatch):
    driver = connect(twin.modules, twin.clock, SawyerSettings(), "robot")
    monkeypatch.setattr(driver._gripper, "get_position", lambda: math.nan)
    assert driver.gripper().error
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


@pytest.mark.parametrize("call", ["command", "move_fingers", "enable"])
def test_a_program_whose_node_was_ended_says_what_to_do(twin, monkeypatch, call):
    driver = connect(twin.modules, twin.clock, SawyerSettings(), "robot")

    def closed(*values):
        raise twin.modules.rospy.ROSException("publish() to a closed topic")

    monkeypatch.setattr(driver._limb, "set_joint_positions", closed)
    monkeypatch.setattr(driver._gripper, "set_position", closed)
    monkeypatch.setattr(driver._switches.enable, "publish", closed)
    twin.robot.disable()
    calls = {
        "command": lambda: driver.command(driver.state().positions),
        "move_fingers": lambda: driver.move_fingers(0.0),
        "enable": driver.enable,
    }
    with pytest.raises(RobotFault, match=r"closed topic.*ROS node was ended.*end this program and start it again"):
        calls[call]()
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


def _message(seconds, names, values, velocities=None, sender="/robot"):
    header = SimpleNamespace(stamp=SimpleNamespace(to_sec=lambda: seconds))
    velocity = values if velocities is None else velocities
    columns = {"name": names, "position": values, "velocity": velocity}
    return SimpleNamespace(header=header, **columns, _connection_header={"callerid": sender})


def _arm_at(seconds, value=0.1, **options):
    return _message(seconds, list(ARM_JOINT_NAMES), [value] * 7, **options)


@pytest.fixture
def joint_states(sawyer):
    """The subscriber, and what sends it a message."""
    return _listening(sawyer.clock)


def _listening(clock):
    handlers = []
    rospy = SimpleNamespace(Subscriber=lambda topic, kind, callback, **options: handlers.append(callback))
    return JointStates(rospy, None, clock, 0.25), handlers[0]


def test_joints_are_found_by_name_and_repetitions_stay_old(sawyer, joint_states):
    states, send = joint_states
    send(_message(1.0, ["head_pan"], [9.0]))
    assert states.newest is None
    send(_message(1.1, ["head_pan", *reversed(ARM_JOINT_NAMES)], [9.0, *range(7)]))
    assert states.newest.positions.tolist() == [6, 5, 4, 3, 2, 1, 0]
    assert states.newest.head == 9.0
    came = states.kept[1]
    sawyer.clock.sleep(1.0)
    send(_message(1.1, list(ARM_JOINT_NAMES), [0.0] * 7))
    assert states.kept[1] == came


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
    came = states.kept[1].stamp
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


def test_a_message_about_other_joints_does_not_hide_the_arms_of_the_same_time(joint_states):
    states, send = joint_states
    send(_message(1.0, ["gripper"], [0.0]))
    send(_arm_at(1.0))
    assert states.newest.positions.tolist() == [0.1] * 7


@given(offset=st.floats(-1e6, 1e6), late=st.floats(0.0, 0.24))
def test_a_message_counts_as_sent_when_its_time_says_whatever_the_clocks_differ_by(offset, late):
    now = [100.0]
    states, send = _listening(SimpleNamespace(now=lambda: now[0]))
    for tick in range(5):
        now[0] += 1.0
        send(_arm_at(1e7 + offset + tick))
    now[0] += 1.0 + late
    send(_arm_at(1e7 + offset + 5))
    assert now[0] - states.kept[1].stamp == pytest.approx(late, abs=0.01)
    assert states.refused == ""


def test_messages_that_pile_up_on_their_way_are_not_used_however_regularly_they_come(sawyer, joint_states):
    states, send = joint_states
    send(_arm_at(1.0))
    sawyer.clock.sleep(0.4)
    for tick in range(50):
        sawyer.clock.sleep(0.01)
        send(_arm_at(1.01 + tick / 100, 0.2))
    assert states.newest.positions.tolist() == [0.1] * 7
    assert states.refused.startswith("it came 0.40 s late, or a clock was set; if so, end this program")
    assert sawyer.clock.now() - states.kept[1].stamp == pytest.approx(0.9)


def test_a_stray_time_of_the_future_is_ignored_and_a_clock_that_was_set_forward_is_accepted(sawyer, joint_states):
    states, send = joint_states
    for seconds in (1.0, 1.01, 61.0, 1.02, 1.03):
        sawyer.clock.sleep(0.01)
        send(_arm_at(seconds))
        assert ("59.98 s ahead" in states.refused) == (seconds == 61.0)
    for tick in range(4):
        sawyer.clock.sleep(0.01)
        send(_arm_at(61.04 + tick / 100))
    assert states.refused == ""


def test_while_two_nodes_send_a_topic_none_of_its_messages_is_used(sawyer, joint_states):
    states, send = joint_states
    send(_arm_at(1.0))
    for tick in range(60):
        sawyer.clock.sleep(0.005)
        send(_arm_at(1.005 + tick / 200, tick / 100, sender=("/other", "/robot")[tick % 2]))
    assert states.newest.positions.tolist() == [0.1] * 7
    assert states.refused == "two nodes send it: /other and /robot"
    for tick in range(2):
        sawyer.clock.sleep(0.3)
        send(_arm_at(1.6 + tick * 0.3, 0.3))
    assert states.newest.positions.tolist() == [0.3] * 7


@pytest.mark.parametrize("rate_hz", [10, 25, 100])
def test_speeds_from_angles_do_not_depend_on_when_messages_arrive(sawyer, joint_states, rate_hz):
    states, send = joint_states
    for tick in range(10):
        sawyer.clock.sleep(0.001 if tick % 2 else 2 / rate_hz - 0.001)
        send(_arm_at(5.0 + tick / rate_hz, 0.4 * tick / rate_hz, velocities=[]))
    assert states.newest.velocities == pytest.approx([0.4] * 7)
