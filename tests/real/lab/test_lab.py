"""The lab file: read as a whole, checked field by field, and updated by section."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import yaml

from tabletop_interaction.envs.backend import Arena
from tabletop_interaction.envs.views import View, camera_pose
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.files import plain
from tabletop_interaction.real.arm.obstacles import BoxInArena
from tabletop_interaction.real.arm.settings import MotionSettings, SawyerSettings
from tabletop_interaction.real.calibration.charuco import Board
from tabletop_interaction.real.calibration.intrinsics import Intrinsics
from tabletop_interaction.real.cameras.array import CameraSettings
from tabletop_interaction.real.cameras.framing import ViewCrop
from tabletop_interaction.real.lab.file import RobotBase, ViewPose, read_lab_file, update_lab_file
from tabletop_interaction.real.lab.lab import load_lab
from tabletop_interaction.real.opening import lab_of

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
MATRIX = np.array([[900.0, 0, 640.5], [0, 898.0, 361.0], [0, 0, 1]])
LENS = Intrinsics(MATRIX, np.array([-0.1, 0.02, 0, 0, 0]), 0.21, 0.4, 20, NOW)
UP = np.array([0.0, 0, 1])
POSES = {f"view_{i}": camera_pose(np.array([x, -0.5, 1.0]), np.zeros(3), UP) for i, x in enumerate((-0.2, 0.2))}
BASE = np.array([[0, 1, 0, 0.6], [-1, 0, 0, 0.05], [0, 0, 1, -0.1], [0, 0, 0, 1.0]])


def _sections():
    return {
        "schema_version": 1,
        "driver": "intera",
        "arena": {"x_min": -0.3, "x_max": 0.3, "y_min": -0.2, "y_max": 0.2},
        "picture": {"width": 430, "height": 350},
        "board": Board(),
        "cameras": {name: CameraSettings("device", f"/dev/video{i}", 1280, 720) for i, name in enumerate(POSES)},
        "intrinsics": dict.fromkeys(POSES, LENS),
        "views": {name: ViewPose(pose, ViewCrop(200, 5, 860, 700), 0.31, NOW) for name, pose in POSES.items()},
        "robot": RobotBase(BASE, "touched points", 1.2, NOW),
        "obstacles": {
            "left post": BoxInArena(centre=(0.4, 0.3, 0.4), size=(0.05, 0.05, 0.8), yaw_rad=0.2),
            "tray": {"corners": [[-0.5, 0.1, 0.0], [-0.35, 0.3, 0.08]], "clearance_m": 0.01},
        },
        "motion": {"speed_ratio": 0.2},
    }


@pytest.fixture
def lab(tmp_path):
    path = tmp_path / "lab.yaml"
    update_lab_file(path, _sections())
    return path


def _change(path, change):
    raw = yaml.safe_load(path.read_text())
    change(raw)
    path.write_text(yaml.safe_dump(raw))


POST = {"centre": [1.0, 1.0, 1.0], "size": [0.1, 0.1, 0.1]}


def test_a_lab_is_read_as_it_was_written(lab):
    read = load_lab(lab)
    assert read.driver == "intera"
    assert read.arena == Arena(-0.3, 0.3, -0.2, 0.2)
    np.testing.assert_array_equal(read.base_from_arena, BASE)
    assert [view.name for view in read.views] == ["view_0", "view_1"]
    assert [(view.height, view.width) for view in read.views] == [(350, 430)] * 2
    np.testing.assert_array_equal(read.views[1].camera_from_arena, POSES["view_1"])
    np.testing.assert_array_equal(read.views[0].distortion, LENS.distortion)
    assert read.cameras["view_1"] == CameraSettings("device", "/dev/video1", 1280, 720)
    assert read.crops["view_1"] == ViewCrop(200, 5, 860, 700)
    assert read.settings == SawyerSettings(MotionSettings(speed_ratio=0.2))
    assert read.obstacles == {
        "left post": BoxInArena(centre=(0.4, 0.3, 0.4), size=(0.05, 0.05, 0.8), yaw_rad=0.2),
        "tray": BoxInArena(corners=((-0.5, 0.1, 0.0), (-0.35, 0.3, 0.08)), clearance_m=0.01),
    }
    assert [each.box.link for each in read.moves.obstacles] == ["left post", "tray"]
    assert [(each.what, each.residual, each.unit) for each in read.calibrations[::2]] == [
        ("intrinsics of view_0", 0.21, "px"),
        ("pose of view_0", 0.31, "px"),
        ("base of the robot", 1.2, "mm"),
    ]
    assert {each.calibrated_at for each in read.calibrations} == {NOW}


def test_a_lab_without_obstacles_has_none(lab):
    _change(lab, lambda raw: raw.pop("obstacles"))
    assert load_lab(lab).obstacles == {}


@pytest.mark.parametrize("name", ["twin", "with obstacles"])
def test_a_lab_written_as_json_is_read_as_it_was(lab, name):
    lab = load_lab("twin" if name == "twin" else lab)
    written = json.dumps(plain(lab))
    read = lab_of(json.loads(written))
    assert json.dumps(plain(read)) == written
    assert (read.settings, read.calibrations, read.cameras) == (lab.settings, lab.calibrations, lab.cameras)
    assert read.obstacles == lab.obstacles
    assert read.views[0].intrinsics.dtype == np.float64
    with pytest.raises(InvalidConfiguration, match=r"unknown field `speed` - at `config`"):
        lab_of({**json.loads(written), "speed": 3})


def test_an_unknown_field_of_a_box_in_a_laboratory_from_json_is_refused(lab):
    written = json.loads(json.dumps(plain(load_lab(lab))))
    written["obstacles"]["tray"]["yaw"] = 0.3
    with pytest.raises(InvalidConfiguration, match=r"unknown field `yaw` - at `config.obstacles.tray`, accepted are"):
        lab_of(written)


def test_the_views_intrinsics_are_those_of_the_crop(lab):
    full = View("full", 720, 1280, MATRIX, POSES["view_0"], LENS.distortion)
    points = np.array([[0.1, 0.05, 0], [-0.2, 0.1, 0.03]])
    expected = (full.project(points) - (200, 5) + 0.5) / 2 - 0.5
    np.testing.assert_allclose(load_lab(lab).views[0].project(points), expected, atol=1e-9)


def _set(section, *keys):
    """A change that sets a field, the last of `keys` being its value."""

    def change(raw):
        place = raw
        for key in (section, *keys[:-2]):
            place = place[key]
        place[keys[-2]] = keys[-1]

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda raw: raw.pop("robot"), r"section robot is missing .* make it with `tabletop calibrate robot`"),
        (lambda raw: raw.pop("views"), r"section views is missing .* `tabletop calibrate arena`"),
        (lambda raw: raw.pop("arena"), r"section arena is missing \(x_min, x_max"),
        (lambda raw: raw.update(robots=1), r"unknown section robots; accepted are schema_version, driver"),
        (lambda raw: raw.update(schema_version=9), r"schema_version 9; this version reads 1"),
        (lambda raw: raw.update(driver="ur5"), r"'ur5' - at `driver`; driver takes intera or twin"),
        (lambda raw: raw["arena"].pop("x_max"), r"missing required field `x_max` - at `arena`; arena takes"),
        (_set("arena", "x_min", 5.0), r"x_min must be less than x_max"),
        (_set("arena", "x_mni", 5.0), r"unknown field `x_mni` - at `arena`, accepted are x_min, x_max, y_min, y_max"),
        (_set("arena", "x_min", "left"), r"Expected `float`, got `str` - at `arena.x_min`"),
        (_set("cameras", "view_1", "kind", "usb"), r"'usb' - at `cameras.view_1.kind`; cameras takes .*device or ros"),
        (_set("cameras", "view_1", "width", -4), r"width is -4; accepted is 1 to 100,000 - at `cameras.view_1`"),
        (lambda raw: raw.update(cameras={}), r"section cameras has no entries"),
        (
            lambda raw: raw["intrinsics"].pop("view_1"),
            r"intrinsics has the views view_0, section cameras has view_0, view_1",
        ),
        (
            _set("intrinsics", "view_0", "matrix", [[1, 0], [0, 1]]),
            r"matrix has shape \(2, 2\); 3 x 3 .* at `intrinsics.view_0`",
        ),
        (
            _set("intrinsics", "view_0", "matrix", [[1], [0, 1]]),
            r"rows of different lengths came - at `intrinsics.view_0.matrix`",
        ),
        (
            _set("intrinsics", "view_0", "matrix", np.eye(3).T.tolist()[::-1]),
            r"matrix is not a camera matrix.* at `intrinsics.view_0`",
        ),
        (
            _set("intrinsics", "view_0", "distortion", [0, 0, 0, 0, float("nan")]),
            "'.nan' is no finite number in line",
        ),
        (
            _set("views", "view_0", "camera_from_arena", (2 * np.eye(4)).tolist()),
            r"camera_from_arena is not a rigid transform.* at `views.view_0`",
        ),
        (
            _set("views", "view_0", "camera_from_arena", np.diag([1, 1, -1, 1.0]).tolist()),
            r"camera_from_arena is not a rigid transform.* at `views.view_0`",
        ),
        (_set("views", "view_0", "crop", "left", 900), r"views.view_0.crop reaches beyond the camera's 1280 x 720"),
        (_set("robot", "rms_mm", -1), r"at `robot.rms_mm`"),
        (_set("robot", "calibrated_at", "yesterday"), r"at `robot.calibrated_at`"),
        (lambda raw: raw.update(motion=[1]), r"`array` - at `motion`; motion takes settings"),
        (_set("obstacles", "tray", "height", 3), r"unknown field `height` - at `obstacles.tray`, accepted are centre"),
        (
            _set("obstacles", "tray", "clearance_m", "wide"),
            r"at `obstacles.tray.clearance_m`; obstacles takes for each",
        ),
        (
            _set("obstacles", "tray", "clearance_m", 3),
            r"clearance_m is 3.0; accepted is 0\.005 to 0\.5 - at `obstacles.tray`",
        ),
        (_set("obstacles", "tray", "corners", [[0, 0, 0], [1, 1, 0]]), r"0\.0\] m apart .* at `obstacles.tray`"),
        (_set("obstacles", "tray", "size", [1, 1, 1]), r"size and corners came; .* at `obstacles.tray`"),
        (lambda raw: raw.update(obstacles=[1]), r"section obstacles has no entries"),
        (lambda raw: raw.update(obstacles={1: POST, "1": POST}), r"section obstacles has the entry 1 twice; rename"),
        (_set("obstacles", "", POST), r"section obstacles has an entry named ''; names have 1 to 60 printable"),
        (_set("obstacles", "left\npost", POST), r"named 'left\\npost'; names have"),
        (_set("views", "view_0", "crop", "lft", 3), r"unknown field `lft` - at `views.view_0.crop`"),
        (_set("robot", "base_from_arena", [["a"] * 4] * 4), r"not numbers came - at `robot.base_from_arena`"),
    ],
)
def test_a_wrong_or_missing_field_is_one_error_that_says_what_is_accepted(lab, change, message):
    _change(lab, change)
    with pytest.raises(InvalidConfiguration, match=message) as error:
        load_lab(lab)
    assert "lab.yaml" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"), [("a: [", "cannot be read as YAML"), ("- 1\n", "has no sections"), ("", "no sections")]
)
def test_a_file_that_is_no_lab_file_is_refused_and_kept(tmp_path, text, message):
    path = tmp_path / "lab.yaml"
    path.write_text(text)
    with pytest.raises(InvalidConfiguration, match=message):
        load_lab(path)
    with pytest.raises(InvalidConfiguration, match=message):
        update_lab_file(path, _sections())
    assert path.read_text() == text


def test_a_missing_file_is_an_error_with_a_remedy(tmp_path):
    with pytest.raises(InvalidConfiguration, match="tabletop calibrate start"):
        load_lab(tmp_path / "gone.yaml")


LATER = (NOW + timedelta(seconds=5)).isoformat()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("intrinsics", "view_1", "calibrated_at", LATER), "pose of view_1 .* is older than its intrinsics"),
        (_set("views", "view_1", "calibrated_at", LATER), "the robot's base .* is older than the arena"),
    ],
)
def test_a_calibration_older_than_one_it_depends_on_is_refused(lab, change, message):
    _change(lab, change)
    with pytest.raises(InvalidConfiguration, match=message):
        load_lab(lab)


def test_times_written_by_hand_count_as_utc(lab):
    _change(lab, _set("robot", "calibrated_at", datetime(2026, 11, 21, 8)))
    assert load_lab(lab).calibrations[-1].calibrated_at == datetime(2026, 11, 21, 8, tzinfo=UTC)


def test_an_update_replaces_only_its_section(lab):
    before = yaml.safe_load(lab.read_text())
    update_lab_file(lab, {"robot": RobotBase(np.eye(4), "board", 0.4, NOW)})
    after = yaml.safe_load(lab.read_text())
    assert after.pop("robot")["rms_mm"] == 0.4
    before.pop("robot")
    assert after == before
    assert list(after) == list(before)


def test_a_failed_update_keeps_the_old_file(lab, monkeypatch):
    before = lab.read_text()

    def broken(*_):
        raise OSError("no space left")

    monkeypatch.setattr(Path, "replace", broken)
    with pytest.raises(OSError, match="no space left"):
        update_lab_file(lab, {"driver": "twin"})
    assert lab.read_text() == before
    assert {path.name for path in lab.parent.iterdir()} <= {"lab.yaml", ".lab.yaml.lock"}


def test_matrices_read_row_by_row(lab):
    assert "  - [0.0, 1.0, 0.0, 0.6]\n" in lab.read_text()


def test_an_update_keeps_the_order_of_the_sections(lab):
    assert lab.read_text().startswith("schema_version: 1\ndriver: intera\narena: {x_min: -0.3, x_max: 0.3")
    raw = yaml.safe_load(lab.read_text())
    time = "2026-11-20T12:00:00+00:00"
    assert raw["cameras"]["view_1"].items() >= {"kind": "device", "source": "/dev/video1", "width": 1280}.items()
    assert raw["intrinsics"]["view_0"] == {
        "matrix": MATRIX.tolist(),
        "distortion": [-0.1, 0.02, 0, 0, 0],
        "rms_px": 0.21,
        "focal_std_px": 0.4,
        "pictures": 20,
        "calibrated_at": time,
    }
    assert raw["views"]["view_0"] == {
        "camera_from_arena": POSES["view_0"].tolist(),
        "crop": {"left": 200, "top": 5, "width": 860, "height": 700},
        "rms_px": 0.31,
        "calibrated_at": time,
    }
    assert raw["robot"] == {
        "base_from_arena": BASE.tolist(),
        "method": "touched points",
        "rms_mm": 1.2,
        "calibrated_at": time,
    }


def test_a_section_can_be_read_while_another_is_wrong(lab):
    _change(lab, _set("views", "view_0", "rms_px", "small"))
    file = read_lab_file(lab)
    assert list(file.cameras) == list(POSES)
    with pytest.raises(InvalidConfiguration, match=r"at `views\.view_0\.rms_px`"):
        _ = file.poses


def test_a_wrong_board_is_named_when_it_is_read(lab):
    _change(lab, _set("board", "marker_mm", 30.0))
    with pytest.raises(InvalidConfiguration, match=r"markers of 30.0 mm .* at `board`; board takes columns"):
        _ = read_lab_file(lab).board


@pytest.mark.parametrize("field", ["columns", "square_mm", "dictionary"])
def test_a_board_needs_every_field(lab, field):
    _change(lab, lambda raw: raw["board"].pop(field))
    with pytest.raises(InvalidConfiguration, match=f"missing required field `{field}` - at `board`; board takes"):
        _ = read_lab_file(lab).board
