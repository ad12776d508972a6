"""Joint states, parameters and switches of the twin's node over a real master, with a stand-in for Rethink's SDK."""

import time

import numpy as np
import pytest

from tabletop_interaction.errors import RobotUnavailable
from tabletop_interaction.real.arm.clock import MonotonicClock
from tabletop_interaction.real.arm.intera_connection import InteraModules, connect
from tabletop_interaction.real.arm.moves import Moves
from tabletop_interaction.real.arm.settings import SawyerSettings
from tabletop_interaction.real.arm.topics import JointStates
from tabletop_interaction.real.checks.diagnosis import judge_arm
from tabletop_interaction.real.ros.node import start_node
from tabletop_interaction.real.twin import open_twin
from tabletop_interaction.real.twin.stand_ins import MESSAGES, intera_stand_in, io_stand_in

rospy = pytest.importorskip("rospy", reason="needs Debian's ROS 1, see `make test-ros`")

SETTINGS = SawyerSettings()
JOINT_NAMES_PARAMETER = "/robot_config/right_config/joint_names"


@pytest.fixture(scope="module", autouse=True)
def node(twin_node):
    start_node(rospy, "tabletop_tests")


@pytest.fixture(scope="module")
def robot(ros_lab):
    """The robot behind the SDK's stand-in, at rest in the posture of the node's."""
    twin = open_twin("train", ros_lab.views)
    yield twin.robot
    twin.close()


@pytest.fixture
def modules(robot, other_topics):
    import std_msgs.msg
    from sensor_msgs.msg import JointState

    return InteraModules(rospy, intera_stand_in(robot), JointState, MESSAGES, io_stand_in(robot), std_msgs.msg)


def _connected(modules):
    return connect(modules, MonotonicClock(), SETTINGS, "the node's robot")


def test_joints_arrive_by_name_and_are_recent(modules):
    joints = JointStates(rospy, modules.joint_state, MonotonicClock(), SETTINGS.safety.max_state_age_s)
    deadline = time.monotonic() + 20
    while joints.newest is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    ages = []
    for _ in range(25):
        time.sleep(0.02)
        ages.append(time.monotonic() - joints.newest.stamp)
    joints.close()
    assert np.allclose(joints.newest.positions, SETTINGS.motion.away, atol=0.01)
    # The median, because a busy machine may suspend either process for a while.
    assert np.median(ages) < SETTINGS.safety.max_state_age_s


def test_the_driver_notices_joint_states_that_stop_arriving(modules, robot, ros_lab, twin_node, monkeypatch):
    driver = _connected(modules)
    moves = Moves(ros_lab.base_from_arena, SETTINGS.motion, SETTINGS.safety)
    commands = []
    monkeypatch.setattr(robot, "command", commands.append)
    with twin_node.frozen():
        time.sleep(2 * SETTINGS.safety.max_state_age_s)
        finding = judge_arm(driver.state(), time.monotonic(), SETTINGS.safety, moves)
        driver.hold()
    driver.close()
    assert not finding.ok
    assert "joint states stopped arriving (/robot/joint_states is" in finding.said
    assert commands == []


def test_a_robot_without_joint_states_is_an_error_within_the_time_limit(modules, twin_node):
    with twin_node.frozen():
        start = time.monotonic()
        with pytest.raises(RobotUnavailable, match="sent nothing usable on /robot/joint_states within 5 s"):
            _connected(modules)
        assert time.monotonic() - start < 8


def test_a_master_without_the_robots_parameters_is_refused_before_anything_is_opened(modules):
    names = rospy.get_param(JOINT_NAMES_PARAMETER)
    rospy.delete_param(JOINT_NAMES_PARAMETER)
    try:
        with pytest.raises(RobotUnavailable, match="has the joints None in the parameter robot_config/right_config"):
            _connected(modules)
    finally:
        rospy.set_param(JOINT_NAMES_PARAMETER, names)


def _publisher(topic, message_type):
    publisher = rospy.Publisher(topic, message_type, queue_size=1)
    deadline = time.monotonic() + 20
    while not publisher.get_num_connections():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return publisher


def test_the_switches_reach_the_node(twin_node):
    from std_msgs.msg import Bool, Empty

    stop, reset = (_publisher(f"/robot/set_super_{name}", Empty) for name in ("stop", "reset"))
    enable = _publisher("/robot/set_super_enable", Bool)
    for publisher, message, said in (
        (stop, Empty(), "stopped"),
        (enable, Bool(True), "stays disabled"),
        (reset, Empty(), "reset"),
        (enable, Bool(True), "enabled"),
    ):
        publisher.publish(message)
        twin_node.program.says(said)
