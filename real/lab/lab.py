"""A whole laboratory from its lab file: cameras, calibrations and settings, checked together."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from tabletop_interaction.arrays import Floats
from tabletop_interaction.envs.backend import Arena
from tabletop_interaction.envs.views import View
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.real.arm.moves import Moves
from tabletop_interaction.real.arm.obstacles import BoxInArena, obstacles_of
from tabletop_interaction.real.arm.settings import SawyerSettings
from tabletop_interaction.real.calibration.arm_response import ArmResponse
from tabletop_interaction.real.cameras.array import CameraSettings
from tabletop_interaction.real.cameras.framing import ViewCrop, framed_view
from tabletop_interaction.real.lab.file import DriverName, LabFile, from_plain, in_utc, read_lab_file

TWIN_LAB = Path(__file__).parents[1] / "twin" / "lab.yaml"
"""The lab file of the twin: the simulation's table and cameras as if they had been calibrated."""


@dataclass(frozen=True)
class Calibration:
    """Time and residual of one part's calibration.

    Attributes:
        what: "intrinsics of view_0", "pose of view_0", "base of the robot".
        calibrated_at: in UTC.
        residual: root mean square.
        unit: "px" or "mm".
    """

    what: str
    calibrated_at: datetime
    residual: float
    unit: str


@dataclass(frozen=True, eq=False)
class Lab:
    """A calibrated laboratory.

    Attributes:
        driver: "intera" for the robot, "twin" for its simulation.
        arena: the reachable rectangle of the table.
        base_from_arena: (4, 4) float64 rigid transform, applied to points of the arena, metres.
        views: the cameras, in the order of the file.
        cameras: the sources of the views' pictures, by the view's name.
        crops: the part of each camera's full picture that becomes the view's picture, by the view's name.
        settings: of the arm.
        calibrations: time and residual of each part.
        measured: how the arm responds; None if it was not measured.
        obstacles: the boxes that the arm keeps away from, by name.
    """

    driver: DriverName
    arena: Arena
    base_from_arena: Floats
    views: tuple[View, ...]
    cameras: Mapping[str, CameraSettings]
    crops: Mapping[str, ViewCrop]
    settings: SawyerSettings
    calibrations: tuple[Calibration, ...]
    measured: ArmResponse | None = None
    obstacles: Mapping[str, BoxInArena] = field(default_factory=dict)

    @property
    def moves(self) -> Moves:
        """Plans the arm's moves in this laboratory."""
        obstacles = obstacles_of(self.obstacles, self.base_from_arena)
        return Moves(self.base_from_arena, self.settings.motion, self.settings.safety, obstacles)


def load_lab(path: str | Path) -> Lab:
    """The laboratory of a lab file; "twin" stands for `TWIN_LAB`.

    Raises:
        InvalidConfiguration: a section or field is missing or wrong, or a calibration is older than one it depends on.
    """
    file = _read(path)
    robot, poses = file.robot, file.poses
    _check_order(file)
    return Lab(
        driver=file.driver,
        arena=file.arena,
        base_from_arena=robot.base_from_arena,
        views=_views(file),
        cameras=file.cameras,
        crops={name: pose.crop for name, pose in poses.items()},
        settings=file.settings,
        calibrations=_calibrations(file),
        measured=file.measured,
        obstacles=file.obstacles,
    )


def lab_views(path: str | Path) -> tuple[View, ...]:
    """The cameras of a lab file, which may lack the robot; "twin" stands for `TWIN_LAB`.

    `SimulationConfig(views=lab_views(path))` lets a simulation see what the laboratory's cameras see.

    Raises:
        InvalidConfiguration: a section or field of the cameras is missing or wrong.
    """
    return _views(_read(path))


def lab_from_plain(plain: Mapping[str, Any]) -> Lab:
    """A laboratory from its fields, as JSON reads them.

    Raises:
        InvalidConfiguration: a field is missing, unknown or wrong.
    """
    try:
        return from_plain(plain, Lab, "config")
    except ValueError as error:
        raise InvalidConfiguration(f"config describes no laboratory: {error}; give the path of a lab file") from error


def _read(path: str | Path) -> LabFile:
    return read_lab_file(TWIN_LAB if Path(path) == Path("twin") else Path(path))


def _views(file: LabFile) -> tuple[View, ...]:
    size, poses = file.picture, file.poses
    return tuple(framed_view(full, poses[name].crop, size.width, size.height) for name, full in file.full_views.items())


def _check_order(file: LabFile) -> None:
    """Each calibration depends on the one before: new intrinsics invalidate a pose, a new arena the base."""
    robot, intrinsics = file.robot, file.intrinsics
    for name, pose in file.poses.items():
        if in_utc(pose.calibrated_at) < in_utc(intrinsics[name].calibrated_at):
            raise InvalidConfiguration(
                f"{file.path}: the pose of {name} ({pose.calibrated_at}) is older than its intrinsics "
                f"({intrinsics[name].calibrated_at}); run `tabletop calibrate arena`, then `tabletop calibrate robot`"
            )
        if in_utc(robot.calibrated_at) < in_utc(pose.calibrated_at):
            raise InvalidConfiguration(
                f"{file.path}: the robot's base ({robot.calibrated_at}) is older than the arena "
                f"({pose.calibrated_at}); run `tabletop calibrate robot`"
            )


def _calibrations(file: LabFile) -> tuple[Calibration, ...]:
    parts = [
        *((f"intrinsics of {name}", each.calibrated_at, each.rms_px, "px") for name, each in file.intrinsics.items()),
        *((f"pose of {name}", each.calibrated_at, each.rms_px, "px") for name, each in file.poses.items()),
        ("base of the robot", file.robot.calibrated_at, file.robot.rms_mm, "mm"),
    ]
    return tuple(Calibration(what, in_utc(time), residual, unit) for what, time, residual, unit in parts)
