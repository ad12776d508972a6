"""The newest message of /robot/joint_states with its age, which `intera_interface` does not tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tabletop_interaction.real.arm.clock import Clock
from tabletop_interaction.real.ros.node import unsubscribe
from tabletop_interaction.sawyer.kinematics import JOINT_NAMES

FloatArray = NDArray[np.float64]

TOPIC = "/robot/joint_states"

_HEAD = "head_pan"


class JointStateMessage(Protocol):
    """The part of `sensor_msgs/JointState` that is used."""

    header: Any
    name: Sequence[str]
    position: Sequence[float]
    velocity: Sequence[float]
    effort: Sequence[float]


@dataclass(frozen=True, eq=False)
class Joints:
    """(7,) each, radians, rad/s and N m, and when they came, seconds of our clock.

    `head` is how far the head is turned, radians, 0 ahead; None where the message does not tell.
    """

    positions: FloatArray
    velocities: FloatArray
    efforts: FloatArray
    stamp: float
    head: float | None = None


class JointStates:
    """Keeps the newest joints of the arm; messages about other joints (head, torso) are passed over.

    The robot's clock need not be ours: joints are as old as their message's arrival. A message with the time of the
    one before is a repetition and makes nothing younger.

    Args:
        rospy: the module, its node started.
        message_type: `sensor_msgs.msg.JointState`.
        clock: tells when a message came.
    """

    def __init__(self, rospy: Any, message_type: Any, clock: Clock) -> None:
        self._clock = clock
        self._newest: Joints | None = None
        self._time_there: float | None = None
        self._subscriber = rospy.Subscriber(TOPIC, message_type, self._receive, queue_size=1, tcp_nodelay=True)

    @property
    def newest(self) -> Joints | None:
        """The newest joints; None before the first message."""
        return self._newest

    def close(self) -> None:
        """Leave the topic."""
        unsubscribe(self._subscriber)

    def _receive(self, message: JointStateMessage) -> None:
        there = float(message.header.stamp.to_sec())
        if there == self._time_there or not set(JOINT_NAMES) <= set(message.name):
            return
        names = list(message.name)
        at = [names.index(name) for name in JOINT_NAMES]
        self._time_there = there
        # One assignment: the reader runs in another thread.
        self._newest = Joints(
            positions=np.array(message.position, np.float64)[at],
            velocities=np.array(message.velocity, np.float64)[at],
            efforts=np.array(message.effort, np.float64)[at],
            stamp=self._clock.now(),
            head=float(message.position[names.index(_HEAD)]) if _HEAD in names else None,
        )
