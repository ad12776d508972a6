"""Runs programs at a pseudo-terminal, and reads what its screen shows."""

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
from collections.abc import Callable, Sequence

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def run_at_terminal(
    command: Sequence[str],
    columns: int = 80,
    *,
    interrupt: Callable[[int, int, str], bool] = lambda terminal, process, output: False,
    **environment: str,
) -> tuple[int, str]:
    """Exit status and all output of a program at a terminal of so many columns, which it controls.

    Args:
        interrupt: called with the terminal's file, the id of the process and the output until now, whenever the
            program prints, until it returns True.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    env = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES", "NO_COLOR")}
    program = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env={**env, "TERM": "xterm", **environment},
        start_new_session=True, preexec_fn=_control_terminal,
    )  # fmt: skip
    os.close(theirs)
    output, interrupted = b"", False
    while True:
        try:
            read = os.read(ours, 1 << 16)
        except OSError:  # The program has closed the terminal.
            break
        if not read:
            break
        output += read
        interrupted = interrupted or interrupt(ours, program.pid, output.decode(errors="replace"))
    os.close(ours)
    return program.wait(), output.decode()


def _control_terminal() -> None:
    """Make standard input the terminal whose Ctrl-C reaches this process."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    # A test run in the background ignores Ctrl-C, and its children would too.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def lines_of(output: str) -> list[str]:
    """The lines that a terminal has shown, without colours and movements of the cursor."""
    return [line for line in _CONTROL.sub("", output).replace("\r", "\n").split("\n") if line.strip()]
