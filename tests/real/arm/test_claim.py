"""One program uses an arm: another one on this machine, at the master or on the topic is found and named."""

import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace
from xmlrpc.server import SimpleXMLRPCServer

import pytest

from tabletop_interaction.errors import MasterUnreachable, RobotFault, RobotInUse
from tabletop_interaction.real.arm import claim
from tabletop_interaction.real.arm.claim import (
    COMMAND_TOPIC,
    ForeignCommands,
    check_alone,
    check_known,
    lock_path,
    locked_arm,
)

OWN = "/tabletop_sawyer_1"


@contextmanager
def _served(**functions):
    server = SimpleXMLRPCServer(("localhost", 0), logRequests=False)
    for name, function in {"getPid": lambda caller: [1, "", 1], **functions}.items():
        server.register_function(function, name)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://localhost:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def _master(nodes):
    """A master at which `nodes`, addresses by name, publish joint commands."""

    def lookup(caller, node):
        return [1, "", nodes[node]] if node in nodes else [-1, "unknown", ""]

    state = [[[COMMAND_TOPIC, list(nodes)], ["/rosout", ["/others"]]], [], []]
    with _served(getSystemState=lambda caller: [1, "", state], lookupNode=lookup) as uri:
        yield uri


def test_another_publisher_of_commands_is_refused_by_name():
    with _served() as node, _master({OWN: node, "/teleop": node}) as uri:
        with pytest.raises(RobotInUse, match=r"^/teleop may command .*nothing was moved; end the other program"):
            check_alone(uri, OWN)
        check_alone(uri, OWN, robot_nodes=("/teleop",))


def test_a_publisher_that_was_killed_does_not_lock_the_arm_out():
    with _served() as node:
        pass
    with _master({OWN: node, "/killed": node}) as uri:
        check_alone(uri, OWN)


def test_a_publisher_that_does_not_answer_counts_as_alive(monkeypatch):
    released = threading.Event()
    monkeypatch.setattr(claim, "is_gone", partial(claim.is_gone, timeout_s=0.1))
    with _served(getPid=lambda caller: released.wait(5)) as node, _master({"/frozen": node}) as uri:
        with pytest.raises(RobotInUse, match="/frozen"):
            check_alone(uri, OWN)
        released.set()


def test_without_a_master_nobody_is_judged_alone():
    with pytest.raises(MasterUnreachable):
        check_alone("http://localhost:1", OWN)


def test_a_restarted_master_is_named_with_what_to_do():
    with _master({OWN: "http://localhost:1"}) as uri:
        check_known(uri, OWN)
        with pytest.raises(RobotFault, match=r"was restarted.*end this program and start it again"):
            check_known(uri, "/forgotten")


@pytest.fixture
def locks(monkeypatch, tmp_path):
    monkeypatch.setattr(claim, "lock_path", lambda uri: tmp_path / "arm.lock")
    return tmp_path / "arm.lock"


def test_two_uses_of_an_arm_on_one_machine_exclude_each_other(locks):
    refused = pytest.raises(RobotInUse, match="uses the arm at http://robot:11311")
    with locked_arm("http://robot:11311"), refused, locked_arm("http://robot:11311"):
        pytest.fail("both have it")
    with locked_arm("http://robot:11311"):
        pass


def test_the_lock_of_a_killed_program_is_free(locks):
    hold = (
        "import sys; from tabletop_interaction.files import lock_file\n"
        "with lock_file(sys.argv[1], blocking=False): print('held', flush=True); sys.stdin.read()"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", hold, locks], stdin=pipe, stdout=pipe, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(RobotInUse), locked_arm("http://robot:11311"):
            pytest.fail("both have it")
        other.send_signal(signal.SIGKILL)
        other.wait()
        with locked_arm("http://robot:11311"):
            pass


def test_names_of_one_address_share_a_lock():
    assert lock_path("http://localhost:11311") == lock_path("http://127.0.0.1:11311/")
    assert lock_path("http://localhost:11311") != lock_path("http://localhost:11312")


def test_a_foreign_command_is_named_for_a_moment_and_our_own_never(sawyer):
    handlers = []
    rospy = SimpleNamespace(
        AnyMsg=object,
        get_name=lambda: OWN,
        Subscriber=lambda topic, kind, callback, **options: handlers.append((topic, callback)),
    )
    commands = ForeignCommands(rospy, sawyer.clock)
    ((topic, receive),) = handlers
    assert topic == COMMAND_TOPIC
    receive(SimpleNamespace(_connection_header={"callerid": OWN}))
    assert commands.sender == ""
    receive(SimpleNamespace(_connection_header={"callerid": "/teleop"}))
    receive(SimpleNamespace(_connection_header={"callerid": OWN}))
    assert commands.sender == "/teleop"
    sawyer.clock.sleep(0.3)
    assert commands.sender == ""
