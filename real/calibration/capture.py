"""Input of a calibration: pictures from a folder or the cameras, points and poses from the arm that a person guides.

A folder contains one folder per view, named after it, with PNG or JPEG pictures in the camera's full size.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from tabletop_interaction import picture_files
from tabletop_interaction.arrays import Floats, Picture
from tabletop_interaction.errors import CalibrationRejected, InvalidConfiguration
from tabletop_interaction.files import write_file
from tabletop_interaction.progress import track
from tabletop_interaction.real.arm.intera_connection import open_intera_driver
from tabletop_interaction.real.arm.settings import SawyerSettings
from tabletop_interaction.real.calibration.charuco import Board, Corners
from tabletop_interaction.real.calibration.tables import TouchedPoints, write_hand_poses, write_touched_points
from tabletop_interaction.real.calibration.touch import HAND, base_from_link, touch_points
from tabletop_interaction.real.cameras.array import CameraSettings, opened_cameras, read_frames
from tabletop_interaction.real.cameras.frames import Camera

_SUFFIXES = (".png", ".jpg", ".jpeg")
_MIN_CORNERS = 8
_STILL_PX = 0.7
_NEW_FRACTION = 0.04


def take_boards(settings: Mapping[str, CameraSettings], board: Board, out: Path, wanted: int, timeout_s: float) -> Path:
    """Take `wanted` pictures of the board with each camera; returns the new folder in `out` that contains them."""
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
    """The only picture of each view in a folder; InvalidConfiguration if a view has none or several."""
    paths = picture_paths(folder, settings)
    for view, inside in paths.items():
        if len(inside) != 1:
            raise InvalidConfiguration(f"{folder / view} has {len(inside)} pictures; this step takes one per view")
    return {view: read_picture(inside[0], settings[view]) for view, inside in paths.items()}


def find_boards(folder: Path, settings: Mapping[str, CameraSettings], board: Board) -> dict[str, dict[str, Corners]]:
    """The board's corners by view and picture, with a progress bar."""
    return {
        view: {path.stem: board.find(read_picture(path, settings[view])) for path in track(inside, view)}
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


def picture_paths(folder: Path, views: Iterable[str]) -> dict[str, tuple[Path, ...]]:
    """The pictures of each view in a folder, by view; InvalidConfiguration if a view has none."""
    if not folder.is_dir():
        raise InvalidConfiguration(f"there is no folder {folder}; give a folder with one folder of pictures per view")
    paths = {}
    for view in views:
        inside = folder / view
        found = sorted(inside.iterdir()) if inside.is_dir() else []
        paths[view] = tuple(path for path in found if path.suffix.lower() in _SUFFIXES)
        if not paths[view]:
            raise InvalidConfiguration(f"{inside} has no pictures; {', '.join(_SUFFIXES)} are accepted")
    return paths


def read_picture(path: Path, settings: CameraSettings) -> Picture:
    """Read a camera's full picture, uint8 (H, W, 3) RGB.

    Its EXIF orientation is ignored: pixels stay where the sensor has them.

    Raises:
        InvalidConfiguration: its size is not the camera's.
        InvalidPicture: it cannot be read.
    """
    picture = picture_files.read_picture(path, upright=False)
    if picture.shape[:2] != (settings.height, settings.width):
        raise InvalidConfiguration(
            f"{path} is {picture.shape[1]} x {picture.shape[0]} px, its camera {settings.width} x {settings.height}; "
            "take pictures in the camera's full size, or correct width and height in the lab file"
        )
    return picture


def write_picture(picture: Picture, folder: Path, view: str, number: int) -> Path:
    """Write a picture to the place where `picture_paths` finds it."""
    path = folder / view / f"{number:03d}.png"
    _, encoded = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    write_file(path, encoded.tobytes())
    return path


def capture_boards(
    cameras: Mapping[str, Camera],
    settings: Mapping[str, CameraSettings],
    board: Board,
    wanted: int,
    timeout_s: float,
) -> Iterator[tuple[str, Picture]]:
    """View and picture whenever the board is at rest in a new place, until each camera has `wanted` pictures.

    Raises:
        CalibrationRejected: a camera has too few pictures after `timeout_s` seconds.
        CameraFault, BlankPicture: as for `read_frames`.
    """
    deadline = time.monotonic() + timeout_s
    kept: dict[str, list[Corners]] = {name: [] for name in cameras}
    before: dict[str, Corners] = {}
    while missing := [name for name in cameras if len(kept[name]) < wanted]:
        if time.monotonic() > deadline:
            counts = ", ".join(f"{name} {len(kept[name])}" for name in missing)
            raise CalibrationRejected(
                f"after {timeout_s:.0f} s not every camera has {wanted} pictures with the board at rest ({counts}); "
                "hold it still for a second at each place, completely in the picture and in even light"
            )
        frames = read_frames({name: cameras[name] for name in missing}, settings, time.monotonic())
        for name, frame in frames.items():
            corners = board.find(frame.image)
            if _is_still(corners, before.get(name)) and _is_new(corners, kept[name], settings[name].width):
                kept[name].append(corners)
                yield name, frame.image
            before[name] = corners


def _is_still(corners: Corners, before: Corners | None) -> bool:
    return len(corners) >= _MIN_CORNERS and before is not None and _shift(corners, before) < _STILL_PX


def _is_new(corners: Corners, kept: list[Corners], width: int) -> bool:
    return all(_shift(corners, earlier) > _NEW_FRACTION * width for earlier in kept)


def _shift(corners: Corners, other: Corners) -> float:
    """Mean distance of the corners that both pictures show, pixels; infinite if there are none."""
    _, mine, theirs = np.intersect1d(corners.ids, other.ids, return_indices=True)
    if not len(mine):
        return float("inf")
    return float(np.linalg.norm(corners.pixels[mine] - other.pixels[theirs], axis=1).mean())
