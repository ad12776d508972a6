"""Layout of a folder of interactions: file names, meta.json, dataset card and locks.

```
README.md                         card for Hugging Face `datasets`; says which files are data
meta.json                         schema version, split, views, primitive unless it is the pick, extras if there are
                                  any, what made the pictures, and its own checksum
data/part-<writer>-<n>.parquet    shards, whole or absent
.journal-<writer>-<n>.frames      rows of the next shard, one journal per writer; earlier versions wrote .arrows
.damaged-journal-<writer>-<n>...  a damaged journal, kept; those of its rows that were whole are in a shard
.lock, .lock-<writer>             locked while the folder changes, and while a writer is open
.collecting                       locked while `tabletop collect` adds to the folder
```
The kernel releases a lock when its process ends, so a writer whose lock is free has ended.
"""

from __future__ import annotations

import gc
import json
import os
import re
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tabletop_interaction.disk_space import total_bytes
from tabletop_interaction.envs.backend import PRIMITIVES, Primitive
from tabletop_interaction.envs.observations import EXTRAS, Extra, extra_key
from tabletop_interaction.envs.records.card import refresh
from tabletop_interaction.errors import FolderInUse, ForeignFolder, UnreadableRecords
from tabletop_interaction.files import check_new_folder, lock_file, plain, read_json, sync_folder, write_json
from tabletop_interaction.ranges import shown

SCHEMA_VERSION = 1
"""Version of the rows that are written; this version and all earlier ones can be read."""

_SHARD = re.compile(r"part-(?P<writer>.+)-(?P<number>\d+)\.parquet")
_JOURNAL = re.compile(r"\.journal-(?P<writer>.+)-(?P<number>\d+)\.(frames|arrows)")
_DAMAGED = re.compile(r"\.damaged-journal-(?P<writer>.+)-(?P<number>\d+)\.(frames|arrows)(-\d+)?")
_LOCK, _LOCK_PREFIX, _COLLECTING = ".lock", ".lock-", ".collecting"
_ORPHANS_END_S, _POLL_S = 10.0, 0.1
_CHECKSUM = "checksum"
_FROM_ONE_SOURCE = ("backend", "driver", "renderer", "config", "assets")


@dataclass(frozen=True)
class FolderMeta:
    """Content of meta.json: what all rows of a folder have in common.

    Attributes:
        split: "train", "val", "test" or "dev".
        views: names of the views, in order; they determine the picture columns.
        metadata: plain JSON that says what made the pictures; all writers have the same "backend", "driver",
            "renderer", "config" and "assets", the checksums of a simulation's objects and tables that come from files.
        schema_version: version of the rows.
        primitive: what every row is, a pick-and-place or a push; earlier versions wrote picks only, and do not name it.
        extras: what every row has of each view besides the pictures, in the order of `EXTRAS`; earlier versions wrote
            none, and do not name it.
    """

    split: str
    views: tuple[str, ...]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION
    primitive: Primitive = "pick"
    extras: tuple[Extra, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """The observation's keys of what each row has at each moment."""
        return (*self.views, *(extra_key(view, extra) for extra in self.extras for view in self.views))

    def differences(self, other: FolderMeta) -> list[str]:
        """Differences that forbid rows of both kinds in one folder, a phrase each; package versions may differ."""
        mine, theirs = self._identity(), other._identity()
        return [phrase for key in mine for phrase in _differences(key, mine[key], theirs[key])]

    def _identity(self) -> dict[str, Any]:
        sources = {key: self.metadata.get(key) for key in _FROM_ONE_SOURCE}
        kind = {"schema_version": self.schema_version, "primitive": self.primitive, "extras": list(self.extras)}
        return {**kind, "split": self.split, "views": list(self.views), **sources}


def _differences(name: str, mine: Any, theirs: Any) -> list[str]:
    """A phrase for a value that differs, or for each entry that differs of two mappings."""
    if isinstance(mine, Mapping) and isinstance(theirs, Mapping):
        keys = {**theirs, **mine}
        return [phrase for key in keys for phrase in _differences(f"{name}.{key}", mine.get(key), theirs.get(key))]
    return [] if mine == theirs else [f"{name} {shown(theirs)}, not {shown(mine)}"]


def shard_path(folder: Path, writer: str, number: int) -> Path:
    """Path of the `number`-th shard of a writer."""
    return folder / "data" / f"part-{writer}-{number:05d}.parquet"


def journal_path(folder: Path, writer: str, number: int) -> Path:
    """Path of the journal that becomes the `number`-th shard of a writer."""
    return folder / f".journal-{writer}-{number:05d}.frames"


def is_unframed(journal: Path) -> bool:
    """Whether an earlier version wrote a journal."""
    return journal.suffix == ".arrows"


def list_shards(folder: Path) -> list[tuple[str, int, Path]]:
    """(writer, number, path) of every sealed shard, in the order in which rows are read."""
    return _numbered(folder / "data", _SHARD)


def list_journals(folder: Path) -> list[tuple[str, int, Path]]:
    """(writer, number, path) of every journal, whether its writer is open or has ended."""
    return _numbered(folder, _JOURNAL)


def written_bytes(folder: Path) -> int:
    """Bytes of all rows on disk, sealed or not."""
    return total_bytes([path for *_, path in (*list_shards(folder), *list_journals(folder))])


def list_damaged_journals(folder: Path) -> list[tuple[str, int, Path]]:
    """(writer, number, path) of every damaged journal that was moved aside."""
    return _numbered(folder, _DAMAGED)


def list_locks(folder: Path) -> list[str]:
    """Names of the writers that are open or ended without closing."""
    return sorted(path.name.removeprefix(_LOCK_PREFIX) for path in folder.glob(_LOCK_PREFIX + "*"))


def is_record_folder(folder: Path) -> bool:
    """Whether a folder was opened for recording; it may hold no interaction yet."""
    try:
        read_meta(folder)
    except (ForeignFolder, UnreadableRecords):
        return False
    return True


def read_meta(folder: Path) -> FolderMeta:
    """Content of a folder's meta.json.

    Raises:
        UnreadableRecords: there is no such folder, or meta.json is damaged.
        ForeignFolder: the folder has no meta.json that describes interactions.
    """
    path = folder / "meta.json"
    if not folder.is_dir():
        raise UnreadableRecords(f"{folder} is no folder; give a folder with recorded interactions")
    if not path.exists():
        raise ForeignFolder(f"{folder} holds no meta.json; give a folder with recorded interactions")
    content = read_json(path)
    try:
        # Earlier versions wrote none.
        known = content.pop(_CHECKSUM, None)
        lists = {"views": tuple(content["views"]), "extras": tuple(content.get("extras", ()))}
        meta = FolderMeta(**{**content, **lists})
    except (TypeError, LookupError, AttributeError) as error:
        raise ForeignFolder(f"{path} describes no interactions; give a folder with recorded interactions") from error
    if known not in (None, _checksum_of(content)):
        raise UnreadableRecords(f"{path} is damaged (its checksum does not hold); restore it from a copy")
    for name, found, accepted in (("primitive", [meta.primitive], PRIMITIVES), ("extras", meta.extras, EXTRAS)):
        if unknown := [each for each in found if each not in accepted]:
            raise UnreadableRecords(
                f"{path} has {name} {unknown[0]!r}; accepted are {' and '.join(accepted)}; install a newer "
                "tabletop-interaction to read it"
            )
    return meta


def record_run_id(folder: Path) -> str | None:
    """The id of the run that records in a folder (`seals`), from its metadata; None if nothing gave one.

    Raises:
        UnreadableRecords, ForeignFolder: as `read_meta`.
    """
    found = read_meta(folder).metadata.get("run")
    return None if found is None else str(found)


def check_primitive(folder: Path, primitive: Primitive, what: str) -> None:
    """Refuse a folder with interactions of another primitive.

    Args:
        what: needs that primitive, such as "an inverse model".

    Raises:
        ForeignFolder: the rows are of the other one.
        UnreadableRecords, ForeignFolder: as `read_meta`.
    """
    if (found := read_meta(folder).primitive) != primitive:
        raise ForeignFolder(
            f"{folder} holds interactions of primitive {found!r}; {what} needs {primitive!r}; name another folder"
        )


def check_folder(folder: Path, meta: FolderMeta) -> None:
    """Check that a folder is absent, empty, or holds rows of this kind.

    Raises:
        ForeignFolder: it holds something else; nothing was written.
    """
    if not (folder / "meta.json").exists():
        check_new_folder(folder, "interactions")
    elif differences := meta.differences(read_meta(folder)):
        raise ForeignFolder(f"{folder} holds interactions of {'; '.join(differences)}; give a new folder")


def prepare_folder(folder: Path, meta: FolderMeta) -> None:
    """Write meta.json where it is missing, and the card where it is outdated; the folder was checked and is locked."""
    # meta.json claims the folder, so it comes first.
    if not (folder / "meta.json").exists():
        content = plain(meta)
        for name, default in (("primitive", "pick"), ("extras", [])):
            if content[name] == default:
                # So that earlier versions open it, too.
                del content[name]
        write_json(folder / "meta.json", {**content, _CHECKSUM: _checksum_of(content)})
    refresh(folder, meta.split, [path for *_, path in list_shards(folder)])
    (folder / "data").mkdir(exist_ok=True)
    sync_folder(folder)


@contextmanager
def writer_lock(folder: Path, writer: str) -> Iterator[None]:
    """Hold a writer's name; the folder is locked when this begins and when it ends.

    Raises:
        FolderInUse: an open writer has the name.
    """
    path = folder / f"{_LOCK_PREFIX}{writer}"
    with lock_file(path, blocking=False):
        yield
        # Not in a `finally`, which would also run when a forked child ends.
        path.unlink(missing_ok=True)


@contextmanager
def collecting_alone(folder: Path) -> Iterator[None]:
    """Be the only process that counts the rows of a folder and adds what is missing; begins without open writers.

    Programs may open writers of their own meanwhile.

    Raises:
        FolderInUse: another process collects or records there; nothing was written.
    """
    with lock_file(folder / _COLLECTING, blocking=False):
        _wait_for_writers(folder)
        yield


def _wait_for_writers(folder: Path) -> None:
    """Wait a little for open writers: workers of a process that was killed end soon after it."""
    end = time.monotonic() + _ORPHANS_END_S
    while list_locks(folder):
        try:
            with folder_lock(folder):
                for writer in list_locks(folder):
                    with writer_lock(folder, writer):
                        pass
        except FolderInUse:
            if time.monotonic() > end:
                raise
            time.sleep(_POLL_S)


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Hold a folder while its files change; waits for the process that has the lock."""
    with lock_file(folder / _LOCK), _without_garbage_collection():
        yield


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Gymnasium closes vector environments that the collector finds; their recorders would wait for our own lock."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _checksum_of(content: Mapping[str, Any]) -> str:
    return f"{zlib.crc32(json.dumps(content, sort_keys=True).encode()):08x}"


def _numbered(folder: Path, pattern: re.Pattern[str]) -> list[tuple[str, int, Path]]:
    names: Sequence[str] = os.listdir(folder) if folder.is_dir() else ()
    matches = [match for name in names if (match := pattern.fullmatch(name))]
    return sorted((match["writer"], int(match["number"]), folder / match.string) for match in matches)
