"""The Sawyer through Rethink's `intera_interface`, on ROS 1.

`connect` checks master, parameters and robot in turn, each with a time limit and an error of its own, and only then
makes an `InteraDriver`. It never ends the process, never waits without end, and never enables the robot.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabletop_interaction.errors import RobotFault, RobotUnavailable
from tabletop_interaction.real.arm.clock import Clock, MonotonicClock
from tabletop_interaction.real.arm.driver import ArmState, GripperState
from tabletop_interaction.real.arm.intera_modules import InteraModules, import_intera
from tabletop_interaction.real.arm.joint_states import TOPIC, Joints, JointStates
from tabletop_interaction.real.arm.settings import SawyerSettings
from tabletop_interaction.real.ros.master import check_master
from tabletop_interaction.real.ros.node import start_node
from tabletop_interaction.sawyer.kinematics import GRIPPER_TIP, JOINT_NAMES, forward

FloatArray = NDArray[np.float64]

COMMAND_TIMEOUT_S = 0.2
"""When no command came for that long, the robot holds its position by itself."""

_HEADROOM = 1.2
"""The robot's own speed limit over ours: with none to spare it would fall behind what is streamed."""

_FIRST_STATE_S = 5.0
_TIP_TOLERANCE_M = 0.005
_MOST_HEAD_TURN = 0.1
_PARAMETER = "robot_config/right_config/joint_names"
_HINT = "nothing was moved; see that the robot is switched on, and that ROS_IP or ROS_HOSTNAME is set for this machine"


class InteraDriver:
    """A connected Sawyer, see `SawyerDriver`; made by `connect`.

    Args:
        robot: `intera_interface.RobotEnable`.
        limb: `intera_interface.Limb`.
        gripper: `intera_interface.Gripper`.
        joints: the subscription, its first message received.
        clock: the one that stamps the joints.
        max_age_s: older joints are not commanded to be held.
        name: for messages and records.
    """

    def __init__(
        self, robot: Any, limb: Any, gripper: Any, joints: JointStates, clock: Clock, max_age_s: float, name: str
    ) -> None:
        self.name = name
        self._robot = robot
        self._limb = limb
        self._gripper = gripper
        self._joints = joints
        self._clock = clock
        self._max_age_s = max_age_s
        self._open = True
        self._commanded = False

    def state(self) -> ArmState:
        """See `SawyerDriver.state`."""
        joints, robot = self._newest(), self._robot.state()
        force = self._limb.endpoint_effort().get("force")
        return ArmState(
            positions=joints.positions,
            velocities=joints.velocities,
            efforts=joints.efforts,
            tip_force=np.zeros(3) if force is None else np.array([force.x, force.y, force.z], np.float64),
            enabled=bool(robot.enabled),
            stopped=bool(robot.stopped),
            error=bool(robot.error),
            estop_pressed=robot.estop_button == 1,
            collided=bool(self._limb.has_collided()),
            stamp=joints.stamp,
        )

    def command(self, positions: FloatArray) -> None:
        """See `SawyerDriver.command`."""
        self._commanded = True
        self._limb.set_joint_positions(dict(zip(JOINT_NAMES, positions.tolist(), strict=True)))

    def hold(self) -> None:
        """See `SawyerDriver.hold`."""
        joints = self._newest()
        # Old joint angles may lie behind where the arm is now; without commands it stops by itself.
        if self._clock.now() - joints.stamp <= self._max_age_s:
            self.command(joints.positions)

    def gripper(self) -> GripperState:
        """See `SawyerDriver.gripper`; a signal that the gripper does not report counts as an error."""
        opening, force = self._gripper.get_position(), self._gripper.get_force()
        return GripperState(
            opening=math.nan if opening is None else float(opening),
            force=math.nan if force is None else float(force),
            gripping=bool(self._gripper.is_gripping()),
            moving=bool(self._gripper.is_moving()),
            error=opening is None or bool(self._gripper.has_error()),
        )

    def move_fingers(self, opening: float) -> None:
        """See `SawyerDriver.move_fingers`."""
        self._gripper.set_position(opening)

    def enable(self) -> None:
        """See `SawyerDriver.enable`.

        Raises:
            RobotFault: the robot refuses, or does not answer within 5 s.
        """
        try:
            self._robot.enable()
        except OSError as error:
            raise RobotFault(
                f"{self.name} cannot be enabled ({error}); release the stop button and see the robot's screen"
            ) from error

    def stop(self) -> None:
        """See `SawyerDriver.stop`.

        Raises:
            RobotFault: the robot does not answer within 5 s.
        """
        try:
            self._robot.stop()
        except OSError as error:
            raise RobotFault(f"{self.name} does not stop ({error}); press the stop button") from error

    def close(self) -> None:
        """See `SawyerDriver.close`; an arm that was never commanded holds by itself, and is not commanded to."""
        if self._open:
            self._open = False
            if self._commanded:
                self.hold()
            self._joints.close()

    def _newest(self) -> Joints:
        joints = self._joints.newest
        assert joints is not None, "a driver is made after the first message"
        return joints


def open_intera_driver(settings: SawyerSettings) -> InteraDriver:
    """Connect to the robot of ROS_MASTER_URI.

    Raises:
        MasterUnreachable: no ROS master answers.
        RobotUnavailable: the SDK is not installed, or no Sawyer with an electric gripper is there.
        RobotFault: it is not enabled, or stopped.
    """
    uri = check_master()
    return connect(import_intera(), MonotonicClock(), settings, f"Sawyer at {uri}")


def connect(modules: InteraModules, clock: Clock, settings: SawyerSettings, name: str) -> InteraDriver:
    """A driver for the robot behind `modules`; the master is known to answer.

    Raises:
        RobotUnavailable: no Sawyer with an electric gripper is there, or it is built otherwise than our model of it.
        RobotFault: it is not enabled, or stopped.
    """
    rospy, intera = modules.rospy, modules.intera_interface
    start_node(rospy, "tabletop_sawyer")
    _check_parameters(rospy, name)
    robot = _made(rospy, f"{name} does not tell its state", lambda: intera.RobotEnable(versioned=False))
    _check_enabled(robot.state(), name)
    limb = _made(rospy, f"the arm of {name} does not answer", lambda: intera.Limb("right"))
    gripper = _made(rospy, f"{name} has no gripper", intera.get_current_gripper_interface)
    _check_gripper(gripper, name)
    joints = _subscribe(modules, clock, name)
    try:
        _check_tip(limb, joints, name)
        _check_head(joints, name)
    except RobotUnavailable:
        joints.close()
        raise
    limb.set_joint_position_speed(min(1.0, _HEADROOM * settings.motion.speed_ratio))
    limb.set_command_timeout(COMMAND_TIMEOUT_S)
    gripper.set_cmd_velocity(settings.gripper.speed_m_s)
    return InteraDriver(robot, limb, gripper, joints, clock, settings.safety.max_state_age_s, name)


def _check_parameters(rospy: Any, name: str) -> None:
    # Without them the SDK makes half an arm, which fails later.
    joints = _made(rospy, f"{name} has no parameters", lambda: rospy.get_param(_PARAMETER, None))
    if joints is None or tuple(joints) != JOINT_NAMES:
        raise RobotUnavailable(
            f"{name} has the joints {joints} in the parameter {_PARAMETER}; expected are {list(JOINT_NAMES)}; {_HINT}"
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
            f"{name} wears a {type(gripper).__name__}; accepted is Rethink's electric parallel gripper; {_HINT}"
        )
    if gripper.has_error() or not gripper.is_calibrated():
        raise RobotUnavailable(
            f"the gripper of {name} is not ready (error {gripper.has_error()}, calibrated {gripper.is_calibrated()}); "
            "take out what it holds and calibrate it: `rosrun intera_examples gripper_keyboard.py`"
        )


def _subscribe(modules: InteraModules, clock: Clock, name: str) -> JointStates:
    joints = JointStates(modules.rospy, modules.joint_state, clock)
    deadline = clock.now() + _FIRST_STATE_S
    while joints.newest is None:
        if clock.now() > deadline:
            joints.close()
            raise RobotUnavailable(f"{name} sent nothing on {TOPIC} within {_FIRST_STATE_S:.0f} s; {_HINT}")
        clock.sleep(0.02)
    return joints


def _check_tip(limb: Any, joints: JointStates, name: str) -> None:
    """Other fingers or another mount than in our model would put every height wrong."""
    tip, newest = limb.tip_state(GRIPPER_TIP), joints.newest
    assert newest is not None
    if tip is None:
        raise RobotUnavailable(f"{name} knows no {GRIPPER_TIP}; configure its gripper in Intera Studio; {_HINT}")
    told = np.array([tip.pose.position.x, tip.pose.position.y, tip.pose.position.z])
    ours = forward(newest.positions)[:3, 3]
    if not float(np.linalg.norm(told - ours)) < _TIP_TOLERANCE_M:
        raise RobotUnavailable(
            f"{name} has its {GRIPPER_TIP} at {told.round(4).tolist()} m, our model at {ours.round(4).tolist()} m: "
            f"more than {1000 * _TIP_TOLERANCE_M:.0f} mm apart; use the standard narrow fingers in slot 2; nothing "
            "was moved"
        )


def _check_head(joints: JointStates, name: str) -> None:
    """The arm is kept off a head that faces ahead (`self_collision`); the edge of one turned more stands out 14 mm."""
    newest = joints.newest
    assert newest is not None
    if newest.head is not None and not abs(newest.head) <= _MOST_HEAD_TURN:
        raise RobotUnavailable(
            f"the head of {name} is turned by {newest.head:.2f} rad, where the arm may hit it; accepted is up to "
            f"{_MOST_HEAD_TURN} rad; nothing was moved; turn it ahead: `intera_interface.Head().set_pan(0.0)`"
        )


def _made(rospy: Any, failure: str, make: Any) -> Any:
    """What `make` returns; the SDK reports a missing robot by these errors."""
    try:
        return make()
    except (OSError, KeyError, AttributeError, rospy.ROSException) as error:
        raise RobotUnavailable(f"{failure} ({type(error).__name__}: {error}); {_HINT}") from error
