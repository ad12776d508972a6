"""Runs programs at a pseudo-terminal, and reads what its screen shows."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Sequence

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def run_at_terminal(command: Sequence[str], columns: int = 80, **environment: str) -> tuple[int, str]:
    """Exit status and all output of a program at a terminal of so many columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    env = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES", "NO_COLOR")}
    program = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env={**env, "TERM": "xterm", **environment}
    )
    os.close(theirs)
    output = b""
    while True:
        try:
            read = os.read(ours, 1 << 16)
        except OSError:  # The program has closed the terminal.
            break
        if not read:
            break
        output += read
    os.close(ours)
    return program.wait(), output.decode()


def lines_of(output: str) -> list[str]:
    """The lines that a terminal has shown, without colours and movements of the cursor."""
    return [line for line in _CONTROL.sub("", output).replace("\r", "\n").split("\n") if line.strip()]
