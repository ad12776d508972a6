"""Standard streams that never end a command: closed ones, narrow encodings, readers that have gone, and SIGTERM."""

import io
import os
import select
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TextIO

READER_GONE = 128 + signal.SIGPIPE
"""Exit status when the reader of the output has gone, as a shell reports it."""


def open_standard_streams() -> None:
    """Open what the caller closed at the null device, and let no character end a command.

    The next file that is opened would otherwise take the number of a closed stream, and libraries that write to
    standard output would write into that file. A character that a stream's encoding lacks is written as its escape.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number, which is this one.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def reader_has_gone() -> bool:
    """Whether standard output or standard error is a pipe that nobody reads any more."""
    gone = select.poll()
    for number in (1, 2):
        gone.register(number, 0)
    return any(events & select.POLLERR for _, events in gone.poll(0))


def discard(*streams: TextIO) -> None:
    """Send what streams still buffer to the null device, so that Python's own flush at its end is quiet."""
    for stream in streams:
        with suppress(OSError, ValueError), open(os.devnull, "w") as null:
            os.dup2(null.fileno(), stream.fileno())
            stream.flush()


@contextmanager
def terminating_cleanly() -> Iterator[None]:
    """Let SIGTERM raise SystemExit in this block: worker processes end, and locks and semaphores are released."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
