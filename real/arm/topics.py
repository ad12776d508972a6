"""The topics that protect: subscribers of our own, which keep each topic's newest usable message and its arrival.

`intera_interface` returns old values without a time when a topic falls silent, and values that are not finite. Here a
message that cannot be used counts as missing, so that the age of the last usable one stops the arm.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import numpy as np

from tabletop_interaction.arrays import Floats
from tabletop_interaction.real.arm.clock import Clock
from tabletop_interaction.real.arm.driver import COLLISION_TOPIC, FORCE_TOPIC, JOINT_STATES_TOPIC, ROBOT_TOPIC, Heard
from tabletop_interaction.real.arm.settings import SafetySettings
from tabletop_interaction.real.ros.node import unsubscribe
from tabletop_interaction.sawyer.model import ARM_JOINT_NAMES

T = TypeVar("T")

_HEAD = "head_pan"
_ESTOP_PRESSED = 1
_MIN_PERIOD_S = 0.005


class UnusableMessage(ValueError):
    """A message that must not be used; says why."""


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


@dataclass(frozen=True)
class Assembly:
    """The switches of the robot, see `ArmState`."""

    enabled: bool
    stopped: bool
    error: bool
    estop_pressed: bool


class Newest(Generic[T]):
    """Keeps the newest usable message of a topic, as `read` returns it, and when it arrived.

    The robot's clock may differ from ours, so the age counts from the arrival. A message with the same time as the one
    before repeats it and does not renew it; a time of 0 says nothing. `read` takes a message and the time of its
    arrival; it returns None for a message about something else and raises UnusableMessage. The node has started.
    """

    def __init__(
        self, rospy: Any, topic: str, message_type: Any, read: Callable[[Any, float], T | None], clock: Clock
    ) -> None:
        self.topic = topic
        self._read = read
        self._clock = clock
        # One tuple, replaced whole: the reader runs in another thread.
        self._kept: tuple[T | None, Heard] = (None, Heard(-np.inf))
        self._robot_time = 0.0
        self._subscriber = rospy.Subscriber(topic, message_type, self._receive, queue_size=1, tcp_nodelay=True)

    @property
    def newest(self) -> T | None:
        """The newest usable message; None before the first."""
        return self._kept[0]

    @property
    def kept(self) -> tuple[T, Heard]:
        """The newest usable message, which has arrived, with its arrival."""
        value, heard = self._kept
        assert value is not None, f"a driver is made after the first message of {self.topic}"
        return value, heard

    @property
    def refused(self) -> str:
        """Why the last message was not usable; empty if it was."""
        return self._kept[1].refused

    def close(self) -> None:
        """Unsubscribe."""
        unsubscribe(self._subscriber)

    def _receive(self, message: Any) -> None:
        header, arrived = getattr(message, "header", None), self._clock.now()
        robot_time = 0.0 if header is None else float(header.stamp.to_sec())
        if robot_time != 0 and robot_time == self._robot_time:
            return
        self._robot_time = robot_time
        before, heard = self._kept
        try:
            value = self._read(message, arrived)
        except UnusableMessage as error:
            self._kept = before, Heard(heard.stamp, str(error))
            return
        if value is not None:
            self._kept = value, Heard(arrived)


class JointStates(Newest[ArmJoints]):
    """The newest joints of the arm; `message_type` is `sensor_msgs.msg.JointState`.

    Speeds that a message lacks come from its angles and those of the message before.
    """

    def __init__(self, rospy: Any, message_type: Any, clock: Clock) -> None:
        super().__init__(rospy, JOINT_STATES_TOPIC, message_type, self._read_joints, clock)

    def _read_joints(self, message: Any, arrived: float) -> ArmJoints | None:
        joints, before = read_joints(message, arrived), self.newest
        if joints is None or before is None or len(message.velocity) > 0:
            return joints
        seconds = max(arrived - before.stamp, _MIN_PERIOD_S)
        return replace(joints, velocities=(joints.positions - before.positions) / seconds)


class RobotTopics:
    """All topics that protect. `messages` is the module `intera_core_msgs.msg`."""

    def __init__(self, rospy: Any, joint_state: Any, messages: Any, clock: Clock) -> None:
        self.joints = JointStates(rospy, joint_state, clock)
        self.force = Newest(rospy, FORCE_TOPIC, messages.EndpointState, read_force, clock)
        self.collision = Newest(rospy, COLLISION_TOPIC, messages.CollisionDetectionState, read_collision, clock)
        self.assembly = Newest(rospy, ROBOT_TOPIC, messages.RobotAssemblyState, read_assembly, clock)

    @property
    def all(self) -> tuple[Newest[Any], ...]:
        """Each topic."""
        return self.joints, self.force, self.collision, self.assembly

    def missing(self) -> list[str]:
        """The topics without a usable message so far, with the reason where a message came."""
        return [
            f"{each.topic} ({each.refused})" if each.refused else each.topic for each in self.all if each.newest is None
        ]

    def close(self) -> None:
        """Unsubscribe from all."""
        for each in self.all:
            each.close()


def age_limits(safety: SafetySettings) -> Mapping[str, float]:
    """The largest accepted age of each topic that protects, seconds."""
    return {
        ROBOT_TOPIC: safety.max_robot_age_s,
        JOINT_STATES_TOPIC: safety.max_state_age_s,
        FORCE_TOPIC: safety.max_force_age_s,
        COLLISION_TOPIC: safety.max_collision_age_s,
    }


def read_joints(message: Any, arrived: float) -> ArmJoints | None:
    """The arm's joints in a `sensor_msgs/JointState`, by name; None if it is about other joints.

    A message without any speeds gives speeds of 0.

    Raises:
        UnusableMessage: a joint or value is missing, double or not finite.
    """
    names = list(message.name)
    if not set(ARM_JOINT_NAMES) & set(names):
        return None
    if missing := [name for name in ARM_JOINT_NAMES if names.count(name) != 1]:
        raise UnusableMessage(f"{', '.join(missing)} missing or double")
    columns = [names.index(name) for name in ARM_JOINT_NAMES]
    speeds = message.velocity if len(message.velocity) else [0.0] * len(names)
    return ArmJoints(
        positions=_finite("position", _whole("position", message.position, len(names))[columns]),
        velocities=_finite("velocity", _whole("velocity", speeds, len(names))[columns]),
        stamp=arrived,
        head=float(message.position[names.index(_HEAD)]) if _HEAD in names else None,
    )


def read_force(message: Any, arrived: float) -> Floats:
    """(3,) N at the gripper's tip in an `EndpointState`; UnusableMessage if it is not finite."""
    force = message.wrench.force
    return _finite("force", np.array([force.x, force.y, force.z], np.float64))


def read_collision(message: Any, arrived: float) -> bool:
    """Whether a `CollisionDetectionState` reports a collision."""
    return bool(message.collision_state)


def read_assembly(message: Any, arrived: float) -> Assembly:
    """The switches in a `RobotAssemblyState`."""
    return Assembly(
        enabled=bool(message.enabled),
        stopped=bool(message.stopped),
        error=bool(message.error),
        estop_pressed=message.estop_button == _ESTOP_PRESSED,
    )


def _whole(what: str, values: Any, count: int) -> Floats:
    array = np.asarray(values, np.float64)
    if array.shape != (count,):
        raise UnusableMessage(f"{what} has {array.size} values for {count} joints")
    return array


def _finite(what: str, array: Floats) -> Floats:
    if not np.isfinite(array).all():
        raise UnusableMessage(f"{what} is not finite")
    return array
