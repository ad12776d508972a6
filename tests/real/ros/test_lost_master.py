"""A missing, lost or foreign ROS master is an error in bounded time, and the programs end."""

import signal
import sys
import time
import xmlrpc.client

import pytest

pytest.importorskip("rospy", reason="needs Debian's ROS 1, see `make test-ros`")

NODE = (sys.executable, "-u", "-m", "tabletop_interaction.real.twin.node")

LOSING_A_MASTER = """
import time
from tabletop_interaction.errors import TabletopError
from tabletop_interaction.real.cameras.topic import open_ros_camera

camera = open_ros_camera("view_0", "/cameras/view_0/image_raw")
print("open", flush=True)
input()
start = time.monotonic()
try:
    open_ros_camera("view_1", "/cameras/view_1/image_raw")
except TabletopError as error:
    print("refused by", type(error).__name__, "after", time.monotonic() - start, flush=True)
camera.close()
print("closed after", time.monotonic() - start, flush=True)
"""


@pytest.mark.parametrize(("loss", "refused_s"), [(signal.SIGKILL, 1.0), (signal.SIGSTOP, 3.0)])
def test_after_the_master_is_lost_opening_fails_and_closing_ends_in_bounded_time(start, start_master, loss, refused_s):
    master = start_master()
    program = start(sys.executable, "-u", "-c", LOSING_A_MASTER, uri=master.uri)
    program.says("open")
    master.program.process.send_signal(loss)
    program.tell("the master is gone")
    refused = program.says("refused by")
    assert "MasterUnreachable" in refused
    assert float(refused.split()[-1]) < refused_s + 2
    closed = program.says("closed")
    assert float(closed.split()[-1]) < refused_s + 5
    begun = time.monotonic()
    assert program.ends() == 0
    assert time.monotonic() - begun < 6


def test_a_node_without_a_master_ends_with_an_error(start):
    program = start(*NODE, uri="http://localhost:1")
    assert "no ROS master answers at http://localhost:1" in program.says("error")
    assert program.ends() == 1


def _publishers(uri):
    with xmlrpc.client.ServerProxy(uri) as master:
        _, _, (publishers, _, _) = master.getSystemState("/tests")
    return {topic for topic, nodes in publishers if "/tabletop_twin" in nodes}


def test_an_interrupted_node_unregisters_at_its_master(start_master, start_twin):
    master = start_master()
    node = start_twin(master.uri, "--rate", "20", "--split", "test", "--seed", "3")
    assert {"/robot/joint_states", "/cameras/view_0/image_raw"} <= _publishers(master.uri)
    node.process.send_signal(signal.SIGINT)
    node.says("ended")
    assert node.ends() == 0
    assert _publishers(master.uri) == set()


def test_a_node_publishes_nothing_at_a_robots_master(start, start_master, tmp_path):
    master = start_master()
    with xmlrpc.client.ServerProxy(master.uri) as proxy:
        proxy.setParam("/robot", "/manifest/robot_class", "sawyer")
    program = start(*NODE, "--lab", tmp_path / "lab.yaml", uri=master.uri)
    assert "belongs to a robot" in program.says("error")
    assert program.ends() == 2
    assert not (tmp_path / "lab.yaml").exists()
    assert _publishers(master.uri) == set()
