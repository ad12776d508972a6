"""The sections of a lab file, each in its shape: from plain data with every field checked, and back.

A wrong or missing field is one error that names it and says what the section takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

import msgspec
import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from tabletop_interaction.envs.backend import Arena
from tabletop_interaction.envs.views import View
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.real.calibration.charuco import Board
from tabletop_interaction.real.calibration.intrinsics import Intrinsics
from tabletop_interaction.real.cameras.array import CameraSettings
from tabletop_interaction.real.cameras.framing import Crop
from tabletop_interaction.real.lab.file import SECTIONS

FloatArray = NDArray[np.float64]
Driver = Literal["intera", "twin"]
T = TypeVar("T")

_MADE_BY = {
    "cameras": "calibrate start",
    "board": "calibrate board",
    "intrinsics": "calibrate cameras",
    "views": "calibrate arena",
    "robot": "calibrate robot",
}
_RIGID_TOLERANCE = 1e-6


class PictureSize(Struct, frozen=True, forbid_unknown_fields=True):
    """Size of the views' pictures, pixels."""

    width: Annotated[int, Meta(ge=16)] = 430
    height: Annotated[int, Meta(ge=16)] = 350


class ArenaSection(Struct, frozen=True, forbid_unknown_fields=True):
    x_min: float
    x_max: float
    y_min: float
    y_max: float


class BoardSection(Struct, frozen=True, forbid_unknown_fields=True):
    columns: int
    rows: int
    square_mm: float
    marker_mm: float
    dictionary: str


class CameraEntry(Struct, frozen=True, forbid_unknown_fields=True):
    kind: Literal["device", "ros"]
    source: str | int
    width: Annotated[int, Meta(ge=16)]
    height: Annotated[int, Meta(ge=16)]


class IntrinsicsEntry(Struct, frozen=True, forbid_unknown_fields=True):
    matrix: list[list[float]]
    distortion: list[float]
    rms_px: Annotated[float, Meta(ge=0)]
    focal_std_px: Annotated[float, Meta(ge=0)]
    pictures: int
    calibrated_at: datetime


class CropEntry(Struct, frozen=True, forbid_unknown_fields=True):
    left: Annotated[int, Meta(ge=0)]
    top: Annotated[int, Meta(ge=0)]
    width: Annotated[int, Meta(ge=1)]
    height: Annotated[int, Meta(ge=1)]


class ViewEntry(Struct, frozen=True, forbid_unknown_fields=True):
    camera_from_arena: list[list[float]]
    crop: CropEntry
    rms_px: Annotated[float, Meta(ge=0)]
    calibrated_at: datetime


class RobotSection(Struct, frozen=True, forbid_unknown_fields=True):
    base_from_arena: list[list[float]]
    method: str
    rms_mm: Annotated[float, Meta(ge=0)]
    calibrated_at: datetime


def driver_of(raw: Mapping[str, Any]) -> Driver:
    """Section "driver"."""
    driver: Driver = _convert(section(raw, "driver"), Driver, "driver")  # type: ignore[arg-type]
    return driver


def arena_of(raw: Mapping[str, Any]) -> Arena:
    """Section "arena"."""
    found = _convert(section(raw, "arena"), ArenaSection, "arena")
    if not (found.x_min < found.x_max and found.y_min < found.y_max):
        raise InvalidConfiguration("arena: x_min must lie below x_max, and y_min below y_max, metres")
    return Arena(found.x_min, found.x_max, found.y_min, found.y_max)


def picture_size_of(raw: Mapping[str, Any]) -> PictureSize:
    """Section "picture", or its defaults where it is missing."""
    return _convert(raw.get("picture", {}), PictureSize, "picture")


def board_of(raw: Mapping[str, Any]) -> Board:
    """Section "board"."""
    return Board(**msgspec.structs.asdict(_convert(section(raw, "board"), BoardSection, "board")))


def cameras_of(raw: Mapping[str, Any]) -> dict[str, CameraSettings]:
    """Section "cameras"; without crops, which the views bring."""
    entries = entries_of(raw, "cameras", CameraEntry)
    return {
        name: CameraSettings(entry.kind, entry.source, entry.width, entry.height) for name, entry in entries.items()
    }


def intrinsics_of(raw: Mapping[str, Any]) -> dict[str, Intrinsics]:
    """Section "intrinsics"; every camera has to have its own."""
    entries = entries_of(raw, "intrinsics", IntrinsicsEntry)
    _check_same_names(entries, cameras_of(raw), "intrinsics")
    return {
        name: Intrinsics(
            _camera_matrix(entry.matrix, f"intrinsics.{name}.matrix"),
            _array(entry.distortion, (5,), f"intrinsics.{name}.distortion"),
            entry.rms_px,
            entry.focal_std_px,
            entry.pictures,
        )
        for name, entry in entries.items()
    }


def full_views_of(raw: Mapping[str, Any]) -> dict[str, View]:
    """Section "views", as views of the cameras' full pictures."""
    entries = entries_of(raw, "views", ViewEntry)
    cameras, intrinsics = cameras_of(raw), intrinsics_of(raw)
    _check_same_names(entries, cameras, "views")
    return {
        name: View(
            name,
            cameras[name].height,
            cameras[name].width,
            intrinsics[name].matrix,
            rigid_of(entries[name].camera_from_arena, f"views.{name}.camera_from_arena"),
            intrinsics[name].distortion,
        )
        for name in cameras
    }


def crops_of(raw: Mapping[str, Any]) -> dict[str, Crop]:
    """The part of each camera's full picture that becomes its view's picture, from section "views"."""
    cameras, entries = cameras_of(raw), entries_of(raw, "views", ViewEntry)
    _check_same_names(entries, cameras, "views")
    crops = {}
    for name, entry in entries.items():
        crop, camera = entry.crop, cameras[name]
        if crop.left + crop.width > camera.width or crop.top + crop.height > camera.height:
            raise InvalidConfiguration(
                f"views.{name}.crop reaches beyond the camera's {camera.width} x {camera.height} px; run "
                "`tabletop calibrate arena`"
            )
        crops[name] = Crop(crop.left, crop.top, crop.width, crop.height)
    return crops


def robot_of(raw: Mapping[str, Any]) -> RobotSection:
    """Section "robot"."""
    return _convert(section(raw, "robot"), RobotSection, "robot")


def settings_of(raw: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Sections "motion", "safety" and "gripper" as they stand, {} where one is missing."""
    settings = {}
    for name in ("motion", "safety", "gripper"):
        settings[name] = raw.get(name, {})
        if not isinstance(settings[name], dict):
            raise InvalidConfiguration(f"section {name} came as {settings[name]!r}; it takes {SECTIONS[name]}, by name")
    return settings


def board_section(board: Board) -> dict[str, Any]:
    """A board as section "board"."""
    return {
        "columns": board.columns,
        "rows": board.rows,
        "square_mm": board.square_mm,
        "marker_mm": board.marker_mm,
        "dictionary": board.dictionary,
    }


def camera_entry(settings: CameraSettings) -> dict[str, Any]:
    """A camera as an entry of section "cameras"."""
    return {"kind": settings.kind, "source": settings.source, "width": settings.width, "height": settings.height}


def intrinsics_entry(intrinsics: Intrinsics, now: datetime) -> dict[str, Any]:
    """A camera's intrinsics as an entry of section "intrinsics"."""
    return {
        "matrix": intrinsics.matrix.tolist(),
        "distortion": intrinsics.distortion.tolist(),
        "rms_px": round(intrinsics.rms_px, 4),
        "focal_std_px": round(intrinsics.focal_std_px, 3),
        "pictures": intrinsics.pictures,
        "calibrated_at": now.isoformat(timespec="seconds"),
    }


def view_entry(view: View, crop: Crop, rms_px: float, now: datetime) -> dict[str, Any]:
    """A view as an entry of section "views"."""
    return {
        "camera_from_arena": view.camera_from_arena.tolist(),
        "crop": {"left": crop.left, "top": crop.top, "width": crop.width, "height": crop.height},
        "rms_px": round(rms_px, 4),
        "calibrated_at": now.isoformat(timespec="seconds"),
    }


def robot_section(base_from_arena: FloatArray, method: str, rms: float, now: datetime) -> dict[str, Any]:
    """The robot's base as section "robot"; `rms` in metres."""
    return {
        "base_from_arena": base_from_arena.tolist(),
        "method": method,
        "rms_mm": round(1000 * rms, 3),
        "calibrated_at": now.isoformat(timespec="seconds"),
    }


def section(raw: Mapping[str, Any], name: str) -> Any:
    """A section as plain data.

    Raises:
        InvalidConfiguration: it is missing.
    """
    if name not in raw:
        made = f"; make it with `tabletop {_MADE_BY[name]}`" if name in _MADE_BY else ""
        raise InvalidConfiguration(f"section {name} is missing ({SECTIONS[name]}){made}")
    return raw[name]


def entries_of(raw: Mapping[str, Any], name: str, type_: type[T]) -> dict[str, T]:
    """A section that holds one entry a view."""
    plain = section(raw, name)
    if not isinstance(plain, dict) or not plain:
        raise InvalidConfiguration(f"section {name} holds no entries; it takes {SECTIONS[name]}")
    return {str(view): _convert(entry, type_, f"{name}.{view}") for view, entry in plain.items()}


def rigid_of(rows: list[list[float]], where: str) -> FloatArray:
    """(4, 4) float64 rigid transform.

    Raises:
        InvalidConfiguration: another shape, or no rotation and translation.
    """
    matrix = _array(rows, (4, 4), where)
    rotation = matrix[:3, :3]
    orthogonal = np.allclose(rotation @ rotation.T, np.eye(3), rtol=0, atol=_RIGID_TOLERANCE)
    if not (orthogonal and np.linalg.det(rotation) > 0 and np.array_equal(matrix[3], [0, 0, 0, 1])):
        raise InvalidConfiguration(f"{where} is no rigid transform: rotation, translation in metres, last row 0 0 0 1")
    return matrix


def _convert(plain: Any, type_: type[T], where: str) -> T:
    try:
        return msgspec.convert(plain, type_)
    except msgspec.ValidationError as error:
        # msgspec writes the place as `$.field`, from where it started.
        message = str(error).replace("$", where) if "$" in str(error) else f"{error} - at `{where}`"
        raise InvalidConfiguration(f"{message}; {where.split('.')[0]} takes {SECTIONS[where.split('.')[0]]}") from error


def _check_same_names(found: Iterable[str], cameras: Iterable[str], name: str) -> None:
    found, cameras = set(found), set(cameras)
    if found != cameras:
        raise InvalidConfiguration(
            f"section {name} is of {', '.join(sorted(found))}, section cameras of {', '.join(sorted(cameras))}; both "
            f"have to name the same views: run `tabletop {_MADE_BY[name]}`"
        )


def _camera_matrix(rows: list[list[float]], where: str) -> FloatArray:
    matrix = _array(rows, (3, 3), where)
    lower = (matrix[1, 0], matrix[2, 0], matrix[2, 1])
    if min(matrix[0, 0], matrix[1, 1]) <= 0 or any(lower) or matrix[2, 2] != 1:
        raise InvalidConfiguration(
            f"{where} is no camera matrix: fx 0 cx / 0 fy cy / 0 0 1, pixels, fx and fy positive"
        )
    return matrix


def _array(values: Any, shape: tuple[int, ...], where: str) -> FloatArray:
    expected = " x ".join(map(str, shape))
    try:
        array = np.asarray(values, np.float64)
    except ValueError as error:
        raise InvalidConfiguration(f"{where} has rows of different lengths; {expected} numbers are accepted") from error
    if array.shape != shape or not np.isfinite(array).all():
        raise InvalidConfiguration(f"{where} has shape {array.shape}; {expected} finite numbers are accepted")
    return array
