"""Live input of a calibration: pictures from the cameras, points and poses from the arm that the operator guides."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from rich.progress import track

from tabletop_interaction.arrays import Floats, Picture
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.real.arm.intera_connection import open_intera_driver
from tabletop_interaction.real.arm.settings import SawyerSettings
from tabletop_interaction.real.calibration.board_capture import (
    capture_boards,
    picture_paths,
    read_picture,
    write_picture,
)
from tabletop_interaction.real.calibration.charuco import Board, Corners
from tabletop_interaction.real.calibration.tables import TouchedPoints, write_hand_poses, write_touched_points
from tabletop_interaction.real.calibration.touch import HAND, base_from_link, touch_points
from tabletop_interaction.real.cameras.array import CameraSettings, opened_cameras, read_frames


def take_boards(settings: Mapping[str, CameraSettings], board: Board, out: Path, wanted: int, timeout_s: float) -> Path:
    """Take pictures of the board with all cameras; the new folder in `out` that holds them.

    Args:
        settings: of the cameras, by view.
        board: to look for.
        out: an existing folder.
        wanted: pictures of each camera.
        timeout_s: longest wait for all of them, seconds.
    """
    folder = out / time.strftime("taken-%Y%m%d-%H%M%S")
    with opened_cameras(settings) as cameras:
        counts = dict.fromkeys(cameras, 0)
        print(f"taking {wanted} pictures per camera into {folder}: hold the board still for a second at each place")
        for view, picture in capture_boards(cameras, settings, board, wanted, timeout_s):
            write_picture(picture, folder, view, counts[view])
            counts[view] += 1
            print(", ".join(f"{name} {count}" for name, count in counts.items()), flush=True)
    return folder


def take_pictures(settings: Mapping[str, CameraSettings], timeout_s: float) -> dict[str, Picture]:
    """The next picture of each camera, by view."""
    with opened_cameras(settings) as cameras:
        frames = read_frames(cameras, settings, time.monotonic(), timeout_s)
    return {view: frame.image for view, frame in frames.items()}


def read_one_each(folder: Path, settings: Mapping[str, CameraSettings]) -> dict[str, Picture]:
    """The only picture of each view in a folder.

    Raises:
        InvalidConfiguration: a view has none or several, or a picture does not fit its camera.
    """
    paths = picture_paths(folder, settings)
    for view, inside in paths.items():
        if len(inside) != 1:
            raise InvalidConfiguration(f"{folder / view} has {len(inside)} pictures; this step takes one per view")
    return {view: read_picture(inside[0], settings[view]) for view, inside in paths.items()}


def find_boards(folder: Path, settings: Mapping[str, CameraSettings], board: Board) -> dict[str, dict[str, Corners]]:
    """The board's corners by view and picture, with a progress bar."""
    return {
        view: {path.stem: board.find(read_picture(path, settings[view])) for path in track(inside, description=view)}
        for view, inside in picture_paths(folder, settings).items()
    }


def touch_now(settings: SawyerSettings, points: TouchedPoints, out: Path) -> TouchedPoints:
    """The points with the tip's positions where the operator guides it; also written to touched.csv in `out`."""
    with closing(open_intera_driver(settings)) as driver:
        touched = replace(points, base=touch_points(driver, points.names, input))
    write_touched_points(out / "touched.csv", touched)
    return touched


def look_now(
    settings: SawyerSettings, camera_settings: Mapping[str, CameraSettings], count: int, out: Path
) -> tuple[Path, dict[str, Floats]]:
    """Pictures and poses of the hand where the operator guides it; the new folder in `out`, and poses by picture."""
    folder = out / time.strftime("hand-%Y%m%d-%H%M%S")
    poses: dict[str, Floats] = {}
    with opened_cameras(camera_settings) as cameras, closing(open_intera_driver(settings)) as driver:
        for number in range(count):
            input(f"pose {number + 1} of {count}: show the board, let go of the arm, and press Enter")
            pose = base_from_link(driver, HAND, input)
            for view, frame in read_frames(cameras, camera_settings, time.monotonic()).items():
                poses[write_picture(frame.image, folder, view, number).stem] = pose
    write_hand_poses(folder / "poses.csv", poses)
    return folder, poses
