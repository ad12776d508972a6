"""Programs that tests start: what they print, how they are told something, and how they end."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Thread

PATIENCE_S = 40.0


@dataclass
class Program:
    """A running process and what it prints."""

    process: subprocess.Popen[str]
    lines: SimpleQueue[str] = field(default_factory=SimpleQueue)
    said: list[str] = field(default_factory=list)
    """All lines so far."""

    def __post_init__(self) -> None:
        Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line.rstrip())
            self.lines.put(self.said[-1])
        self.lines.put("(no more)")

    def says(self, start: str) -> str:
        """The next line that begins with `start`; lines before it are skipped."""
        deadline, heard = time.monotonic() + PATIENCE_S, []
        while True:
            try:
                heard.append(self.lines.get(timeout=max(deadline - time.monotonic(), 0.0)))
            except Empty:
                heard.append("(no more in time)")
            if heard[-1].startswith(start):
                return heard[-1]
            assert not heard[-1].startswith("(no more"), heard

    def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def ends(self, seconds: float = PATIENCE_S) -> int:
        return self.process.wait(seconds)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
