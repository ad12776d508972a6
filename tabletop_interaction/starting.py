"""Signals while the modules of a program are imported: one line and an exit status, without a traceback.

Nothing but the standard library is imported, and `tabletop_interaction` imports this module first: torch alone takes
seconds. `tabletop_interaction.streams.terminating_cleanly` handles signals once the program runs.
"""

import os
import signal
import sys
from contextlib import suppress
from types import FrameType

STOPPED = "stopped; everything that was finished is on disk"
"""The line after a signal that ends a program."""


def is_program() -> bool:
    """Whether this process runs `tabletop`, or a module of this package as `python -m`; False in its workers."""
    name = "".join(sys.argv[:1])
    # Python's name of a program while it imports the packages above the module that `python -m` runs is -m.
    if name == "-m":
        return any(each.removeprefix("-m").startswith("tabletop_interaction.") for each in sys.orig_argv)
    # Workers have the name of the program, but another command line.
    return os.path.basename(name) == "tabletop" and name in sys.orig_argv


def end_in_one_line_after_signals() -> None:
    """Let SIGTERM, SIGHUP and SIGINT end this process at once with STOPPED and 128 + n; ignored ones stay ignored.

    For a process that has nothing to clean up, as while it imports modules.
    """
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _end)


def _end(number: int, frame: FrameType | None) -> None:
    # Raised errors would show a traceback, or be swallowed by the module that is just imported. Standard error may be
    # closed, and after SIGHUP there may be no terminal.
    with suppress(OSError):
        os.write(2, f"{STOPPED}\n".encode())
    os._exit(128 + number)
