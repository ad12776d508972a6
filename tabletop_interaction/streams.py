"""Standard streams that never end a command: closed ones, narrow encodings, readers that have gone; and signals."""

import io
import math
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TextIO

_AGAIN_S = 0.05
_IMPORT_S = 5.0
_IMPORT_SYSTEM = "<frozen importlib._bootstrap>"
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
        raise_soon(Stopped(number), frame)

    try:
        with _raising_soon() as raise_soon:
            for number in handled:
                signal.signal(number, end)
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
def _raising_soon() -> Iterator[Callable[[KeyboardInterrupt, FrameType | None], None]]:
    """A function that raises an interrupt in the frame that a signal interrupted, or as soon as that frame allows it.

    Compiled modules such as torch's may abort the process, or swallow an error, while they are imported: the interrupt
    waits for the end of the import, but not for longer than `_IMPORT_S`. It is raised again where a destructor or a
    callback of a library has swallowed it.
    """
    waiting: list[KeyboardInterrupt] = []
    latest = math.inf

    def raise_soon(interrupt: KeyboardInterrupt, frame: FrameType | None) -> None:
        nonlocal latest
        latest = min(latest, time.monotonic() + _IMPORT_S)
        if not _imports(frame) or time.monotonic() >= latest:
            latest = math.inf
            raise interrupt
        wait_with(interrupt)

    def wait_with(interrupt: KeyboardInterrupt) -> None:
        waiting[:] = [interrupt]
        signal.setitimer(signal.ITIMER_REAL, _AGAIN_S)

    def see(unraisable: "sys.UnraisableHookArgs") -> None:
        if isinstance(unraisable.exc_value, KeyboardInterrupt):
            wait_with(unraisable.exc_value)
        else:
            hook(unraisable)

    def again(number: int, frame: FrameType | None) -> None:
        raise_soon(waiting.pop(), frame)

    hook, before = sys.unraisablehook, signal.signal(signal.SIGALRM, again)
    sys.unraisablehook = see
    try:
        yield raise_soon
        if waiting:
            raise waiting.pop()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.unraisablehook = hook
        signal.signal(signal.SIGALRM, before)


def _imports(frame: FrameType | None) -> bool:
    """Whether a frame runs for an import, in Python's own code for imports or in a module that is just imported."""
    while frame is not None:
        if frame.f_code.co_filename == _IMPORT_SYSTEM:
            return True
        frame = frame.f_back
    return False
