"""Cameras: recent frames of the right size or a fault; crops with matching intrinsics; stillness."""

import itertools
import sys
import threading
import time
from types import ModuleType, SimpleNamespace
from xmlrpc.server import SimpleXMLRPCServer

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabletop_interaction.envs.views import View, camera_pose
from tabletop_interaction.errors import (
    BlankPicture,
    CalibrationRejected,
    CameraFault,
    InvalidConfiguration,
    MasterUnreachable,
)
from tabletop_interaction.real.cameras.array import (
    CameraArray,
    CameraSettings,
    Frame,
    largest_change,
    open_camera_array,
    open_cameras,
    wait_until_still,
)
from tabletop_interaction.real.cameras.device import DeviceCamera
from tabletop_interaction.real.cameras.frames import LatestFrame
from tabletop_interaction.real.cameras.framing import ViewCrop, crop_around, crop_intrinsics, take_crop
from tabletop_interaction.real.cameras.topic import rgb_from_message

INTRINSICS = np.array([[100.0, 0, 59.5], [0, 100, 49.5], [0, 0, 1]])
POSE = camera_pose(np.array([0.0, -0.2, 1.0]), np.zeros(3), np.array([0.0, 0, 1]))
VIEW = View("view_0", 40, 50, INTRINSICS, POSE)
SETTINGS = {"view_0": CameraSettings("device", "/dev/video0", 120, 100)}


def _picture(value=100, width=120, height=100):
    picture = np.full((height, width, 3), value, np.uint8)
    picture[::2] += 10
    return picture


class FakeCapture:
    """A capture device: gives pictures from a list, then fails; each takes `period_s`."""

    def __init__(self, pictures, period_s=0.002):
        self.pictures, self.period_s, self.released = iter(pictures), period_s, False

    def read(self):
        time.sleep(self.period_s)
        picture = next(self.pictures, None)
        return picture is not None, picture

    def release(self):
        self.released = True


class FakeCamera:
    """Gives pictures from a list at once, the last one repeatedly."""

    def __init__(self, pictures, name="view_0 (fake)"):
        self.pictures, self.name, self.closed = list(pictures), name, 0

    def read(self, newer_than, timeout_s):
        image = self.pictures.pop(0) if len(self.pictures) > 1 else self.pictures[0]
        return Frame(image, newer_than + 0.01)

    def close(self):
        self.closed += 1


def _array(*pictures, views=(VIEW,), settings=SETTINGS):
    crops = {view.name: ViewCrop(0, 2, 120, 96) for view in views}
    return CameraArray({view.name: FakeCamera(pictures) for view in views}, settings, views, crops)


@pytest.fixture
def device():
    opened = []

    def open_(pictures, **options):
        capture = FakeCapture(pictures)
        opened.append(DeviceCamera("view_0 (/dev/video0)", capture, **options))
        return opened[-1], capture

    yield open_
    for camera in opened:
        camera.close()


def test_a_frame_is_newer_than_asked_for_and_rgb(device):
    bgr = np.zeros((100, 120, 3), np.uint8)
    bgr[:, :, 0] = 200
    camera, _ = device(itertools.repeat(bgr), latency_s=0.0, frozen_after=0)
    asked = time.monotonic()
    frame = camera.read(asked, 10.0)
    assert frame.stamp > asked
    assert frame.image[0, 0].tolist() == [0, 0, 200]


def test_a_frame_that_may_be_older_than_asked_for_is_not_returned(device):
    camera, _ = device(itertools.repeat(_picture()), latency_s=0.05, frozen_after=0)
    asked = time.monotonic()
    camera.read(asked, 10.0)
    assert time.monotonic() - asked >= 0.05


def test_old_frames_do_not_wait_in_a_buffer(device):
    twentieth = threading.Event()

    def numbered():
        for number in itertools.count():
            if number == 20:
                twentieth.set()
            yield np.full((2, 2, 3), min(number, 255), np.uint8)

    camera, _ = device(numbered(), latency_s=0.0)
    assert twentieth.wait(10)
    assert camera.read(0.0, 1.0).image[0, 0, 0] >= 18


def test_a_camera_that_stops_is_named_and_released(device):
    camera, capture = device([_picture()] * 3)
    with pytest.raises(CameraFault, match=r"view_0 \(/dev/video0\) stopped giving pictures; check its cable") as fault:
        camera.read(time.monotonic() + 60, 5.0)
    assert not fault.value.recoverable
    camera.close()
    camera.close()
    assert capture.released


def test_waiting_for_a_frame_is_bounded():
    latest = LatestFrame("view_0 (x)", "check it")
    latest.put(Frame(_picture(), time.monotonic() - 2))
    start = time.monotonic()
    late = r"no new picture within 0.1 s \(the last one is [2-9].. s old\); check it"
    with pytest.raises(CameraFault, match=late) as fault:
        latest.read(start, 0.1)
    assert fault.value.recoverable
    assert time.monotonic() - start < 5


def _put(latest, values):
    for number, value in enumerate(values):
        latest.put(Frame(_picture(value), float(number)))


def test_five_equal_pictures_with_new_stamps_are_a_frozen_camera_until_another_comes():
    latest = LatestFrame("view_0 (x)", "open the backend again")
    _put(latest, [50, 100, 100, 100, 100])
    assert latest.read(0.0, 0.1).stamp == 4.0
    latest.put(Frame(_picture(100), 5.0))
    with pytest.raises(CameraFault, match=r"view_0 \(x\) is frozen: its last 5 pictures are equal") as fault:
        latest.read(0.0, 0.1)
    assert not fault.value.recoverable
    latest.put(Frame(_picture(101), 6.0))
    assert latest.read(0.0, 0.1).stamp == 6.0


def test_a_camera_without_noise_may_repeat_its_picture():
    latest = LatestFrame("view_0 (x)", "check it", frozen_after=0)
    _put(latest, [100] * 20)
    assert latest.read(0.0, 0.1).stamp == 19.0


def test_a_camera_without_a_recent_picture_fails_its_check():
    latest = LatestFrame("view_0 (x)", "check it")
    latest.put(Frame(_picture(), time.monotonic() - 0.2))
    latest.check(10.0, 0.0)
    with pytest.raises(CameraFault, match="gave no new picture"):
        latest.check(0.1, 0.0)


def test_a_reader_is_woken_by_the_frame_that_it_waits_for():
    latest = LatestFrame("view_0 (x)", "check it")
    threading.Timer(0.05, lambda: latest.put(Frame(_picture(), 5.0))).start()
    assert latest.read(4.0, 2.0).stamp == 5.0


def test_opencv_captures_from_a_file_as_from_a_device(tmp_path):
    path = str(tmp_path / "film.avi")
    writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*"MJPG"), 10, (120, 100))
    for _ in range(3):
        writer.write(_picture())
    writer.release()
    settings = {"view_0": CameraSettings("device", path, 120, 100)}
    array = open_camera_array(settings, (VIEW,), {"view_0": ViewCrop(0, 2, 120, 96)})
    pictures = array.read_all(0.0)
    array.close()
    assert pictures["view_0"].shape == (40, 50, 3)
    assert abs(int(pictures["view_0"].mean()) - 105) < 6


def test_a_missing_device_is_an_error_and_closes_the_others(monkeypatch):
    first = FakeCamera([_picture()])
    monkeypatch.setattr(
        "tabletop_interaction.real.cameras.array.open_ros_camera", lambda name, *settings: first
    )  # The ROS layer stands in for a camera that opens.
    settings = {"a": CameraSettings("ros", "/a", 9, 9), "b": CameraSettings("device", "/dev/no_such_video", 9, 9)}
    with pytest.raises(CameraFault, match=r"camera b \(/dev/no_such_video\) cannot be opened"):
        open_cameras(settings)
    assert first.closed == 1


def test_pictures_have_the_views_size():
    assert _array(_picture()).read_all(0.0)["view_0"].shape == (40, 50, 3)


def test_a_picture_of_another_size_is_refused():
    with pytest.raises(CameraFault, match="pictures of 64 x 48 px, but was calibrated for 120 x 100"):
        _array(_picture(width=64, height=48)).read_all(0.0)


def test_a_picture_of_one_colour_is_refused():
    with pytest.raises(BlankPicture, match="lens cap"):
        _array(np.zeros((100, 120, 3), np.uint8)).read_all(0.0)


def test_cameras_of_other_names_than_the_views_are_refused():
    with pytest.raises(InvalidConfiguration, match="cameras view_0 came for the views view_7"):
        _array(_picture(), views=(View("view_7", 40, 50, INTRINSICS, POSE),))


def test_closing_closes_every_camera():
    camera = FakeCamera([_picture()])
    array = CameraArray({"view_0": camera}, SETTINGS, (VIEW,), {})
    array.close()
    assert camera.closed == 1


def _noisy(seed, sigma=4.0, gain=1.0):
    noise = np.random.default_rng(seed).normal(0, sigma, (100, 120, 3))
    return np.clip(_picture() * gain + noise, 0, 255).astype(np.uint8)


def test_noise_and_flicker_are_no_motion_and_a_small_moved_object_is():
    moved = _noisy(1)
    moved[40:52, 40:52] = 160
    assert largest_change(_noisy(1), _noisy(2)) < 3
    assert largest_change(_noisy(1), _noisy(2, gain=1.1)) < 4
    assert largest_change(_noisy(1), moved) > 10


def _striped(shift):
    stripes = np.roll(np.repeat(np.arange(12) * 15, 10), shift)
    return np.broadcast_to(stripes[None, :, None], (100, 120, 3)).astype(np.uint8)


def test_the_first_pictures_that_are_at_rest_are_returned():
    swaying = [_striped(shift) for shift in (0, 30, 60, 60, 90)]
    still = wait_until_still(_array(*swaying), newer_than=0.0)["view_0"]
    np.testing.assert_array_equal(still, _array(_striped(60)).read_all(0.0)["view_0"])


def test_motion_beyond_the_time_limit_is_a_fault_that_names_the_view():
    with pytest.raises(CameraFault, match="pictures of view_0 still change by") as fault:
        wait_until_still(_array(_striped(0), _striped(30)), newer_than=0.0, timeout_s=-1)
    assert fault.value.recoverable


def test_the_time_limit_counts_on_the_scenes_clock(sawyer):
    swaying = [_striped(shift) for shift in (0, 30, 60, 60)]
    still = wait_until_still(_array(*swaying), newer_than=0.0, timeout_s=0.0, clock=sawyer.clock)
    np.testing.assert_array_equal(still["view_0"], _array(_striped(60)).read_all(0.0)["view_0"])


@settings(deadline=None)
@given(st.integers(0, 60), st.integers(0, 40), st.integers(30, 60), st.integers(30, 60))
def test_a_cropped_and_scaled_picture_is_that_of_the_cropped_camera(left, top, width, height):
    crop = ViewCrop(left, top, width, height)
    full = View("full", 100, 120, INTRINSICS, POSE, np.array([-0.1, 0.02, 0.001, 0, 0]))
    view = View("view", 40, 50, crop_intrinsics(INTRINSICS, crop, 50, 40), POSE, full.distortion)
    points = np.array([[0.05, 0.02, 0.0], [-0.1, 0.1, 0.05]])
    expected = (full.project(points) - (left, top) + 0.5) * (50 / width, 40 / height) - 0.5
    np.testing.assert_allclose(view.project(points), expected, atol=1e-9)


@pytest.mark.parametrize("size", [(430, 350), (215, 175), (120, 98)])
def test_the_crops_intrinsics_project_a_point_to_its_pixel_in_the_crop(size):
    y, x = np.mgrid[0:768, 0:960]
    blob = 255 * np.exp(-((x - 531.3) ** 2 + (y - 402.7) ** 2) / 200)
    crop = ViewCrop(100, 50, 860, 700)
    small = take_crop(np.repeat(blob[:, :, None], 3, axis=2).astype(np.uint8), crop, *size)[:, :, 0].astype(float)
    rows, columns = np.mgrid[0 : size[1], 0 : size[0]]
    centre = np.array([(small * columns).sum(), (small * rows).sum()]) / small.sum()
    intrinsics = crop_intrinsics(np.array([[1.0, 0, 531.3], [0, 1, 402.7], [0, 0, 1]]), crop, *size)
    np.testing.assert_allclose(centre, intrinsics[:2, 2], atol=0.02)


@settings(deadline=None)
@given(st.floats(0, 900), st.floats(0, 500), st.floats(20, 300), st.floats(20, 200))
def test_a_crop_contains_all_its_pixels_and_stays_inside_the_picture(x, y, width, height):
    pixels = np.array([(x, y), (min(x + width, 1279), min(y + height, 719))])
    crop = crop_around(pixels, 1280, 720, 430, 350)
    assert crop.left >= 0
    assert crop.top >= 0
    assert crop.left + crop.width <= 1280
    assert crop.top + crop.height <= 720
    assert (pixels >= (crop.left - 1.5, crop.top - 1.5)).all()
    assert (pixels <= (crop.left + crop.width + 0.5, crop.top + crop.height + 0.5)).all()


def test_pixels_outside_the_picture_cannot_be_cropped():
    with pytest.raises(CalibrationRejected, match="move the camera back"):
        crop_around(np.array([(-40.0, 20.0), (100.0, 100.0)]), 640, 480, 430, 350)


def _message(encoding="rgb8", step=8, data=None, stamp=0.0):
    pixels = bytes(range(1, 7)) + b"\xff\xff" + bytes(range(11, 17)) + b"\xff\xff"
    header = SimpleNamespace(stamp=SimpleNamespace(to_sec=lambda: stamp))
    return SimpleNamespace(header=header, height=2, width=2, encoding=encoding, step=step, data=data or pixels)


def test_a_ros_picture_honours_padded_rows_and_channel_order():
    rgb = rgb_from_message(_message())
    assert rgb.tolist() == [[[1, 2, 3], [4, 5, 6]], [[11, 12, 13], [14, 15, 16]]]
    assert rgb_from_message(_message("bgr8")).tolist() == np.array(rgb)[:, :, ::-1].tolist()
    assert rgb.flags.writeable
    assert rgb.base is None


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (_message("mono8"), "encoding 'mono8' came; rgb8 and bgr8"),
        (_message(step=5), "damaged"),
        (_message(data=b"x"), "damaged"),
    ],
)
def test_a_ros_picture_that_cannot_be_read_is_refused(message, text):
    with pytest.raises(CameraFault, match=text):
        rgb_from_message(message)


@pytest.fixture
def master(monkeypatch):
    """A ROS master that only answers."""
    server = SimpleXMLRPCServer(("localhost", 0), logRequests=False)
    server.register_function(lambda caller: [1, "", 4711], "getPid")
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    monkeypatch.setenv("ROS_MASTER_URI", f"http://localhost:{server.server_address[1]}")
    yield
    server.shutdown()
    server.server_close()


@pytest.fixture
def rospy(monkeypatch, master):
    """A fake ROS with one topic and a clock at 1000 s."""
    module, messages, subscribers = ModuleType("rospy"), ModuleType("sensor_msgs.msg"), []

    def subscribe(topic, type_, callback, **options):
        subscribers.append(callback)
        assert options["buff_size"] > 1 << 22
        return SimpleNamespace(unregister=subscribers.clear)

    module.Subscriber = subscribe
    module.get_time = lambda: 1000.0
    module.core = SimpleNamespace(is_initialized=lambda: True)
    messages.Image = object
    monkeypatch.setitem(sys.modules, "rospy", module)
    monkeypatch.setitem(sys.modules, "sensor_msgs", ModuleType("sensor_msgs"))
    monkeypatch.setitem(sys.modules, "sensor_msgs.msg", messages)
    module.publish = lambda message: [callback(message) for callback in subscribers]
    module.subscribers = subscribers
    return module


def _ros_camera():
    return open_cameras({"view_0": CameraSettings("ros", "/cam/image", 2, 2)})["view_0"]


def test_the_header_gives_the_age_of_a_ros_frame(rospy):
    camera = _ros_camera()
    before = time.monotonic()
    rospy.publish(_message(stamp=999.5))
    assert before <= camera.read(0.0, 1.0).stamp + 0.5 <= time.monotonic()
    camera.close()
    camera.close()
    assert not rospy.subscribers


def test_a_ros_frame_from_the_future_is_refused(rospy):
    camera = _ros_camera()
    rospy.publish(_message(stamp=1003.0))
    with pytest.raises(CameraFault, match=r"view_0 .* its pictures are stamped 3\.00 s in the future"):
        camera.read(0.0, 1.0)


@pytest.mark.parametrize("runs", [False, True])
def test_a_missing_or_lost_ros_master_is_an_error_with_its_address(rospy, monkeypatch, runs):
    rospy.core = SimpleNamespace(is_initialized=lambda: runs)
    monkeypatch.setenv("ROS_MASTER_URI", "http://localhost:1")
    with pytest.raises(MasterUnreachable, match="no ROS master answers at http://localhost:1"):
        _ros_camera()
    assert not rospy.subscribers


def test_without_ros_the_error_names_the_packages_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "rospy", None)
    with pytest.raises(CameraFault, match="install python3-rospy"):
        _ros_camera()
