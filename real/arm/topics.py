"""The topics that protect: subscribers of our own, which keep each topic's newest usable message and its time.

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
_DRIFT = 1e-3
"""Largest rate at which the clocks of robot and machine diverge, seconds per second."""
_STRAYS = 3


class UnusableMessage(ValueError):
    """A message that must not be used; says why."""


@dataclass(frozen=True, eq=False)
class ArmJoints:
    """The joints of the arm in one message.

    Angles (7,) in radians, speeds (7,) in rad/s, the message's own time in seconds, and the pan angle of the head in
    radians, 0 ahead; None if the message does not contain it.
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


class _Lateness:
    """How late messages come, seconds, by the times that the robot writes into them.

    The clocks differ by an unknown number of seconds. The message that came soonest after its time counts as on time.
    """

    def __init__(self, largest_s: float) -> None:
        self._largest_s = largest_s
        self._soonest_s = np.inf
        self._arrived = 0.0
        self._ahead = 0

    def of(self, robot_time: float, arrived: float) -> float:
        """The lateness of a message; raises UnusableMessage if it is too late, or if a few run ahead of the others."""
        after_s = arrived - robot_time
        soonest_s = self._soonest_s + _DRIFT * (arrived - self._arrived)
        late_s = max(after_s - soonest_s, 0.0)
        if late_s > self._largest_s:
            raise UnusableMessage(
                f"it came {late_s:.2f} s late, or a clock was set; if so, end this program and start it again"
            )
        self._ahead = self._ahead + 1 if after_s < soonest_s - self._largest_s < np.inf else 0
        if 0 < self._ahead <= _STRAYS:
            raise UnusableMessage(f"its time is {soonest_s - after_s:.2f} s ahead of the messages before it")
        self._soonest_s, self._arrived = min(after_s, soonest_s), arrived
        return late_s


class Newest(Generic[T]):
    """Keeps the newest usable message of a topic, as `read` returns it, and when it was sent.

    `read` takes a message and its own time, or that of its arrival if it has none; it returns None for a message about
    something else and raises UnusableMessage. The robot's clock may differ from ours: a message counts as sent when it
    arrived, minus its lateness against the other messages, up to `max_age_s`. A message with the time of the one before
    repeats it and does not renew it; a time of 0 says nothing. While two nodes send the topic, no message is usable.
    The node has started.
    """

    def __init__(
        self,
        rospy: Any,
        topic: str,
        message_type: Any,
        read: Callable[[Any, float], T | None],
        clock: Clock,
        max_age_s: float,
    ) -> None:
        self.topic = topic
        self._read = read
        self._clock = clock
        self._max_age_s = max_age_s
        # One tuple, replaced whole: the reader runs in another thread.
        self._kept: tuple[T | None, Heard] = (None, Heard(-np.inf))
        self._robot_time = 0.0
        self._lateness = _Lateness(max_age_s)
        self._sender = ("", -np.inf)
        self._subscriber = rospy.Subscriber(topic, message_type, self._receive, queue_size=1, tcp_nodelay=True)

    @property
    def newest(self) -> T | None:
        """The newest usable message; None before the first."""
        return self._kept[0]

    @property
    def kept(self) -> tuple[T, Heard]:
        """The newest usable message, which has arrived, with its time."""
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
        before, heard = self._kept
        try:
            self._keep(message, self._clock.now())
        except UnusableMessage as error:
            self._kept = before, Heard(heard.stamp, str(error))

    def _keep(self, message: Any, arrived: float) -> None:
        header = getattr(message, "header", None)
        robot_time = 0.0 if header is None else float(header.stamp.to_sec())
        value = self._read(message, robot_time or arrived)
        if value is None or (robot_time != 0 and robot_time == self._robot_time):
            return
        self._check_sender(message, arrived)
        self._robot_time = robot_time
        late_s = self._lateness.of(robot_time, arrived) if robot_time else 0.0
        self._kept = value, Heard(arrived - late_s)

    def _check_sender(self, message: Any, arrived: float) -> None:
        sender = getattr(message, "_connection_header", {}).get("callerid", "")
        before, at = self._sender
        self._sender = sender, arrived
        if sender != before and arrived - at <= self._max_age_s:
            raise UnusableMessage(f"two nodes send it: {before} and {sender}")


class JointStates(Newest[ArmJoints]):
    """The newest joints of the arm; `message_type` is `sensor_msgs.msg.JointState`.

    Speeds that a message lacks come from its angles and those of the message before.
    """

    def __init__(self, rospy: Any, message_type: Any, clock: Clock, max_age_s: float) -> None:
        super().__init__(rospy, JOINT_STATES_TOPIC, message_type, self._read_joints, clock, max_age_s)

    def _read_joints(self, message: Any, stamp: float) -> ArmJoints | None:
        joints, before = read_joints(message, stamp), self.newest
        if joints is None or before is None or len(message.velocity) > 0:
            return joints
        seconds = max(stamp - before.stamp, _MIN_PERIOD_S)
        return replace(joints, velocities=(joints.positions - before.positions) / seconds)


class RobotTopics:
    """All topics that protect. `messages` is the module `intera_core_msgs.msg`."""

    def __init__(self, rospy: Any, joint_state: Any, messages: Any, clock: Clock, safety: SafetySettings) -> None:
        limits = age_limits(safety)
        self.joints = JointStates(rospy, joint_state, clock, limits[JOINT_STATES_TOPIC])

        def newest(topic: str, message_type: Any, read: Callable[[Any, float], T]) -> Newest[T]:
            return Newest(rospy, topic, message_type, read, clock, limits[topic])

        self.force = newest(FORCE_TOPIC, messages.EndpointState, read_force)
        self.collision = newest(COLLISION_TOPIC, messages.CollisionDetectionState, read_collision)
        self.assembly = newest(ROBOT_TOPIC, messages.RobotAssemblyState, read_assembly)

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


def read_joints(message: Any, stamp: float) -> ArmJoints | None:
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
        stamp=stamp,
        head=float(message.position[names.index(_HEAD)]) if _HEAD in names else None,
    )


def read_force(message: Any, stamp: float) -> Floats:
    """(3,) N at the gripper's tip in an `EndpointState`; UnusableMessage if it is not finite."""
    force = message.wrench.force
    return _finite("force", np.array([force.x, force.y, force.z], np.float64))


def read_collision(message: Any, stamp: float) -> bool:
    """Whether a `CollisionDetectionState` reports a collision."""
    return bool(message.collision_state)


def read_assembly(message: Any, stamp: float) -> Assembly:
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
