"""`tabletop calibrate` step by step, from pictures of a synthetic laboratory to a lab file that the backend reads."""

import csv
import time
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from tabletop_interaction.cli import calibrate
from tabletop_interaction.cli.main import main
from tabletop_interaction.envs.views import View, camera_pose
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.real import TWIN_LAB
from tabletop_interaction.real.calibration import arm_measuring
from tabletop_interaction.real.calibration.arena_pose import BoardPlace, arena_from_board
from tabletop_interaction.real.calibration.arm_response import ArmResponse, ForceNoise
from tabletop_interaction.real.calibration.charuco import Board
from tabletop_interaction.real.calibration.tables import read_hand_poses, read_touch_template, write_hand_poses
from tabletop_interaction.real.calibration.touch import HAND
from tabletop_interaction.real.cameras.frames import Frame
from tabletop_interaction.real.checks.diagnosis import judge_response
from tabletop_interaction.real.checks.examination import examine
from tabletop_interaction.real.lab.file import update_lab_file
from tabletop_interaction.real.lab.lab import load_lab
from tabletop_interaction.real.opening import open_sawyer
from tabletop_interaction.sawyer.kinematics import HOME, inverse, inverse_down

SEVEN_ZEROS = (0.0,) * 7
MEASURED = ArmResponse(
    "twin", datetime(2026, 11, 20, tzinfo=UTC), SEVEN_ZEROS, SEVEN_ZEROS, ForceNoise(0.0, 0.0), ForceNoise(0.0, 0.0), {}
)
BOARD = Board()
WIDTH, HEIGHT = 640, 480
MATRIX = np.array([[640.0, 0, 318.4], [0, 638.0, 242.1], [0, 0, 1]])
DISTORTION = np.array([-0.08, 0.03, 0.0004, -0.0003, 0])
EYES = {"view_0": (0.0, -0.4, 0.85), "view_1": (-0.45, 0.05, 0.8)}
PLACE = BoardPlace(thickness=0.003)
BASE_FROM_ARENA = np.eye(4)
BASE_FROM_ARENA[:3, :3] = Rotation.from_euler("z", -90, degrees=True).as_matrix()
BASE_FROM_ARENA[:3, 3] = (0.62, 0.03, -0.11)


def _view(name):
    pose = camera_pose(np.array(EYES[name]), np.zeros(3), np.array([0.0, 0, 1]))
    return View(name, HEIGHT, WIDTH, MATRIX, pose, DISTORTION)


def _save(picture, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))


def _board_poses(count):
    """camera_from_board of a board that is held into all parts of the picture."""
    rng = np.random.default_rng(3)
    for i in range(count):
        pose, z = np.eye(4), rng.uniform(0.28, 0.36)
        pose[:3, :3] = Rotation.from_rotvec(rng.uniform(-0.5, 0.5, 3)).as_matrix()
        towards = np.array([(-1) ** i, (-1) ** (i // 2)]) * rng.uniform(0.1, 0.25, 2)
        pose[:3, 3] = [*towards * z, z] - pose[:3, :3] @ [*np.array(BOARD.size) / 2, 0]
        yield pose


@pytest.fixture(scope="module")
def pictures(tmp_path_factory, photograph_board):
    """Folders: "cameras" with nine pictures of the board a view, "arena" with one."""
    folder = tmp_path_factory.mktemp("pictures")
    for seed, name in enumerate(EYES):
        view = _view(name)
        for i, pose in enumerate(_board_poses(9)):
            _save(photograph_board(BOARD, view, pose, seed=10 * seed + i), folder / "cameras" / name / f"{i}.png")
        in_arena = view.camera_from_arena @ arena_from_board(BOARD, PLACE)
        _save(photograph_board(BOARD, view, in_arena, seed=seed), folder / "arena" / name / "0.png")
    return folder


def _start(lab, *more):
    size = ["--width", str(WIDTH), "--height", str(HEIGHT), "--arena", "-0.2", "0.2", "-0.16", "0.16"]
    return main(["calibrate", "start", "--lab", str(lab), "--sources", "0", "/dev/video2", *size, *more])


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory, pictures):
    """A lab file after `start`, `cameras` and `arena`, and the folder of the arena's overlays."""
    folder = tmp_path_factory.mktemp("lab")
    lab, out = folder / "lab.yaml", folder / "arena"
    assert _start(lab) == 0
    assert main(["calibrate", "cameras", "--lab", str(lab), "--pictures", str(pictures / "cameras")]) == 0
    arena = ["--pictures", str(pictures / "arena"), "--thickness-mm", "3", "--out", str(out)]
    assert main(["calibrate", "arena", "--lab", str(lab), *arena]) == 0
    return lab, out


@pytest.fixture
def lab(calibrated, tmp_path):
    """A copy of the calibrated lab file, to be written to."""
    path = tmp_path / "lab.yaml"
    path.write_text(calibrated[0].read_text())
    return path


def _fill_template(template, path, noise):
    """Touch the points of the template with a robot that stands at `BASE_FROM_ARENA`."""
    with template.open(newline="") as file:
        rows = list(csv.DictReader(file))
    rng = np.random.default_rng(0)
    for row in rows:
        point = np.array([float(row[f"arena_{axis}"]) for axis in "xyz"])
        touched = BASE_FROM_ARENA[:3, :3] @ point + BASE_FROM_ARENA[:3, 3] + rng.uniform(-noise, noise, 3)
        row.update(zip(("base_x", "base_y", "base_z"), touched, strict=True))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


def test_pictures_and_four_touched_points_give_a_lab_that_the_backend_reads(calibrated, lab, tmp_path, capsys):
    _fill_template(calibrated[1] / "points_to_touch.csv", tmp_path / "touched.csv", 0.0005)
    assert main(["calibrate", "robot", "--lab", str(lab), "--touched", str(tmp_path / "touched.csv")]) == 0
    assert "top left inner corner: " in capsys.readouterr().out
    read = load_lab(lab)
    table = np.array([(x, y, 0.0) for x in (-0.2, 0.0, 0.2) for y in (-0.16, 0.16)])
    for view in read.views:
        # What a pixel of the calibrated view means on the table, against the true camera behind the same cut-out.
        crop = read.crops[view.name]
        true = (_view(view.name).project(table) - (crop.left, crop.top) + 0.5) * (430 / crop.width, 350 / crop.height)
        np.testing.assert_allclose(view.unproject(true - 0.5), table, atol=0.001)
    touched = table @ read.base_from_arena[:3, :3].T + read.base_from_arena[:3, 3]
    np.testing.assert_allclose(touched, table @ BASE_FROM_ARENA[:3, :3].T + BASE_FROM_ARENA[:3, 3], atol=0.001)


@pytest.fixture(scope="module")
def hand(tmp_path_factory, photograph_board):
    """Folder of pictures of the board on the hand, and `base_from_hand` by picture."""
    folder, poses = tmp_path_factory.mktemp("hand"), {}
    hand_from_board = np.eye(4)
    hand_from_board[:3, 3] = (-0.126, -0.084, 0.03)
    rng = np.random.default_rng(4)
    for i in range(7):
        arena_from_hand = np.eye(4)
        turn = Rotation.from_euler("x", 180, degrees=True) * Rotation.from_rotvec(rng.uniform(-0.5, 0.5, 3))
        arena_from_hand[:3, :3] = turn.as_matrix()
        arena_from_hand[:3, 3] = rng.uniform((-0.03, -0.03, 0.05), (0.03, 0.03, 0.15))
        poses[f"{i:03d}"] = BASE_FROM_ARENA @ arena_from_hand
        for name in EYES:
            seen = _view(name).camera_from_arena @ arena_from_hand @ hand_from_board
            _save(photograph_board(BOARD, _view(name), seen, seed=i), folder / name / f"{i:03d}.png")
    write_hand_poses(folder / "poses.csv", poses)
    return folder, poses


def _assert_base(lab):
    found = np.linalg.inv(BASE_FROM_ARENA) @ load_lab(lab).base_from_arena
    assert np.linalg.norm(found[:3, 3]) < 0.002
    assert np.rad2deg(Rotation.from_matrix(found[:3, :3]).magnitude()) < 0.3


def test_a_board_on_the_hand_gives_the_base(lab, hand, capsys):
    given = ["--pictures", str(hand[0]), "--poses", str(hand[0] / "poses.csv"), "--method", "shah"]
    assert main(["calibrate", "robot", "--lab", str(lab), *given]) == 0
    assert "mm at the board" in capsys.readouterr().out
    _assert_base(lab)


class _GuidedArm:
    """A robot whose arm the operator guides through a list of joint angles, one each time it is asked for."""

    name = "guided arm"

    def __init__(self, joints):
        self.joints, self.closed = iter(joints), False

    def state(self):
        return SimpleNamespace(positions=next(self.joints), velocities=np.zeros(7), stamp=time.monotonic())

    def close(self):
        self.closed = True


def test_touching_with_the_arm_itself_gives_the_base(calibrated, lab, tmp_path, monkeypatch):
    template = calibrated[1] / "points_to_touch.csv"
    points = read_touch_template(template).arena @ BASE_FROM_ARENA[:3, :3].T + BASE_FROM_ARENA[:3, 3]
    arm = _GuidedArm([inverse_down(*point, 0.0, HOME) for point in points])
    asked = []
    monkeypatch.setattr("builtins.input", asked.append)
    monkeypatch.setattr("tabletop_interaction.real.calibration.capture.open_intera_driver", lambda settings: arm)
    assert (
        main(["calibrate", "robot", "--lab", str(lab), "--touch", str(template), "--out", str(tmp_path / "out")]) == 0
    )
    np.testing.assert_allclose(load_lab(lab).base_from_arena, BASE_FROM_ARENA, atol=1e-3)
    assert ["bottom right inner corner" in question for question in asked] == [False, False, False, True]
    assert arm.closed
    # What was touched is kept, and gives the same again.
    again = ["--touched", str(tmp_path / "out" / "touched.csv")]
    assert main(["calibrate", "robot", "--lab", str(lab), *again]) == 0


def test_looking_at_the_board_on_the_guided_hand_gives_the_base(lab, hand, tmp_path, monkeypatch):
    joints = [inverse(pose, HOME, HAND) for pose in hand[1].values()]
    arm, asked = _GuidedArm(joints), []
    shows = lambda name: _Show(hand[0] / name.split()[0], asked)  # noqa: E731
    monkeypatch.setattr("builtins.input", asked.append)
    monkeypatch.setattr("tabletop_interaction.real.calibration.capture.open_intera_driver", lambda settings: arm)
    monkeypatch.setattr("tabletop_interaction.real.cameras.array.open_device_camera", lambda name, *_: shows(name))
    arguments = ["--hand-poses", str(len(joints)), "--out", str(tmp_path / "out")]
    assert main(["calibrate", "robot", "--lab", str(lab), *arguments]) == 0
    _assert_base(lab)
    (kept,) = (tmp_path / "out").glob("hand-*")
    assert len(read_hand_poses(kept / "poses.csv")) == len(joints)


def test_an_arm_with_old_joint_states_is_a_fault(calibrated, lab, tmp_path, monkeypatch, capsys):
    arm = _GuidedArm([])
    arm.state = lambda: SimpleNamespace(positions=HOME, velocities=np.zeros(7), stamp=time.monotonic() - 3)
    monkeypatch.setattr("builtins.input", lambda question: "")
    monkeypatch.setattr("tabletop_interaction.real.calibration.capture.open_intera_driver", lambda settings: arm)
    template = calibrated[1] / "points_to_touch.csv"
    assert (
        main(["calibrate", "robot", "--lab", str(lab), "--touch", str(template), "--out", str(tmp_path / "out")]) == 1
    )
    assert "are 3.0 s old" in capsys.readouterr().err
    assert arm.closed


def test_overlays_are_written_in_the_views_size(calibrated):
    for name in EYES:
        assert Image.open(calibrated[1] / f"{name}.png").size == (430, 350)


def test_check_draws_the_same_arena_into_other_pictures(lab, pictures, tmp_path):
    arguments = ["--lab", str(lab), "--pictures", str(pictures / "arena"), "--out", str(tmp_path / "check")]
    assert main(["calibrate", "check", *arguments]) == 0
    assert {path.name for path in (tmp_path / "check").glob("*.png")} == {"view_0.png", "view_1.png"}


def test_the_board_is_printed_and_written_into_the_lab_file(lab, tmp_path, capsys):
    out = tmp_path / "board"
    arguments = ["--square-mm", "20", "--columns", "7", "--rows", "5", "--lab", str(lab), "--out", str(out)]
    assert main(["calibrate", "board", *arguments]) == 0
    assert (out / "charuco_7x5_square20mm_a4.pdf").is_file()
    assert "297 x 210 mm" in capsys.readouterr().out
    assert "square_mm: 20.0" in lab.read_text()


class _Show:
    """A camera that shows the picture of a pose, counted by how often the operator was asked."""

    def __init__(self, folder, asked):
        self.folder, self.asked, self.name = folder, asked, folder.name

    def read(self, newer_than, timeout_s):
        path = self.folder / f"{len(self.asked) - 1:03d}.png"
        return Frame(cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB), newer_than + 0.01)

    def close(self):
        """Nothing is open."""


class _Theatre:
    """Cameras before which a board is held still, then moved on, for ever."""

    def __init__(self, pictures):
        self.pictures, self.reads, self.name, self.closed = pictures, 0, "theatre", False

    def read(self, newer_than, timeout_s):
        self.reads += 1
        return Frame(self.pictures[(self.reads // 3) % len(self.pictures)], newer_than + 0.01)

    def close(self):
        self.closed = True


def test_live_cameras_take_the_pictures_by_themselves(lab, pictures, tmp_path, monkeypatch):
    paths = sorted((pictures / "cameras" / "view_0").iterdir())
    stage = _Theatre([cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB) for path in paths])
    opened = "tabletop_interaction.real.cameras.array.open_device_camera"
    monkeypatch.setattr(opened, lambda *_: stage)
    arguments = ["--views", "view_0", "--wanted", "8", "--out", str(tmp_path / "live")]
    assert main(["calibrate", "cameras", "--lab", str(lab), *arguments]) == 0
    assert len(list((tmp_path / "live").glob("taken-*/view_0/*.png"))) == 8
    assert stage.closed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["start", "--sources", "0"], "is there already"),
        (["cameras", "--views", "view_9"], "the lab has no view view_9; it has view_0, view_1"),
        (["cameras", "--pictures", "gone"], "there is no folder gone"),
        (["arena", "--pictures", "PICTURES/cameras"], "has 9 pictures; this step takes one per view"),
        (["robot"], "give one of --touch, --hand-poses, --touched, or --pictures"),
        (["robot", "--pictures", "PICTURES/arena"], "--pictures together with --poses"),
        (["robot", "--touched", "gone.csv"], "there is no file gone.csv; give a CSV table"),
        (["robot", "--touched", "TEMPLATE"], "base_x is ''; a number is accepted"),
        (["board", "--square-mm", "60"], "a4 has space for"),
    ],
)
def test_mistakes_end_in_one_line_and_leave_the_lab_file(
    arguments, message, lab, calibrated, pictures, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    before = lab.read_text()
    given = [
        text.replace("PICTURES", str(pictures)).replace("TEMPLATE", str(calibrated[1] / "points_to_touch.csv"))
        for text in arguments
    ]
    assert main(["calibrate", *given, "--lab", str(lab)]) == 2
    assert message in capsys.readouterr().err
    assert lab.read_text() == before


def test_a_robot_that_is_off_is_refused_and_the_lab_file_kept(calibrated, lab, tmp_path, capsys):
    _fill_template(calibrated[1] / "points_to_touch.csv", tmp_path / "touched.csv", 0.02)
    before = lab.read_text()
    assert main(["calibrate", "robot", "--lab", str(lab), "--touched", str(tmp_path / "touched.csv")]) == 1
    assert "mm is accepted (all points:" in capsys.readouterr().err
    assert lab.read_text() == before


@pytest.fixture
def twins_lab(tmp_path, monkeypatch):
    """A lab file of a twin, with somebody who confirms that the arm may move."""
    monkeypatch.setattr("builtins.input", lambda question: "move")
    path = tmp_path / "lab.yaml"
    path.write_text(TWIN_LAB.read_text())
    return path


def test_measuring_the_arm_writes_its_section_which_doctor_shows(twins_lab, monkeypatch, capsys):
    monkeypatch.setattr(arm_measuring.measure_arm, "__kwdefaults__", {"rest_s": 0.2, "joints": (0,)})
    assert main(["calibrate", "arm", "--lab", str(twins_lab)]) == 0
    shown = capsys.readouterr().out
    assert "command timeout: 0." in shown
    assert "gripper enabled: 20.0 mm, 20.0 N, holds" in shown
    measured = load_lab(twins_lab).measured
    assert measured.robot == "twin"
    assert "s against the robot's" in measured.clocks
    assert measured.command_timeout_s == pytest.approx(0.2, abs=0.02)
    assert measured.stop_button.stopped.gripping
    assert max(measured.lag_s) < 0.02
    finding = judge_response(measured, load_lab(twins_lab).settings, simulated=True)
    assert (finding.ok, finding.remedy) == (True, "")
    assert finding.said.startswith(f"measured {measured.measured_at:%Y-%m-%d}: lag ")


def test_settings_that_contradict_the_measured_arm_are_refused_where_it_is_opened(twins_lab):
    measured = replace(MEASURED, force_moving=ForceNoise(2.0, 5.0))
    update_lab_file(twins_lab, {"measured": measured, "safety": {"max_force_change_n": 5.0}})
    with pytest.raises(InvalidConfiguration, match=r"max_force_change_n is 5 N.*accepted is 6\.0 N or more"):
        open_sawyer("train", twins_lab)
    (finding,) = [each for each in islice(examine(twins_lab, datetime.now(UTC)), 6) if each.name == "arm response"]
    assert not finding.ok
    assert finding.said.startswith("max_force_change_n is 5 N")


@pytest.mark.parametrize(("answer", "options"), [("yes", []), ("move", ["--config", "twin"])])
def test_an_arm_that_may_not_move_and_a_rehearsal_write_nothing(answer, options, twins_lab, monkeypatch, capsys):
    monkeypatch.setattr("builtins.input", lambda question: answer)
    monkeypatch.setattr(calibrate, "measure", lambda *_, **__: pytest.fail("moved") if answer == "yes" else MEASURED)
    before = twins_lab.read_text()
    assert main(["calibrate", "arm", *(options or ["--lab", str(twins_lab)])]) == (0 if options else 1)
    assert "nothing was" in "".join(capsys.readouterr())
    assert twins_lab.read_text() == before


@pytest.mark.parametrize("step", ["start", "board", "cameras", "arena", "robot", "check", "arm"])
def test_every_step_has_help_with_an_example(step, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["calibrate", step, "--help"])
    assert ended.value.code == 0
    assert f"tabletop calibrate {step}" in capsys.readouterr().out
    assert step in calibrate.Calibrate.__doc__
