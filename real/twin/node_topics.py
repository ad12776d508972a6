"""What the twin's node publishes: the joints and the pictures as messages, and a Sawyer's parameters."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabletop_interaction.envs.backend import Pictures
from tabletop_interaction.envs.views import View
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.real.arm.joint_states import TOPIC
from tabletop_interaction.real.ros.node import INSTALLATION
from tabletop_interaction.real.twin.rospy_stand_in import PARAMETERS, PUBLISHED_JOINTS

MARK = "/tabletop_twin"
"""The parameter that tells a twin's master from a robot's."""


@dataclass(frozen=True)
class RosModules:
    """What the node calls: rospy, and the classes of Debian's `sensor_msgs` and `std_msgs`."""

    rospy: Any
    sensor_msgs: Any
    std_msgs: Any


def import_ros() -> RosModules:
    """The modules, imported.

    Raises:
        InvalidConfiguration: one is not installed in this Python.
    """
    try:
        return RosModules(*(importlib.import_module(name) for name in ("rospy", "sensor_msgs.msg", "std_msgs.msg")))
    except ImportError as error:
        raise InvalidConfiguration(f"the twin's node needs ROS 1 ({error}); {INSTALLATION}") from error


def check_no_robot(rospy: Any) -> None:
    """See that the master is not a robot's.

    Raises:
        InvalidConfiguration: it is.
    """
    if not rospy.has_param(MARK) and any(rospy.has_param(name) for name in PARAMETERS):
        raise InvalidConfiguration(
            "this master belongs to a robot, whose joints a twin must not speak for; nothing was published; start a "
            "master of your own (`rosmaster --core -p 11312`) and set ROS_MASTER_URI to it"
        )


def set_parameters(rospy: Any) -> None:
    """Tell the master of the twin what `intera_interface` asks of a robot's."""
    for name, value in {MARK: True, **PARAMETERS}.items():
        rospy.set_param(name, value)


def picture_topic(view: str) -> str:
    """Where the pictures of a view are published."""
    return f"/cameras/{view}/image_raw"


@dataclass(frozen=True, eq=False)
class Topics:
    """What is published; made by `advertise`.

    Attributes:
        ros: the modules.
        joints: publishes on /robot/joint_states.
        pictures: publishers by the view's name.
    """

    ros: RosModules
    joints: Any
    pictures: Mapping[str, Any]

    def publish_joints(self, joints: tuple[NDArray[np.float64], ...]) -> None:
        """Send angles, speeds and efforts (7,), stamped now."""
        position, velocity, effort = ([0.0, *column.tolist()] for column in joints)
        message = self.ros.sensor_msgs.JointState(
            name=list(PUBLISHED_JOINTS), position=position, velocity=velocity, effort=effort
        )
        message.header.stamp = self.ros.rospy.Time.now()
        self.joints.publish(message)

    def publish_pictures(self, pictures: Pictures, stamp: Any) -> None:
        """Send one picture a view, uint8 (H, W, 3) RGB, exposed at `stamp` (`rospy.Time`)."""
        for view, picture in pictures.items():
            self.pictures[view].publish(self._image(view, picture, stamp))

    def _image(self, view: str, picture: NDArray[np.uint8], stamp: Any) -> Any:
        height, width, channels = picture.shape
        message = self.ros.sensor_msgs.Image(
            height=height, width=width, encoding="rgb8", step=channels * width, data=picture.tobytes()
        )
        message.header.stamp, message.header.frame_id = stamp, view
        return message


def advertise(ros: RosModules, views: tuple[View, ...]) -> Topics:
    """Make the topics known; a slow reader gets the newest message, not all."""
    publisher, sensor = ros.rospy.Publisher, ros.sensor_msgs
    return Topics(
        ros,
        publisher(TOPIC, sensor.JointState, queue_size=1),
        {view.name: publisher(picture_topic(view.name), sensor.Image, queue_size=1) for view in views},
    )
