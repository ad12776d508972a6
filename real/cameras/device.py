"""Cameras of OpenCV: USB cameras and other devices that it opens by path, number or address."""

import threading
import time
from typing import Any

import cv2
import numpy as np

from tabletop_interaction.errors import CameraFault
from tabletop_interaction.real.cameras.frames import FROZEN_AFTER, Frame, LatestFrame

_LATENCY_S = 0.1
"""Longest time from exposure to arrival of a frame: exposure, read-out and transfer of a USB camera."""

_MAX_FAILURES = 10
_PAUSE_AFTER_FAILURE_S = 0.05
_JOIN_S = 2.0
_ADVICE = "check its cable and that no other program uses it, then open the backend again"


class DeviceCamera(LatestFrame):
    """Reads a capture device in its own thread and keeps the newest frame.

    Args:
        name: view and device, for messages.
        capture: an open `cv2.VideoCapture`; `close` releases it.
        latency_s: subtracted from the time of arrival, so that no frame is stamped later than its exposure.
        frozen_after: as for `LatestFrame`.
    """

    def __init__(
        self, name: str, capture: Any, latency_s: float = _LATENCY_S, frozen_after: int = FROZEN_AFTER
    ) -> None:
        super().__init__(name, _ADVICE, frozen_after)
        self._capture = capture
        self._latency_s = latency_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._receive, name=f"camera {name}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread and release the device; calling it again does nothing."""
        if self._stop.is_set():
            return
        self._stop.set()
        self._thread.join(_JOIN_S)
        # If the thread hangs inside the device, releasing the device would crash the driver.
        if not self._thread.is_alive():
            self._capture.release()
        self.fail(CameraFault(f"camera {self.name} is closed; open the cameras again"))

    def _receive(self) -> None:
        failures = 0
        while not self._stop.is_set() and failures < _MAX_FAILURES:
            got, bgr = self._capture.read()
            if got:
                failures = 0
                rgb = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
                self.put(Frame(rgb, time.monotonic() - self._latency_s))
            else:
                failures += 1
                self._stop.wait(_PAUSE_AFTER_FAILURE_S)
        if failures:
            self.fail(CameraFault(f"camera {self.name} stopped giving pictures; {_ADVICE}"))


def open_device_camera(
    name: str, source: str | int, width: int, height: int, frozen_after: int = FROZEN_AFTER
) -> DeviceCamera:
    """Open a capture device and request pictures of that size, pixels; CameraFault if OpenCV cannot open it."""
    capture = cv2.VideoCapture(source)
    if not capture.isOpened():
        capture.release()
        raise CameraFault(f"camera {name} cannot be opened; run `v4l2-ctl --list-devices` and correct its source")
    capture.set(cv2.CAP_PROP_FRAME_WIDTH, width)
    capture.set(cv2.CAP_PROP_FRAME_HEIGHT, height)
    return DeviceCamera(name, capture, frozen_after=frozen_after)
