"""The CSV tables of a calibration: points that the gripper touched, and poses of the hand.

Reading raises InvalidConfiguration if the file is missing, has other columns, or has a field that is not a number.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tabletop_interaction.arrays import Floats
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.files import write_file
from tabletop_interaction.real.calibration.rigid import rigid
from tabletop_interaction.rotations import matrix_from_quaternion, quaternion_from_matrix

_TOUCHED_COLUMNS = ("point", "arena_x", "arena_y", "arena_z", "base_x", "base_y", "base_z")
_POSE_COLUMNS = ("picture", "x", "y", "z", "qx", "qy", "qz", "qw")

_QUATERNION_TOLERANCE = 0.01


@dataclass(frozen=True, eq=False)
class TouchedPoints:
    """Points of the table in both frames.

    Attributes:
        names: of the points.
        arena: (N, 3) float64, metres.
        base: (N, 3) float64, metres.
    """

    names: tuple[str, ...]
    arena: Floats
    base: Floats


def write_touch_template(path: Path, names: Sequence[str], arena_points: Floats) -> None:
    """Write a table of points to touch, with empty base columns for the operator."""
    rows = (
        [name, *(f"{value:.4f}" for value in point), "", "", ""]
        for name, point in zip(names, arena_points, strict=True)
    )
    _write_rows(path, _TOUCHED_COLUMNS, rows)


def read_touch_template(path: Path) -> TouchedPoints:
    """Points to touch; the base columns are ignored and become NaN."""
    rows = _read_rows(path, _TOUCHED_COLUMNS)
    arena = np.array([_numbers(path, line, row, _TOUCHED_COLUMNS[1:4]) for line, row in rows]).reshape(-1, 3)
    return TouchedPoints(tuple(row["point"] for _, row in rows), arena, np.full_like(arena, np.nan))


def write_touched_points(path: Path, touched: TouchedPoints) -> None:
    """Write a table that `read_touched_points` reads."""
    points = zip(touched.names, touched.arena, touched.base, strict=True)
    rows = ([name, *(f"{value:.5f}" for value in (*arena, *base))] for name, arena, base in points)
    _write_rows(path, _TOUCHED_COLUMNS, rows)


def read_touched_points(path: Path) -> TouchedPoints:
    """Points that the gripper's tip touched."""
    rows = _read_rows(path, _TOUCHED_COLUMNS)
    numbers = np.array([_numbers(path, line, row, _TOUCHED_COLUMNS[1:]) for line, row in rows]).reshape(-1, 6)
    return TouchedPoints(tuple(row["point"] for _, row in rows), numbers[:, :3], numbers[:, 3:])


def write_hand_poses(path: Path, poses: Mapping[str, Floats]) -> None:
    """Write a table that `read_hand_poses` reads."""
    rows = (
        [picture, *(f"{value:.7f}" for value in (*pose[:3, 3], *quaternion_from_matrix(pose[:3, :3])))]
        for picture, pose in poses.items()
    )
    _write_rows(path, _POSE_COLUMNS, rows)


def read_hand_poses(path: Path) -> dict[str, Floats]:
    """`base_from_hand` (4, 4) by the name, without suffix, of the pictures taken in that pose."""
    poses = {}
    for line, row in _read_rows(path, _POSE_COLUMNS):
        x, y, z, *quaternion = _numbers(path, line, row, _POSE_COLUMNS[1:])
        if abs(np.linalg.norm(quaternion) - 1) > _QUATERNION_TOLERANCE:
            raise InvalidConfiguration(f"{path}, line {line}: qx qy qz qw {quaternion} has not length 1")
        poses[Path(row["picture"]).stem] = rigid(matrix_from_quaternion(np.array(quaternion)), (x, y, z))
    return poses


def _write_rows(path: Path, columns: tuple[str, ...], rows: Iterable[Sequence[str]]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([columns, *rows])
    write_file(path, text.getvalue())


def _read_rows(path: Path, columns: tuple[str, ...]) -> list[tuple[int, dict[str, str]]]:
    if not path.is_file():
        raise InvalidConfiguration(f"there is no file {path}; give a CSV table with the columns {', '.join(columns)}")
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, skipinitialspace=True)
        if tuple(reader.fieldnames or ()) != columns:
            raise InvalidConfiguration(
                f"{path} has the columns {', '.join(reader.fieldnames or ('none',))}; accepted are {', '.join(columns)}"
            )
        return [(reader.line_num, row) for row in reader]


def _numbers(path: Path, line: int, row: dict[str, str], columns: tuple[str, ...]) -> list[float]:
    values = []
    for column in columns:
        try:
            values.append(float(row[column]))
        except (TypeError, ValueError) as error:
            raise InvalidConfiguration(
                f"{path}, line {line}: {column} is {row[column]!r}; a number is accepted, metres for positions"
            ) from error
    if not np.isfinite(values).all():
        raise InvalidConfiguration(f"{path}, line {line}: {values} has a number that is not finite")
    return values
