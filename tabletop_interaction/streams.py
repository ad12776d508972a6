"""Standard streams that never end a command: closed ones, narrow encodings, readers that have gone; and signals."""

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

_AGAIN_S = 0.05
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


class Stopped(KeyboardInterrupt):
    """SIGTERM, SIGHUP or SIGINT asks the command to end.

    Attributes:
        status: exit status, as a shell reports the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.status = 128 + number


@contextmanager
def terminating_cleanly() -> Iterator[None]:
    """Let SIGTERM, SIGHUP and SIGINT raise Stopped in this block: worker processes end, and locks are released.

    The first SIGTERM or SIGHUP counts; Ctrl-C may still interrupt what ends the command. Ignored signals stay ignored,
    as SIGHUP under nohup. An error of a library that a signal interrupted becomes Stopped too.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)}
    handled = [number for number, handler in before.items() if handler != signal.SIG_IGN]
    received: list[int] = []

    def end(number: int, frame: FrameType | None) -> None:
        received.append(number)
        for each in handled:
            if each != signal.SIGINT:
                signal.signal(each, signal.SIG_IGN)
        raise Stopped(number)

    for number in handled:
        signal.signal(number, end)
    try:
        with _raised_again():
            yield
    except Exception as error:
        # Compiled code may replace the interrupt by an error of its own.
        if received:
            raise Stopped(received[0]) from error
        raise
    finally:
        for number in handled:
            signal.signal(number, before[number])


@contextmanager
def _raised_again() -> Iterator[None]:
    """Raise a KeyboardInterrupt again that a destructor or a callback of a library has swallowed."""
    swallowed: list[BaseException] = []

    def see(unraisable: "sys.UnraisableHookArgs") -> None:
        if isinstance(unraisable.exc_value, KeyboardInterrupt):
            swallowed.append(unraisable.exc_value)
            signal.setitimer(signal.ITIMER_REAL, _AGAIN_S)
        else:
            hook(unraisable)

    def again(number: int, frame: FrameType | None) -> None:
        raise swallowed.pop()

    hook, before = sys.unraisablehook, signal.signal(signal.SIGALRM, again)
    sys.unraisablehook = see
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.unraisablehook = hook
        signal.signal(signal.SIGALRM, before)
