"""The lab file: one YAML file that says what stands in a laboratory; read, checked in shape, and updated by section.

Each calibration owns one section and replaces it alone. A file is written beside the old one, synced and renamed, so
that it is always whole. Comments are not kept.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tabletop_interaction.errors import InvalidConfiguration

SCHEMA_VERSION = 1

SECTIONS = {
    "schema_version": str(SCHEMA_VERSION),
    "driver": "intera or twin",
    "arena": "x_min, x_max, y_min, y_max: the reachable rectangle of the table, metres",
    "picture": "width, height: size of the views' pictures, pixels",
    "board": "columns, rows, square_mm, marker_mm, dictionary: the printed ChArUco board",
    "cameras": "a view's name each with kind (device or ros), source (path, number or topic), width, height in pixels",
    "intrinsics": "a view's name each with matrix (3 x 3), distortion (5 numbers), rms_px, pictures, calibrated_at",
    "views": "a view's name each with camera_from_arena (4 x 4), crop, rms_px, calibrated_at",
    "robot": "base_from_arena (4 x 4, metres), method, rms_mm, calibrated_at",
    "motion": "settings of the arm's motion",
    "safety": "settings of its safety",
    "gripper": "settings of its gripper",
}
"""What a lab file may hold, and what each section takes."""


def read_lab_file(path: Path) -> dict[str, Any]:
    """The sections of a lab file as plain data; only their names and the schema's version are checked.

    Raises:
        InvalidConfiguration: no such file, no YAML, unknown sections, or another schema version.
    """
    if not path.is_file():
        raise InvalidConfiguration(
            f"there is no lab file {path}; make one with `tabletop calibrate start --lab {path}`"
        )
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidConfiguration(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(raw, dict):
        raise InvalidConfiguration(f"{path} holds no sections; accepted are {', '.join(SECTIONS)}")
    if unknown := [str(name) for name in raw if name not in SECTIONS]:
        raise InvalidConfiguration(
            f"{path} has the unknown section {', '.join(unknown)}; accepted are {', '.join(SECTIONS)}"
        )
    if raw.get("schema_version") != SCHEMA_VERSION:
        raise InvalidConfiguration(
            f"{path} has schema_version {raw.get('schema_version')}; this version reads {SCHEMA_VERSION}"
        )
    return raw


def update_lab_file(path: Path, sections: Mapping[str, Any]) -> None:
    """Replace whole sections of a lab file, or make it; all others stay as they are.

    Raises:
        InvalidConfiguration: the file that is there is no lab file; nothing was written.
    """
    before = read_lab_file(path) if path.exists() else {"schema_version": SCHEMA_VERSION}
    after = {**before, **sections}
    ordered = {name: after[name] for name in SECTIONS if name in after}
    # Without a fixed style a matrix reads as its rows.
    _write_atomically(path, yaml.safe_dump(ordered, sort_keys=False, width=120, default_flow_style=None))


def _write_atomically(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
