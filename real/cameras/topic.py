"""Cameras on a ROS 1 topic of `sensor_msgs/Image`, read without cv_bridge (which does not load with numpy 2)."""

import time
from typing import Any

import numpy as np

from tabletop_interaction.arrays import Picture
from tabletop_interaction.errors import CameraFault
from tabletop_interaction.real.cameras.frames import FROZEN_AFTER, Frame, LatestFrame
from tabletop_interaction.real.ros.master import check_master
from tabletop_interaction.real.ros.node import INSTALLATION, start_node, unsubscribe

# One 1920 x 1080 picture is 6 MB; with rospy's default of 64 kB a slow reader lags by seconds.
_BUFFER_BYTES = 1 << 24
_CLOCK_TOLERANCE_S = 0.05
_UNSTAMPED_LATENCY_S = 0.1
_ADVICE = "check with `rostopic hz` that its topic is published, then open the backend again"


class RosCamera(LatestFrame):
    """Subscribes to a topic of pictures and keeps the newest frame.

    The header's time, converted to this machine's clock, stamps a frame. A header without a time gives the time of
    arrival minus 0.1 s. The node of `rospy` has started; `image_type` is `sensor_msgs.msg.Image`; `frozen_after` is
    that of `LatestFrame`.
    """

    def __init__(self, name: str, rospy: Any, image_type: type, topic: str, frozen_after: int = FROZEN_AFTER) -> None:
        super().__init__(name, _ADVICE, frozen_after)
        self._rospy = rospy
        self._subscriber = rospy.Subscriber(
            topic, image_type, self._receive, queue_size=1, buff_size=_BUFFER_BYTES, tcp_nodelay=True
        )

    def close(self) -> None:
        """Unsubscribe; calling it again does nothing."""
        if self._subscriber is not None:
            unsubscribe(self._subscriber)
            self._subscriber = None
            self.fail(CameraFault(f"camera {self.name} is closed; open the cameras again"))

    def _receive(self, message: Any) -> None:
        arrived = time.monotonic()
        # rospy only logs exceptions of a callback, so the fault is stored for the reader.
        try:
            age_s = self._age(message)
            self.put(Frame(rgb_from_message(message), arrived - age_s))
        except CameraFault as fault:
            self.fail(CameraFault(f"camera {self.name}: {fault}"))

    def _age(self, message: Any) -> float:
        stamp = message.header.stamp.to_sec()
        if stamp == 0:
            return _UNSTAMPED_LATENCY_S
        age_s = float(self._rospy.get_time() - stamp)
        if age_s < -_CLOCK_TOLERANCE_S:
            raise CameraFault(
                f"its pictures are stamped {-age_s:.2f} s in the future; synchronise both machines' clocks (chrony)"
            )
        return max(age_s, 0.0)


def rgb_from_message(message: Any) -> Picture:
    """A copy of the picture in a `sensor_msgs/Image`, uint8 (H, W, 3) RGB; rows may be padded (`step`).

    Raises:
        CameraFault: an encoding other than rgb8 or bgr8, or fewer bytes than height and step require.
    """
    if message.encoding not in ("rgb8", "bgr8"):
        raise CameraFault(
            f"encoding {message.encoding!r} came; rgb8 and bgr8 are accepted; set it in the camera's node"
        )
    needed = message.step * message.height
    if message.step < 3 * message.width or len(message.data) < needed:
        raise CameraFault(
            f"a damaged picture came: {len(message.data)} bytes, step {message.step}, for {message.width} x "
            f"{message.height} pixels of 3 bytes"
        )
    rows = np.frombuffer(message.data, np.uint8, count=needed).reshape(message.height, message.step)
    pixels = rows[:, : 3 * message.width].reshape(message.height, message.width, 3)
    return pixels[:, :, ::-1].copy() if message.encoding == "bgr8" else pixels.copy()


def open_ros_camera(name: str, topic: str, frozen_after: int = FROZEN_AFTER) -> RosCamera:
    """Subscribe to a topic; start this process's ROS node if none runs.

    Raises:
        CameraFault: ROS is not installed here.
        MasterUnreachable: no ROS master answers.
    """
    try:
        import rospy
        from sensor_msgs.msg import Image
    except ImportError as error:
        raise CameraFault(f"camera {name} needs ROS 1 ({error}); {INSTALLATION}") from error
    # Also if the node runs already: its master may have ended, and rospy would wait for it without a limit.
    check_master()
    start_node(rospy, "tabletop_cameras")
    return RosCamera(name, rospy, Image, topic, frozen_after)
