"""A master that does not answer delays neither unsubscribing nor the end of a process."""

import logging
import subprocess
import sys
import time
from threading import Event
from types import SimpleNamespace

import pytest

from tabletop_interaction.real.ros import node as ros_node
from tabletop_interaction.real.ros.node import end_node, start_node, unsubscribe


@pytest.fixture
def never(monkeypatch):
    """A call that does not return before the test's end."""
    monkeypatch.setattr(ros_node, "UNREGISTER_S", 0.1)
    ended = Event()
    yield lambda *arguments: ended.wait()
    ended.set()


def test_unregistering_at_a_silent_master_ends_in_bounded_time(never):
    start = time.monotonic()
    unsubscribe(SimpleNamespace(unregister=never))
    end_node(SimpleNamespace(signal_shutdown=never))
    assert 0.2 <= time.monotonic() - start < 2


def test_a_process_starts_its_node_once(monkeypatch):
    monkeypatch.setattr(ros_node.atexit, "register", lambda *arguments: None)
    started = []
    rospy = SimpleNamespace(
        core=SimpleNamespace(is_initialized=lambda: bool(started)),
        init_node=lambda name, **options: started.append((name, options)),
    )
    start_node(rospy, "first")
    start_node(rospy, "second")
    assert started == [("first", {"anonymous": True, "disable_signals": True})]


def test_what_ros_logs_does_not_reach_the_terminal(monkeypatch):
    class RosStreamHandler(logging.Handler):
        emit = pytest.fail

    logger, shown, kept = logging.getLogger("rosout"), RosStreamHandler(), logging.NullHandler()
    monkeypatch.setattr(logger, "handlers", [shown, kept])
    monkeypatch.setattr(ros_node.atexit, "register", lambda *arguments: None)
    core = SimpleNamespace(is_initialized=lambda: False)
    start_node(SimpleNamespace(core=core, init_node=lambda *arguments, **options: None), "node")
    logger.error("Timed out waiting for command acknowledgment")
    assert logger.handlers == [kept]


def test_a_process_ends_although_unregistering_hangs():
    program = """
import sys, threading, types
from tabletop_interaction.real.ros import node as ros_node
ros_node.UNREGISTER_S = 0.1
hangs = lambda reason: (print("farewell", flush=True), threading.Event().wait())
core = types.SimpleNamespace(is_initialized=lambda: False)
ros_node.start_node(types.SimpleNamespace(core=core, init_node=lambda *_, **__: None, signal_shutdown=hangs), "node")
"""
    ended = subprocess.run([sys.executable, "-c", program], timeout=60, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (0, "farewell\n")
