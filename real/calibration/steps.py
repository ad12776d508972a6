"""The steps of a laboratory's calibration: each reads what it needs from the lab file and replaces its own section.

The order is cameras (intrinsics), arena (the views' poses), robot (its base). A step either keeps its bounds and is
written, or raises and writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tabletop_interaction.envs.views import View
from tabletop_interaction.errors import CalibrationRejected, InvalidConfiguration
from tabletop_interaction.real.calibration.arena_overlay import draw_arena
from tabletop_interaction.real.calibration.arena_pose import (
    BoardPlace,
    arena_crop,
    arena_from_board,
    calibrate_view,
    framed_view,
)
from tabletop_interaction.real.calibration.charuco import Board, Corners
from tabletop_interaction.real.calibration.hand_eye import HandEye, Method, Sighting, base_from_sightings
from tabletop_interaction.real.calibration.intrinsics import Intrinsics, IntrinsicsBounds, calibrate_intrinsics
from tabletop_interaction.real.calibration.rigid_fit import RigidFit, base_from_touched
from tabletop_interaction.real.calibration.tables import TouchedPoints
from tabletop_interaction.real.cameras.framing import Crop, take_crop
from tabletop_interaction.real.lab import sections
from tabletop_interaction.real.lab.file import read_lab_file, update_lab_file

FloatArray = NDArray[np.float64]
Picture = NDArray[np.uint8]

_MIN_CORNERS = 6


@dataclass(frozen=True, eq=False)
class PlacedView:
    """A camera whose pose was found.

    Attributes:
        full: as a view of the camera's full picture.
        crop: the part of it that becomes the view's picture.
        rms_px: reprojection error in the full picture, pixels.
        overlay: the view's picture with the arena drawn into it, uint8 (H, W, 3) RGB.
    """

    full: View
    crop: Crop
    rms_px: float
    overlay: Picture


def calibrate_cameras(
    lab: Path, found: Mapping[str, Mapping[str, Corners]], bounds: IntrinsicsBounds | None = None
) -> dict[str, Intrinsics]:
    """Fit the cameras of some views, and write them to section "intrinsics"; other views keep theirs.

    Args:
        lab: the lab file.
        found: the board's corners by view and picture.
        bounds: what every result has to keep; None for the defaults.

    Raises:
        InvalidConfiguration: the lab file lacks what is needed, or has no such view.
        CalibrationRejected: a camera that its pictures do not fix well enough.
    """
    raw = read_lab_file(lab)
    board, cameras = sections.board_of(raw), sections.cameras_of(raw)
    check_views(found, cameras)
    fitted = {}
    for view, corners in found.items():
        try:
            fitted[view] = calibrate_intrinsics(board, corners, cameras[view].width, cameras[view].height, bounds)
        except CalibrationRejected as error:
            raise CalibrationRejected(f"{view}: {error}") from error
    now = _now()
    entries = {view: sections.intrinsics_entry(intrinsics, now) for view, intrinsics in fitted.items()}
    before = {view: entry for view, entry in (raw.get("intrinsics") or {}).items() if view in cameras}
    update_lab_file(lab, {"intrinsics": {**before, **entries}})
    return fitted


def calibrate_arena(
    lab: Path, pictures: Mapping[str, Picture], place: BoardPlace, max_rms_px: float = 1.0
) -> tuple[PlacedView, ...]:
    """Find every camera's pose from one picture each of the board in the arena, and write section "views".

    Args:
        lab: the lab file.
        pictures: a full picture of every camera, uint8 (H, W, 3) RGB.
        place: where the board lies.
        max_rms_px: the largest accepted reprojection error.

    Raises:
        InvalidConfiguration: the lab file lacks what is needed, or pictures of other views came.
        CalibrationRejected: a pose that is not fixed well enough, or a camera that does not see the whole arena.
    """
    raw = read_lab_file(lab)
    board, cameras, arena = sections.board_of(raw), sections.cameras_of(raw), sections.arena_of(raw)
    intrinsics, size = sections.intrinsics_of(raw), sections.picture_size_of(raw)
    if set(pictures) != set(cameras):
        raise InvalidConfiguration(
            f"pictures of {', '.join(pictures)} came; one of each of {', '.join(cameras)} is needed"
        )
    placed = []
    for name, camera in cameras.items():
        corners = board.find(pictures[name])
        full_size = (camera.width, camera.height)
        full, rms_px = calibrate_view(name, board, corners, intrinsics[name], full_size, place, max_rms_px)
        crop = arena_crop(full, arena, size.width, size.height)
        view = framed_view(full, crop, size.width, size.height)
        overlay = draw_arena(take_crop(pictures[name], crop, size.width, size.height), view, arena)
        placed.append(PlacedView(full, crop, rms_px, overlay))
    now = _now()
    entries = {each.full.name: sections.view_entry(each.full, each.crop, each.rms_px, now) for each in placed}
    update_lab_file(lab, {"views": entries})
    return tuple(placed)


def points_to_touch(board: Board, place: BoardPlace) -> dict[str, FloatArray]:
    """(3,) where the outermost inner corners of a board lie in the arena, metres, by their place on the page."""
    transform = arena_from_board(board, place)
    return {
        f"{name} inner corner": transform[:3, :3] @ board.corner_points[number] + transform[:3, 3]
        for name, number in board.outermost_ids.items()
    }


def calibrate_robot_by_touch(lab: Path, touched: TouchedPoints, max_residual: float = 0.003) -> RigidFit:
    """Find the robot's base from touched points, and write section "robot".

    Args:
        lab: the lab file.
        touched: three points or more.
        max_residual: the largest accepted distance of any point, metres.

    Raises:
        InvalidConfiguration: there is no lab file, or its views are not calibrated yet.
        CalibrationRejected: points that fix no pose, or a distance above the bound.
    """
    # The board that defined the arena has to be laid before its points are touched.
    sections.full_views_of(read_lab_file(lab))
    fit = base_from_touched(touched.arena, touched.base, max_residual)
    _write_robot(lab, fit.target_from_source, "touched points", fit.rms)
    return fit


def calibrate_robot_by_sight(
    lab: Path,
    found: Mapping[str, Mapping[str, Corners]],
    base_from_hand: Mapping[str, FloatArray],
    board: Board,
    method: Method = "park",
    max_rms: float = 0.002,
) -> HandEye:
    """Find the robot's base from a board on its hand, and write section "robot".

    Args:
        lab: the lab file.
        found: the board's corners by view and pose; poses in which a view does not see it may lack.
        base_from_hand: (4, 4) float64 by pose, metres.
        board: the board on the hand.
        method: see `base_from_sightings`.
        max_rms: the largest accepted root mean square error, metres.

    Raises:
        InvalidConfiguration: the lab file's views are not calibrated yet, or a picture is of no known pose.
        CalibrationRejected: sightings that fix no pose, or an error above the bound.
    """
    views = sections.full_views_of(read_lab_file(lab))
    check_views(found, views)
    fit = base_from_sightings(board, list(_sightings(views, found, base_from_hand)), method, max_rms)
    _write_robot(lab, fit.base_from_arena, f"board on the hand ({method})", fit.rms)
    return fit


def lab_overlays(lab: Path, pictures: Mapping[str, Picture]) -> dict[str, Picture]:
    """The views' pictures with the arena drawn into them, from full pictures and a calibration made earlier.

    Raises:
        InvalidConfiguration: the lab file's views are not calibrated yet, or pictures of unknown views came.
    """
    raw = read_lab_file(lab)
    fulls, crops = sections.full_views_of(raw), sections.crops_of(raw)
    arena, size = sections.arena_of(raw), sections.picture_size_of(raw)
    check_views(pictures, fulls)
    overlays = {}
    for name, picture in pictures.items():
        view = framed_view(fulls[name], crops[name], size.width, size.height)
        overlays[name] = draw_arena(take_crop(picture, crops[name], size.width, size.height), view, arena)
    return overlays


def check_views(named: Mapping[str, object], known: Mapping[str, object]) -> None:
    """Refuse names that are no views of the lab.

    Raises:
        InvalidConfiguration: an unknown name.
    """
    if unknown := [name for name in named if name not in known]:
        raise InvalidConfiguration(f"the lab has no view {', '.join(unknown)}; it has {', '.join(known)}")


def _sightings(
    views: Mapping[str, View], found: Mapping[str, Mapping[str, Corners]], poses: Mapping[str, FloatArray]
) -> Iterator[Sighting]:
    for name, by_picture in found.items():
        for picture, corners in by_picture.items():
            if picture not in poses:
                raise InvalidConfiguration(f"{name}/{picture} has no row in the table of poses; add it or leave it out")
            if len(corners) >= _MIN_CORNERS:
                yield Sighting(views[name], corners, poses[picture])


def _write_robot(lab: Path, base_from_arena: FloatArray, method: str, rms: float) -> None:
    update_lab_file(lab, {"robot": sections.robot_section(base_from_arena, method, rms, _now())})


def _now() -> datetime:
    return datetime.now(UTC)
