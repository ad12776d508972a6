"""What a folder of interactions looks like: its names, meta.json, its card and its locks.

```
README.md                       card for Hugging Face `datasets`; says which files are data
meta.json                       schema version, split, views, and what made the pictures
data/part-<writer>-<n>.parquet  shards, whole or absent
.journal-<writer>-<n>.arrows    rows of a shard to be, one journal a writer
.lock, .lock-<writer>           held while the folder is opened, and while a writer lives
```
The kernel releases a lock when its process ends, however it ends: a writer whose lock is free is dead.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tabletop_interaction.errors import ForeignFolder, UnreadableRecords

SCHEMA_VERSION = 1
"""Of the rows that are written; every version up to this one is read."""

_SHARD = re.compile(r"part-(?P<writer>.+)-(?P<number>\d+)\.parquet")
_JOURNAL = re.compile(r"\.journal-(?P<writer>.+)-(?P<number>\d+)\.arrows")
_LOCK_PREFIX = ".lock-"
_FROM_ONE_SOURCE = ("backend", "driver", "renderer", "config")

_CARD = """---
configs:
- config_name: default
  data_files:
  - split: {split}
    path: data/*.parquet
---
# Interactions of a gripper with a table

Each row is one pick-and-place: the pictures of every view before it, while something is held and after it
(`view_0_before`, `view_0_held`, `view_0_after`, ...), what was done (`pick_x`, `pick_y`, `place_x`, `place_y`
in metres, `angle` in radians), the pixel acted on in each view (`pick_xy`, `place_xy`), whether the gripper
held something (`grasped`, `pick_outcome`), the cameras (`views`, JSON), and where the row comes from (`seed`,
`episode`, `step`, `scene`, `background`, `split`, `time`, `writer`). What made the pictures stands in
`meta.json`.

```python
from datasets import load_dataset
rows = load_dataset("path/of/this/folder", split="{split}")

from tabletop_interaction.envs import read_interactions
for interaction in read_interactions("path/of/this/folder"):
    picture = interaction.before["view_0"]
```
"""


@dataclass(frozen=True)
class FolderMeta:
    """What is common to all rows of a folder: the content of meta.json.

    Attributes:
        split: "train", "val" or "test".
        views: names of the views, in order; they fix the picture columns.
        metadata: plain JSON that says what made the pictures; "backend", "driver", "renderer" and "config" are the
            same for all writers.
        schema_version: of the rows.
    """

    split: str
    views: tuple[str, ...]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION

    def differences(self, other: FolderMeta) -> list[str]:
        """What forbids rows of both kinds in one folder, a phrase each; package versions may differ."""
        mine, theirs = self._identity(), other._identity()
        return [f"{key} {theirs[key]!r}, not {mine[key]!r}" for key in mine if mine[key] != theirs[key]]

    def _identity(self) -> dict[str, Any]:
        sources = {key: self.metadata.get(key) for key in _FROM_ONE_SOURCE}
        return {
            "schema_version": self.schema_version,
            "split": self.split,
            "views": list(self.views),
            **sources,
        }


def shard_path(folder: Path, writer: str, number: int) -> Path:
    """Where the `number`-th shard of a writer goes."""
    return folder / "data" / f"part-{writer}-{number:05d}.parquet"


def journal_path(folder: Path, writer: str, number: int) -> Path:
    """Where the rows of the `number`-th shard wait until it is sealed."""
    return folder / f".journal-{writer}-{number:05d}.arrows"


def list_shards(folder: Path) -> list[tuple[str, int, Path]]:
    """(writer, number, path) of every sealed shard, in the order in which rows are read."""
    return _numbered(folder / "data", _SHARD)


def list_journals(folder: Path) -> list[tuple[str, int, Path]]:
    """(writer, number, path) of every journal, of living and dead writers."""
    return _numbered(folder, _JOURNAL)


def list_locks(folder: Path) -> list[str]:
    """Names of the writers that live or died without closing."""
    return sorted(path.name.removeprefix(_LOCK_PREFIX) for path in folder.glob(_LOCK_PREFIX + "*"))


def is_record_folder(folder: Path) -> bool:
    """Whether interactions were recorded into a folder, be it none yet."""
    try:
        read_meta(folder)
    except (ForeignFolder, UnreadableRecords):
        return False
    return True


def read_meta(folder: Path) -> FolderMeta:
    """The content of a folder's meta.json.

    Raises:
        UnreadableRecords: there is no such folder, or meta.json is damaged.
        ForeignFolder: the folder holds no meta.json of ours.
    """
    path = folder / "meta.json"
    if not folder.is_dir():
        raise UnreadableRecords(f"{folder} is no folder; give the folder that interactions were recorded into")
    if not path.exists():
        raise ForeignFolder(f"{folder} holds no meta.json, so no interactions; give a folder that has been recorded")
    try:
        content = json.loads(path.read_text())
    except ValueError as error:
        raise UnreadableRecords(f"{path} is damaged ({error}); restore it from a copy") from error
    try:
        return FolderMeta(**{**content, "views": tuple(content["views"])})
    except (TypeError, KeyError) as error:
        raise ForeignFolder(f"{path} describes no interactions; give a folder that has been recorded") from error


def check_folder(folder: Path, meta: FolderMeta) -> None:
    """Check that rows described by `meta` may be written to a folder: it is absent, empty, or holds such
    rows.

    Raises:
        ForeignFolder: it holds something else; nothing was written.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise ForeignFolder(f"{folder} is a file; give a folder, new, empty or recorded before")
    if (folder / "meta.json").exists():
        if differences := meta.differences(read_meta(folder)):
            raise ForeignFolder(f"{folder} holds interactions of {'; '.join(differences)}; give a new folder")
    elif found := sorted(path.name for path in folder.iterdir() if not path.name.startswith(".")):
        raise ForeignFolder(f"{folder} holds something else ({found[0]}); give a new or empty folder")


def prepare_folder(folder: Path, meta: FolderMeta) -> None:
    """Write meta.json and the card where they are missing; the folder has been checked and is locked."""
    # meta.json comes first: whatever else a kill leaves behind is then known to be ours.
    if not (folder / "meta.json").exists():
        write_whole(folder / "meta.json", json.dumps(asdict(meta), indent=2) + "\n")
    if not (folder / "README.md").exists():
        write_whole(folder / "README.md", _CARD.format(split=meta.split))
    (folder / "data").mkdir(exist_ok=True)
    sync_folder(folder)


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file, text as UTF-8, so that it is whole or absent after a kill."""
    temporary = path.with_name(f".tmp-{path.name}")
    with open(temporary, "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Hold a folder while writers come and go in it; waits for whoever holds it."""
    descriptor = os.open(folder / ".lock", os.O_CREAT | os.O_RDWR, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def take_writer_lock(folder: Path, writer: str) -> int | None:
    """File descriptor that holds a writer's name until it is closed; None when a living writer has it."""
    descriptor = os.open(folder / f"{_LOCK_PREFIX}{writer}", os.O_CREAT | os.O_RDWR, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def drop_writer_lock(folder: Path, writer: str, descriptor: int) -> None:
    """Give a writer's name back; the folder is locked, so that nobody takes the file that goes away here."""
    (folder / f"{_LOCK_PREFIX}{writer}").unlink(missing_ok=True)
    os.close(descriptor)


def _numbered(folder: Path, pattern: re.Pattern[str]) -> list[tuple[str, int, Path]]:
    names: Sequence[str] = os.listdir(folder) if folder.is_dir() else ()
    matches = [match for name in names if (match := pattern.fullmatch(name))]
    return sorted((match["writer"], int(match["number"]), folder / match.string) for match in matches)
