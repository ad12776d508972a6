"""Master, robot and client as processes, and what a test says to them."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xmlrpc.client import ServerProxy

from programs import Program

from sawyer_stand_in.recording import Recording

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Answer:
    """How a call to the backend ended: `error` is the class's name or empty, times are `time.monotonic()` seconds."""

    call: str
    began: float
    ended: float
    error: str
    message: str
    returned: str = ""


class Laboratory:
    """A master with a stand-in robot, and our backend as its client; `restart` replaces what a fault has ended."""

    def __init__(self, start: Callable[..., Program], start_master: Callable[..., Any], folder: Path, sdk: bool):
        self._start, self._start_master = start, start_master
        # A laboratory's workspace, already on PYTHONPATH, comes first with --sdk; otherwise our types and our SDK.
        ours = [str(folder), *([] if sdk else [str(_HERE / "sdk")])]
        theirs = [each for each in os.environ.get("PYTHONPATH", "").split(":") if each]
        self._path = ":".join([str(_HERE.parent), *(theirs + ours if sdk else ours + theirs)])
        self.master = start_master()
        self.robot = self._run("node")
        self.client = self._run("client")
        self.is_open, self.is_idle = False, True
        """Whether the client's backend was opened, and whether its last call was answered."""

    def restart_master(self) -> None:
        """Start a master at the same address; nobody is registered there."""
        self.master.program.end()
        self.master = self._start_master(int(self.master.uri.rpartition(":")[2]))

    def restart_robot(self) -> None:
        """Start the robot again: enabled, at rest away from the table, its fingers open."""
        self.robot.end()
        self.robot = self._run("node")

    def restart_client(self) -> None:
        """Start our process again; nothing is open."""
        self.client.end()
        self.client, self.is_open, self.is_idle = self._run("client"), False, True

    def end_node_of_client(self) -> None:
        """End the client's ROS node, as `rosnode kill` does; its process lives on."""
        with ServerProxy(self.master.uri) as master:
            publishers, _, _ = master.getSystemState("/tests")[2]
            # The name of an anonymous node contains the number of its process.
            (node,) = {node for _, nodes in publishers for node in nodes if f"_{self.client.process.pid}_" in node}
            address = master.lookupNode("/tests", node)[2]
        with ServerProxy(address) as client:
            client.shutdown("/tests", "killed")

    def order(self, *orders: str) -> float:
        """Give the robot orders, see `sawyer_stand_in.node`; returns when the last was obeyed."""
        done = ""
        for each in orders:
            self.robot.tell(each)
            done = self.robot.says("done")
        return float(done.split()[1])

    def set(self, **faults: Any) -> float:
        """Set faults, see `sawyer_stand_in.robot.Faults`; returns when they began."""
        return self.order(json.dumps(faults))

    def recording(self, since: float) -> Recording:
        """What the robot received and did since a time of `time.monotonic()`."""
        self.robot.tell(f"log {since}")
        return Recording.from_log(json.loads(self.robot.says("log")[4:]))

    def begin(self, call: str, *args: float) -> None:
        """Call the backend, or `open` it, without waiting."""
        self.is_idle = False
        self.client.tell(json.dumps({"call": call, "args": args}))

    def answer(self) -> Answer:
        """Wait for the end of the call."""
        answer = Answer(**json.loads(self.client.says("answer")[7:]))
        self.is_idle = True
        self.is_open = self.is_open or (answer.call == "open" and not answer.error)
        return answer

    def call(self, call: str, *args: float) -> Answer:
        """Call the backend and wait."""
        self.begin(call, *args)
        return self.answer()

    def wait_for_motion(self, radians: float = 0.1) -> None:
        """Return when the arm has moved this far since now."""
        start = time.monotonic()
        while self.recording(start - 0.1).travel() < radians:
            assert time.monotonic() - start < 10, self.answer()
            time.sleep(0.05)

    def settle(self, *orders: str) -> None:
        """Give orders and wait until the client has received the robot's new state."""
        self.order(*orders)
        time.sleep(0.2)

    @contextmanager
    def other(self, module: str) -> Iterator[Program]:
        """One more process: `intruder` commands the arm, too, `impostor` sends joint states; `client` is ours."""
        program = self._run(module)
        try:
            yield program
        finally:
            program.end()

    @contextmanager
    def frozen(self, program: Program) -> Iterator[float]:
        """SIGSTOP for a program of ours; yields the time."""
        program.process.send_signal(signal.SIGSTOP)
        try:
            yield time.monotonic()
        finally:
            program.process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        """End all processes."""
        for program in (self.client, self.robot, self.master.program):
            program.end()

    def _run(self, module: str) -> Program:
        # Robot and client have to keep 100 Hz on a busy machine; without the right to it, nice only warns.
        command = ("nice", "-n", "-10", sys.executable, "-u", "-m", f"sawyer_stand_in.{module}")
        program = self._start(*command, uri=self.master.uri, PYTHONPATH=self._path)
        program.says("ready")
        return program
