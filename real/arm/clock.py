"""The clocks of robot and twin: real time, or simulated time."""

import time
from typing import Protocol


class Clock(Protocol):
    """A clock that can be waited on."""

    def now(self) -> float:
        """Seconds; never decreases."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait for `seconds`; returns at once for 0 or less."""
        ...


class MonotonicClock:
    """The machine's monotonic clock. Time in which a computer sleeps counts, other than in `time.monotonic()`."""

    def now(self) -> float:
        """Seconds since the machine started."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def sleep(self, seconds: float) -> None:
        """Wait for `seconds`."""
        if seconds > 0:
            time.sleep(seconds)


class Ticks:
    """Ticks every `period` seconds; a late tick delays all later ticks instead of shortening the gaps between them."""

    def __init__(self, clock: Clock, period: float) -> None:
        self._clock = clock
        self._period = period
        self._next = clock.now() + period

    def wait(self) -> None:
        """Sleep until the next tick."""
        now = self._clock.now()
        self._clock.sleep(self._next - now)
        self._next = max(self._next, now) + self._period
