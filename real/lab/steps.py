"""The steps of a laboratory's calibration: each reads what it needs from the lab file and replaces its own section.

The order is cameras (intrinsics), arena (the views' poses), robot (its base). A step writes a result that keeps its
bounds. Otherwise it writes nothing and raises InvalidConfiguration, if the lab file lacks a section or the pictures or
poses do not match it, or CalibrationRejected, if they do not determine the result well enough.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from tabletop_interaction.arrays import Floats, Picture
from tabletop_interaction.envs.backend import Arena
from tabletop_interaction.envs.views import View
from tabletop_interaction.errors import CalibrationRejected, InvalidConfiguration
from tabletop_interaction.real.calibration.arena_pose import (
    BoardPlace,
    arena_border,
    arena_from_board,
    calibrate_view,
    draw_arena,
)
from tabletop_interaction.real.calibration.charuco import Board, Corners
from tabletop_interaction.real.calibration.hand_eye import HandEye, Method, Sighting, base_from_sightings
from tabletop_interaction.real.calibration.intrinsics import MAX_RMS_PX, Intrinsics, calibrate_intrinsics
from tabletop_interaction.real.calibration.rigid import moved
from tabletop_interaction.real.calibration.tables import TouchedPoints
from tabletop_interaction.real.calibration.touch import RigidFit, base_from_touched
from tabletop_interaction.real.cameras.framing import ViewCrop, crop_around, framed_view, take_crop
from tabletop_interaction.real.lab.file import PictureSize, RobotBase, ViewPose, read_lab_file, update_lab_file

_MIN_CORNERS = 6


def calibrate_cameras(
    lab: Path, found: Mapping[str, Mapping[str, Corners]], max_rms_px: float = MAX_RMS_PX
) -> dict[str, Intrinsics]:
    """Fit the cameras of some views and write them to section "intrinsics"; other views keep their entries.

    `found` has the board's corners by view and picture.
    """
    file = read_lab_file(lab)
    board, cameras = file.board, file.cameras
    check_views(found, cameras)
    fitted = {}
    for view, corners in found.items():
        with _rejecting(view):
            fitted[view] = calibrate_intrinsics(board, corners, cameras[view].width, cameras[view].height, max_rms_px)
    before = {view: entry for view, entry in (file.plain.get("intrinsics") or {}).items() if view in cameras}
    entries = {
        view: replace(each, rms_px=round(each.rms_px, 4), focal_std_px=round(each.focal_std_px, 3))
        for view, each in fitted.items()
    }
    update_lab_file(lab, {"intrinsics": {**before, **entries}})
    return fitted


def calibrate_arena(
    lab: Path, pictures: Mapping[str, Picture], place: BoardPlace, max_rms_px: float = 1.0
) -> tuple[dict[str, ViewPose], dict[str, Picture]]:
    """Fit every camera's pose to one full picture (H, W, 3) of the board in the arena, and write section "views".

    Returns:
        the poses, and the views' pictures with the arena drawn into them, by view.
    """
    file = read_lab_file(lab)
    board, cameras, arena = file.board, file.cameras, file.arena
    intrinsics, size = file.intrinsics, file.picture
    if set(pictures) != set(cameras):
        raise InvalidConfiguration(f"pictures of {', '.join(pictures)} came; give one of each of {', '.join(cameras)}")
    poses, overlays, now = {}, {}, datetime.now(UTC)
    for name, camera in cameras.items():
        corners = board.find(pictures[name])
        full_size = (camera.width, camera.height)
        with _rejecting(name):
            full, rms_px = calibrate_view(name, board, corners, intrinsics[name], full_size, place, max_rms_px)
            crop = crop_around(full.project(arena_border(arena)), *full_size, size.width, size.height)
        poses[name] = ViewPose(full.camera_from_arena, crop, rms_px, now)
        overlays[name] = _overlay(pictures[name], full, crop, size, arena)
    entries = {name: replace(pose, rms_px=round(pose.rms_px, 4)) for name, pose in poses.items()}
    update_lab_file(lab, {"views": entries})
    return poses, overlays


def points_to_touch(board: Board, place: BoardPlace) -> dict[str, Floats]:
    """(3,) positions of the outermost inner corners of a board in the arena, metres, by their place on the page."""
    points = moved(arena_from_board(board, place), board.corner_points)
    return {f"{name} inner corner": points[number] for name, number in board.outermost_ids.items()}


def calibrate_robot_by_touch(lab: Path, touched: TouchedPoints, max_residual: float = 0.003) -> RigidFit:
    """Fit the robot's base to three touched points or more, none more than `max_residual` metres off, and write section
    "robot".
    """
    _ = read_lab_file(lab).full_views  # The board defines the arena before its points are touched.
    fit = base_from_touched(touched.arena, touched.base, max_residual)
    _write_robot(lab, fit.target_from_source, "touched points", fit.rms)
    return fit


def calibrate_robot_by_sight(
    lab: Path,
    found: Mapping[str, Mapping[str, Corners]],
    base_from_hand: Mapping[str, Floats],
    board: Board,
    method: Method = "park",
    max_rms: float = 0.002,
) -> HandEye:
    """Fit the robot's base to pictures of a board on its hand, and write section "robot".

    Args:
        found: the board's corners by view and pose; poses in which a view does not see it may be missing.
        base_from_hand: (4, 4) float64 by pose, metres.
        method: see `base_from_sightings`.
        max_rms: largest accepted root mean square error, metres.
    """
    views = read_lab_file(lab).full_views
    check_views(found, views)
    fit = base_from_sightings(board, list(_sightings(views, found, base_from_hand)), method, max_rms)
    _write_robot(lab, fit.base_from_arena, f"board on the hand ({method})", fit.rms)
    return fit


def lab_overlays(lab: Path, pictures: Mapping[str, Picture]) -> dict[str, Picture]:
    """The views' pictures with the arena drawn into them, from full pictures and the stored calibration."""
    file = read_lab_file(lab)
    fulls, poses, arena, size = file.full_views, file.poses, file.arena, file.picture
    check_views(pictures, fulls)
    return {name: _overlay(picture, fulls[name], poses[name].crop, size, arena) for name, picture in pictures.items()}


@contextmanager
def _rejecting(view: str) -> Iterator[None]:
    """Name the view in the message of CalibrationRejected."""
    try:
        yield
    except CalibrationRejected as error:
        raise CalibrationRejected(f"{view}: {error}") from error


def check_views(named: Mapping[str, object], known: Mapping[str, object]) -> None:
    """Raise InvalidConfiguration for names of views that the lab does not have."""
    if unknown := [name for name in named if name not in known]:
        raise InvalidConfiguration(f"the lab has no view {', '.join(unknown)}; it has {', '.join(known)}")


def _sightings(
    views: Mapping[str, View], found: Mapping[str, Mapping[str, Corners]], poses: Mapping[str, Floats]
) -> Iterator[Sighting]:
    for name, by_picture in found.items():
        for picture, corners in by_picture.items():
            if picture not in poses:
                raise InvalidConfiguration(f"{name}/{picture} has no row in the table of poses; add or remove it")
            if len(corners) >= _MIN_CORNERS:
                yield Sighting(views[name], corners, poses[picture])


def _overlay(picture: Picture, full: View, crop: ViewCrop, size: PictureSize, arena: Arena) -> Picture:
    view = framed_view(full, crop, size.width, size.height)
    return draw_arena(take_crop(picture, crop, size.width, size.height), view, arena)


def _write_robot(lab: Path, base_from_arena: Floats, method: str, rms: float) -> None:
    update_lab_file(lab, {"robot": RobotBase(base_from_arena, method, round(1000 * rms, 3), datetime.now(UTC))})
