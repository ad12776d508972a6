"""Cameras that OpenCV captures from: USB cameras, and whatever else it opens by path, number or address."""

from __future__ import annotations

import threading
import time
from typing import Any, Protocol

import cv2
import numpy as np

from tabletop_interaction.errors import CameraFault
from tabletop_interaction.real.cameras.frames import Frame, LatestFrame

LATENCY_S = 0.1
"""How long before it reaches us a frame may have been exposed: exposure, read-out and transfer of a USB camera."""

_FAILURES_TO_GIVE_UP = 10
_PAUSE_AFTER_FAILURE_S = 0.05
_JOIN_S = 2.0
_ADVICE = "check its cable and that no other program uses it, then open the backend again"


class Capture(Protocol):
    """The part of `cv2.VideoCapture` that is used."""

    def read(self) -> tuple[bool, Any]: ...

    def release(self) -> None: ...


class DeviceCamera:
    """Reads a capture device in a thread of its own and keeps the newest frame.

    Args:
        name: view and device, for messages.
        capture: an open device; it is released by `close`.
        latency_s: taken off the time of arrival, so that a frame is never stamped younger than what it shows.
    """

    def __init__(self, name: str, capture: Capture, latency_s: float = LATENCY_S) -> None:
        self.name = name
        self._capture = capture
        self._latency_s = latency_s
        self._latest = LatestFrame(name, _ADVICE)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._receive, name=f"camera {name}", daemon=True)
        self._thread.start()

    def read(self, newer_than: float, timeout_s: float) -> Frame:
        """As `Camera.read`.

        Raises:
            CameraFault: no newer frame in time, or the device stopped.
        """
        return self._latest.read(newer_than, timeout_s)

    def close(self) -> None:
        """End the thread and release the device; calling it again does nothing."""
        if self._stop.is_set():
            return
        self._stop.set()
        self._thread.join(_JOIN_S)
        # A thread that hangs in the device still holds it: releasing it then would crash in the driver.
        if not self._thread.is_alive():
            self._capture.release()
        self._latest.fail(CameraFault(f"camera {self.name} is closed; open the cameras again"))

    def _receive(self) -> None:
        failures = 0
        while not self._stop.is_set() and failures < _FAILURES_TO_GIVE_UP:
            got, bgr = self._capture.read()
            if got:
                failures = 0
                rgb = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
                self._latest.put(Frame(rgb, time.monotonic() - self._latency_s))
            else:
                failures += 1
                self._stop.wait(_PAUSE_AFTER_FAILURE_S)
        if failures:
            self._latest.fail(CameraFault(f"camera {self.name} stopped giving pictures; {_ADVICE}"))


def open_device_camera(name: str, source: str | int, width: int, height: int) -> DeviceCamera:
    """Open a capture device and ask it for pictures of that size, pixels.

    Raises:
        CameraFault: OpenCV cannot open it.
    """
    capture = cv2.VideoCapture(source)
    if not capture.isOpened():
        capture.release()
        raise CameraFault(f"camera {name} cannot be opened; see `v4l2-ctl --list-devices` and correct its source")
    capture.set(cv2.CAP_PROP_FRAME_WIDTH, width)
    capture.set(cv2.CAP_PROP_FRAME_HEIGHT, height)
    return DeviceCamera(name, capture)
