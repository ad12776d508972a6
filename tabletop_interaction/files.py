"""The only code that creates, renames, locks or claims files and folders.

A file is whole, or as it was before, wherever a kill, a power cut or a full disk interrupts: it is written under a
hidden name `.tmp-<name>`, made durable and renamed. Libraries write through the path that `atomic_path` gives. A
folder is claimed before its content begins, by a mark (`claimed_folder`) or by the request that its content answers
(`check_request`, then `write_json`).
"""

import errno
import fcntl
import hashlib
import itertools
import json
import os
import secrets
import stat
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from functools import cache
from pathlib import Path, PurePath
from typing import Any, TypeAlias

import numpy as np
from filelock import FileLock, Timeout

from tabletop_interaction.documents import convert, one_error, parse_json
from tabletop_interaction.errors import (
    DiskFull,
    FolderInUse,
    ForeignFolder,
    TabletopError,
    UnwritableFile,
)
from tabletop_interaction.ranges import shown

AnyPath: TypeAlias = str | os.PathLike[str]

MARK = ".tabletop"
"""Name of the file that says which command made a folder."""

_TEMPORARY, _LOCK, _SCRATCH = ".tmp-", ".lock", "tabletop-scratch-"
_PENDING_MARK = f"{_TEMPORARY}{MARK}-"
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# What Rust, ffmpeg and others say instead of raising an OSError with a number.
_NO_SPACE_TEXTS = {text: number for number in _NO_SPACE for text in (os.strerror(number), f"os error {number})")}
_IN_PLACE = "it is written, but a power cut may undo this"
_LOCK_POLL_S = 0.02
_PATH = 4096


@contextmanager
def atomic_path(path: AnyPath) -> Iterator[Path]:
    """A hidden sibling to write to, with the same suffix; it replaces `path` when the block ends without an error.

    The new file is durable and has the mode of the umask, also when a library sets another. After an error, `path` is
    unchanged and the sibling is removed. A missing folder is made; a symbolic link is replaced, not followed. Only one
    process at a time may write a path.

    Raises:
        DiskFull: no space is left; its message says so if this was noticed after `path` was replaced.
    """
    path = Path(path)
    temporary = path.with_name(f"{_TEMPORARY}{path.name}")
    with disk_full_named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # A killed writer leaves its temporary file.
        temporary.unlink(missing_ok=True)
        try:
            temporary.touch(exist_ok=False)
            mode = temporary.stat().st_mode
            yield temporary
            if _is_full(path.parent):
                # ffmpeg and OpenCV report no failed write.
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            with open(temporary, "rb") as file:
                os.fchmod(file.fileno(), stat.S_IMODE(mode))
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    with disk_full_named(path, _IN_PLACE):
        sync_folder(path.parent)


@contextmanager
def scratch_path(suffix: str) -> Iterator[Path]:
    """An empty file in the system's folder for temporary files, for a library that reads nothing but files.

    It is removed when the block ends; what a killed process left is removed by the next one.

    Raises:
        DiskFull: no space is left.
        UnwritableFile: no folder for temporary files can be written.
    """
    folder = _temporary_folder()
    _remove_abandoned_scratch(folder)
    with disk_full_named(folder / f"{_SCRATCH}{suffix}"), _own_file(folder, _SCRATCH, suffix) as (path, _):
        yield path


def cache_folder(name: str) -> Path | None:
    """A folder for what can be computed again, under XDG_CACHE_HOME or ~/.cache; None where the user has no home."""
    try:
        root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError:
        return None
    return Path(root) / "tabletop-interaction" / name


def write_file(path: AnyPath, content: str | bytes) -> None:
    """Write a whole file, text as UTF-8; see `atomic_path`."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def write_json(path: AnyPath, value: Any, indent: int | None = 2, *, sort_keys: bool = False) -> None:
    """Write `plain(value)` as JSON with a newline at its end; see `atomic_path`."""
    write_file(path, json.dumps(value, indent=indent, sort_keys=sort_keys, default=_plain_leaf) + "\n")


def read_json(path: AnyPath, kind: Any = Any) -> Any:
    """The value in a JSON file, of a type that `documents.convert` accepts.

    Raises:
        UnreadableRecords: the file is damaged, or holds something else.
    """
    return convert(parse_json(Path(path).read_bytes(), path), kind, path)


def plain(value: Any) -> Any:
    """A value as JSON reads it: dataclasses are dicts, tuples and arrays lists, paths and times text, enums values.

    Raises:
        TypeError: JSON cannot hold it.
    """
    return json.loads(json.dumps(value, default=_plain_leaf))


def dotted(value: Mapping[str, Any], prefix: str = "", whole: Collection[str] = ()) -> dict[str, Any]:
    """Nested settings flattened, names joined by dots; the settings named in `whole` stay as they are."""
    flat: dict[str, Any] = {}
    for key, each in value.items():
        name = f"{prefix}{key}"
        nested = isinstance(each, Mapping) and name not in whole
        flat |= dotted(each, f"{name}.", whole) if nested else {name: each}
    return flat


def checksum(path: AnyPath) -> str:
    """BLAKE2b of a file's content, 16 bytes, hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def nearest_existing(path: Path) -> Path:
    """The path itself, or the nearest one above it that exists."""
    return next(each for each in (path, *path.absolute().parents) if each.exists())


def move_aside(path: AnyPath, name: str) -> Path:
    """Rename a file within its folder and never replace another: "-2", "-3", ... is added to a name that is taken.

    Only one process at a time may do this in a folder.
    """
    path = Path(path)
    names = itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
    target = next(each for each in map(path.with_name, names) if not each.exists())
    path.rename(target)
    sync_folder(path.parent)
    return target


def sync_folder(folder: AnyPath) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def disk_full_named(path: AnyPath, kept: str = "nothing of it was written") -> Iterator[None]:
    """Raise DiskFull in place of what any library raises when no space is left; `kept` says what holds after it.

    Another error of the system gets the path's name if it has none.

    Raises:
        DiskFull: no space is left.
        UnwritableFile: a library could not write, without a number of the system's errors.
    """
    try:
        yield
    except Exception as error:
        typed = isinstance(error, TabletopError) and not isinstance(error, DiskFull)
        if typed or (reason := _no_space_reason(error, Path(path))) is None:
            if typed or not isinstance(error, OSError):
                raise
            if not error.errno:
                first_line = str(error).partition("\n")[0]
                raise UnwritableFile(
                    f"{path} cannot be written ({first_line}); check the disk and repeat the command"
                ) from error
            if error.filename is None:
                error.filename = os.fspath(path)
            raise
        raise DiskFull(f"no space is left for {path} ({reason}); {kept}; free space and repeat the command") from error


@contextmanager
def lock_file(path: AnyPath, blocking: bool = True) -> Iterator[None]:
    """Hold the lock of a file, which is made if need be and stays; the kernel releases it when the process ends.

    Raises:
        FolderInUse: another process has the lock, and `blocking` is False.
        DiskFull: no space is left for the lock's file.
    """
    path = Path(path)
    lock = FileLock(path, thread_local=False, poll_interval=_LOCK_POLL_S)
    with disk_full_named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(blocking=blocking)
        except Timeout:
            raise FolderInUse(f"another process works in {path.parent}; wait for it, or give another folder") from None
    try:
        yield
    finally:
        lock.release()


def claim_folder(folder: AnyPath, maker: str) -> None:
    """Make a folder, or make sure that the same command made it; call this before any content is written.

    A hidden file in the folder names the maker. It appears whole, and the first of several makers wins.

    Raises:
        ForeignFolder: it is a file, or something else made its content; nothing was written.
        DiskFull: no space is left; the folder is not claimed.
    """
    folder = Path(folder)
    _refuse_file(folder)
    _remove_abandoned(folder, _PENDING_MARK)
    found = _maker(folder)
    if found is None and _first_content(folder, hidden=True) is not None:
        found = "something else"
    if found is None:
        found = _write_mark(folder, maker) or "something else"
    if found != maker:
        raise ForeignFolder(f"{folder} is not empty and was made by {found}; name a new folder with --out")
    # A kill right after the claim leaves what the mark was linked from.
    _remove_abandoned(folder, _PENDING_MARK)


@contextmanager
def claimed_folder(folder: AnyPath, maker: str) -> Iterator[None]:
    """Claim a folder for a command, and be the only process that writes to it in this block.

    Raises:
        ForeignFolder, DiskFull: as `claim_folder`.
        FolderInUse: the same command works in the folder now; nothing was written.
    """
    claim_folder(folder, maker)
    with lock_file(Path(folder) / _LOCK, blocking=False):
        yield


def check_new_folder(folder: AnyPath, kind: str) -> None:
    """Check that a folder is absent or empty; hidden files and folders without files do not count.

    Raises:
        ForeignFolder: it is a file or holds something else.
    """
    _refuse_file(Path(folder))
    if (found := _first_content(Path(folder), hidden=False)) is not None:
        raise ForeignFolder(f"{folder} holds something else than {kind} ({found}); give a new or empty folder")


def _refuse_file(folder: Path) -> None:
    if folder.is_file():
        raise ForeignFolder(f"{folder} is a file; give a new or empty folder")


def check_request(
    path: AnyPath,
    request: Mapping[str, Any],
    kind: str,
    ignoring: Collection[str] = (),
    assumed: Mapping[str, Any] | None = None,
    whole: Collection[str] = (),
) -> dict[str, Any] | None:
    """Check that a folder is empty, or was begun with the same request; write `request` to `path` to begin it.

    Args:
        path: the JSON file in the folder that says what was requested.
        request: what is requested now; further entries of the file do not count.
        ignoring: dotted names of entries that may differ.
        assumed: values, by dotted name, of entries that earlier versions did not write.
        whole: dotted names of entries in which further entries count, too.

    Returns:
        the content of the file, or None where the folder is new.

    Raises:
        ForeignFolder: the folder holds something else, or was begun with another request.
    """
    path = Path(path)
    if not path.exists():
        check_new_folder(path.parent, kind)
        return None
    remedy = "give a new folder"
    with one_error(f"{path} does not describe {kind}", ForeignFolder, remedy):
        found = convert(parse_json(path.read_bytes(), path), dict[str, Any], path)
        there = {**(assumed or {}), **dotted(found, whole=whole)}
        wanted = dotted(plain(request), whole=whole)
    different = [
        f"{key} is {shown(there.get(key), _PATH)} there and {shown(value, _PATH)} now"
        for key, value in wanted.items()
        if key not in ignoring and there.get(key) != value
    ]
    if different:
        raise ForeignFolder(
            f"{path.parent} holds {kind} with other settings: {'; '.join(different[:3])}; repeat those, or {remedy}"
        )
    return found


def read_json_lines(path: AnyPath, kind: Any = dict[str, Any]) -> list[Any]:
    """The lines of a file, of a type, without a torn last one; none where there is no file.

    Raises:
        UnreadableRecords: another line is damaged, or holds something else.
    """
    path = Path(path)
    whole = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    values = [parse_json(line, f"{path}, line {number},") for number, line in enumerate(whole, start=1)]
    return convert(values, list[kind], path)


def append_json_line(path: AnyPath, value: Any) -> None:
    """Add `plain(value)` as a line; when this returns, the line survives a kill.

    Raises:
        DiskFull: no space is left; the file is as before, unless the message says that the line is written.
    """
    path = Path(path)
    line = json.dumps(value, default=_plain_leaf).encode() + b"\n"
    with disk_full_named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        is_new = not path.exists()
        with open(path, "ab", buffering=0) as file:
            append_bytes(file.fileno(), line)
    if is_new:
        with disk_full_named(path, _IN_PLACE):
            sync_folder(path.parent)


def append_bytes(descriptor: int, content: bytes | memoryview) -> None:
    """Append to a file that is open with O_APPEND, and make it durable; after an error the file is as before."""
    size, rest = os.fstat(descriptor).st_size, memoryview(content)
    try:
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    except BaseException:
        # A torn part would hide what is appended later from readers.
        os.ftruncate(descriptor, size)
        raise


def repair_json_lines(path: AnyPath) -> None:
    """Cut off a torn last line."""
    path = Path(path)
    if not path.exists():
        return
    with open(path, "r+b") as file:
        content = file.read()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            file.truncate(whole)
            os.fsync(file.fileno())


def keep_json_lines(path: AnyPath, lines: Sequence[Any]) -> None:
    """Replace all lines of a file; see `atomic_path`."""
    write_file(path, "".join(json.dumps(line, default=_plain_leaf) + "\n" for line in lines))


@contextmanager
def _own_file(folder: Path, prefix: str, suffix: str = "") -> Iterator[tuple[Path, int]]:
    """A new file with a name of its own, and a descriptor to append by; it is removed when the block ends.

    The descriptor's lock says that its process is alive; see `_remove_abandoned`.
    """
    while True:
        path = folder / f"{prefix}{secrets.token_hex(8)}{suffix}"
        descriptor = None
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_APPEND, 0o666)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            # Between the two calls another process may have taken it for abandoned.
            if os.fstat(descriptor).st_nlink:
                yield path, descriptor
                return
        finally:
            # A signal may interrupt when the file is made and its descriptor not yet assigned.
            path.unlink(missing_ok=True)
            if descriptor is not None:
                os.close(descriptor)


def _remove_abandoned(folder: Path, prefix: str) -> None:
    """Remove what `_own_file` made in processes that were killed."""
    for path in folder.glob(f"{prefix}*"):
        # Those of other users cannot be opened, and those in use are locked.
        with suppress(OSError), open(path, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()


def _temporary_folder() -> Path:
    try:
        return Path(tempfile.gettempdir())
    except OSError as error:
        raise UnwritableFile(f"{error.strerror}; free space, or name a folder by TMPDIR") from error


@cache
def _remove_abandoned_scratch(folder: Path) -> None:
    """Once in each process: a scene loads a dozen files."""
    _remove_abandoned(folder, _SCRATCH)


def _plain_leaf(value: Any) -> Any:
    """What `json` cannot write by itself, one level of it."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{value!r} of type {type(value).__name__} cannot be written as JSON; give plain values")


def _no_space_reason(error: Exception, path: Path) -> str | None:
    """Why an error means that the disk is full, in a line; None when it does not."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in _NO_SPACE:
            return os.strerror(cause.errno)
        for text, number in _NO_SPACE_TEXTS.items():
            if text in str(cause):
                return os.strerror(number)
        cause = cause.__cause__ or cause.__context__
    # Some libraries report a failed write without its reason.
    if isinstance(error, OSError | RuntimeError) and not getattr(error, "errno", None) and _is_full(path.parent):
        return os.strerror(errno.ENOSPC)
    return None


def _is_full(folder: Path) -> bool:
    """Whether no block is left, not even one of those that are reserved for root where this process is root's."""
    with suppress(OSError):
        disk = os.statvfs(folder)
        return disk.f_blocks > 0 and (disk.f_bavail if os.geteuid() else disk.f_bfree) == 0
    return False


def _maker(folder: Path) -> str | None:
    """The command that claimed a folder, None without one; earlier versions could leave an empty mark."""
    mark = folder / MARK
    return (mark.read_text(encoding="utf-8").strip() or None) if mark.is_file() else None


def _write_mark(folder: Path, maker: str) -> str | None:
    """Claim a folder; the command that has claimed it now, which is another one if that was faster."""
    mark = folder / MARK
    if mark.is_file() and _maker(folder) is None:
        mark.unlink(missing_ok=True)
    with disk_full_named(mark, "the folder is not claimed"):
        folder.mkdir(parents=True, exist_ok=True)
        with _own_file(folder, _PENDING_MARK) as (pending, descriptor):
            append_bytes(descriptor, f"{maker}\n".encode())
            with suppress(FileExistsError):
                try:
                    os.link(pending, mark)
                except FileExistsError:
                    raise
                except OSError:
                    # A file system without hard links; a kill after `touch` leaves a mark without a maker.
                    mark.touch(exist_ok=False)
                    pending.replace(mark)
            sync_folder(folder)
    return _maker(folder)


def _first_content(path: Path, *, hidden: bool) -> str | None:
    """The first name in a folder that counts as content, None for none; a file is its own content.

    Temporary files, locks, marks without a maker and folders without files do not count, nor other hidden names unless
    `hidden`.
    """
    if not path.exists():
        return None
    if not path.is_dir():
        return path.name
    passed = (_TEMPORARY, _LOCK, MARK) if hidden else (".",)
    for entry in sorted(path.iterdir()):
        if entry.name.startswith(passed):
            continue
        if not entry.is_dir() or any(not each.is_dir() for each in entry.rglob("*")):
            return entry.name
    return None
