"""The Sawyer through Rethink's `intera_interface`, on ROS 1: the driver and the joint states it reads.

`intera_connection.connect` makes the driver after it has checked master, parameters and robot.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from tabletop_interaction.arrays import Floats
from tabletop_interaction.errors import RobotFault
from tabletop_interaction.real.arm.clock import Clock
from tabletop_interaction.real.arm.driver import ArmState, GripperState
from tabletop_interaction.real.ros.node import unsubscribe
from tabletop_interaction.sawyer.model import ARM_JOINT_NAMES

JOINT_STATES_TOPIC = "/robot/joint_states"

_HEAD = "head_pan"


@dataclass(frozen=True, eq=False)
class ArmJoints:
    """The joints of the arm in one message.

    Angles (7,) in radians, speeds (7,) in rad/s, the time of arrival in seconds of our clock, and the pan angle of the
    head in radians, 0 ahead; None if the message does not contain it.
    """

    positions: Floats
    velocities: Floats
    stamp: float
    head: float | None = None


class JointStates:
    """Keeps the newest joints of the arm with their age, which `intera_interface` does not report.

    The robot's clock may differ from ours, so the age counts from the arrival of the message. A message with the same
    time as the one before is a repetition and does not renew the joints. Messages without the arm's joints (head,
    torso) are ignored. The node of `rospy` has started; `message_type` is `sensor_msgs.msg.JointState`.
    """

    def __init__(self, rospy: Any, message_type: Any, clock: Clock) -> None:
        self._clock = clock
        self._newest: ArmJoints | None = None
        self._robot_time: float | None = None
        self._subscriber = rospy.Subscriber(
            JOINT_STATES_TOPIC, message_type, self._receive, queue_size=1, tcp_nodelay=True
        )

    @property
    def newest(self) -> ArmJoints | None:
        """The newest joints; None before the first message."""
        return self._newest

    def close(self) -> None:
        """Unsubscribe."""
        unsubscribe(self._subscriber)

    def _receive(self, message: Any) -> None:
        robot_time = float(message.header.stamp.to_sec())
        if robot_time == self._robot_time or not set(ARM_JOINT_NAMES) <= set(message.name):
            return
        names = list(message.name)
        columns = [names.index(name) for name in ARM_JOINT_NAMES]
        self._robot_time = robot_time
        # One assignment: the reader runs in another thread.
        self._newest = ArmJoints(
            positions=np.array(message.position, np.float64)[columns],
            velocities=np.array(message.velocity, np.float64)[columns],
            stamp=self._clock.now(),
            head=float(message.position[names.index(_HEAD)]) if _HEAD in names else None,
        )


class InteraDriver:
    """A connected Sawyer, see `SawyerDriver`.

    `robot`, `limb` and `gripper` are `RobotEnable`, `Limb` and `Gripper` of `intera_interface`. The first message of
    `joints` has arrived, stamped by `clock`; `hold` does not command joints older than `max_age_s`.
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
            tip_force=np.zeros(3) if force is None else np.array([force.x, force.y, force.z], np.float64),
            enabled=bool(robot.enabled),
            stopped=bool(robot.stopped),
            error=bool(robot.error),
            estop_pressed=robot.estop_button == 1,
            collided=bool(self._limb.has_collided()),
            stamp=joints.stamp,
        )

    def command(self, positions: Floats) -> None:
        """See `SawyerDriver.command`."""
        self._commanded = True
        self._limb.set_joint_positions(dict(zip(ARM_JOINT_NAMES, positions.tolist(), strict=True)))

    def hold(self) -> None:
        """See `SawyerDriver.hold`."""
        joints = self._newest()
        # The arm may have moved on from old joint angles; without commands it stops by itself.
        if self._clock.now() - joints.stamp <= self._max_age_s:
            self.command(joints.positions)

    def gripper(self) -> GripperState:
        """See `SawyerDriver.gripper`; a missing signal of the gripper counts as an error."""
        opening, force = self._gripper.get_position(), self._gripper.get_force()
        return GripperState(
            opening=math.nan if opening is None else float(opening),
            force=math.nan if force is None else float(force),
            gripping=bool(self._gripper.is_gripping()),
            error=opening is None or bool(self._gripper.has_error()),
        )

    def move_fingers(self, opening: float) -> None:
        """See `SawyerDriver.move_fingers`."""
        self._gripper.set_position(opening)

    def enable(self) -> None:
        """See `SawyerDriver.enable`; the SDK waits up to 5 s for an answer."""
        try:
            self._robot.enable()
        except OSError as error:
            raise RobotFault(
                f"{self.name} cannot be enabled ({error}); release the stop button and read the robot's screen"
            ) from error

    def close(self) -> None:
        """See `SawyerDriver.close`; an arm without commands holds by itself and gets none here."""
        if self._open:
            self._open = False
            if self._commanded:
                self.hold()
            self._joints.close()

    def _newest(self) -> ArmJoints:
        joints = self._joints.newest
        assert joints is not None, "a driver is made after the first message"
        return joints
