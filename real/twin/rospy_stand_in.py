"""As much of `rospy` as the driver calls, in one process and without a master: one topic, a few parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from tabletop_interaction.real.arm.joint_states import TOPIC
from tabletop_interaction.real.twin.robot import TwinRobot
from tabletop_interaction.sawyer.kinematics import JOINT_NAMES

PARAMETERS: Mapping[str, Any] = {
    "robot_config/right_config/joint_names": list(JOINT_NAMES),
    "/robot_config/assembly_names": ["right", "torso", "head"],
    "/manifest/robot_class": "sawyer",
}
"""What `intera_interface` asks the parameter server."""

PUBLISHED_JOINTS = ("head_pan", *JOINT_NAMES)
"""The joints of a message on /robot/joint_states, the head's first as the robot does."""


class ROSException(Exception):
    """As rospy's."""


@dataclass(frozen=True)
class Stamp:
    """A time of ROS."""

    seconds: float

    def to_sec(self) -> float:
        """Seconds."""
        return self.seconds


@dataclass(frozen=True)
class Header:
    """`std_msgs/Header`."""

    stamp: Stamp


@dataclass(frozen=True)
class JointState:
    """`sensor_msgs/JointState`."""

    header: Header
    name: list[str]
    position: list[float]
    velocity: list[float]
    effort: list[float]


class Subscriber:
    """A subscription, listed at its stand-in until it is unregistered."""

    def __init__(self, listed: list[Subscriber], topic: str, callback: Callable[[Any], None]) -> None:
        self.topic = topic
        self.callback = callback
        self._listed = listed
        listed.append(self)

    def unregister(self) -> None:
        """Leave the topic; again is harmless."""
        if self in self._listed:
            self._listed.remove(self)


class TwinRospy:
    """The module's stand-in.

    Args:
        robot: whose joints are published.
    """

    ROSException = ROSException

    def __init__(self, robot: TwinRobot) -> None:
        self._robot = robot
        self._subscribers: list[Subscriber] = []
        self.core = SimpleNamespace(is_initialized=lambda: True)
        self.parameters = dict(PARAMETERS)

    def get_param(self, name: str, default: Any = None) -> Any:
        """A parameter, or the default."""
        return self.parameters.get(name, default)

    def get_time(self) -> float:
        """Simulated seconds."""
        return self._robot.time_s

    def Subscriber(self, topic: str, kind: Any, callback: Callable[[Any], None], **options: Any) -> Subscriber:
        """Listen to a topic."""
        return Subscriber(self._subscribers, topic, callback)

    def publish_joints(self) -> None:
        """Send the joints to whoever listens, unless that stalled."""
        if self._robot.faults.states_stall:
            return
        heads = (self._robot.faults.head_turn, 0.0, 0.0)
        columns = [[head, *values.tolist()] for head, values in zip(heads, self._robot.joints(), strict=True)]
        message = JointState(Header(Stamp(self._robot.time_s)), list(PUBLISHED_JOINTS), *columns)
        for subscriber in self._subscribers:
            if subscriber.topic == TOPIC:
                subscriber.callback(message)
