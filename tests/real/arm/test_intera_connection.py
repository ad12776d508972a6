"""The connection checks every part before the driver is made; each missing part has its own error and time limit."""

import math
import sys
from dataclasses import replace
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from tabletop_interaction.errors import MasterUnreachable, RobotFault, RobotUnavailable
from tabletop_interaction.real import open_sawyer
from tabletop_interaction.real.arm.driver import JOINT_STATES_TOPIC
from tabletop_interaction.real.arm.intera_connection import connect, import_intera
from tabletop_interaction.real.arm.settings import SawyerSettings
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
        ({"get_current_gripper_interface": _raising(OSError("No gripper attached"))}, "robot has no gripper"),
        ({"get_current_gripper_interface": lambda: object()}, "has a object"),
    ],
)
def test_a_missing_part_is_an_error(twin, intera, message):
    with pytest.raises(RobotUnavailable, match=message) as caught:
        _connect(twin, **intera)
    assert not caught.value.recoverable


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


def test_a_gripper_in_error_is_refused(twin):
    twin.robot.faults.gripper_error = True
    with pytest.raises(RobotUnavailable, match="the gripper of robot is not ready"):
        _connect(twin)


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
    with pytest.raises(RobotUnavailable, match="the head of robot is turned"):
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
    }.items():
        monkeypatch.setitem(sys.modules, name, module)
    modules = import_intera()
    assert "cv_bridge" not in sys.modules
    del sys.modules["intera_interface"]
    driver = connect(modules, twin.clock, SawyerSettings(), "robot")
    assert np.isfinite(driver.state().positions).all()
    driver.close()
