"""`tabletop calibrate`: calibrate a real table's cameras and robot, step by step, into one lab file."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from tabletop_interaction.arrays import Floats, Picture
from tabletop_interaction.cli.arguments import UNSET, File, Folder, NewFile, NewFolder
from tabletop_interaction.cli.confirmed import confirm_motion
from tabletop_interaction.cli.options import options
from tabletop_interaction.cli.refused import refuse_ignored
from tabletop_interaction.envs import Arena
from tabletop_interaction.envs.records.png import encode_picture
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.files import claimed_folder, write_file
from tabletop_interaction.ranges import Range
from tabletop_interaction.real.calibration import capture
from tabletop_interaction.real.calibration.arena_pose import BoardPlace
from tabletop_interaction.real.calibration.arm_response import ArmResponse, check_response
from tabletop_interaction.real.calibration.board_page import PAPERS_MM, Paper, draw_page, page_name, write_page
from tabletop_interaction.real.calibration.charuco import Board
from tabletop_interaction.real.calibration.hand_eye import Method
from tabletop_interaction.real.calibration.intrinsics import MAX_RMS_PX
from tabletop_interaction.real.calibration.tables import (
    TouchedPoints,
    read_hand_poses,
    read_touch_template,
    read_touched_points,
    write_touch_template,
)
from tabletop_interaction.real.cameras.array import CameraSettings
from tabletop_interaction.real.checks.examination import measure, opened_equipment
from tabletop_interaction.real.lab import steps
from tabletop_interaction.real.lab.file import (
    LabFile,
    PictureSize,
    begin_lab_file,
    read_lab_file,
    to_plain,
    update_lab_file,
)
from tabletop_interaction.real.lab.lab import TWIN_LAB, load_lab
from tabletop_interaction.sawyer.model import ARM_JOINT_NAMES

_LAB = Path("lab.yaml")
Metres = Annotated[float, Range(-10, 10, unit="m")]
Seconds = Annotated[float, Range(0, 10**6, above=True, unit="s")]
MaxError = Annotated[float, Range(0, 10**4, above=True, unit="px")]
# Fits into every square; the given marker, or the one that follows from the square, replaces it.
_ANY_MARKER_MM = 1e-6


@dataclass(frozen=True)
class Start:
    """Begin a lab file: arena, board, and the sources of each view's pictures.

    Example: tabletop calibrate start --sources /dev/video0 /dev/video2 /dev/video4 /dev/video6
    """

    sources: tuple[str, ...]
    """Capture device or ROS topic for view_0, view_1, ...; view_0 stands on the robot's side."""
    lab: NewFile = _LAB
    """Lab file to make."""
    kind: Literal["device", "ros"] = "device"
    """device: what OpenCV captures from. ros: topics of sensor_msgs/Image (rgb8 or bgr8)."""
    driver: Literal["intera", "twin"] = "intera"
    """intera: the robot. twin: its simulation."""
    width: Annotated[int, Range(16, 10**5)] = 1280
    """Width of the cameras' full pictures, pixels."""
    height: Annotated[int, Range(16, 10**5)] = 720
    """Height of the cameras' full pictures, pixels."""
    arena: tuple[Metres, Metres, Metres, Metres] = (-0.30, 0.30, -0.245, 0.245)
    """x_min x_max y_min y_max of what robot and cameras reach, metres from the table's centre."""

    def run(self) -> None:
        """Write the file, after its content was checked."""
        # OpenCV takes a device's number as a number only.
        sources = [int(source) if source.isdigit() else source for source in self.sources]
        settings = [CameraSettings(self.kind, source, self.width, self.height) for source in sources]
        sections = to_plain(
            {
                "driver": self.driver,
                "arena": Arena(*self.arena),
                "picture": PictureSize(),
                "board": Board(),
                "cameras": {f"view_{i}": each for i, each in enumerate(settings)},
            }
        )
        checked = LabFile(self.lab, sections)
        _ = checked.arena, checked.cameras
        begin_lab_file(self.lab, sections)
        print(f"{self.lab}; next: tabletop calibrate board --lab {shlex.quote(str(self.lab))}")


@dataclass(frozen=True, kw_only=True)
class PrintBoard:
    """Draw the ChArUco board for the printer, with a ruler to check the print.

    Example: tabletop calibrate board --paper a4 --out runs/board
    """

    board: Annotated[Board, options(Board, "columns", "rows", "square_mm", "dictionary", marker_mm=_ANY_MARKER_MM)]
    marker_mm: Annotated[Annotated[float, Range(0, 10**4, above=True, unit="mm")] | None, UNSET] = None
    """Side of a marker, millimetres; three quarters of a square by default."""
    paper: Paper = "a4"
    """Paper size; the page is in landscape."""
    format: Literal["pdf", "png"] = "pdf"
    """File format; both carry their size in millimetres."""
    lab: Annotated[NewFile | None, UNSET] = None
    """Lab file that gets this board."""
    out: NewFolder = Path("runs/board")
    """Folder of the page."""

    def run(self) -> None:
        """Draw the page, and write the board into the lab file if one is named."""
        marker_mm = 0.75 * self.board.square_mm if self.marker_mm is None else self.marker_mm
        board = replace(self.board, marker_mm=marker_mm)
        page = draw_page(board, self.paper)
        if self.lab is not None:
            read_lab_file(self.lab)
        path = self.out / page_name(board, self.paper, f".{self.format}")
        with claimed_folder(self.out, "calibrate board"):
            write_page(page, path)
        if self.lab is not None:
            update_lab_file(self.lab, {"board": board})
        width, height = PAPERS_MM[self.paper]
        print(f"{path}: {width:g} x {height:g} mm; print it at 100 % and measure the ruler")


@dataclass(frozen=True)
class _PictureStep:
    """Options of a step that uses pictures of every camera."""

    lab: NewFile = _LAB
    """Lab file; a step replaces its own section only."""
    pictures: Annotated[Folder | None, UNSET] = None
    """Folder with a folder of pictures for each view, in the cameras' full size; by default they are taken live."""
    out: NewFolder = Path("runs")
    """Folder of what the step writes besides the lab file, and of pictures that are taken live."""
    timeout_s: Seconds = 60.0
    """Longest wait for live pictures, seconds."""

    def _check(self, *live_only: str) -> None:
        """Raises InvalidConfiguration when options of live pictures came with --pictures."""
        if self.pictures is not None:
            refuse_ignored(self, "with --pictures", "timeout_s", *live_only)


@dataclass(frozen=True)
class Cameras(_PictureStep):
    """Fit each camera's focal lengths, principal point and distortion to pictures of the board.

    Example: tabletop calibrate cameras --lab lab.yaml

    Example: tabletop calibrate cameras --lab lab.yaml --pictures my-pictures

    Without --pictures, pictures are taken live: move the board through the whole picture of every camera, near and far,
    tilted to all sides, and hold it still for a second at each place. They are kept in --out, for --pictures.
    """

    out: NewFolder = Path("runs/calibrate-cameras")
    timeout_s: Seconds = 900.0
    views: tuple[str, ...] = ()
    """Names of the views to calibrate; all by default."""
    wanted: Annotated[int, Range(1, 10**4)] = 20
    """Number of live pictures of each camera."""
    max_rms_px: MaxError = MAX_RMS_PX
    """Largest accepted reprojection error, pixels."""

    def run(self) -> None:
        """Take or read the pictures, fit, check, write, and print the result."""
        self._check("out", "wanted")
        file = read_lab_file(self.lab)
        cameras = file.cameras
        steps.check_views(dict.fromkeys(self.views), cameras)
        chosen, folder = {view: cameras[view] for view in self.views or cameras}, self.pictures
        if folder is None:
            with claimed_folder(self.out, "calibrate cameras"):
                folder = capture.take_boards(chosen, file.board, self.out, self.wanted, self.timeout_s)
        found = capture.find_boards(folder, chosen, file.board)
        fitted = steps.calibrate_cameras(self.lab, found, self.max_rms_px)
        table = Table("view", "pictures", "error (px)", "focal length (px)", "principal point (px)")
        for view, each in fitted.items():
            (fx, _, cx), (_, fy, cy) = each.matrix[:2]
            focal = f"{fx:.1f} {fy:.1f} ± {each.focal_std_px:.1f}"
            table.add_row(view, str(each.pictures), f"{each.rms_px:.3f}", focal, f"{cx:.1f} {cy:.1f}")
        Console().print(table)
        print(f"written to {self.lab}; next: tabletop calibrate arena --lab {shlex.quote(str(self.lab))}")


@dataclass(frozen=True)
class LayArena(_PictureStep):
    """Find the cameras' poses from the board that lies in the arena, its arrow pointing away from the robot.

    Example: tabletop calibrate arena --lab lab.yaml

    With its centre on the table's centre, the board defines the arena's frame. Leave it there: its corners are the
    points to touch in the next step, listed in points_to_touch.csv in --out.
    """

    out: NewFolder = Path("runs/calibrate-arena")
    centre_xy: tuple[Metres, Metres] = (0.0, 0.0)
    """Position of the board's centre, metres."""
    turn_deg: Annotated[float, Range(-360, 360)] = 0.0
    """Turn of the board, degrees counter-clockwise from "arrow away from the robot"."""
    thickness_mm: Annotated[float, Range(-1000, 1000, unit="mm")] = 0.0
    """Height of its printed side above the table, millimetres."""
    max_rms_px: MaxError = 1.0
    """Largest accepted reprojection error, pixels."""

    def run(self) -> None:
        """Take or read one picture of each view, find the poses, write them, and draw the arena for a check by eye."""
        self._check()
        file = read_lab_file(self.lab)
        cameras, _ = file.cameras, file.intrinsics
        place = BoardPlace(*self.centre_xy, np.deg2rad(self.turn_deg), self.thickness_mm / 1000)
        pictures = None if self.pictures is None else capture.read_one_each(self.pictures, cameras)
        with claimed_folder(self.out, "calibrate arena"):
            if pictures is None:
                taken = capture.take_boards(cameras, file.board, self.out, 1, self.timeout_s)
                pictures = capture.read_one_each(taken, cameras)
            self._lay(file.board, cameras, pictures, place)

    def _lay(
        self, board: Board, cameras: Mapping[str, CameraSettings], pictures: Mapping[str, Picture], place: BoardPlace
    ) -> None:
        poses, overlays = steps.calibrate_arena(self.lab, pictures, place, self.max_rms_px)
        table = Table("view", "error (px)", "camera at x y z (m)")
        for name, pose in poses.items():
            eye = np.linalg.inv(pose.camera_from_arena)[:3, 3]
            table.add_row(name, f"{pose.rms_px:.3f}", " ".join(f"{value:.3f}" for value in eye))
        Console().print(table)
        _write_overlays(self.out, overlays)
        points = steps.points_to_touch(board, place)
        template = self.out / "points_to_touch.csv"
        write_touch_template(template, list(points), np.array(list(points.values())))
        robot = shlex.join(["tabletop", "calibrate", "robot", "--touch", str(template), "--lab", str(self.lab)])
        print(f"{template}: touch these; next: {robot}")


@dataclass(frozen=True)
class Robot:
    """Find the robot's base in the arena, from points that the gripper's tip touches or from a board on its hand.

    Example: tabletop calibrate robot --touch runs/calibrate-arena/points_to_touch.csv

    Example: tabletop calibrate robot --hand-poses 15

    Example: tabletop calibrate robot --touched touched.csv

    Example: tabletop calibrate robot --pictures hand/ --poses hand/poses.csv --method park

    The first two read the robot's poses: guide the arm by hand, let go, press Enter; no command moves it. The poses are
    kept in --out, for the other two.
    """

    lab: NewFile = _LAB
    """Lab file; its section "robot" is replaced."""
    touch: Annotated[File | None, UNSET] = None
    """CSV file of points to touch now, of `tabletop calibrate arena`."""
    hand_poses: Annotated[int, Range(0, 10**4)] = 0
    """Number of poses of the hand to record now, with the lab's board fixed to it, tilted to all sides."""
    touched: Annotated[File | None, UNSET] = None
    """CSV file of touched points: point, arena_x, arena_y, arena_z, base_x, base_y, base_z (the tip), metres."""
    pictures: Annotated[Folder | None, UNSET] = None
    """Folder with a folder of pictures of the board on the hand for each view, each named after its pose."""
    poses: Annotated[File | None, UNSET] = None
    """CSV file of the poses of right_hand in base, for --pictures: picture, x, y, z, qx, qy, qz, qw; metres."""
    method: Method = "park"
    """OpenCV's hand-eye solver that starts the fit; shah and li are those of calibrateRobotWorldHandEye."""
    max_residual_mm: Annotated[float, Range(0, 1000, above=True, unit="mm")] = 3.0
    """Largest accepted error of a touched point, or root mean square error of the board's corners, millimetres."""
    out: NewFolder = Path("runs/calibrate-robot")
    """Folder of what is read from the robot."""

    def run(self) -> None:
        """Touch, look or read, fit, check, write, and print the errors that remain."""
        self._check()
        file = read_lab_file(self.lab)
        _ = file.full_views
        if self.touch is not None:
            points = read_touch_template(self.touch)
            with claimed_folder(self.out, "calibrate robot"):
                fit = self._by_touch(capture.touch_now(file.settings, points, self.out))
        elif self.touched is not None:
            fit = self._by_touch(read_touched_points(self.touched))
        elif self.pictures is not None and self.poses is not None:
            fit = self._by_sight(file, self.pictures, read_hand_poses(self.poses))
        else:
            with claimed_folder(self.out, "calibrate robot"):
                fit = self._by_sight(file, *capture.look_now(file.settings, file.cameras, self.hand_poses, self.out))
        x, y, z = fit[:3, 3]
        print(f"the arena's origin lies at {x:.4f} {y:.4f} {z:.4f} m in the robot's base frame; written to {self.lab}")

    def _check(self) -> None:
        ways = [self.touch is not None, self.hand_poses > 0, self.touched is not None, self.pictures is not None]
        if sum(ways) != 1 or (self.pictures is None) != (self.poses is None):
            raise InvalidConfiguration(
                "give one of --touch, --hand-poses, --touched, or --pictures together with --poses"
            )
        if self.touch is not None or self.touched is not None:
            refuse_ignored(self, "with points that are touched", "method")
        if self.touched is not None or self.pictures is not None:
            refuse_ignored(self, "where nothing is read from the robot", "out")

    def _by_touch(self, touched: TouchedPoints) -> Floats:
        fit = steps.calibrate_robot_by_touch(self.lab, touched, self.max_residual_mm / 1000)
        for name, residual in zip(touched.names, fit.residuals, strict=True):
            print(f"{name}: {1000 * residual:.2f} mm off")
        print(f"root mean square: {1000 * fit.rms:.2f} mm over {len(touched.names)} points")
        if len(touched.names) == 3:
            print("with three points most errors stay unnoticed; touch a fourth one")
        return fit.target_from_source

    def _by_sight(self, file: LabFile, pictures: Path, poses: Mapping[str, Floats]) -> Floats:
        cameras = file.cameras
        seeing = {view: settings for view, settings in cameras.items() if (pictures / view).is_dir()} or cameras
        found = capture.find_boards(pictures, seeing, file.board)
        limit = self.max_residual_mm / 1000
        fit = steps.calibrate_robot_by_sight(self.lab, found, poses, file.board, self.method, limit)
        print(f"root mean square: {fit.rms_px:.2f} px, {1000 * fit.rms:.2f} mm at the board")
        return fit.base_from_arena


@dataclass(frozen=True)
class Arm:
    """Measure how the arm responds: lag, steady error, force noise, topics, command timeout, stop button.

    Example: tabletop calibrate arm --lab lab.yaml

    Example: tabletop calibrate arm --config twin

    The arm moves. It leaves the table, then turns one joint at a time by at most 0.06 rad, slower than 6 % of the
    rated speeds; this takes two minutes. Then you are asked to press the stop button while the gripper holds an object.
    """

    lab: NewFile = _LAB
    """Lab file; its section "measured" is replaced."""
    config: Annotated[Literal["twin"] | None, UNSET] = None
    """twin: rehearse on the simulated laboratory that comes with the package; nothing is written."""
    stop_button: bool = True
    """Whether to try the stop button while the gripper holds an object."""

    def run(self) -> None:
        """Ask, measure, write and print the figures.

        Raises:
            InvalidConfiguration: a wrong lab file; nothing was moved.
            NotConfirmed: the motion was not confirmed; nothing was moved.
            CalibrationRejected: the measurement is useless; nothing was written.
        """
        if self.config is not None:
            refuse_ignored(self, "with --config", "lab")
        path = TWIN_LAB if self.config else self.lab
        lab = load_lab(path)
        print(
            "The arm will leave the table, then move each joint a little. Empty the gripper, clear the arm's way, keep "
            "everybody out of its reach, and hold the stop button."
        )
        confirm_motion()
        with opened_equipment(lab) as equipment:
            measured = measure(lab, equipment, stop_button=self.stop_button)
        if self.config is None:
            update_lab_file(self.lab, {"measured": measured})
        _print_response(measured)
        print("this was a rehearsal; nothing was written" if self.config else f"written to {self.lab}")
        check_response(measured, lab.settings)


@dataclass(frozen=True)
class Check(_PictureStep):
    """Draw the arena into present pictures, to see whether a camera was moved since its calibration.

    Example: tabletop calibrate check --lab lab.yaml --out runs/calibrate-check
    """

    out: NewFolder = Path("runs/calibrate-check")
    timeout_s: Seconds = 10.0

    def run(self) -> None:
        """Read or take one picture of each view and write the overlays."""
        self._check()
        cameras = read_lab_file(self.lab).cameras
        if self.pictures is None:
            pictures = capture.take_pictures(cameras, self.timeout_s)
        else:
            pictures = capture.read_one_each(self.pictures, cameras)
        overlays = steps.lab_overlays(self.lab, pictures)
        with claimed_folder(self.out, "calibrate check"):
            _write_overlays(self.out, overlays)


@dataclass(frozen=True)
class Calibrate:
    """Calibrate a real table in seven steps: start, board, cameras, arena, robot, check, arm.

    Example: tabletop calibrate start --sources /dev/video0 /dev/video2 /dev/video4 /dev/video6
    """

    step: Annotated[
        Annotated[Start, tyro.conf.subcommand("start")]
        | Annotated[PrintBoard, tyro.conf.subcommand("board")]
        | Annotated[Cameras, tyro.conf.subcommand("cameras")]
        | Annotated[LayArena, tyro.conf.subcommand("arena")]
        | Annotated[Robot, tyro.conf.subcommand("robot")]
        | Annotated[Check, tyro.conf.subcommand("check")]
        | Annotated[Arm, tyro.conf.subcommand("arm")],
        tyro.conf.arg(name=""),
    ]

    def run(self) -> None:
        """Run the chosen step."""
        self.step.run()


def _print_response(measured: ArmResponse) -> None:
    table = Table("joint", "lag (ms)", "steady error (rad)")
    for joint, lag_s, error in zip(ARM_JOINT_NAMES, measured.lag_s, measured.steady_error_rad, strict=True):
        table.add_row(joint, f"{1000 * lag_s:.0f}", f"{error:.4f}")
    Console().print(table)
    for name, force in (("at rest", measured.force_at_rest), ("moving", measured.force_moving)):
        print(f"force {name}: {force.rms_n:.2f} N of noise, {force.change_n:.2f} N at most")
    for topic, arrivals in measured.topics.items():
        print(f"{topic}: {arrivals.rate_hz:.0f} Hz, at most {1000 * arrivals.gap_s:.0f} ms apart")
    print(f"clocks: {measured.clocks or 'not checked'}")
    timeout_s = measured.command_timeout_s
    print("the arm finished the last command" if timeout_s is None else f"command timeout: {timeout_s:.2f} s")
    if (button := measured.stop_button) is not None:
        for when, grip in (("held", button.held), ("stopped", button.stopped), ("enabled", button.enabled)):
            force_n = "unknown force" if grip.force_n is None else f"{grip.force_n:.1f} N"
            print(f"gripper {when}: {1000 * grip.opening_m:.1f} mm, {force_n}, {'holds' if grip.gripping else 'empty'}")
    print(f"max_force_change_n: {measured.smallest_force_limit_n:g} N or more suits this arm")


def _write_overlays(out: Path, overlays: Mapping[str, Picture]) -> None:
    for view, overlay in overlays.items():
        path = out / f"{view}.png"
        write_file(path, encode_picture(overlay))
        print(f"{path}: the grid has to lie on the table, x (red) right and y (green) away from the robot")
