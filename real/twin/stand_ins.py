"""The parts of `rospy` and `intera_interface` that the driver calls, with their names and behaviour, for the twin."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from tabletop_interaction.real.arm.intera_driver import JOINT_STATES_TOPIC
from tabletop_interaction.real.twin.robot import AssemblyState, TwinRobot
from tabletop_interaction.sawyer.kinematics import GRIPPER_TIP
from tabletop_interaction.sawyer.model import ARM_JOINT_NAMES

PARAMETERS: Mapping[str, Any] = {
    "robot_config/right_config/joint_names": list(ARM_JOINT_NAMES),
    "/robot_config/assembly_names": ["right", "torso", "head"],
    "/manifest/robot_class": "sawyer",
}
"""The parameters that `intera_interface` reads."""

PUBLISHED_JOINTS = ("head_pan", *ARM_JOINT_NAMES)
"""The joints of a message on /robot/joint_states, in the robot's order."""


class ROSException(Exception):
    """As rospy's."""


@dataclass(frozen=True)
class RosStamp:
    """A time of ROS."""

    seconds: float

    def to_sec(self) -> float:
        """Seconds."""
        return self.seconds


@dataclass(frozen=True)
class RosHeader:
    """`std_msgs/Header`."""

    stamp: RosStamp


@dataclass(frozen=True)
class JointState:
    """`sensor_msgs/JointState`."""

    header: RosHeader
    name: list[str]
    position: list[float]
    velocity: list[float]
    effort: list[float]


class TwinSubscriber:
    """A subscription, listed by `TwinRospy` until it is unregistered."""

    def __init__(self, listed: list[TwinSubscriber], topic: str, callback: Callable[[Any], None]) -> None:
        self.topic = topic
        self.callback = callback
        self._listed = listed
        listed.append(self)

    def unregister(self) -> None:
        """Unsubscribe; a second call does nothing."""
        if self in self._listed:
            self._listed.remove(self)


class TwinRospy:
    """`rospy` in one process and without a master: one topic and a few parameters.

    Args:
        robot: whose joints are published.
    """

    ROSException = ROSException

    def __init__(self, robot: TwinRobot) -> None:
        self._robot = robot
        self._subscribers: list[TwinSubscriber] = []
        self.core = SimpleNamespace(is_initialized=lambda: True)
        self.parameters = dict(PARAMETERS)

    def get_param(self, name: str, default: Any = None) -> Any:
        """A parameter, or the default."""
        return self.parameters.get(name, default)

    def Subscriber(self, topic: str, kind: Any, callback: Callable[[Any], None], **options: Any) -> TwinSubscriber:
        """Subscribe to a topic."""
        return TwinSubscriber(self._subscribers, topic, callback)

    def publish_joints(self) -> None:
        """Send the joints to all subscribers, unless the fault `states_stall` is on."""
        if self._robot.faults.states_stall:
            return
        heads = (self._robot.faults.head_turn, 0.0, 0.0)
        columns = [[head, *values.tolist()] for head, values in zip(heads, self._robot.joints(), strict=True)]
        message = JointState(RosHeader(RosStamp(self._robot.time_s)), list(PUBLISHED_JOINTS), *columns)
        for subscriber in self._subscribers:
            if subscriber.topic == JOINT_STATES_TOPIC:
                subscriber.callback(message)


class Xyz(NamedTuple):
    """x, y, z of `geometry_msgs`."""

    x: float
    y: float
    z: float


class TwinRobotEnable:
    """`intera_interface.RobotEnable`: state and switches of the robot."""

    def __init__(self, robot: TwinRobot, versioned: bool = False) -> None:
        self._robot = robot

    def state(self) -> AssemblyState:
        """The newest state."""
        return self._robot.state

    def enable(self) -> None:
        """Clear a stop, then enable the motors; raises OSError while the stop button is down."""
        if self._robot.state.stopped and (refusal := self._robot.clear_stop()):
            raise OSError(errno.EREMOTEIO, refusal)
        self._robot.state.enabled = True


class TwinLimb:
    """`intera_interface.Limb`: the arm."""

    def __init__(self, robot: TwinRobot, limb: str = "right") -> None:
        self._robot = robot

    def endpoint_effort(self) -> dict[str, Xyz]:
        """Force at the tip, N."""
        return {"force": Xyz(*self._robot.tip_force().tolist()), "torque": Xyz(0.0, 0.0, 0.0)}

    def tip_state(self, tip_name: str) -> Any:
        """Pose of a tip; None for an unknown one."""
        if tip_name != GRIPPER_TIP:
            return None
        return SimpleNamespace(pose=SimpleNamespace(position=Xyz(*self._robot.tip_position().tolist())))

    def has_collided(self) -> bool:
        """Whether the robot reports a collision."""
        return self._robot.faults.collided

    def set_joint_position_speed(self, speed: float = 0.3) -> None:
        """Fraction of the rated joint speeds, 0 to 1."""
        self._robot.speed_ratio = float(np.clip(speed, 0.0, 1.0))

    def set_command_timeout(self, timeout: float) -> None:
        """No effect: the twin always holds its last command."""

    def set_joint_positions(self, positions: Mapping[str, float]) -> None:
        """Move to these joint angles."""
        self._robot.command(np.array([positions[name] for name in ARM_JOINT_NAMES]))


class TwinGripper:
    """`intera_interface.Gripper`: the electric parallel gripper."""

    def __init__(self, robot: TwinRobot) -> None:
        self._robot = robot

    def set_position(self, position: float) -> None:
        """Move to an opening, metres."""
        self._robot.move_fingers(position)

    def set_cmd_velocity(self, speed: float) -> None:
        """No effect: the twin's fingers have one speed."""

    def get_position(self) -> float:
        """Opening of both fingers together, metres."""
        return self._robot.opening

    def get_force(self) -> float:
        """N; the twin's fingers press with full force or not at all."""
        return 20.0 if self._robot.gripping else 0.0

    def is_gripping(self) -> bool:
        """Whether an object stops the fingers."""
        return self._robot.gripping

    def has_error(self) -> bool:
        """Whether it reports an error."""
        return self._robot.faults.gripper_error

    def is_calibrated(self) -> bool:
        """Always."""
        return True


def intera_stand_in(robot: TwinRobot) -> SimpleNamespace:
    """The module `intera_interface` with its classes bound to a robot."""
    return SimpleNamespace(
        RobotEnable=partial(TwinRobotEnable, robot),
        Limb=partial(TwinLimb, robot),
        get_current_gripper_interface=partial(TwinGripper, robot),
    )
