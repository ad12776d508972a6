"""A real ROS 1 master and the twin's node on it, for a Python that can import rospy; see `make test-ros`."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from types import SimpleNamespace
from typing import Any

import pytest
from programs import PATIENCE_S, Program
from sawyer_stand_in.laboratory import Laboratory
from sawyer_stand_in.messages import generate_messages
from sawyer_stand_in.table import Row, lines_of

from tabletop_interaction.errors import MasterUnreachable
from tabletop_interaction.real.arm.driver import COLLISION_TOPIC, FORCE_TOPIC, ROBOT_TOPIC
from tabletop_interaction.real.arm.gripper_signals import END_EFFECTOR_TOPIC
from tabletop_interaction.real.lab.lab import Lab, load_lab
from tabletop_interaction.real.ros.master import check_master
from tabletop_interaction.real.ros.node import end_node

Start = Callable[..., Program]


@pytest.fixture(scope="session")
def ros_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pytest.MonkeyPatch]:
    """Logs in a temporary folder, connections on this machine only, and no master yet."""
    home = tmp_path_factory.mktemp("ros")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("ROS_IP", "ROS_NAMESPACE"):
            patch.delenv(name, raising=False)
        patch.setenv("ROS_HOME", str(home))
        patch.setenv("ROS_LOG_DIR", str(home / "log"))
        patch.setenv("ROS_HOSTNAME", "localhost")
        patch.setenv("ROS_MASTER_URI", "http://localhost:1")
        yield patch


@pytest.fixture(scope="session")
def start(ros_environment: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts a program with the ROS master at `uri`; it ends with the tests."""
    running = []

    def started(*command: str | Path, uri: str, **environment: str) -> Program:
        process = subprocess.Popen(
            [str(each) for each in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "ROS_MASTER_URI": uri, **environment},
        )
        running.append(Program(process))
        return running[-1]

    yield started
    for program in running:
        program.end()


FAULT_TABLE = pytest.StashKey[list[Row]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--sdk", action="store_true", help="try the faults with Rethink's SDK from the ROS workspace")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[FAULT_TABLE] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the table of faults, if they were tried."""
    if rows := config.stash[FAULT_TABLE]:
        terminalreporter.section("faults of the robot")
        terminalreporter.write("\n".join([*lines_of(rows), ""]))


@dataclass(frozen=True)
class Master:
    uri: str
    program: Program


@pytest.fixture(scope="session")
def start_master(start: Start) -> Callable[..., Master]:
    """Starts a master on a free port, or on the port that is given."""
    if shutil.which("rosmaster") is None:
        pytest.skip("needs Debian's python3-rosmaster")

    def started(port: int = 0) -> Master:
        with socket.socket() as free:
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            free.bind(("localhost", port))
            port = free.getsockname()[1]
        master = Master(f"http://localhost:{port}", start("rosmaster", "--core", "-p", str(port), uri=""))
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                check_master(master.uri)
                return master
            except MasterUnreachable:
                assert time.monotonic() < deadline
                time.sleep(0.05)

    return started


@pytest.fixture(scope="session")
def master(start_master: Callable[..., Master], ros_environment: pytest.MonkeyPatch) -> Iterator[Master]:
    """The master of this process's own node; a process has one node."""
    import rospy

    started = start_master()
    ros_environment.setenv("ROS_MASTER_URI", started.uri)
    yield started
    end_node(rospy)


@pytest.fixture(scope="session")
def start_twin(start: Start) -> Callable[..., Program]:
    """Starts the twin's node at a master; returns when it publishes."""

    def started(uri: str, *options: str | Path) -> Program:
        program = start(sys.executable, "-u", "-m", "tabletop_interaction.real.twin.node", *options, uri=uri)
        program.says("publishing")
        return program

    return started


@dataclass
class TwinNode:
    """The twin's node at the session's master; it can be frozen, killed and restarted."""

    program: Program
    restart: Callable[[], Program]

    @contextmanager
    def frozen(self) -> Iterator[None]:
        self.program.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.program.process.send_signal(signal.SIGCONT)

    @contextmanager
    def killed(self) -> Iterator[None]:
        self.program.end()
        try:
            yield
        finally:
            self.program = self.restart()


@pytest.fixture(scope="session")
def lab_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Path of the lab file that the node writes."""
    return tmp_path_factory.mktemp("lab") / "lab.yaml"


@pytest.fixture(scope="session")
def twin_node(master: Master, start_twin: Callable[..., Program], lab_file: Path) -> TwinNode:
    """The twin's node."""
    return TwinNode(start_twin(master.uri, "--lab", lab_file), lambda: start_twin(master.uri))


@pytest.fixture(scope="session")
def ros_lab(twin_node: TwinNode, lab_file: Path) -> Lab:
    """The laboratory behind the node's topics."""
    return load_lab(lab_file)


@pytest.fixture(scope="session")
def fault_table(request: pytest.FixtureRequest) -> list[Row]:
    """The rows that the summary prints."""
    return request.config.stash[FAULT_TABLE]


@pytest.fixture(scope="session")
def laboratory(
    start: Start,
    start_master: Callable[..., Master],
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[Laboratory]:
    """A stand-in robot at its own master, with our backend as a client in another process."""
    pytest.importorskip("rospy", reason="needs Debian's ROS 1, see `make test-ros`")
    folder = tmp_path_factory.mktemp("messages")
    generate_messages(folder)
    opened = Laboratory(start, start_master, folder, sdk=request.config.getoption("sdk", False))
    yield opened
    opened.end()


_AT_REST = {
    FORCE_TOPIC: SimpleNamespace(wrench=SimpleNamespace(force=SimpleNamespace(x=0.0, y=0.0, z=0.0))),
    COLLISION_TOPIC: SimpleNamespace(collision_state=False),
    ROBOT_TOPIC: SimpleNamespace(enabled=True, stopped=False, error=False, estop_button=0),
}


@pytest.fixture
def other_topics(monkeypatch: pytest.MonkeyPatch) -> None:
    """The topics that the twin's node lacks, sent to subscribers within this process, of a robot at rest."""
    import rospy

    subscriber = rospy.Subscriber

    def subscribe(topic: str, kind: Any, callback: Callable[[Any], None], **options: Any) -> Any:
        if topic not in _AT_REST:
            return subscriber(topic, kind, callback, **options)
        over = Event()

        def send() -> None:
            while not over.wait(0.02):
                callback(_AT_REST[topic])

        Thread(target=send, daemon=True).start()
        return SimpleNamespace(unregister=over.set)

    wait, hand = rospy.wait_for_message, SimpleNamespace(devices=[SimpleNamespace(name="right_gripper")])
    monkeypatch.setattr(rospy, "Subscriber", subscribe)
    monkeypatch.setattr(
        rospy,
        "wait_for_message",
        lambda topic, *options: hand if topic == END_EFFECTOR_TOPIC else wait(topic, *options),
    )
