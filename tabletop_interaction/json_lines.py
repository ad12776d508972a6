"""Files to which a line of JSON is added at a time, each durable before the next thing happens."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tabletop_interaction.envs.records.folder import sync_folder, write_whole
from tabletop_interaction.errors import UnreadableRecords


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The lines of a file, without a last one that was cut short; none where there is no file.

    Raises:
        UnreadableRecords: another line is damaged.
    """
    whole = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    try:
        return [dict(json.loads(line)) for line in whole]
    except ValueError as error:
        raise UnreadableRecords(f"{path} is damaged ({error}); restore it from a copy") from error


def append_line(path: Path, line: Mapping[str, Any]) -> None:
    """Add a line; it survives a kill when this returns."""
    is_new = not path.exists()
    with open(path, "ab") as file:
        file.write(json.dumps(line).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    if is_new:
        sync_folder(path.parent)


def repair_lines(path: Path) -> None:
    """Cut off a last line that was not written to its end."""
    if not path.exists():
        return
    with open(path, "r+b") as file:
        content = file.read()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            file.truncate(whole)
            os.fsync(file.fileno())


def keep_lines(path: Path, lines: Sequence[Mapping[str, Any]]) -> None:
    """Replace the lines of a file; it is whole or as before after a kill."""
    write_whole(path, "".join(json.dumps(line) + "\n" for line in lines))
