"""Pictures of the twin's node arrive through a real master; a node that stops sending is noticed in time."""

import time

import numpy as np
import pytest

from tabletop_interaction.errors import CameraFault
from tabletop_interaction.real.cameras.array import open_camera_array, opened_cameras, read_frames, wait_until_still
from tabletop_interaction.real.twin import open_twin

pytest.importorskip("rospy", reason="needs Debian's ROS 1, see `make test-ros`")


@pytest.fixture(scope="module")
def cameras(ros_lab):
    with opened_cameras(ros_lab.cameras) as opened:
        yield opened


def _difference(one, other):
    return float(np.abs(one.astype(np.int16) - other).mean())


def test_every_view_arrives_with_its_size_and_its_pictures(cameras, ros_lab):
    frames = read_frames(cameras, ros_lab.cameras, 0.0, timeout_s=20)
    twin = open_twin("train", ros_lab.views)
    expected = twin.table.observe()
    twin.close()
    for name, frame in frames.items():
        assert frame.image.shape == (350, 430, 3)
        nearest = min(expected, key=lambda view: _difference(frame.image, expected[view]))
        assert nearest == name
        assert _difference(frame.image, expected[name]) < 3


def test_every_picture_is_newer_than_its_request(cameras, ros_lab):
    for _ in range(5):
        asked = time.monotonic()
        frames = read_frames(cameras, ros_lab.cameras, asked, timeout_s=20)
        assert all(asked < frame.stamp <= time.monotonic() for frame in frames.values())


def test_pictures_of_a_still_table_show_no_motion(ros_lab):
    cameras = open_camera_array(ros_lab.cameras, ros_lab.views, ros_lab.crops)
    pictures = wait_until_still(cameras, newer_than=time.monotonic(), timeout_s=20)
    cameras.close()
    assert list(pictures) == [view.name for view in ros_lab.views]


def _refused(camera):
    """Seconds until an old picture was refused."""
    start = time.monotonic()
    with pytest.raises(CameraFault, match=r"view_0 .* gave no new picture within 0\.5 s .*rostopic hz") as refusal:
        camera.read(newer_than=start, timeout_s=0.5)
    assert refusal.value.recoverable
    return time.monotonic() - start


def test_old_pictures_of_a_frozen_node_are_refused_and_later_ones_accepted(cameras, twin_node):
    camera = cameras["view_0"]
    camera.read(0.0, timeout_s=20)
    with twin_node.frozen():
        time.sleep(0.2)  # Pictures sent before the freeze have arrived.
        assert _refused(camera) < 2
        thawed = time.monotonic()
    assert camera.read(thawed, timeout_s=20).stamp > thawed


def test_pictures_of_a_restarted_node_arrive_without_opening_the_camera_again(cameras, twin_node):
    camera = cameras["view_0"]
    with twin_node.killed():
        assert _refused(camera) < 2
    started = time.monotonic()
    assert camera.read(started, timeout_s=20).stamp > started


def test_a_topic_without_a_publisher_is_a_fault_within_the_time_limit(ros_lab):
    nobody = {"view_0": ros_lab.cameras["view_0"].__class__("ros", "/cameras/nobody", 430, 350)}
    start = time.monotonic()
    with opened_cameras(nobody) as cameras, pytest.raises(CameraFault, match="none came yet"):
        read_frames(cameras, nobody, 0.0, timeout_s=0.5)
    assert time.monotonic() - start < 4
