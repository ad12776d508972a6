"""Seals: entries of a run's JSON by which damaged files, and files of another run, are refused.

A sealed object has a `checksum` over its other entries, and in `run` the id of the run that wrote it. A run gets its id
when its request is written; all its files carry it. A run of an earlier version has no id and gets none: its older
files are read unchecked, and those that it writes now are sealed without an id.
"""

import hashlib
import json
import warnings
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from tabletop_interaction.errors import ForeignFolder, UnreadableRecords
from tabletop_interaction.files import (
    AnyPath,
    append_json_line,
    check_request,
    keep_json_lines,
    plain,
    read_json,
    read_json_lines,
    write_json,
)

_REMEDY = "restore it from a copy"
_RUN, _CHECKSUM, _ALGORITHM = "run", "checksum", "blake2b-"


def new_run_id() -> str:
    """An id that no other run has: 32 hexadecimal digits."""
    return uuid4().hex


def sealed(content: Mapping[str, Any], run: str | None) -> dict[str, Any]:
    """Plain content with the entries `run`, unless it is None, and `checksum`."""
    whole: dict[str, Any] = plain({**content, **({} if run is None else {_RUN: run})})
    return {**whole, _CHECKSUM: _checksum(whole)}


def unsealed(value: Any, name: AnyPath, remedy: str = _REMEDY) -> tuple[dict[str, Any], str | None]:
    """Content without its seal, and the id of its run; content of earlier versions is returned as it is.

    Args:
        name: of the file, and the line, for messages.
        remedy: what to do about damage, for messages.

    Raises:
        UnreadableRecords: it is no JSON object, or was changed after it was sealed.
    """
    if not isinstance(value, dict):
        raise UnreadableRecords(f"{name} is damaged (no JSON object); {remedy}")
    content = dict(value)
    found = content.pop(_CHECKSUM, None)
    # A seal whose name is damaged must not look like an earlier version's lack of one.
    has_lost_seal = found is None and (_RUN in content or any(map(_is_checksum, content.values())))
    if has_lost_seal or (found is not None and found != _checksum(content)):
        raise UnreadableRecords(f"{name} is damaged (its checksum differs); {remedy}")
    run = content.pop(_RUN, None)
    return content, run


def check_run_id(found: str | None, run: str | None, name: AnyPath) -> None:
    """Raise ForeignFolder if a file with the id `found` is not one of the run with the id `run`."""
    if found != run:
        raise ForeignFolder(
            f"{name} belongs to {_named(found)}, and its folder to {_named(run)}; restore the folder's own file from a "
            "copy, or move this one out of the folder"
        )


def write_sealed(path: AnyPath, content: Mapping[str, Any], run: str | None, indent: int | None = 2) -> None:
    """Write a sealed JSON file; see `files.write_json`."""
    write_json(path, sealed(content, run), indent)


def read_sealed(path: AnyPath) -> tuple[dict[str, Any], str | None]:
    """Content of a JSON file without its seal, and the id of its run. Raises UnreadableRecords."""
    return unsealed(read_json(path), path)


def append_sealed_line(path: AnyPath, value: Mapping[str, Any], run: str | None) -> None:
    """Add a sealed line; see `files.append_json_line`."""
    append_json_line(path, sealed(value, run))


def keep_sealed_lines(path: AnyPath, lines: Sequence[Mapping[str, Any]], run: str | None) -> None:
    """Replace all lines of a file; see `files.keep_json_lines`."""
    keep_json_lines(path, [sealed(line, run) for line in lines])


def read_sealed_lines(path: AnyPath, run: str | None, remedy: str = _REMEDY) -> list[dict[str, Any]]:
    """The lines of a file without their seals and without a torn last one; none where there is no file.

    `remedy` says what to do about damage, for messages.

    Raises:
        UnreadableRecords: another line is damaged.
        ForeignFolder: a line is not of this run.
    """
    try:
        whole = read_json_lines(path)
    except UnreadableRecords as error:
        raise UnreadableRecords(f"{path} is damaged ({error.__cause__}); {remedy}") from error
    lines = []
    for number, line in enumerate(whole, start=1):
        content, found = unsealed(line, f"line {number} of {path}", remedy)
        check_run_id(found, run, f"line {number} of {path}")
        lines.append(content)
    return lines


def check_sealed_request(
    path: AnyPath,
    request: Mapping[str, Any],
    kind: str,
    ignoring: Collection[str] = (),
    assumed: Mapping[str, Any] | None = None,
    whole: Collection[str] = (),
) -> dict[str, Any] | None:
    """As `files.check_request`, for a sealed request. Raises UnreadableRecords, too, if it is damaged."""
    found = check_request(path, {}, kind)
    if found is None:
        return None
    unsealed(found, path)
    return check_request(path, request, kind, ignoring, assumed, whole)


def run_id_of(path: AnyPath) -> str | None:
    """The id in a request; None for a run of an earlier version, and where there is no request.

    Raises:
        UnreadableRecords: it is damaged.
    """
    return read_sealed(path)[1] if Path(path).exists() else None


def warn_without_id(folder: AnyPath) -> None:
    """Warn that files in a run of an earlier version cannot be distinguished from those of another run."""
    warnings.warn(
        f"{folder} was begun by an earlier version: without an id, its files may be those of another run",
        stacklevel=2,
    )


def _checksum(content: Mapping[str, Any]) -> str:
    canonical = json.dumps(content, sort_keys=True).encode()
    return _ALGORITHM + hashlib.blake2b(canonical, digest_size=8).hexdigest()


def _is_checksum(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(_ALGORITHM)


def _named(run: str | None) -> str:
    return "a run without an id, of an earlier version" if run is None else f"run {run}"
