"""Connect to a Sawyer: import Rethink's SDK, check master, parameters and robot, and make the driver.

Each check has a time limit and its own message. Connecting never ends the process, never waits without a limit, and
never enables the robot. It raises RobotUnavailable if the SDK is not installed, or if no Sawyer with an electric
gripper is found or it differs from our model, and RobotFault if the robot is not enabled or stopped.
"""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from tabletop_interaction.errors import RobotFault, RobotUnavailable
from tabletop_interaction.real.arm.clock import Clock, MonotonicClock
from tabletop_interaction.real.arm.intera_driver import InteraDriver
from tabletop_interaction.real.arm.settings import SawyerSettings
from tabletop_interaction.real.arm.topics import ArmJoints, RobotTopics
from tabletop_interaction.real.ros.master import check_master
from tabletop_interaction.real.ros.node import start_node
from tabletop_interaction.sawyer.kinematics import GRIPPER_TIP, forward
from tabletop_interaction.sawyer.model import ARM_JOINT_NAMES

_HEADROOM = 1.2
"""The robot's own speed limit over ours: with equal limits it would lag behind the streamed commands."""

_FIRST_STATE_S = 5.0
_TIP_TOLERANCE_M = 0.005
_MAX_HEAD_TURN = 0.1
_PARAMETER = "robot_config/right_config/joint_names"
_HINT = (
    "nothing was moved; check that the robot is switched on, and that ROS_IP or ROS_HOSTNAME is set for this machine"
)
_BRIDGE = "cv_bridge"


@dataclass(frozen=True)
class InteraModules:
    """The modules `rospy`, `intera_interface` and `intera_core_msgs.msg`, and `sensor_msgs.msg.JointState`."""

    rospy: Any
    intera_interface: Any
    joint_state: Any
    messages: Any


def import_intera() -> InteraModules:
    """Import ROS and Rethink's SDK, which come from the laboratory's ROS workspace."""
    try:
        with _without_cv_bridge():
            return InteraModules(
                rospy=importlib.import_module("rospy"),
                intera_interface=importlib.import_module("intera_interface"),
                joint_state=importlib.import_module("sensor_msgs.msg").JointState,
                messages=importlib.import_module("intera_core_msgs.msg"),
            )
    except ImportError as error:
        raise RobotUnavailable(
            f"Rethink's SDK cannot be imported ({error}); nothing was opened; source the ROS workspace with "
            "intera_sdk, and use a virtual environment made with /usr/bin/python3 -m venv --system-site-packages; "
            "without a robot, set `driver: twin` in the lab file"
        ) from error


@contextmanager
def _without_cv_bridge() -> Iterator[None]:
    """Replace cv_bridge by an empty module: intera_interface imports it for the head's screen only, and the version of
    Debian and Ubuntu does not load with numpy 2."""
    replaced = _BRIDGE not in sys.modules
    if replaced:
        sys.modules[_BRIDGE] = ModuleType(_BRIDGE)
    try:
        yield
    finally:
        if replaced:
            del sys.modules[_BRIDGE]


def open_intera_driver(settings: SawyerSettings) -> InteraDriver:
    """Connect to the robot at ROS_MASTER_URI; raises MasterUnreachable if no ROS master answers."""
    uri = check_master()
    return connect(import_intera(), MonotonicClock(), settings, f"Sawyer at {uri}")


def connect(modules: InteraModules, clock: Clock, settings: SawyerSettings, name: str) -> InteraDriver:
    """Make a driver for the robot behind `modules`; the master is known to answer."""
    rospy, intera = modules.rospy, modules.intera_interface
    start_node(rospy, "tabletop_sawyer")
    _check_parameters(rospy, name)
    robot = _made(rospy, f"{name} does not report its state", lambda: intera.RobotEnable(versioned=False))
    _check_enabled(robot.state(), name)
    limb = _made(rospy, f"the arm of {name} does not answer", lambda: intera.Limb("right"))
    gripper = _made(rospy, f"{name} has no gripper", intera.get_current_gripper_interface)
    _check_gripper(gripper, name)
    topics = _subscribe(modules, clock, name)
    try:
        first, _ = topics.joints.kept
        _check_tip(limb, first, name)
        _check_head(first, name)
    except RobotUnavailable:
        topics.close()
        raise
    limb.set_joint_position_speed(min(1.0, _HEADROOM * settings.motion.speed_ratio))
    limb.set_command_timeout(settings.safety.command_timeout_s)
    gripper.set_cmd_velocity(settings.gripper.speed_m_s)
    return InteraDriver(robot, limb, gripper, topics, clock, settings.safety.max_state_age_s, name)


def _check_parameters(rospy: Any, name: str) -> None:
    # Without them the SDK returns an incomplete arm, which fails later.
    joints = _made(rospy, f"{name} has no parameters", lambda: rospy.get_param(_PARAMETER, None))
    if joints is None or tuple(joints) != ARM_JOINT_NAMES:
        raise RobotUnavailable(
            f"{name} has the joints {joints} in the parameter {_PARAMETER}; accepted are {list(ARM_JOINT_NAMES)}; "
            f"{_HINT}"
        )


def _check_enabled(state: Any, name: str) -> None:
    if state.enabled and not (state.stopped or state.error):
        return
    raise RobotFault(
        f"{name} is not ready (enabled {state.enabled}, stopped {state.stopped}, error {state.error}, stop button "
        f"{state.estop_button}); nothing was moved; release the stop button and run `rosrun intera_interface "
        "enable_robot.py -e`"
    )


def _check_gripper(gripper: Any, name: str) -> None:
    if not hasattr(gripper, "set_position"):
        raise RobotUnavailable(
            f"{name} has a {type(gripper).__name__}; accepted is Rethink's electric parallel gripper; {_HINT}"
        )
    if gripper.has_error() or not gripper.is_calibrated():
        raise RobotUnavailable(
            f"the gripper of {name} is not ready (error {gripper.has_error()}, calibrated {gripper.is_calibrated()}); "
            "remove what it holds and calibrate it: `rosrun intera_examples gripper_keyboard.py`"
        )


def _subscribe(modules: InteraModules, clock: Clock, name: str) -> RobotTopics:
    topics = RobotTopics(modules.rospy, modules.joint_state, modules.messages, clock)
    deadline = clock.now() + _FIRST_STATE_S
    while missing := topics.missing():
        if clock.now() > deadline:
            topics.close()
            raise RobotUnavailable(
                f"{name} sent nothing usable on {', '.join(missing)} within {_FIRST_STATE_S:.0f} s; {_HINT}"
            )
        clock.sleep(0.02)
    return topics


def _check_tip(limb: Any, joints: ArmJoints, name: str) -> None:
    """Fingers or a mount that differ from our model would make every height wrong."""
    tip = limb.tip_state(GRIPPER_TIP)
    if tip is None:
        raise RobotUnavailable(f"{name} does not know {GRIPPER_TIP}; configure its gripper in Intera Studio; {_HINT}")
    reported = np.array([tip.pose.position.x, tip.pose.position.y, tip.pose.position.z])
    modelled = forward(joints.positions)[:3, 3]
    if not float(np.linalg.norm(reported - modelled)) < _TIP_TOLERANCE_M:
        raise RobotUnavailable(
            f"{name} has its {GRIPPER_TIP} at {reported.round(4).tolist()} m, our model at "
            f"{modelled.round(4).tolist()} m: more than {1000 * _TIP_TOLERANCE_M:.0f} mm apart; use the standard "
            "narrow fingers in slot 2; nothing was moved"
        )


def _check_head(joints: ArmJoints, name: str) -> None:
    """`self_collision` assumes a head that faces ahead; the edge of a head turned further stands out by 14 mm."""
    if joints.head is not None and not abs(joints.head) <= _MAX_HEAD_TURN:
        raise RobotUnavailable(
            f"the head of {name} is turned by {joints.head:.2f} rad, where the arm may hit it; accepted is up to "
            f"{_MAX_HEAD_TURN} rad; nothing was moved; turn it ahead: `intera_interface.Head().set_pan(0.0)`"
        )


def _made(rospy: Any, failure: str, make: Any) -> Any:
    """What `make` returns; the SDK reports a missing robot by the errors listed here."""
    try:
        return make()
    except (OSError, KeyError, AttributeError, rospy.ROSException) as error:
        raise RobotUnavailable(f"{failure} ({type(error).__name__}: {error}); {_HINT}") from error
