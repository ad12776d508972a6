"""The lab file as the backend reads it: cameras, calibrations and the arm of one laboratory, checked as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tabletop_interaction.envs.backend import Arena
from tabletop_interaction.envs.views import View
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.real.calibration.arena_pose import framed_view
from tabletop_interaction.real.cameras.array import CameraSettings
from tabletop_interaction.real.lab import sections
from tabletop_interaction.real.lab.file import read_lab_file
from tabletop_interaction.real.lab.sections import Driver

__all__ = ["Calibration", "CameraSettings", "Driver", "Lab", "load_lab"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """When a part was calibrated, and what error was left.

    Attributes:
        what: "intrinsics of view_0", "pose of view_0", "base of the robot".
        calibrated_at: in UTC.
        residual: root mean square.
        unit: "px" or "mm".
    """

    what: str
    calibrated_at: datetime
    residual: float
    unit: Literal["px", "mm"]


@dataclass(frozen=True, eq=False)
class Lab:
    """A laboratory, calibrated.

    Attributes:
        driver: "intera" for the robot, "twin" for its simulation.
        arena: the reachable rectangle of the table.
        base_from_arena: (4, 4) float64 rigid transform, applied to points of the arena, metres.
        views: the cameras, in the order of the file.
        cameras: where the pictures of each view come from, by the view's name.
        settings: the sections "motion", "safety" and "gripper" as they stand in the file; {} where one is missing.
        calibrations: when each part was calibrated, and how well.
    """

    driver: Driver
    arena: Arena
    base_from_arena: FloatArray
    views: tuple[View, ...]
    cameras: Mapping[str, CameraSettings]
    settings: Mapping[str, Mapping[str, Any]]
    calibrations: tuple[Calibration, ...]


def load_lab(path: Path) -> Lab:
    """The laboratory that a lab file describes.

    Raises:
        InvalidConfiguration: a section or field is missing or wrong, or a calibration is older than one on which it
            stands.
    """
    path = Path(path)
    raw = read_lab_file(path)
    try:
        return _lab_of(raw)
    except InvalidConfiguration as error:
        raise InvalidConfiguration(f"{path}: {error}") from error


def _lab_of(raw: Mapping[str, Any]) -> Lab:
    robot = sections.robot_of(raw)
    size = sections.picture_size_of(raw)
    full_views, crops = sections.full_views_of(raw), sections.crops_of(raw)
    _check_order(raw, robot)
    return Lab(
        driver=sections.driver_of(raw),
        arena=sections.arena_of(raw),
        base_from_arena=sections.rigid_of(robot.base_from_arena, "robot.base_from_arena"),
        views=tuple(framed_view(full, crops[name], size.width, size.height) for name, full in full_views.items()),
        cameras={name: replace(camera, crop=crops[name]) for name, camera in sections.cameras_of(raw).items()},
        settings=sections.settings_of(raw),
        calibrations=_calibrations(raw, robot),
    )


def _check_order(raw: Mapping[str, Any], robot: sections.RobotSection) -> None:
    """Each calibration stands on the one before: new intrinsics make a pose wrong, a board laid anew the base."""
    intrinsics = sections.entries_of(raw, "intrinsics", sections.IntrinsicsEntry)
    for name, view in sections.entries_of(raw, "views", sections.ViewEntry).items():
        if _before(view.calibrated_at, intrinsics[name].calibrated_at):
            raise InvalidConfiguration(
                f"the pose of {name} ({view.calibrated_at}) is older than its intrinsics "
                f"({intrinsics[name].calibrated_at}); run `tabletop calibrate arena`, then `tabletop calibrate robot`"
            )
        if _before(robot.calibrated_at, view.calibrated_at):
            raise InvalidConfiguration(
                f"the robot's base ({robot.calibrated_at}) was calibrated before the arena was laid out anew "
                f"({view.calibrated_at}); run `tabletop calibrate robot`"
            )


def _before(one: datetime, other: datetime) -> bool:
    # A time written by hand may lack its zone: it then counts as UTC, as all that we write.
    zoned = [time if time.tzinfo else time.replace(tzinfo=UTC) for time in (one, other)]
    return zoned[0] < zoned[1]


def _calibrations(raw: Mapping[str, Any], robot: sections.RobotSection) -> tuple[Calibration, ...]:
    intrinsics = sections.entries_of(raw, "intrinsics", sections.IntrinsicsEntry)
    views = sections.entries_of(raw, "views", sections.ViewEntry)
    return (
        *(
            Calibration(f"intrinsics of {name}", entry.calibrated_at, entry.rms_px, "px")
            for name, entry in intrinsics.items()
        ),
        *(Calibration(f"pose of {name}", entry.calibrated_at, entry.rms_px, "px") for name, entry in views.items()),
        Calibration("base of the robot", robot.calibrated_at, robot.rms_mm, "mm"),
    )
