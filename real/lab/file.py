"""The lab file: one YAML file that describes a laboratory. msgspec reads each section into one dataclass.

Every calibration step owns one section and replaces only that section. Comments in the file are lost then.
"""

import shlex
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, is_dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec
import numpy as np
import yaml
from msgspec import Meta

from tabletop_interaction.arrays import Floats
from tabletop_interaction.documents import RESOLVERS, read_yaml
from tabletop_interaction.envs.backend import Arena
from tabletop_interaction.envs.views import View
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.files import lock_file, write_file
from tabletop_interaction.ranges import Range, check_fields, shown
from tabletop_interaction.real.arm.obstacles import BoxInArena
from tabletop_interaction.real.arm.settings import GripperSettings, MotionSettings, SafetySettings, SawyerSettings
from tabletop_interaction.real.calibration.arm_response import ArmResponse
from tabletop_interaction.real.calibration.charuco import Board
from tabletop_interaction.real.calibration.intrinsics import Intrinsics, check_shape
from tabletop_interaction.real.cameras.array import CameraSettings
from tabletop_interaction.real.cameras.framing import ViewCrop

DriverName = Literal["intera", "twin"]
T = TypeVar("T")

SCHEMA_VERSION = 1

SECTIONS = {
    "schema_version": str(SCHEMA_VERSION),
    "driver": "intera or twin",
    "arena": "x_min, x_max, y_min, y_max: the reachable rectangle of the table, metres",
    "picture": "width, height: size of the views' pictures, pixels",
    "board": "columns, rows, square_mm, marker_mm, dictionary: the printed ChArUco board",
    "cameras": "for each view kind (device or ros), source (path, number or topic), width and height in pixels",
    "intrinsics": "for each view matrix (3 x 3), distortion (5 numbers), rms_px, focal_std_px, pictures, calibrated_at",
    "views": "for each view camera_from_arena (4 x 4), crop, rms_px, calibrated_at",
    "robot": "base_from_arena (4 x 4, metres), method, rms_mm, calibrated_at",
    "measured": "what `tabletop calibrate arm` measured: lag, noise of the force, topics, command timeout, stop button",
    "obstacles": "for each box, by name, centre and size, or two corners (x, y, z in the arena's frame, metres); "
    "yaw_rad and clearance_m, if wanted",
    "motion": "settings of the arm's motion, by name",
    "safety": "settings of the arm's safety, by name",
    "gripper": "settings of the gripper, by name",
}
"""The sections of a lab file and the content of each."""

_COMMANDS = {
    "cameras": "calibrate start",
    "board": "calibrate board",
    "intrinsics": "calibrate cameras",
    "views": "calibrate arena",
    "robot": "calibrate robot",
}
_RIGID_TOLERANCE = 1e-6
_LONGEST_NAME = 60
_REACHED_M = Range(-10, 10, unit="m")


@dataclass(frozen=True)
class PictureSize:
    """Section "picture": size of the views' pictures, pixels."""

    width: Annotated[int, Range(16, 10**4)] = 430
    height: Annotated[int, Range(16, 10**4)] = 350

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True, eq=False)
class ViewPose:
    """One entry of section "views": the pose of a camera and the crop of its picture.

    Attributes:
        camera_from_arena: (4, 4) float64 rigid transform, metres.
        crop: the part of the full picture that becomes the view's picture.
        rms_px: reprojection error in the full picture, pixels.
        calibrated_at: time of the calibration.
    """

    camera_from_arena: Floats
    crop: ViewCrop
    rms_px: Annotated[float, Meta(ge=0)]
    calibrated_at: datetime

    def __post_init__(self) -> None:
        _check_rigid("camera_from_arena", self.camera_from_arena)


@dataclass(frozen=True, eq=False)
class RobotBase:
    """Section "robot": the robot's base.

    Attributes:
        base_from_arena: (4, 4) float64 rigid transform, metres.
        method: of the calibration.
        rms_mm: error of the fit, root mean square, millimetres.
        calibrated_at: time of the calibration.
    """

    base_from_arena: Floats
    method: str
    rms_mm: Annotated[float, Meta(ge=0)]
    calibrated_at: datetime

    def __post_init__(self) -> None:
        _check_rigid("base_from_arena", self.base_from_arena)


@dataclass(frozen=True, eq=False)
class LabFile:
    """The sections of a lab file; each property converts and checks its section when it is read.

    All properties raise InvalidConfiguration if the section is missing or wrong; the message names the file, the
    section, the field, the value and what is accepted. `plain` has the sections as YAML reads them.
    """

    path: Path
    plain: Mapping[str, Any]

    @property
    def driver(self) -> DriverName:
        """Section "driver"."""
        driver: DriverName = self._convert(self._section("driver"), DriverName, "driver")  # type: ignore[arg-type]
        return driver

    @property
    def arena(self) -> Arena:
        """Section "arena"."""
        arena = self._convert(self._section("arena"), Arena, "arena")
        for name, value in asdict(arena).items():
            if not _REACHED_M.holds(value):
                raise self._error(f"arena: {name} is {shown(value)}; accepted is {_REACHED_M}")
        if not (arena.x_min < arena.x_max and arena.y_min < arena.y_max):
            raise self._error("arena: x_min must be less than x_max, and y_min less than y_max, metres")
        return arena

    @property
    def picture(self) -> PictureSize:
        """Section "picture", or its defaults if it is missing."""
        return self._convert(self.plain.get("picture", {}), PictureSize, "picture")

    @property
    def board(self) -> Board:
        """Section "board"; all fields are required, since a default size would be wrong for another print."""
        plain = self._section("board")
        if isinstance(plain, dict) and (missing := [name for name in get_type_hints(Board) if name not in plain]):
            raise self._error(f"missing required field `{missing[0]}` - at `board`; board takes {SECTIONS['board']}")
        return self._convert(plain, Board, "board")

    @property
    def cameras(self) -> dict[str, CameraSettings]:
        """Section "cameras", by view."""
        return self._entries("cameras", CameraSettings)

    @property
    def intrinsics(self) -> dict[str, Intrinsics]:
        """Section "intrinsics", one entry per camera."""
        return self._of_every_camera("intrinsics", self._entries("intrinsics", Intrinsics))

    @property
    def poses(self) -> dict[str, ViewPose]:
        """Section "views", one entry per camera."""
        poses = self._of_every_camera("views", self._entries("views", ViewPose))
        for name, camera in self.cameras.items():
            crop = poses[name].crop
            if crop.left + crop.width > camera.width or crop.top + crop.height > camera.height:
                raise self._error(
                    f"views.{name}.crop reaches beyond the camera's {camera.width} x {camera.height} px; run "
                    "`tabletop calibrate arena`"
                )
        return poses

    @property
    def full_views(self) -> dict[str, View]:
        """Views of the cameras' full pictures, from the sections "cameras", "intrinsics" and "views"."""
        poses, intrinsics, views = self.poses, self.intrinsics, {}
        for name, camera in self.cameras.items():
            lens, pose = intrinsics[name], poses[name].camera_from_arena
            views[name] = View(name, camera.height, camera.width, lens.matrix, pose, lens.distortion)
        return views

    @property
    def robot(self) -> RobotBase:
        """Section "robot"."""
        return self._convert(self._section("robot"), RobotBase, "robot")

    @property
    def measured(self) -> ArmResponse | None:
        """Section "measured"; None if the arm was not measured."""
        if "measured" not in self.plain:
            return None
        return self._convert(self.plain["measured"], ArmResponse, "measured")

    @property
    def obstacles(self) -> dict[str, BoxInArena]:
        """Section "obstacles", by name; empty if it is missing."""
        return self._entries("obstacles", BoxInArena) if self.plain.get("obstacles", {}) != {} else {}

    @property
    def settings(self) -> SawyerSettings:
        """Sections "motion", "safety" and "gripper"; missing settings have their defaults."""
        return SawyerSettings(
            self._convert(self.plain.get("motion", {}), MotionSettings, "motion"),
            self._convert(self.plain.get("safety", {}), SafetySettings, "safety"),
            self._convert(self.plain.get("gripper", {}), GripperSettings, "gripper"),
        )

    def _section(self, name: str) -> Any:
        if name not in self.plain:
            command = f"; make it with `tabletop {_COMMANDS[name]}`" if name in _COMMANDS else ""
            raise self._error(f"section {name} is missing ({SECTIONS[name]}){command}")
        return self.plain[name]

    def _entries(self, name: str, type_: type[T]) -> dict[str, T]:
        plain = self._section(name)
        if not isinstance(plain, dict) or not plain:
            raise self._error(f"section {name} has no entries; it takes {SECTIONS[name]}")
        self._check_entries(name, [str(entry) for entry in plain])
        return {str(entry): self._convert(value, type_, f"{name}.{entry}") for entry, value in plain.items()}

    def _check_entries(self, section: str, names: list[str]) -> None:
        if wrong := [name for name in names if not (0 < len(name) <= _LONGEST_NAME and name.isprintable())]:
            raise self._error(
                f"section {section} has an entry named {shown(wrong[0])}; names have 1 to {_LONGEST_NAME} printable "
                "characters"
            )
        # YAML distinguishes the number 1 from the text "1".
        if len(set(names)) < len(names):
            raise self._error(f"section {section} has the entry {max(names, key=names.count)} twice; rename one")

    def _of_every_camera(self, name: str, entries: dict[str, T]) -> dict[str, T]:
        cameras = self.cameras
        if set(entries) != set(cameras):
            raise self._error(
                f"section {name} has the views {_listed(entries)}, section cameras has {_listed(cameras)}; both must "
                f"have the same views: run `tabletop {_COMMANDS[name]}`"
            )
        return entries

    def _convert(self, plain: Any, type_: type[T], where: str) -> T:
        section = where.split(".")[0]
        try:
            return from_plain(plain, type_, where)
        except ValueError as error:
            # msgspec writes the place as `$.field`, relative to the converted value.
            message = str(error).replace("`$", f"`{where}")
            place = "" if f"`{where}" in message else f" - at `{where}`"
            raise self._error(f"{message}{place}; {section} takes {SECTIONS[section]}") from error

    def _error(self, message: str) -> InvalidConfiguration:
        return InvalidConfiguration(f"{self.path}: {message}")


def read_lab_file(path: Path) -> LabFile:
    """Read a lab file; only the sections' names and the schema version are checked.

    Raises:
        InvalidConfiguration: no such file, not YAML, unknown sections, or another schema version.
    """
    path = Path(path)
    if not path.is_file():
        raise InvalidConfiguration(
            f"there is no lab file {path}; make one with `tabletop calibrate start --lab {shlex.quote(str(path))}`"
        )
    plain = read_yaml(path, error=InvalidConfiguration)
    if not isinstance(plain, dict):
        raise InvalidConfiguration(f"{path} has no sections; accepted are {', '.join(SECTIONS)}")
    if unknown := [str(name) for name in plain if name not in SECTIONS]:
        raise InvalidConfiguration(
            f"{path} has the unknown section {', '.join(unknown)}; accepted are {', '.join(SECTIONS)}"
        )
    if plain.get("schema_version") != SCHEMA_VERSION:
        raise InvalidConfiguration(
            f"{path} has schema_version {plain.get('schema_version')}; this version reads {SCHEMA_VERSION}"
        )
    return LabFile(path, plain)


def update_lab_file(path: Path, sections: Mapping[str, Any]) -> None:
    """Replace whole sections of a lab file, or make the file; all other sections stay as they are.

    A section is given as its dataclass, as its entries by view, or as plain data.

    Raises:
        InvalidConfiguration: the existing file is not a lab file; nothing was written.
    """
    with _locked(path):
        before = read_lab_file(path).plain if path.exists() else {}
        _write(path, {**before, **sections})


def begin_lab_file(path: Path, sections: Mapping[str, Any]) -> None:
    """Make a lab file; sections as in `update_lab_file`. One that holds the same stays as it is.

    Raises:
        InvalidConfiguration: the file exists and holds something else; nothing was written.
    """
    with _locked(path):
        if path.exists():
            # The same command was interrupted after it wrote the file.
            if read_lab_file(path).plain == to_plain({"schema_version": SCHEMA_VERSION, **sections}):
                return
            raise InvalidConfiguration(f"{path} is there already; edit it, or name another file with --lab")
        _write(path, sections)


def _locked(path: Path) -> AbstractContextManager[None]:
    """Hold a lab file while it is read and replaced, so that no section of another process is lost."""
    return lock_file(path.with_name(f".{path.name}.lock"))


def _write(path: Path, sections: Mapping[str, Any]) -> None:
    after = to_plain({"schema_version": SCHEMA_VERSION, **sections})
    ordered = {name: after[name] for name in SECTIONS if name in after}
    # Without a fixed style, each row of a matrix is on its own line.
    write_file(path, yaml.dump(ordered, Dumper=_Dumper, sort_keys=False, width=120, default_flow_style=None))


def to_plain(sections: Mapping[str, Any]) -> dict[str, Any]:
    """Sections as plain data: dataclasses become dicts, arrays lists; times stay."""
    plain: dict[str, Any] = msgspec.to_builtins(sections, builtin_types=(datetime,), enc_hook=np.ndarray.tolist)
    return plain


def in_utc(time: datetime) -> datetime:
    """The time with a zone; a time written by hand without a zone counts as UTC."""
    return time if time.tzinfo else time.replace(tzinfo=UTC)


class _Dumper(yaml.SafeDumper):
    """Writes times as text in ISO format, and text in quotes where its reader would take it for something else."""

    yaml_implicit_resolvers = RESOLVERS


_Dumper.add_representer(datetime, lambda dumper, time: dumper.represent_str(time.isoformat(timespec="seconds")))


def from_plain(plain: Any, type_: type[T], where: str) -> T:
    """Convert plain lists, dicts and numbers to a type; ValueError says the place and what is accepted."""
    _check_names(plain, type_, where)
    return msgspec.convert(plain, type_, dec_hook=_to_array)


def _check_names(plain: Any, type_: Any, where: str) -> None:
    """Refuse unknown fields, which msgspec ignores in dataclasses."""
    if isinstance(plain, dict) and get_origin(type_) is Mapping:
        for name, value in plain.items():
            _check_names(value, get_args(type_)[1], f"{where}.{name}")
    if not (is_dataclass(type_) and isinstance(plain, dict)):
        return
    fields = get_type_hints(type_)
    for name, value in plain.items():
        if name not in fields:
            raise ValueError(f"unknown field `{name}` - at `{where}`, accepted are {', '.join(fields)}")
        _check_names(value, fields[name], f"{where}.{name}")


def _to_array(type_: Any, value: Any) -> Floats:
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError("rows of different lengths came") from error
    if array.dtype.kind not in "iuf":
        raise ValueError("values that are not numbers came")
    if not np.isfinite(array).all():
        raise ValueError("values that are infinite or not a number came")
    return array.astype(np.float64)


def _check_rigid(name: str, matrix: Floats) -> None:
    check_shape(name, matrix, (4, 4))
    rotation = matrix[:3, :3]
    orthogonal = np.allclose(rotation @ rotation.T, np.eye(3), rtol=0, atol=_RIGID_TOLERANCE)
    if not (orthogonal and np.linalg.det(rotation) > 0 and np.array_equal(matrix[3], [0, 0, 0, 1])):
        raise InvalidConfiguration(
            f"{name} is not a rigid transform: rotation, translation in metres, last row 0 0 0 1"
        )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
