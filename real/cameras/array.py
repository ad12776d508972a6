"""All cameras of a table at once: open them, read one fresh picture each, wait until nothing moves in them.

Times are seconds of `time.monotonic()`: whoever moves the arm notes the time at which it stopped and asks for
pictures that are newer.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from tabletop_interaction.envs.backend import Pictures
from tabletop_interaction.envs.views import View
from tabletop_interaction.errors import BlankPicture, CameraFault, InvalidConfiguration
from tabletop_interaction.real.arm.clock import Clock, MonotonicClock
from tabletop_interaction.real.cameras.device import open_device_camera
from tabletop_interaction.real.cameras.frames import Camera, Frame
from tabletop_interaction.real.cameras.framing import Crop, centred_crop, take_crop
from tabletop_interaction.real.cameras.topic import open_ros_camera

__all__ = [
    "READ_TIMEOUT_S",
    "Camera",
    "CameraArray",
    "CameraSettings",
    "Frame",
    "largest_change",
    "open_camera_array",
    "open_cameras",
    "opened_cameras",
    "read_frames",
    "wait_until_still",
]

READ_TIMEOUT_S = 3.0
_BLOCK_PX = 8


@dataclass(frozen=True)
class CameraSettings:
    """Where the pictures of a view come from.

    Attributes:
        kind: "device" for what OpenCV captures from, "ros" for a topic of sensor_msgs/Image.
        source: path, address or number of the device; name of the topic.
        width: columns of the full picture, pixels.
        height: rows of the full picture, pixels.
        crop: the part of it that becomes the view's picture; None for the largest in its middle.
    """

    kind: Literal["device", "ros"]
    source: str | int
    width: int
    height: int
    crop: Crop | None = None


class CameraArray:
    """The open cameras of a table, by view.

    Args:
        cameras: one a view, by the view's name.
        settings: of the same names.
        views: of the same names; they fix the size of the pictures.
        timeout_s: how long `read_all` waits altogether, seconds.
    """

    def __init__(
        self,
        cameras: Mapping[str, Camera],
        settings: Mapping[str, CameraSettings],
        views: tuple[View, ...],
        timeout_s: float = READ_TIMEOUT_S,
    ) -> None:
        _check_names(cameras, views)
        _check_names(settings, views)
        self._cameras = dict(cameras)
        self._settings = dict(settings)
        self._views = views
        self._timeout_s = timeout_s

    def read_all(self, newer_than: float) -> Pictures:
        """One picture a view, each taken after `newer_than` (`time.monotonic()` seconds), uint8 RGB in the view's size.

        Raises:
            CameraFault: a camera gave none in time, one of another size, or is gone.
            BlankPicture: a picture is of one colour, as under a lens cap.
        """
        frames = read_frames(self._cameras, self._settings, newer_than, self._timeout_s)
        return {view.name: self._framed(view, frames[view.name]) for view in self._views}

    def close(self) -> None:
        """Release all cameras; calling it again does nothing."""
        for camera in self._cameras.values():
            camera.close()

    def _framed(self, view: View, frame: Frame) -> NDArray[np.uint8]:
        settings = self._settings[view.name]
        crop = settings.crop or centred_crop(settings.width, settings.height, view.width, view.height)
        return take_crop(frame.image, crop, view.width, view.height)


def read_frames(
    cameras: Mapping[str, Camera],
    settings: Mapping[str, CameraSettings],
    newer_than: float,
    timeout_s: float = READ_TIMEOUT_S,
) -> dict[str, Frame]:
    """One frame a camera in the camera's own size, each taken after `newer_than`, all within `timeout_s` seconds.

    Raises:
        CameraFault: a camera gave none in time, one of another size, or is gone.
        BlankPicture: a picture is of one colour.
    """
    deadline = time.monotonic() + timeout_s
    frames = {}
    for name, camera in cameras.items():
        frames[name] = camera.read(newer_than, max(deadline - time.monotonic(), 0.0))
        _check_frame(camera.name, frames[name], settings[name])
    return frames


def open_cameras(settings: Mapping[str, CameraSettings]) -> dict[str, Camera]:
    """Every camera, opened; where one fails, those before it are closed again.

    Raises:
        CameraFault: one cannot be opened.
        MasterUnreachable: one is behind ROS, and no master answers.
    """
    cameras: dict[str, Camera] = {}
    with ExitStack() as opened:
        for view, setting in settings.items():
            cameras[view] = _open_camera(f"{view} ({setting.source})", setting)
            opened.callback(cameras[view].close)
        opened.pop_all()
    return cameras


@contextmanager
def opened_cameras(settings: Mapping[str, CameraSettings]) -> Iterator[dict[str, Camera]]:
    """The cameras of `open_cameras` as a context that closes them.

    Raises:
        CameraFault: one cannot be opened.
    """
    cameras = open_cameras(settings)
    try:
        yield cameras
    finally:
        for camera in cameras.values():
            camera.close()


def open_camera_array(settings: Mapping[str, CameraSettings], views: tuple[View, ...]) -> CameraArray:
    """Every view's camera, opened.

    Raises:
        CameraFault: one cannot be opened; none stays open.
        InvalidConfiguration: views and settings are of different names; none was opened.
    """
    _check_names(settings, views)
    return CameraArray(open_cameras(settings), settings, views)


def wait_until_still(
    cameras: CameraArray,
    *,
    newer_than: float,
    noise_level: float = 4.0,
    timeout_s: float = 5.0,
    clock: Clock | None = None,
) -> Pictures:
    """Pictures in which nothing moves: the later of two successive ones that differ by noise alone in every view.

    Args:
        cameras: what to look through.
        newer_than: both were taken after this, `time.monotonic()` seconds.
        noise_level: grey levels; see `largest_change`. Sensor noise gives 1 to 2.
        timeout_s: how long to wait for stillness, seconds.
        clock: of what is seen; this machine's monotonic one by default. A twin's objects come to rest in its own time.

    Raises:
        CameraFault: something still moves, or a camera fails.
        BlankPicture: a picture is of one colour.
    """
    clock = clock or MonotonicClock()
    deadline = clock.now() + timeout_s
    before = cameras.read_all(newer_than)
    while True:
        after = cameras.read_all(time.monotonic())
        changes = {name: largest_change(before[name], after[name]) for name in after}
        restless = max(changes, key=lambda name: changes[name])
        if changes[restless] <= noise_level:
            return after
        if clock.now() > deadline:
            raise CameraFault(
                f"after {timeout_s:.1f} s pictures of {restless} still change by {changes[restless]:.1f} grey levels "
                f"({noise_level:.1f} count as still); see whether something moves or the light flickers",
                recoverable=True,
            )
        before = after


def largest_change(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> float:
    """By how much the mean colour of any 8 x 8 block differs between two pictures, grey levels.

    The mean over a block averages a sensor's noise away, and the change of the median block is taken off, so that a
    lamp's brightness does not count as motion.
    """
    height, width = before.shape[:2]
    size = (max(width // _BLOCK_PX, 1), max(height // _BLOCK_PX, 1))
    difference = cv2.subtract(after, before, dtype=cv2.CV_32F)
    blocks = np.asarray(cv2.resize(difference, size, interpolation=cv2.INTER_AREA))
    return float(np.abs(blocks - np.median(blocks, axis=(0, 1))).max())


def _open_camera(name: str, settings: CameraSettings) -> Camera:
    if settings.kind == "ros":
        return open_ros_camera(name, str(settings.source))
    return open_device_camera(name, settings.source, settings.width, settings.height)


def _check_names(named: Mapping[str, object], views: tuple[View, ...]) -> None:
    expected = [view.name for view in views]
    if set(named) != set(expected):
        raise InvalidConfiguration(f"cameras {', '.join(named)} came for the views {', '.join(expected)}; one each")


def _check_frame(name: str, frame: Frame, settings: CameraSettings) -> None:
    shape, expected = frame.image.shape, (settings.height, settings.width, 3)
    if shape != expected:
        raise CameraFault(
            f"camera {name} gives pictures of {shape[1]} x {shape[0]} px, but {settings.width} x {settings.height} is "
            "what it was calibrated for; correct width and height in the lab file, or set the camera's mode"
        )
    if frame.image.min() == frame.image.max():
        raise BlankPicture(f"camera {name} gives a picture of one colour; see its lens cap, exposure and light")
