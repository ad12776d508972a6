"""Recording: rows that survive a kill, one by one, and end in Parquet shards.

A row is appended to a journal (an Arrow IPC stream) and made durable before `append` returns. A full journal
is sealed: written as a shard under a hidden name, made durable, renamed, and only then removed. Wherever a
kill falls, each acknowledged row stands in a shard or in a journal; whoever opens the folder next seals what
the dead left.
"""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain, count, islice
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import pyarrow as pa
import pyarrow.parquet as pq

from tabletop_interaction.envs.backend import SPLITS
from tabletop_interaction.envs.records.folder import (
    FolderMeta,
    check_folder,
    drop_writer_lock,
    folder_lock,
    journal_path,
    list_journals,
    list_locks,
    list_shards,
    prepare_folder,
    shard_path,
    sync_folder,
    take_writer_lock,
)
from tabletop_interaction.envs.records.reading import journal_rows
from tabletop_interaction.envs.records.row import (
    SMALL_COLUMNS,
    Interaction,
    batch_from_interaction,
    check_row,
    schema_of,
)
from tabletop_interaction.errors import DiskFull, InvalidConfiguration, WriterInUse

ROWS_PER_GROUP = 8
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NAME = re.compile(r"[A-Za-z0-9_-]+")


def open_writer(
    folder: str | os.PathLike[str],
    *,
    split: str,
    views: Sequence[str],
    metadata: Mapping[str, Any] | None = None,
    writer: str | None = None,
    rows_per_shard: int = 64,
) -> InteractionWriter:
    """Open a folder to record into, after sealing what dead writers left in it.

    Several writers may write to one folder at once, each under its own name.

    Args:
        folder: new, empty, or recorded into before with the same split, views, backend and renderer.
        split: "train", "val" or "test": of every row.
        views: names of the views: each row has their pictures.
        metadata: plain JSON that says what made the pictures; the first writer's goes to meta.json.
        writer: this writer's name, letters, digits, "_" and "-"; None takes the first of w0, w1, ... never
            used here. A name used before goes on where it stopped.
        rows_per_shard: rows of a journal before it is sealed.

    Raises:
        ForeignFolder: the folder holds something else; nothing was written.
        WriterInUse: a living writer has this name; nothing was written.
        InvalidConfiguration: a malformed name, split or number; nothing was written.
        DiskFull: no space is left.
    """
    _check_arguments(split, writer, rows_per_shard)
    folder, meta = Path(folder), FolderMeta(split, tuple(views), json.loads(json.dumps(metadata or {})))
    check_folder(folder, meta)
    with _disk_full_named(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with folder_lock(folder):
            check_folder(folder, meta)
            prepare_folder(folder, meta)
            _seal_what_the_dead_left(folder)
            name = writer or _unused_name(folder)
            lock = take_writer_lock(folder, name)
    if lock is None:
        raise WriterInUse(f"a living writer records into {folder} as {name!r}; give another name, or none")
    number = 1 + max((n for each, n, _ in list_shards(folder) if each == name), default=-1)
    return InteractionWriter(folder, meta, name, lock, number=number, rows_per_shard=rows_per_shard)


class InteractionWriter:
    """Appends interactions to a folder that `open_writer` opened; a context.

    Args:
        folder: prepared.
        meta: what is common to its rows.
        writer: the name.
        lock: file descriptor that holds the name; closed with the writer.
        number: of the name's next shard.
        rows_per_shard: rows of a journal before it is sealed.

    Attributes:
        writer: the name.
    """

    def __init__(
        self, folder: Path, meta: FolderMeta, writer: str, lock: int, *, number: int, rows_per_shard: int
    ) -> None:
        self.writer = writer
        self._folder = folder
        self._meta = meta
        self._schema = schema_of(meta.views)
        self._lock: int | None = lock
        self._number = number
        self._rows_per_shard = rows_per_shard
        self._journal: _Journal | None = None

    def append(self, interaction: Interaction) -> Interaction:
        """Write a row; when this returns, it survives a kill.

        Returns:
            The row as it was written, with its `interaction_id` and `writer`.

        Raises:
            InvalidConfiguration: the row is of another split, lacks a picture or has other views; nothing was
                written.
            DiskFull: no space is left; this row was not written, all earlier ones stay. Free space and append
                it again.
            ValueError: the writer is closed.
        """
        if self._lock is None:
            raise ValueError(f"the writer {self.writer!r} of {self._folder} is closed; open a new one")
        check_row(interaction, self._meta.split, self._meta.views)
        with _disk_full_named(self._folder):
            if self._journal is not None and self._journal.rows >= self._rows_per_shard:
                self._seal()
            if self._journal is None:
                path = journal_path(self._folder, self.writer, self._number)
                self._journal = _begin_journal(path, self._schema)
            row_id = f"{self.writer}-{self._number:05d}-{self._journal.rows:03d}"
            written = replace(interaction, interaction_id=row_id, writer=self.writer)
            self._journal.append(batch_from_interaction(written, self._schema))
        return written

    def close(self) -> None:
        """Seal what is left and give the name back; twice is fine.

        Raises:
            DiskFull: no space is left for the shard; the rows stay in the journal, readable, and are sealed
                by whoever opens the folder next.
        """
        if self._lock is None:
            return
        try:
            with _disk_full_named(self._folder):
                self._seal()
        finally:
            if self._journal is not None:
                self._journal.close()
            with folder_lock(self._folder):
                drop_writer_lock(self._folder, self.writer, self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _seal(self) -> None:
        if self._journal is None:
            return
        seal_journal(self._folder, self.writer, self._number)
        self._journal.close()
        self._journal = None
        self._number += 1


class _Journal:
    """An open journal: what was appended is durable, or the file is as it was before."""

    def __init__(self, descriptor: int, size: int) -> None:
        self.rows = 0
        self._descriptor = descriptor
        self._size = size

    def append(self, row: pa.RecordBatch) -> None:
        self._append_bytes(row.serialize())
        self.rows += 1

    def close(self) -> None:
        os.close(self._descriptor)

    def _append_bytes(self, content: pa.Buffer) -> None:
        try:
            _write_all(self._descriptor, content)
            os.fsync(self._descriptor)
        except BaseException:
            # Half a row would hide every later one from readers.
            os.ftruncate(self._descriptor, self._size)
            os.lseek(self._descriptor, self._size, os.SEEK_SET)
            raise
        self._size += len(content)


def _begin_journal(path: Path, schema: pa.Schema) -> _Journal:
    header = schema.serialize()
    # A header without rows, left by a disk that was full, is written over.
    descriptor = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o666)
    try:
        _write_all(descriptor, header)
        sync_folder(path.parent)
    except BaseException:
        os.close(descriptor)
        raise
    return _Journal(descriptor, len(header))


def _write_all(descriptor: int, content: pa.Buffer) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def seal_journal(folder: Path, writer: str, number: int) -> None:
    """Turn a journal into its shard; a kill at any point leaves each whole row in one of them or in both."""
    journal, shard = journal_path(folder, writer, number), shard_path(folder, writer, number)
    # A shard that exists is whole: its journal only outlived it.
    if not shard.exists():
        temporary = shard.with_name(f".tmp-{shard.name}")
        try:
            with open(temporary, "wb") as file:
                rows = _copy_rows(journal, file)
                file.flush()
                os.fsync(file.fileno())
            if rows:
                temporary.replace(shard)
                sync_folder(shard.parent)
        finally:
            temporary.unlink(missing_ok=True)
    journal.unlink()
    sync_folder(folder)


def _copy_rows(journal: Path, file: BinaryIO) -> int:
    """Write a journal's whole rows as Parquet, eight a row group; return how many."""
    written = 0
    with pa.OSFile(str(journal)) as source:
        rows: Iterator[pa.RecordBatch] = (row for _, row in journal_rows(source, journal))
        if (first := next(rows, None)) is None:
            return 0
        rows = chain([first], rows)
        with pq.ParquetWriter(
            file, first.schema, compression="none", use_dictionary=False, write_statistics=list(SMALL_COLUMNS)
        ) as shard:
            while group := list(islice(rows, ROWS_PER_GROUP)):
                shard.write_table(pa.Table.from_batches(group), row_group_size=ROWS_PER_GROUP)
                written += len(group)
    return written


def _seal_what_the_dead_left(folder: Path) -> None:
    """Seal the journals of all writers that no longer live; the folder is locked."""
    journals = list_journals(folder)
    for writer in sorted({name for name, *_ in journals} | set(list_locks(folder))):
        if (lock := take_writer_lock(folder, writer)) is None:
            continue
        try:
            for name, number, _ in journals:
                if name == writer:
                    seal_journal(folder, writer, number)
        finally:
            drop_writer_lock(folder, writer, lock)


def _unused_name(folder: Path) -> str:
    """The first of w0, w1, ... that nobody has or had; the folder is locked and holds no dead writers."""
    used = {name for name, *_ in list_shards(folder)} | set(list_locks(folder))
    return next(name for number in count() if (name := f"w{number}") not in used)


@contextmanager
def _disk_full_named(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_SPACE:
            raise
        raise DiskFull(
            f"no space is left for {folder} ({error.strerror}); every interaction acknowledged before is "
            "whole and readable; free space and go on"
        ) from error


def _check_arguments(split: str, writer: str | None, rows_per_shard: int) -> None:
    if split not in SPLITS:
        raise InvalidConfiguration(f"unknown split {split!r}; accepted are {', '.join(SPLITS)}")
    if writer is not None and not _NAME.fullmatch(writer):
        raise InvalidConfiguration(f"writer {writer!r}: a name is of letters, digits, '_' and '-', such as 'w0'")
    if rows_per_shard < 1:
        raise InvalidConfiguration(f"rows_per_shard is {rows_per_shard}; it must be 1 or more")
