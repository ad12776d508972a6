"""The connection checks every part before the driver is made; each missing part has its own error and time limit."""

import math
import sys
import threading
from dataclasses import replace
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from tabletop_interaction.errors import (
    GripperNotReady,
    MasterUnreachable,
    NoAnswer,
    PreflightFailed,
    RobotFault,
    RobotInUse,
    RobotUnavailable,
)
from tabletop_interaction.real import open_sawyer
from tabletop_interaction.real.arm import claim, intera_connection
from tabletop_interaction.real.arm.claim import COMMAND_TOPIC, locked_arm
from tabletop_interaction.real.arm.driver import COLLISION_TOPIC, FORCE_TOPIC, JOINT_STATES_TOPIC, ROBOT_TOPIC
from tabletop_interaction.real.arm.gripper_signals import END_EFFECTOR_TOPIC
from tabletop_interaction.real.arm.intera_connection import connect, import_intera, open_intera_driver
from tabletop_interaction.real.arm.intera_driver import Switches
from tabletop_interaction.real.arm.motion import MotionOutcome, cause_to_stop
from tabletop_interaction.real.arm.settings import FULL_OPENING_M, SawyerSettings
from tabletop_interaction.sawyer.model import ARM_JOINT_NAMES


def _connect(twin, **intera):
    modules = replace(
        twin.modules, intera_interface=SimpleNamespace(**{**vars(twin.modules.intera_interface), **intera})
    )
    return connect(modules, twin.clock, SawyerSettings(), "robot")


def _raising(error):
    def fail(*args, **kwargs):
        raise error

    return fail


def test_the_robots_own_speed_limit_is_a_little_above_the_streamed_speed(twin):
    _connect(twin).close()
    assert twin.robot.speed_ratio == pytest.approx(1.2 * SawyerSettings().motion.speed_ratio)


@pytest.mark.parametrize(
    ("intera", "message"),
    [
        ({"RobotEnable": _raising(TimeoutError("no state"))}, "does not report its state .*no state"),
        ({"Limb": _raising(OSError("no joint_states"))}, "the arm of robot does not answer"),
    ],
)
def test_a_missing_part_is_an_error(twin, intera, message):
    with pytest.raises(RobotUnavailable, match=message) as caught:
        _connect(twin, **intera)
    assert not caught.value.recoverable


def test_a_missing_gripper_is_an_error(twin):
    twin.robot.faults.silent.add(END_EFFECTOR_TOPIC)
    with pytest.raises(RobotUnavailable, match=r"robot has no gripper .*timeout exceeded"):
        _connect(twin)


def test_missing_services_of_the_arm_are_an_error(twin):
    with pytest.raises(RobotUnavailable, match="does not answer"):
        _connect(twin, Limb=_raising(twin.modules.rospy.ROSException("timeout exceeded")))


@pytest.mark.parametrize("names", [None, [], ["left_s0"], list(reversed(ARM_JOINT_NAMES))])
def test_missing_or_other_parameters_are_refused_before_anything_is_opened(twin, names, monkeypatch):
    monkeypatch.setitem(twin.modules.rospy.parameters, "robot_config/right_config/joint_names", names)
    with pytest.raises(RobotUnavailable, match="joint_names"):
        _connect(twin, RobotEnable=_raising(AssertionError("made too early")))


@pytest.mark.parametrize("state", [{"enabled": False}, {"stopped": True}, {"error": True}])
def test_a_robot_that_is_not_ready_is_refused_and_not_enabled(twin, state):
    vars(twin.robot.state).update(state)
    with pytest.raises(RobotFault, match="is not ready") as caught:
        _connect(twin)
    assert not caught.value.recoverable
    assert vars(twin.robot.state).items() >= state.items()


@pytest.fixture
def fingers(twin, monkeypatch):
    """Every opening that the twin's fingers are commanded."""
    commanded = []
    monkeypatch.setattr(twin.robot, "move_fingers", commanded.append)
    return commanded


@pytest.mark.parametrize("fault", ["gripper_error", "gripper_uncalibrated"])
def test_connecting_leaves_a_gripper_that_is_not_ready_as_it_is(twin, fingers, fault):
    setattr(twin.robot.faults, fault, True)
    with pytest.raises(GripperNotReady, match=r"it was left as it is; calibrating opens the fingers"):
        twin.connect(SawyerSettings(), lambda error: False)
    assert fingers == []
    assert getattr(twin.robot.faults, fault)


@pytest.mark.parametrize("fault", ["gripper_error", "gripper_uncalibrated"])
def test_a_gripper_is_calibrated_once_the_operator_agrees(twin, fingers, fault):
    setattr(twin.robot.faults, fault, True)
    asked = []
    driver = twin.connect(SawyerSettings(), lambda error: not asked.append(str(error)))
    assert len(asked) == 1
    assert fingers == [FULL_OPENING_M]
    assert not driver.gripper().error
    driver.close()


def test_a_connected_driver_has_what_the_checks_found(twin):
    driver = _connect(twin)
    assert [each.name for each in driver.findings] == [
        ROBOT_TOPIC,
        JOINT_STATES_TOPIC,
        FORCE_TOPIC,
        COLLISION_TOPIC,
        *("clocks", "commanders", "tip", "head", "gripper"),
    ]
    assert all(each.ok for each in driver.findings)
    driver.close()


def test_every_failed_check_is_in_one_error_and_nothing_stays_subscribed(twin, monkeypatch):
    lower, subscribed = twin.robot.tip_position() - [0, 0, 0.01], len(twin.modules.rospy._subscribed)
    monkeypatch.setattr(twin.robot, "tip_position", lambda: lower)
    twin.robot.faults.head_turn = 0.4
    with pytest.raises(PreflightFailed, match=r"^tip: .*; head: .*; 2 of 9 checks of robot") as caught:
        _connect(twin)
    assert [each.name for each in caught.value.findings if not each.ok] == ["tip", "head"]
    assert len(twin.modules.rospy._subscribed) == subscribed


def test_a_topic_that_falls_silent_while_connecting_is_refused(twin):
    twin.robot.at(0.1, lambda: twin.robot.faults.silent.add(FORCE_TOPIC))
    with pytest.raises(PreflightFailed, match=rf"^{FORCE_TOPIC}: .*rostopic hz {FORCE_TOPIC}.*; 1 of 9 "):
        _connect(twin)


def test_a_program_that_commands_the_arm_while_connecting_is_refused(twin):
    send = SimpleNamespace(_connection_header={"callerid": "/teleop"})
    twin.robot.at(0.3, lambda: twin.modules.rospy.send(COMMAND_TOPIC, send))
    with pytest.raises(PreflightFailed, match="commanders: /teleop commands the arm, too"):
        _connect(twin)


def test_a_foreign_command_and_a_turned_head_stop_a_connected_arm(twin):
    driver = _connect(twin)
    twin.modules.rospy.send(COMMAND_TOPIC, SimpleNamespace(_connection_header={"callerid": "/teleop"}))
    cause = cause_to_stop(driver.state(), twin.clock.now(), SawyerSettings().safety)
    assert (cause.outcome, cause.said) == (MotionOutcome.FOREIGN, "another program commands the arm: /teleop")
    twin.robot.faults.head_turn = -0.2
    twin.clock.sleep(0.6)
    cause = cause_to_stop(driver.state(), twin.clock.now(), SawyerSettings().safety)
    assert cause.outcome is MotionOutcome.HEAD
    assert "turned by -0.20 rad" in cause.said
    driver.close()


def test_a_connection_that_hangs_ends_and_frees_the_arm_when_it_answers(twin, monkeypatch, tmp_path):
    released, freed = threading.Event(), threading.Event()

    def hang(*arguments, **options):
        released.wait(30)
        driver = _connect(twin)
        driver.released.callback(freed.set)
        return driver

    monkeypatch.setattr(intera_connection, "check_master", lambda: "http://localhost:11311")
    monkeypatch.setattr(intera_connection, "import_intera", lambda: twin.modules)
    monkeypatch.setattr(intera_connection, "connect", hang)
    monkeypatch.setattr(intera_connection, "CONNECT_S", 0.1)
    monkeypatch.setattr(claim, "lock_path", lambda uri: tmp_path / "arm.lock")
    with pytest.raises(NoAnswer, match=r"the robot did not answer within 0\.1 s"):
        open_intera_driver(SawyerSettings())
    with pytest.raises(RobotInUse):
        open_intera_driver(SawyerSettings())
    released.set()
    assert freed.wait(30)
    with locked_arm("http://localhost:11311"):
        pass


def test_after_a_restart_of_the_robot_enabling_and_acknowledging_say_what_to_do(twin):
    driver = _connect(twin)
    driver._check_known = _raising(RobotFault("the robot was restarted"))
    for call in (driver.enable, driver.check_connection):
        with pytest.raises(RobotFault, match="restarted"):
            call()
    driver._check_known = _raising(MasterUnreachable("no master"))
    driver.enable()
    driver.close()


def test_a_robot_that_is_not_enabled_in_time_gets_no_switch_later(twin, monkeypatch):
    driver, sent = _connect(twin), []
    monkeypatch.setattr(driver, "_switches", Switches(*[SimpleNamespace(publish=lambda *on: sent.append(on))] * 2))
    twin.robot.halt()
    start = twin.clock.now()
    with pytest.raises(RobotFault, match=r"cannot be enabled .*stopped True"):
        driver.enable()
    assert twin.clock.now() - start < 6
    count = len(sent)
    twin.clock.sleep(1.0)
    assert 100 < count == len(sent)
    driver.close()


def test_missing_joint_states_are_an_error_within_the_time_limit(twin):
    twin.robot.faults.silent.add(JOINT_STATES_TOPIC)
    start = twin.clock.now()
    with pytest.raises(RobotUnavailable, match=f"sent nothing usable on {JOINT_STATES_TOPIC}"):
        _connect(twin)
    assert twin.clock.now() - start < 6


def test_fingers_that_differ_from_the_model_are_refused(twin, monkeypatch):
    lower = twin.robot.tip_position() - [0, 0, 0.01]
    monkeypatch.setattr(twin.robot, "tip_position", lambda: lower)
    with pytest.raises(RobotUnavailable, match="more than 5 mm apart"):
        _connect(twin)


@pytest.mark.parametrize("head", [-0.4, 0.4, math.nan])
def test_a_turned_head_is_refused(twin, head):
    twin.robot.faults.head_turn = head
    with pytest.raises(RobotUnavailable, match="head: the head is turned"):
        _connect(twin)


def test_without_rethinks_sdk_the_error_names_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "rospy", None)
    with pytest.raises(RobotUnavailable, match=r"intera_sdk.*system-site-packages"):
        import_intera()


def test_without_a_master_nothing_stays_open(quick_lab, monkeypatch):
    monkeypatch.setenv("ROS_MASTER_URI", "http://localhost:1")
    closed = []
    cameras = SimpleNamespace(close=lambda: closed.append(True))
    monkeypatch.setattr("tabletop_interaction.real.opening.open_camera_array", lambda *args: cameras)
    with pytest.raises(MasterUnreachable, match="http://localhost:1"):
        open_sawyer("train", replace(quick_lab, driver="intera"))
    assert closed == [True]


def test_the_sdk_is_imported_although_cv_bridge_does_not_load(twin, quick_lab, monkeypatch, tmp_path):
    (tmp_path / "cv_bridge.py").write_text("raise ImportError('numpy.core.multiarray failed to import')\n")
    (tmp_path / "intera_interface.py").write_text("import cv_bridge\nfrom intera_of_this_test import *\n")
    monkeypatch.syspath_prepend(tmp_path)
    intera, messages = ModuleType("intera_of_this_test"), ModuleType("sensor_msgs.msg")
    vars(intera).update(vars(twin.modules.intera_interface))
    messages.JointState = twin.modules.joint_state
    for name, module in {
        "rospy": twin.modules.rospy,
        "intera_of_this_test": intera,
        "sensor_msgs": ModuleType("sensor_msgs"),
        "sensor_msgs.msg": messages,
        "intera_core_msgs": ModuleType("intera_core_msgs"),
        "intera_core_msgs.msg": twin.modules.messages,
        "intera_io": twin.modules.intera_io,
        "std_msgs": ModuleType("std_msgs"),
        "std_msgs.msg": twin.modules.std_messages,
    }.items():
        monkeypatch.setitem(sys.modules, name, module)
    modules = import_intera()
    assert "cv_bridge" not in sys.modules
    del sys.modules["intera_interface"]
    driver = connect(modules, twin.clock, SawyerSettings(), "robot")
    assert np.isfinite(driver.state().positions).all()
    driver.close()
