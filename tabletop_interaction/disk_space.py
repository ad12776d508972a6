"""Disk space that a long recording needs: estimated, then measured on its first items, beside what is free."""

import shutil
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path

from tabletop_interaction.files import nearest_existing

_REPORTED_BYTES = 1e9


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


def free_bytes(folder: Path) -> int:
    """Free bytes on the disk of a folder, which may not exist yet."""
    return shutil.disk_usage(nearest_existing(folder)).free


def report_expected_space(what: str, each: float, total: int, folder: Path, remedy: str) -> None:
    """Print how much space a recording will need by an estimate, from 1 GB on; warn if the disk lacks it.

    Args:
        what: name of the items.
        each: bytes of an item, estimated.
        total: items.
        folder: of the recording; it may not exist yet.
        remedy: what to do if they do not fit.
    """
    _report(
        each * total,
        f"{total:,} {what}",
        f"{each / 1e6:.2g} MB each, an estimate from the views' sizes",
        folder,
        remedy,
    )


def report_needed_space(what: str, written: int, done: int, total: int, folder: Path, remedy: str) -> None:
    """Print how much space the rest of a recording will need, from 1 GB on; warn if the disk lacks it.

    Args:
        what: name of the items.
        written: bytes of the items so far.
        done, total: items so far, one or more, and items in the end.
        folder: of the recording; it exists.
        remedy: what to do if they do not fit.
    """
    each = written / done
    what, basis = f"{total - done:,} more {what}", f"{each / 1e6:.2g} MB each, measured on {done:,}"
    _report(each * (total - done), what, basis, folder, remedy)


def _report(needed: float, what: str, basis: str, folder: Path, remedy: str) -> None:
    free = free_bytes(folder)
    if needed < min(_REPORTED_BYTES, free):
        return
    line = f"{what} need about {needed / 1e9:,.1f} GB in {folder} ({basis}); {free / 1e9:,.1f} GB are free"
    if needed > free:
        warnings.warn(f"{line}, which is too little: {remedy}", stacklevel=3)
    else:
        print(line, file=sys.stderr)
