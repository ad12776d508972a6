"""Disk space that a long recording will need, measured on what it has written so far, beside what is free."""

import shutil
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path

_TOLD_BYTES = 1e9


def total_bytes(paths: Iterable[Path]) -> int:
    """Bytes of files, and of all files in folders; what is missing has none."""
    total = 0
    for path in paths:
        for file in path.rglob("*") if path.is_dir() else (path,):
            try:
                total += file.stat().st_size if file.is_file() else 0
            except FileNotFoundError:
                # Another process has moved it.
                continue
    return total


def tell_needed_space(what: str, written: int, done: int, total: int, folder: Path, remedy: str) -> None:
    """Print how much space the rest of a recording will need, from 1 GB on; warn if the disk lacks it.

    Args:
        what: name of the items.
        written: bytes of the items so far.
        done, total: items so far, one or more, and items in the end.
        folder: of the recording; it exists.
        remedy: what to do if they do not fit.
    """
    each = written / done
    needed, free = each * (total - done), shutil.disk_usage(folder).free
    if needed < min(_TOLD_BYTES, free):
        return
    line = (
        f"{total - done:,} more {what} need about {needed / 1e9:,.1f} GB in {folder} ({each / 1e6:.2g} MB each, "
        f"measured on {done:,}); {free / 1e9:,.1f} GB are free"
    )
    if needed > free:
        warnings.warn(f"{line}, which is too little: {remedy}", stacklevel=2)
    else:
        print(line, file=sys.stderr)
