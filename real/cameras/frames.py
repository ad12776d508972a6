"""The camera protocol: the newest frame with the time at which it was taken.

Every camera receives in its own thread and keeps only the newest frame, so that no old frame waits in a buffer.
Times are seconds of `time.monotonic()` on this machine.
"""

import threading
import time
from dataclasses import dataclass
from typing import Protocol

from tabletop_interaction.arrays import Picture
from tabletop_interaction.errors import CameraFault, TabletopError


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of one camera, in the camera's own size.

    Attributes:
        image: uint8 (H, W, 3) RGB.
        stamp: `time.monotonic()` seconds; the exposure is not earlier.
    """

    image: Picture
    stamp: float


class Camera(Protocol):
    """An open camera."""

    @property
    def name(self) -> str:
        """View and device or topic, for messages."""
        ...

    def read(self, newer_than: float, timeout_s: float) -> Frame:
        """The newest frame; waits for one with a stamp above `newer_than`.

        Raises:
            CameraFault: none came within `timeout_s` seconds, or the camera failed.
        """
        ...

    def close(self) -> None:
        """Release the device or topic; calling it again does nothing."""
        ...


class LatestFrame:
    """The part that all cameras share: passes the newest frame from the receiving thread to the readers.

    `advice` says in messages what to check if no frame comes.
    """

    def __init__(self, name: str, advice: str) -> None:
        self.name = name
        self._advice = advice
        self._changed = threading.Condition()
        self._frame: Frame | None = None
        self._fault: TabletopError | None = None

    def put(self, frame: Frame) -> None:
        """Replace the frame."""
        with self._changed:
            self._frame = frame
            self._changed.notify_all()

    def fail(self, fault: TabletopError) -> None:
        """Raise `fault` in every later read."""
        with self._changed:
            self._fault = fault
            self._changed.notify_all()

    def read(self, newer_than: float, timeout_s: float) -> Frame:
        """See `Camera.read`; also raises the fault given to `fail`."""
        with self._changed:
            self._changed.wait_for(lambda: self._fault is not None or self._is_newer(newer_than), timeout_s)
            if self._fault is not None:
                raise self._fault
            if self._frame is None or not self._is_newer(newer_than):
                raise CameraFault(self._late(timeout_s), recoverable=True)
            return self._frame

    def _is_newer(self, stamp: float) -> bool:
        return self._frame is not None and self._frame.stamp > stamp

    def _late(self, timeout_s: float) -> str:
        last = "none came yet"
        if self._frame is not None:
            last = f"the last one is {time.monotonic() - self._frame.stamp:.1f} s old"
        return f"camera {self.name} gave no new picture within {timeout_s:.1f} s ({last}); {self._advice}"
