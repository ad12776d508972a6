"""The camera protocol: the newest frame with the time at which it was taken.

Every camera receives in its own thread and keeps only the newest frame, so that no old frame waits in a buffer.
Times are seconds of `time.monotonic()` on this machine.
"""

import threading
import time
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tabletop_interaction.arrays import Picture
from tabletop_interaction.errors import CameraFault, TabletopError

FROZEN_AFTER = 5
"""Equal pictures in a row that make a frozen camera."""


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

    def check(self, max_age_s: float, timeout_s: float) -> None:
        """Raise CameraFault unless a frame is at most `max_age_s` old or comes within `timeout_s` seconds."""
        ...

    def close(self) -> None:
        """Release the device or topic; calling it again does nothing."""
        ...


class LatestFrame:
    """The part that all cameras share: passes the newest frame from the receiving thread to the readers.

    `advice` says in messages what to check if no frame comes. Sensor noise makes every two pictures differ:
    `frozen_after` equal ones in a row are a fault, until another picture comes; 0 accepts them, for cameras without
    noise.
    """

    def __init__(self, name: str, advice: str, frozen_after: int = FROZEN_AFTER) -> None:
        self.name = name
        self._advice = advice
        self._frozen_after = frozen_after
        self._equal = 1
        self._changed = threading.Condition()
        self._frame: Frame | None = None
        self._fault: TabletopError | None = None

    def put(self, frame: Frame) -> None:
        """Replace the frame."""
        before = self._frame
        repeats = self._frozen_after > 0 and before is not None and np.array_equal(before.image, frame.image)
        with self._changed:
            self._equal = self._equal + 1 if repeats else 1
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
            if 0 < self._frozen_after <= self._equal:
                raise CameraFault(
                    f"camera {self.name} is frozen: its last {self._equal} pictures are equal to the last bit, which "
                    f"sensor noise excludes; restart the camera or its node, then {self._advice}; set "
                    "frozen_after: 0 in the lab file if it has no noise"
                )
            return self._frame

    def check(self, max_age_s: float, timeout_s: float) -> None:
        """See `Camera.check`."""
        self.read(time.monotonic() - max_age_s, timeout_s)

    def _is_newer(self, stamp: float) -> bool:
        return self._frame is not None and self._frame.stamp > stamp

    def _late(self, timeout_s: float) -> str:
        last = "none came yet"
        if self._frame is not None:
            last = f"the last one is {time.monotonic() - self._frame.stamp:.1f} s old"
        return f"camera {self.name} gave no new picture within {timeout_s:.1f} s ({last}); {self._advice}"
