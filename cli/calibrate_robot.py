"""The step of `tabletop calibrate` that finds the robot's base: by touch or by sight, from files or with the arm."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.files import claim_folder
from tabletop_interaction.real.arm.driver import SawyerDriver
from tabletop_interaction.real.arm.intera_connection import open_intera_driver
from tabletop_interaction.real.calibration.board_capture import picture_paths, read_picture, write_picture
from tabletop_interaction.real.calibration.charuco import Board, Corners
from tabletop_interaction.real.calibration.hand_eye import Method
from tabletop_interaction.real.calibration.tables import (
    TouchedPoints,
    read_hand_poses,
    read_touch_template,
    read_touched_points,
    write_hand_poses,
    write_touched_points,
)
from tabletop_interaction.real.calibration.touch import HAND, base_from_link, touch_points
from tabletop_interaction.real.cameras.array import CameraSettings, opened_cameras, read_frames
from tabletop_interaction.real.lab import steps as calibration
from tabletop_interaction.real.lab.file import LabFile, read_lab_file

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Robot:
    """Find the robot's base in the arena: guide the gripper's tip onto known points, or let the cameras see a board
    on its hand.

    Example: tabletop calibrate robot --touch runs/calibrate-arena/points_to_touch.csv

    Example: tabletop calibrate robot --hand-poses 15

    Example: tabletop calibrate robot --touched touched.csv

    Example: tabletop calibrate robot --pictures hand/ --poses hand/poses.csv --method park

    The first two talk to the robot: guide the arm by hand, let go, press Enter; nothing moves by itself. What they read
    is kept in --out, for the other two.
    """

    lab: Path = Path("lab.yaml")
    """The lab file; its section "robot" is replaced."""
    touch: Path | None = None
    """CSV of points to touch now, from `tabletop calibrate arena`."""
    hand_poses: int = 0
    """How many poses of the hand to look at now, the lab's board fixed to it; tilt it to all sides."""
    touched: Path | None = None
    """CSV of points that were touched: point, arena_x, arena_y, arena_z, base_x, base_y, base_z (the tip), metres."""
    pictures: Path | None = None
    """Folder with a folder of pictures a view of the board on the hand; the name of a picture is that of a pose."""
    poses: Path | None = None
    """CSV of the poses of right_hand in base: picture, x, y, z, qx, qy, qz, qw; metres. Goes with --pictures."""
    method: Method = "park"
    """OpenCV's hand-eye solver that starts the fit; shah and li are those of calibrateRobotWorldHandEye."""
    max_residual_mm: float = 3.0
    """Largest accepted distance of a touched point; of the board's corners, root mean square."""
    out: Path = Path("runs/calibrate-robot")
    """Folder of what is read from the robot."""

    def run(self) -> None:
        """Touch, look or read, fit, check, write, and print what is left over."""
        self._check()
        file = read_lab_file(self.lab)
        _ = file.full_views
        if self.touch is not None:
            fit = self._by_touch(self._touch_now(file, self.touch))
        elif self.touched is not None:
            fit = self._by_touch(read_touched_points(self.touched))
        elif self.pictures is not None and self.poses is not None:
            fit = self._by_sight(file, self.pictures, read_hand_poses(self.poses))
        else:
            fit = self._by_sight(file, *self._look_now(file))
        x, y, z = fit[:3, 3]
        print(f"the arena's origin lies at {x:.4f} {y:.4f} {z:.4f} m in the robot's base frame; written to {self.lab}")

    def _check(self) -> None:
        ways = [self.touch is not None, self.hand_poses > 0, self.touched is not None, self.pictures is not None]
        if sum(ways) != 1 or (self.pictures is None) != (self.poses is None):
            raise InvalidConfiguration(
                "give one of --touch, --hand-poses, --touched, or --pictures together with --poses"
            )

    def _by_touch(self, touched: TouchedPoints) -> FloatArray:
        fit = calibration.calibrate_robot_by_touch(self.lab, touched, self.max_residual_mm / 1000)
        for name, residual in zip(touched.names, fit.residuals, strict=True):
            print(f"{name}: {1000 * residual:.2f} mm off")
        print(f"root mean square: {1000 * fit.rms:.2f} mm over {len(touched.names)} points")
        if len(touched.names) == 3:
            print("three points hide most errors; touch a fourth to be sure")
        return fit.target_from_source

    def _by_sight(self, file: LabFile, pictures: Path, poses: Mapping[str, FloatArray]) -> FloatArray:
        board, cameras = file.board, file.cameras
        seeing = {view: settings for view, settings in cameras.items() if (pictures / view).is_dir()} or cameras
        found = find_boards(pictures, seeing, board)
        limit = self.max_residual_mm / 1000
        fit = calibration.calibrate_robot_by_sight(self.lab, found, poses, board, self.method, limit)
        print(f"root mean square: {fit.rms_px:.2f} px, {1000 * fit.rms:.2f} mm at the board")
        return fit.base_from_arena

    def _touch_now(self, file: LabFile, template: Path) -> TouchedPoints:
        points = read_touch_template(template)
        claim_folder(self.out, "calibrate robot")
        with _opened_driver(file) as driver:
            touched = replace(points, base=touch_points(driver, points.names, input))
        write_touched_points(self.out / "touched.csv", touched)
        return touched

    def _look_now(self, file: LabFile) -> tuple[Path, dict[str, FloatArray]]:
        """Pictures and poses of the hand wherever the operator guides it, also written to a new folder in `out`."""
        settings = file.cameras
        claim_folder(self.out, "calibrate robot")
        folder = self.out / time.strftime("hand-%Y%m%d-%H%M%S")
        poses: dict[str, FloatArray] = {}
        with opened_cameras(settings) as cameras, _opened_driver(file) as driver:
            for number in range(self.hand_poses):
                input(f"pose {number + 1} of {self.hand_poses}: show the board, let go of the arm, and press Enter")
                pose = base_from_link(driver, HAND, input)
                for view, frame in read_frames(cameras, settings, time.monotonic()).items():
                    poses[write_picture(frame.image, folder, view, number).stem] = pose
        write_hand_poses(folder / "poses.csv", poses)
        return folder, poses


@contextmanager
def _opened_driver(file: LabFile) -> Iterator[SawyerDriver]:
    driver = open_intera_driver(file.settings)
    try:
        yield driver
    finally:
        driver.close()


def find_boards(folder: Path, cameras: Mapping[str, CameraSettings], board: Board) -> dict[str, dict[str, Corners]]:
    """The board's corners by view and picture, with a progress bar."""
    paths = picture_paths(folder, cameras)
    return {
        view: {path.stem: board.find(read_picture(path, cameras[view])) for path in track(inside, description=view)}
        for view, inside in paths.items()
    }
