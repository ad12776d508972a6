"""The messages and parameters that the twin's node publishes: joints, pictures and a Sawyer's parameters."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tabletop_interaction.arrays import Floats, Picture
from tabletop_interaction.envs.backend import Pictures
from tabletop_interaction.envs.views import View
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.real.arm.intera_driver import JOINT_STATES_TOPIC
from tabletop_interaction.real.ros.node import INSTALLATION
from tabletop_interaction.real.twin.stand_ins import PARAMETERS, PUBLISHED_JOINTS

MARK = "/tabletop_twin"
"""The parameter that marks the master of a twin."""


@dataclass(frozen=True)
class RosModules:
    """rospy, and the modules `sensor_msgs.msg` and `std_msgs.msg`."""

    rospy: Any
    sensor_msgs: Any
    std_msgs: Any


def import_ros() -> RosModules:
    """Import the modules; InvalidConfiguration if one is not installed in this Python."""
    try:
        return RosModules(*(importlib.import_module(name) for name in ("rospy", "sensor_msgs.msg", "std_msgs.msg")))
    except ImportError as error:
        raise InvalidConfiguration(f"the twin's node needs ROS 1 ({error}); {INSTALLATION}") from error


def check_no_robot(rospy: Any) -> None:
    """Refuse, by InvalidConfiguration, a master that belongs to a robot."""
    if not rospy.has_param(MARK) and any(rospy.has_param(name) for name in PARAMETERS):
        raise InvalidConfiguration(
            "this master belongs to a robot, whose joint states a twin must not replace; nothing was published; start "
            "another master (`rosmaster --core -p 11312`) and set ROS_MASTER_URI to it"
        )


def set_parameters(rospy: Any) -> None:
    """Set the parameters that `intera_interface` reads, and the mark of a twin."""
    for name, value in {MARK: True, **PARAMETERS}.items():
        rospy.set_param(name, value)


def picture_topic(view: str) -> str:
    """The topic of a view's pictures."""
    return f"/cameras/{view}/image_raw"


@dataclass(frozen=True, eq=False)
class Topics:
    """The publishers of joints and, by view, of pictures; made by `advertise`."""

    ros: RosModules
    joints: Any
    pictures: Mapping[str, Any]

    def publish_joints(self, joints: tuple[Floats, ...]) -> None:
        """Send angles, speeds and efforts (7,), stamped now."""
        position, velocity, effort = ([0.0, *column.tolist()] for column in joints)
        message = self.ros.sensor_msgs.JointState(
            name=list(PUBLISHED_JOINTS), position=position, velocity=velocity, effort=effort
        )
        message.header.stamp = self.ros.rospy.Time.now()
        self.joints.publish(message)

    def publish_pictures(self, pictures: Pictures, stamp: Any) -> None:
        """Send one picture per view, uint8 (H, W, 3) RGB, exposed at `stamp` (`rospy.Time`)."""
        for view, picture in pictures.items():
            self.pictures[view].publish(self._image(view, picture, stamp))

    def _image(self, view: str, picture: Picture, stamp: Any) -> Any:
        height, width, channels = picture.shape
        message = self.ros.sensor_msgs.Image(
            height=height, width=width, encoding="rgb8", step=channels * width, data=picture.tobytes()
        )
        message.header.stamp, message.header.frame_id = stamp, view
        return message


def advertise(ros: RosModules, views: tuple[View, ...]) -> Topics:
    """Advertise the topics; a slow reader gets only the newest message."""
    publisher, sensor = ros.rospy.Publisher, ros.sensor_msgs
    return Topics(
        ros,
        publisher(JOINT_STATES_TOPIC, sensor.JointState, queue_size=1),
        {view.name: publisher(picture_topic(view.name), sensor.Image, queue_size=1) for view in views},
    )
