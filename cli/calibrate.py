"""`tabletop calibrate`: a real table's cameras and robot, step by step, into one lab file."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import imageio.v2 as imageio
import numpy as np
import tyro
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from tabletop_interaction.cli.calibrate_robot import Robot, find_boards
from tabletop_interaction.envs.backend import Arena
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.files import claim_folder
from tabletop_interaction.real.calibration.arena_pose import BoardPlace
from tabletop_interaction.real.calibration.board_capture import (
    capture_boards,
    picture_paths,
    read_picture,
    write_picture,
)
from tabletop_interaction.real.calibration.board_page import PAPERS_MM, Paper, draw_page, page_name, write_page
from tabletop_interaction.real.calibration.charuco import Board
from tabletop_interaction.real.calibration.intrinsics import IntrinsicsBounds
from tabletop_interaction.real.calibration.tables import write_touch_template
from tabletop_interaction.real.cameras.array import CameraSettings, opened_cameras, read_frames
from tabletop_interaction.real.lab import steps as calibration
from tabletop_interaction.real.lab.file import LabFile, PictureSize, read_lab_file, to_plain, update_lab_file

LAB = Path("lab.yaml")


@dataclass(frozen=True)
class Start:
    """Begin a lab file: arena, board, and where each view's pictures come from.

    Example: tabletop calibrate start --sources /dev/video0 /dev/video2 /dev/video4 /dev/video6
    """

    sources: tuple[str, ...]
    """A capture device or ROS topic for view_0, view_1, ...; view_0 stands on the robot's side."""
    lab: Path = LAB
    """The lab file; it must not be there yet."""
    kind: Literal["device", "ros"] = "device"
    """device: what OpenCV captures from. ros: topics of sensor_msgs/Image (rgb8 or bgr8)."""
    driver: Literal["intera", "twin"] = "intera"
    """intera: the robot. twin: its simulation."""
    width: int = 1280
    """Columns of the cameras' full pictures."""
    height: int = 720
    """Rows of the cameras' full pictures."""
    arena: tuple[float, float, float, float] = (-0.30, 0.30, -0.245, 0.245)
    """x_min x_max y_min y_max, metres: what robot and cameras reach, from the table's centre."""

    def run(self) -> None:
        """Write the file, once its content was read back and checked."""
        if self.lab.exists():
            raise InvalidConfiguration(f"{self.lab} is there already; edit it, or name another file with --lab")
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
        update_lab_file(self.lab, sections)
        print(f"{self.lab}; next: tabletop calibrate board --lab {self.lab}")


@dataclass(frozen=True)
class PrintBoard:
    """Draw the ChArUco board for the printer, with a ruler to check the print.

    Example: tabletop calibrate board --paper a4 --out runs/board
    """

    columns: int = 9
    """Squares in a row."""
    rows: int = 6
    """Squares in a column."""
    square_mm: float = 28.0
    """Side of a square."""
    marker_mm: float | None = None
    """Side of a marker; three quarters of a square by default."""
    dictionary: str = "DICT_4X4_50"
    """OpenCV's name of the markers."""
    paper: Paper = "a4"
    """Paper in landscape."""
    format: Literal["pdf", "png"] = "pdf"
    """File format; both carry their size in millimetres."""
    lab: Path | None = None
    """Lab file whose board this becomes."""
    out: Path = Path("runs/board")
    """Folder of the page."""

    def run(self) -> None:
        """Draw the page, and write the board into the lab file if one is named."""
        marker_mm = 0.75 * self.square_mm if self.marker_mm is None else self.marker_mm
        board = Board(self.columns, self.rows, self.square_mm, marker_mm, self.dictionary)
        page = draw_page(board, self.paper)
        if self.lab is not None:
            read_lab_file(self.lab)
        claim_folder(self.out, "calibrate board")
        path = self.out / page_name(board, self.paper, f".{self.format}")
        write_page(page, path)
        if self.lab is not None:
            update_lab_file(self.lab, {"board": board})
        width, height = PAPERS_MM[self.paper]
        print(f"{path}: {width:g} x {height:g} mm; print it at 100 % and measure the ruler")


@dataclass(frozen=True)
class Cameras:
    """Fit each camera's focal lengths, principal point and distortion to pictures of the board.

    Example: tabletop calibrate cameras --lab lab.yaml

    Example: tabletop calibrate cameras --lab lab.yaml --pictures my-pictures

    Without --pictures the cameras take them by themselves: move the board through every camera's whole picture, near
    and far, tilted to all sides, and hold it still for a second at each place.
    """

    lab: Path = LAB
    """The lab file; its section "intrinsics" is replaced."""
    pictures: Path | None = None
    """Folder with a folder of pictures a view, in the cameras' full size; taken live where it is not given."""
    views: tuple[str, ...] = ()
    """Only these views; all by default."""
    out: Path = Path("runs/calibrate-cameras")
    """Where pictures that are taken live are kept; the folder in it is a good --pictures later on."""
    wanted: int = 20
    """Pictures a camera that are taken live."""
    timeout_s: float = 900.0
    """How long to wait for them."""
    max_rms_px: float = 0.7
    """Largest accepted reprojection error."""

    def run(self) -> None:
        """Take or read the pictures, fit, check, write, and print what came out."""
        file = read_lab_file(self.lab)
        board, cameras = file.board, file.cameras
        calibration.check_views(dict.fromkeys(self.views), cameras)
        chosen = {view: cameras[view] for view in self.views or cameras}
        folder = self.pictures
        if folder is None:
            folder = _take(chosen, board, self.out, "calibrate cameras", self.wanted, self.timeout_s)
        found = find_boards(folder, chosen, board)
        fitted = calibration.calibrate_cameras(self.lab, found, IntrinsicsBounds(max_rms_px=self.max_rms_px))
        table = Table("view", "pictures", "error (px)", "focal length (px)", "principal point (px)")
        for view, each in fitted.items():
            (fx, _, cx), (_, fy, cy) = each.matrix[:2]
            focal = f"{fx:.1f} {fy:.1f} ± {each.focal_std_px:.1f}"
            table.add_row(view, str(each.pictures), f"{each.rms_px:.3f}", focal, f"{cx:.1f} {cy:.1f}")
        Console().print(table)
        print(f"written to {self.lab}; next: tabletop calibrate arena --lab {self.lab}")


@dataclass(frozen=True)
class LayArena:
    """Find where the cameras stand from the board that lies in the arena, its arrow away from the robot.

    Example: tabletop calibrate arena --lab lab.yaml

    Laid with its centre on the table's, the board defines the arena's frame. Leave it there: its corners are the
    points to touch in the next step.
    """

    lab: Path = LAB
    """The lab file; its section "views" is replaced."""
    pictures: Path | None = None
    """Folder with a folder a view that holds one picture; taken live where it is not given."""
    centre_xy: tuple[float, float] = (0.0, 0.0)
    """Where the board's centre lies, metres."""
    turn_deg: float = 0.0
    """Its turn, counter-clockwise from "arrow away from the robot"."""
    thickness_mm: float = 0.0
    """Height of its printed side above the table."""
    out: Path = Path("runs/calibrate-arena")
    """Folder of the overlays, of points_to_touch.csv, and of pictures that are taken live."""
    timeout_s: float = 60.0
    """How long to wait for pictures."""
    max_rms_px: float = 1.0
    """Largest accepted reprojection error."""

    def run(self) -> None:
        """Take or read one picture a view, find the poses, write them, and draw the arena for a check by eye."""
        file = read_lab_file(self.lab)
        board, cameras = file.board, file.cameras
        _ = file.intrinsics
        place = BoardPlace(*self.centre_xy, np.deg2rad(self.turn_deg), self.thickness_mm / 1000)
        folder = self.pictures or _take(cameras, board, self.out, "calibrate arena", 1, self.timeout_s)
        pictures = _one_picture_each(folder, cameras)
        claim_folder(self.out, "calibrate arena")
        placed = calibration.calibrate_arena(self.lab, pictures, place, self.max_rms_px)
        table = Table("view", "error (px)", "camera at x y z (m)")
        for each in placed:
            eye = np.linalg.inv(each.full.camera_from_arena)[:3, 3]
            table.add_row(each.full.name, f"{each.rms_px:.3f}", " ".join(f"{value:.3f}" for value in eye))
        Console().print(table)
        _write_overlays(self.out, {each.full.name: each.overlay for each in placed})
        points = calibration.points_to_touch(board, place)
        template = self.out / "points_to_touch.csv"
        write_touch_template(template, list(points), np.array(list(points.values())))
        print(f"{template}: touch these; next: tabletop calibrate robot --touch {template} --lab {self.lab}")


@dataclass(frozen=True)
class Check:
    """Draw the arena into pictures of now, to see whether a camera was moved since its calibration.

    Example: tabletop calibrate check --lab lab.yaml --out runs/calibrate-check
    """

    lab: Path = LAB
    """The lab file; only read."""
    pictures: Path | None = None
    """Folder with a folder a view that holds one full picture; taken live where it is not given."""
    out: Path = Path("runs/calibrate-check")
    """Folder of the overlays."""
    timeout_s: float = 10.0
    """How long to wait for pictures."""

    def run(self) -> None:
        """Read or take one picture a view and write the overlays."""
        cameras = read_lab_file(self.lab).cameras
        if self.pictures is not None:
            pictures = _one_picture_each(self.pictures, cameras)
        else:
            with opened_cameras(cameras) as opened:
                frames = read_frames(opened, cameras, time.monotonic(), self.timeout_s)
            pictures = {view: frame.image for view, frame in frames.items()}
        overlays = calibration.lab_overlays(self.lab, pictures)
        claim_folder(self.out, "calibrate check")
        _write_overlays(self.out, overlays)


@dataclass(frozen=True)
class Calibrate:
    """Calibrate a real table in six steps: start, board, cameras, arena, robot, check.

    Example: tabletop calibrate start --sources /dev/video0 /dev/video2 /dev/video4 /dev/video6
    """

    step: Annotated[
        Annotated[Start, tyro.conf.subcommand("start")]
        | Annotated[PrintBoard, tyro.conf.subcommand("board")]
        | Annotated[Cameras, tyro.conf.subcommand("cameras")]
        | Annotated[LayArena, tyro.conf.subcommand("arena")]
        | Annotated[Robot, tyro.conf.subcommand("robot")]
        | Annotated[Check, tyro.conf.subcommand("check")],
        tyro.conf.arg(name=""),
    ]

    def run(self) -> None:
        """Run the chosen step."""
        self.step.run()


def _take(
    settings: Mapping[str, CameraSettings], board: Board, out: Path, command: str, wanted: int, timeout_s: float
) -> Path:
    """Take pictures of the board with all cameras, into a new folder below `out`, which is returned."""
    claim_folder(out, command)
    folder = out / time.strftime("taken-%Y%m%d-%H%M%S")
    with opened_cameras(settings) as cameras:
        counts = dict.fromkeys(cameras, 0)
        print(f"taking {wanted} pictures a camera into {folder}: hold the board still for a second at each place")
        for view, picture in capture_boards(cameras, settings, board, wanted, timeout_s):
            write_picture(picture, folder, view, counts[view])
            counts[view] += 1
            print(", ".join(f"{name} {count}" for name, count in counts.items()), flush=True)
    return folder


def _one_picture_each(folder: Path, cameras: Mapping[str, CameraSettings]) -> dict[str, NDArray[np.uint8]]:
    paths = picture_paths(folder, cameras)
    for view, inside in paths.items():
        if len(inside) != 1:
            raise InvalidConfiguration(f"{folder / view} holds {len(inside)} pictures; this step takes one a view")
    return {view: read_picture(inside[0], cameras[view]) for view, inside in paths.items()}


def _write_overlays(out: Path, overlays: Mapping[str, NDArray[np.uint8]]) -> None:
    for view, overlay in overlays.items():
        path = out / f"{view}.png"
        imageio.imwrite(path, overlay)
        print(f"{path}: the grid has to lie on the table, x (red) right and y (green) away from the robot")
