"""All cameras of a table: open them, read one new picture of each, wait until nothing moves.

Times are seconds of `time.monotonic()`: the backend asks for pictures newer than the arm's last motion.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Annotated, Literal

import cv2
import numpy as np

from tabletop_interaction.arrays import Picture
from tabletop_interaction.envs.backend import Pictures
from tabletop_interaction.envs.views import View
from tabletop_interaction.errors import BlankPicture, CameraFault, InvalidConfiguration
from tabletop_interaction.ranges import Range, check_fields
from tabletop_interaction.real.arm.clock import Clock, MonotonicClock
from tabletop_interaction.real.cameras.device import open_device_camera
from tabletop_interaction.real.cameras.frames import FROZEN_AFTER, Camera, Frame
from tabletop_interaction.real.cameras.framing import ViewCrop, take_crop
from tabletop_interaction.real.cameras.topic import open_ros_camera

_READ_TIMEOUT_S = 3.0
_MAX_AGE_S = 0.3
_BLOCK_PX = 8

_NOISE_LEVEL = 4.0
"""Accepted value of `largest_change`, grey levels; sensor noise gives 1 to 2."""


@dataclass(frozen=True)
class CameraSettings:
    """The source of a view's pictures.

    Attributes:
        kind: "device" for a capture device of OpenCV, "ros" for a topic of sensor_msgs/Image.
        source: path, address or number of the device; name of the topic.
        width: columns of the full picture, pixels.
        height: rows of the full picture, pixels.
        frozen_after: pictures in a row, equal to the last bit, that make a frozen camera; 0 for one without noise.
    """

    kind: Literal["device", "ros"]
    source: str | Annotated[int, Range(0, 10**6)]
    width: Annotated[int, Range(1, 10**5)]
    height: Annotated[int, Range(1, 10**5)]
    frozen_after: Annotated[int, Range(0, 10**3)] = FROZEN_AFTER

    def __post_init__(self) -> None:
        check_fields(self)


class CameraArray:
    """The open cameras of a table, by view.

    Views define the size of the pictures; `cameras`, `settings` and `crops` (the part of the full picture that becomes
    the view's picture) go by the view's name.
    """

    def __init__(
        self,
        cameras: Mapping[str, Camera],
        settings: Mapping[str, CameraSettings],
        views: tuple[View, ...],
        crops: Mapping[str, ViewCrop],
    ) -> None:
        _check_names(cameras, views)
        _check_names(settings, views)
        self._cameras = dict(cameras)
        self._settings = dict(settings)
        self._views = views
        self._crops = dict(crops)

    def read_all(self, newer_than: float) -> Pictures:
        """One picture per view, uint8 RGB in the view's size; raises as `read_frames`."""
        frames = read_frames(self._cameras, self._settings, newer_than)
        return {
            view.name: take_crop(frames[view.name].image, self._crops[view.name], view.width, view.height)
            for view in self._views
        }

    def check(self) -> None:
        """Raise CameraFault unless every camera gives new pictures; called before the arm moves."""
        deadline = time.monotonic() + _READ_TIMEOUT_S
        for camera in self._cameras.values():
            camera.check(_MAX_AGE_S, max(deadline - time.monotonic(), 0.0))

    def close(self) -> None:
        """Release all cameras; calling it again does nothing."""
        for camera in self._cameras.values():
            camera.close()


def read_frames(
    cameras: Mapping[str, Camera],
    settings: Mapping[str, CameraSettings],
    newer_than: float,
    timeout_s: float = _READ_TIMEOUT_S,
) -> dict[str, Frame]:
    """One frame per camera in the camera's own size, taken after `newer_than`, all within `timeout_s` seconds.

    Raises:
        CameraFault: a camera gave no picture in time or one of another size, or it is closed.
        BlankPicture: a picture has one colour only, for example under a lens cap.
    """
    deadline = time.monotonic() + timeout_s
    frames = {}
    for name, camera in cameras.items():
        frames[name] = camera.read(newer_than, max(deadline - time.monotonic(), 0.0))
        _check_frame(camera.name, frames[name], settings[name])
    return frames


def open_cameras(settings: Mapping[str, CameraSettings]) -> dict[str, Camera]:
    """Open every camera; if one fails, those before it are closed again.

    Raises:
        CameraFault: one cannot be opened.
        MasterUnreachable: one is a ROS topic, and no master answers.
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
    """Context of `open_cameras` that closes the cameras."""
    cameras = open_cameras(settings)
    try:
        yield cameras
    finally:
        for camera in cameras.values():
            camera.close()


def open_camera_array(
    settings: Mapping[str, CameraSettings], views: tuple[View, ...], crops: Mapping[str, ViewCrop]
) -> CameraArray:
    """Open every view's camera; arguments as for `CameraArray`, errors also as for `open_cameras`.

    Raises:
        InvalidConfiguration: views and settings have different names; none was opened.
    """
    _check_names(settings, views)
    return CameraArray(open_cameras(settings), settings, views, crops)


def wait_until_still(
    cameras: CameraArray, *, newer_than: float, timeout_s: float = 5.0, clock: Clock | None = None
) -> Pictures:
    """Pictures without motion: the second of two successive pictures that differ in every view by noise only.

    Args:
        newer_than: both pictures are taken after this time, `time.monotonic()` seconds.
        timeout_s: time limit, seconds of `clock`.
        clock: clock of the scene; a twin's objects come to rest in simulated time. This machine's clock by default.

    Raises:
        CameraFault: something still moves after the time limit, or as for `read_frames`.
    """
    clock = clock or MonotonicClock()
    deadline = clock.now() + timeout_s
    before = cameras.read_all(newer_than)
    while True:
        after = cameras.read_all(time.monotonic())
        changes = {name: largest_change(before[name], after[name]) for name in after}
        worst = max(changes, key=lambda name: changes[name])
        if changes[worst] <= _NOISE_LEVEL:
            return after
        if clock.now() > deadline:
            raise CameraFault(
                f"after {timeout_s:.1f} s pictures of {worst} still change by {changes[worst]:.1f} grey levels; at "
                f"most {_NOISE_LEVEL:.1f} is accepted; check whether something moves or the light flickers",
                recoverable=True,
            )
        before = after


def largest_change(before: Picture, after: Picture) -> float:
    """Largest difference of the mean colour of an 8 x 8 block between two pictures, grey levels.

    The block mean averages sensor noise out. The difference of the median block is subtracted, so that a change of the
    light does not count as motion.
    """
    height, width = before.shape[:2]
    size = (max(width // _BLOCK_PX, 1), max(height // _BLOCK_PX, 1))
    difference = cv2.subtract(after, before, dtype=cv2.CV_32F)
    blocks = np.asarray(cv2.resize(difference, size, interpolation=cv2.INTER_AREA))
    return float(np.abs(blocks - np.median(blocks, axis=(0, 1))).max())


def _open_camera(name: str, settings: CameraSettings) -> Camera:
    if settings.kind == "ros":
        return open_ros_camera(name, str(settings.source), settings.frozen_after)
    return open_device_camera(name, settings.source, settings.width, settings.height, settings.frozen_after)


def _check_names(named: Mapping[str, object], views: tuple[View, ...]) -> None:
    expected = [view.name for view in views]
    if set(named) != set(expected):
        raise InvalidConfiguration(
            f"cameras {', '.join(named)} came for the views {', '.join(expected)}; give one each"
        )


def _check_frame(name: str, frame: Frame, settings: CameraSettings) -> None:
    shape, expected = frame.image.shape, (settings.height, settings.width, 3)
    if shape != expected:
        raise CameraFault(
            f"camera {name} gives pictures of {shape[1]} x {shape[0]} px, but was calibrated for {settings.width} x "
            f"{settings.height}; correct width and height in the lab file, or set the camera's mode"
        )
    if frame.image.min() == frame.image.max():
        raise BlankPicture(f"camera {name} gives a picture of one colour; check its lens cap, exposure and light")
