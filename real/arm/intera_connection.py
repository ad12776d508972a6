"""Connect to a Sawyer: import Rethink's SDK, check master, parameters and robot, and make the driver.

Connecting never ends the process, never waits without a limit, never enables the robot, and moves no finger before the
operator has agreed. Missing parts have an error each; what can be measured is judged by the checks of `preflight`.
"""

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from tabletop_interaction.errors import GripperNotReady, RobotFault, RobotUnavailable
from tabletop_interaction.real.arm.claim import ForeignCommands, check_alone, check_known, locked_arm
from tabletop_interaction.real.arm.clock import Clock, MonotonicClock
from tabletop_interaction.real.arm.driver import JOINT_STATES_TOPIC
from tabletop_interaction.real.arm.gripper_signals import calibrate as calibrate_gripper
from tabletop_interaction.real.arm.gripper_signals import check_ready, find_gripper
from tabletop_interaction.real.arm.gripping import grips
from tabletop_interaction.real.arm.intera_driver import InteraDriver, Switches
from tabletop_interaction.real.arm.preflight import Measured, judge, require
from tabletop_interaction.real.arm.settings import SafetySettings, SawyerSettings
from tabletop_interaction.real.arm.topics import RobotTopics, age_limits
from tabletop_interaction.real.ros.master import check_master
from tabletop_interaction.real.ros.node import start_node
from tabletop_interaction.real.waiting import within
from tabletop_interaction.sawyer.kinematics import GRIPPER_TIP
from tabletop_interaction.sawyer.model import ARM_JOINT_NAMES

_HEADROOM = 1.2
"""The robot's own speed limit over ours: with equal limits it would lag behind the streamed commands."""

_FIRST_STATE_S = 5.0
_LISTEN_S = 0.5
_LOOK_S = 0.01
_PARAMETER = "robot_config/right_config/joint_names"
_HINT = (
    "nothing was moved; check that the robot is switched on, and that ROS_IP or ROS_HOSTNAME is set for this machine"
)
_BRIDGE = "cv_bridge"


CONNECT_S = 60.0
"""Time allowed to connect: the SDK waits up to 10 s for each of its parts."""

MayCalibrate = Callable[[GripperNotReady], bool]
"""Whether a gripper may be calibrated: its fingers open and drop what they hold."""


def never(error: GripperNotReady) -> bool:
    """Nobody is asked, so a gripper is not calibrated."""
    return False


@dataclass(frozen=True)
class InteraModules:
    """The modules `rospy`, `intera_interface`, `intera_core_msgs.msg`, `intera_io` and `std_msgs.msg`, and the class
    `sensor_msgs.msg.JointState`."""

    rospy: Any
    intera_interface: Any
    joint_state: Any
    messages: Any
    intera_io: Any
    std_messages: Any


def import_intera() -> InteraModules:
    """Import ROS and Rethink's SDK, which come from the laboratory's ROS workspace."""
    try:
        with _without_cv_bridge():
            return InteraModules(
                rospy=importlib.import_module("rospy"),
                intera_interface=importlib.import_module("intera_interface"),
                joint_state=importlib.import_module("sensor_msgs.msg").JointState,
                messages=importlib.import_module("intera_core_msgs.msg"),
                intera_io=importlib.import_module("intera_io"),
                std_messages=importlib.import_module("std_msgs.msg"),
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


def open_intera_driver(settings: SawyerSettings, may_calibrate: MayCalibrate = never) -> InteraDriver:
    """Connect to the robot at ROS_MASTER_URI within a minute, or refuse; nobody else on this machine uses the arm.

    `may_calibrate` asks the operator before the fingers of a gripper that is not ready are opened.

    Raises:
        MasterUnreachable: no ROS master answers.
        RobotInUse: another program commands the arm, or may.
        NoAnswer: the robot or its master stopped answering meanwhile; what was opened is closed when it answers.
        RobotUnavailable, RobotFault: as `connect`.
    """
    uri, modules = check_master(), import_intera()

    def opened(*, calibrate: bool) -> InteraDriver:
        with ExitStack() as held:
            held.enter_context(locked_arm(uri))
            driver = connect(modules, MonotonicClock(), settings, f"Sawyer at {uri}", uri=uri, calibrate=calibrate)
            driver.released.push(held.pop_all())
            return driver

    def connected(*, calibrate: bool) -> InteraDriver:
        return within(CONNECT_S, "the robot", partial(opened, calibrate=calibrate), late=InteraDriver.close)

    return confirmed(connected, may_calibrate)


def confirmed(connected: Callable[..., InteraDriver], may_calibrate: MayCalibrate) -> InteraDriver:
    """What `connected(calibrate=False)` returns; a gripper that is not ready is calibrated if the operator agrees."""
    try:
        return connected(calibrate=False)
    except GripperNotReady as error:
        if not may_calibrate(error):
            raise
    return connected(calibrate=True)


def connect(
    modules: InteraModules,
    clock: Clock,
    settings: SawyerSettings,
    name: str,
    *,
    uri: str | None = None,
    calibrate: bool = False,
) -> InteraDriver:
    """Make a driver for the robot behind `modules`; no finger moves unless `calibrate`, and the arm never does.

    `uri` is the address of the master, which is known to answer; None for a twin without one.

    Raises:
        RobotUnavailable: a part is missing or of another type.
        RobotInUse: another program may command the arm.
        GripperNotReady: the gripper reports an error or is not calibrated; `calibrate` clears that.
        PreflightFailed: other checks before the first move failed.
        RobotFault: the robot is stopped, disabled or reports an error.
    """
    rospy, intera = modules.rospy, modules.intera_interface
    start_node(rospy, "tabletop_sawyer")
    alone: Callable[[], None] = (
        partial(check_alone, uri, rospy.get_name(), settings.safety.robot_nodes) if uri else _twin_is_alone
    )
    alone()
    _check_parameters(rospy, name)
    with ExitStack() as opened:
        robot = _made(rospy, f"{name} does not report its state", lambda: intera.RobotEnable(versioned=False))
        _check_enabled(robot.state(), name)
        switches = _switches(modules)
        limb = _made(rospy, f"the arm of {name} does not answer", lambda: intera.Limb("right"))
        # Of two programs that connect at the same time, each has registered before one of them looks here.
        alone()
        foreign = ForeignCommands(rospy, clock)
        opened.callback(foreign.close)
        gripper = _made(
            rospy, f"{name} has no gripper", lambda: find_gripper(rospy, modules.intera_io, modules.messages, name)
        )
        if calibrate:
            calibrate_gripper(gripper, clock, name)
        check_ready(gripper, name)
        topics = _subscribe(modules, clock, settings.safety, name)
        opened.callback(topics.close)
        known: Callable[[], None] = partial(check_known, uri, rospy.get_name()) if uri else _twin_is_alone
        driver = InteraDriver(rospy, switches, limb, gripper, topics, clock, settings.safety, name, foreign, known)
        driver.findings = judge(
            _measure(modules, clock, settings, limb, driver, topics, foreign),
            age_limits(settings.safety),
            settings.safety.max_clock_difference_s,
        )
        require(driver.findings, name)
        limb.set_joint_position_speed(min(1.0, _HEADROOM * settings.motion.speed_ratio))
        limb.set_command_timeout(settings.safety.command_timeout_s)
        gripper.set_cmd_velocity(settings.gripper.speed_m_s)
        driver.released.push(opened.pop_all())
        return driver


def _twin_is_alone() -> None:
    """A twin has no master, and lives and ends with this process."""


def _switches(modules: InteraModules) -> Switches:
    """Advertise the robot's switches now, while the master answers; rospy registers a topic of one process once."""
    rospy, messages = modules.rospy, modules.std_messages
    return Switches(
        enable=rospy.Publisher("robot/set_super_enable", messages.Bool, queue_size=10),
        reset=rospy.Publisher("robot/set_super_reset", messages.Empty, queue_size=10),
    )


def _measure(
    modules: InteraModules,
    clock: Clock,
    settings: SawyerSettings,
    limb: Any,
    driver: InteraDriver,
    topics: RobotTopics,
    foreign: ForeignCommands,
) -> Measured:
    """Listen to the topics long enough to miss those that fell silent."""
    clock_difference_s = _clock_difference(modules, driver.name)
    start, others = clock.now(), ""
    listen_s = max(_LISTEN_S, 2 * max(age_limits(settings.safety).values()))
    arrivals: dict[str, list[float]] = {each.topic: [] for each in topics.all}
    while clock.now() - start < listen_s:
        clock.sleep(_LOOK_S)
        others = others or foreign.sender
        for each in topics.all:
            arrived = each.kept[1].stamp - start
            if arrived > max(arrivals[each.topic], default=0.0):
                arrivals[each.topic].append(arrived)
    seconds = clock.now() - start
    joints, _ = topics.joints.kept
    tip, gripper = limb.tip_state(GRIPPER_TIP), driver.gripper()
    return Measured(
        seconds=seconds,
        arrivals=arrivals,
        refused={each.topic: each.refused for each in topics.all if each.refused},
        clock_difference_s=clock_difference_s,
        others=others,
        joints=joints.positions,
        tip=None if tip is None else np.array([tip.pose.position.x, tip.pose.position.y, tip.pose.position.z]),
        head=joints.head,
        gripper=gripper,
        holds=grips(gripper, settings.gripper),
    )


def _clock_difference(modules: InteraModules, name: str) -> float:
    """This machine's clock minus the robot's, seconds, from a joint state that has just arrived."""
    rospy = modules.rospy
    message = _made(
        rospy,
        f"{name} stopped sending joint states",
        lambda: rospy.wait_for_message(JOINT_STATES_TOPIC, modules.joint_state, _FIRST_STATE_S),
    )
    return float(rospy.get_time() - message.header.stamp.to_sec())


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


def _subscribe(modules: InteraModules, clock: Clock, safety: SafetySettings, name: str) -> RobotTopics:
    topics = RobotTopics(modules.rospy, modules.joint_state, modules.messages, clock, safety)
    deadline = clock.now() + _FIRST_STATE_S
    while missing := topics.missing():
        if clock.now() > deadline:
            topics.close()
            raise RobotUnavailable(
                f"{name} sent nothing usable on {', '.join(missing)} within {_FIRST_STATE_S:.0f} s; {_HINT}"
            )
        clock.sleep(0.02)
    return topics


def _made(rospy: Any, failure: str, make: Any) -> Any:
    """What `make` returns; the SDK reports a missing robot by the errors listed here."""
    try:
        # What the SDK prints about the network must not mix with what the operator is asked.
        with redirect_stdout(sys.stderr):
            return make()
    except (OSError, KeyError, AttributeError, rospy.ROSException) as error:
        raise RobotUnavailable(f"{failure} ({type(error).__name__}: {error}); {_HINT}") from error
