"""Record rows into Parquet shards; each row survives a kill.

A row is appended to a journal (an Arrow IPC stream) and made durable before `append` returns. A full journal is sealed:
its rows are written as a shard, and only then is it removed. After a kill at any time, each acknowledged row is in a
shard or in a journal; the next process that opens the folder seals the journals of writers that have ended.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import replace
from itertools import chain, count, islice
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from tabletop_interaction.envs.backend import SPLITS
from tabletop_interaction.envs.records.folder import (
    FolderMeta,
    check_folder,
    folder_lock,
    journal_path,
    list_journals,
    list_locks,
    list_shards,
    prepare_folder,
    shard_path,
    writer_lock,
)
from tabletop_interaction.envs.records.reading import journal_rows
from tabletop_interaction.envs.records.row import (
    SMALL_COLUMNS,
    Interaction,
    batch_from_interaction,
    check_row,
    schema_of,
)
from tabletop_interaction.errors import FolderInUse, InvalidConfiguration
from tabletop_interaction.files import AnyPath, append_bytes, atomic_path, disk_full_named, plain, sync_folder
from tabletop_interaction.ranges import check_choice, check_range

ROWS_PER_GROUP = 8
_NAME = re.compile(r"[A-Za-z0-9_-]+")


def open_writer(
    folder: AnyPath,
    *,
    split: str,
    views: Sequence[str],
    metadata: Mapping[str, Any] | None = None,
    writer: str | None = None,
    rows_per_shard: int = 64,
) -> InteractionWriter:
    """Open a folder for recording, and seal the journals of writers that ended without closing.

    Several writers may write to one folder at once, each under its own name.

    Args:
        folder: new, empty, or with interactions of the same split, views, backend and renderer.
        split: "train", "val" or "test", the same for all rows.
        views: names of the views whose pictures each row has.
        metadata: plain JSON that says what made the pictures; meta.json keeps that of the first writer.
        writer: name of this writer, of letters, digits, "_" and "-"; None takes the first of w0, w1, ... that was
            never used in the folder. The shards of a name are numbered on.
        rows_per_shard: rows of a journal before it is sealed.

    Raises:
        ForeignFolder: the folder holds something else; nothing was written.
        FolderInUse: an open writer has this name; nothing was written.
        InvalidConfiguration: a malformed name, split or number; nothing was written.
        DiskFull: no space is left.
    """
    _check_arguments(split, writer, rows_per_shard)
    folder, meta = Path(folder), FolderMeta(split, tuple(views), plain(metadata or {}))
    check_folder(folder, meta)
    lock = ExitStack()
    with _disk_full_named(folder), folder_lock(folder):
        check_folder(folder, meta)
        prepare_folder(folder, meta)
        _seal_abandoned_journals(folder)
        name = writer or _unused_name(folder)
        try:
            lock.enter_context(writer_lock(folder, name))
        except FolderInUse as error:
            raise FolderInUse(
                f"an open writer records into {folder} as {name!r}; give another name, or none"
            ) from error
    number = 1 + max((n for each, n, _ in list_shards(folder) if each == name), default=-1)
    return InteractionWriter(folder, meta, name, lock, number=number, rows_per_shard=rows_per_shard)


class InteractionWriter:
    """Appends interactions to a folder that `open_writer` opened; a context.

    Args:
        lock: holds the name `writer`; closed with the writer.
        number: number of its next shard.
    """

    def __init__(
        self, folder: Path, meta: FolderMeta, writer: str, lock: ExitStack, *, number: int, rows_per_shard: int
    ) -> None:
        self.writer = writer
        self._folder = folder
        self._meta = meta
        self._schema = schema_of(meta.views)
        self._lock: ExitStack | None = lock
        self._number = number
        self._rows_per_shard = rows_per_shard
        # Descriptor of the open journal, and its rows.
        self._journal: int | None = None
        self._rows = 0

    def append(self, interaction: Interaction) -> Interaction:
        """Write a row; when this returns, it survives a kill.

        Returns:
            the written row, with its `interaction_id` and `writer`.

        Raises:
            InvalidConfiguration: the row is of another split, lacks a picture or has other views; nothing was
                written.
            DiskFull: no space is left; this row was not written, all earlier ones stay. It can be appended again.
            ValueError: the writer is closed.
        """
        if self._lock is None:
            raise ValueError(f"the writer {self.writer!r} of {self._folder} is closed; open a new one")
        check_row(interaction, self._meta.split, self._meta.views)
        with _disk_full_named(self._folder):
            if self._rows >= self._rows_per_shard:
                self._seal()
            if self._journal is None:
                path = journal_path(self._folder, self.writer, self._number)
                self._journal = _begin_journal(path, self._schema)
            row_id = f"{self.writer}-{self._number:05d}-{self._rows:03d}"
            written = replace(interaction, interaction_id=row_id, writer=self.writer)
            append_bytes(self._journal, memoryview(batch_from_interaction(written, self._schema).serialize()))
            self._rows += 1
        return written

    def close(self) -> None:
        """Seal the journal and release the name; a second call does nothing.

        Raises:
            DiskFull: no space is left for the shard; the rows stay readable in the journal, which the next writer of
                the folder seals.
        """
        if self._lock is None:
            return
        try:
            with _disk_full_named(self._folder):
                self._seal()
        finally:
            if self._journal is not None:
                os.close(self._journal)
            with folder_lock(self._folder):
                self._lock.close()
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _seal(self) -> None:
        if self._journal is None:
            return
        _seal_journal(self._folder, self.writer, self._number)
        # Arrow would keep the 50 MB that a shard takes while it is written.
        pa.default_memory_pool().release_unused()
        os.close(self._journal)
        self._journal, self._rows = None, 0
        self._number += 1


def _begin_journal(path: Path, schema: pa.Schema) -> int:
    """Descriptor of a new journal without rows."""
    # A header without rows, which a full disk leaves, is overwritten.
    descriptor = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_APPEND, 0o666)
    try:
        append_bytes(descriptor, memoryview(schema.serialize()))
        sync_folder(path.parent)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _seal_journal(folder: Path, writer: str, number: int) -> None:
    """Turn a journal into its shard; a kill at any time leaves each whole row in one of them or in both."""
    journal, shard = journal_path(folder, writer, number), shard_path(folder, writer, number)
    # A shard that exists is whole: a kill came before its journal was removed.
    if not shard.exists():
        with pa.OSFile(str(journal)) as source:
            rows = (row for _, row in journal_rows(source, journal))
            if (first := next(rows, None)) is not None:
                _write_shard(shard, first.schema, chain([first], rows))
    journal.unlink()
    sync_folder(folder)


def _write_shard(shard: Path, schema: pa.Schema, rows: Iterator[pa.RecordBatch]) -> None:
    """Write rows as Parquet, eight per row group."""
    options = {"compression": "none", "use_dictionary": False, "write_statistics": list(SMALL_COLUMNS)}
    with atomic_path(shard) as temporary, pq.ParquetWriter(temporary, schema, **options) as file:
        while group := list(islice(rows, ROWS_PER_GROUP)):
            file.write_table(pa.Table.from_batches(group), row_group_size=ROWS_PER_GROUP)


def _seal_abandoned_journals(folder: Path) -> None:
    """Seal the journals of all writers that have ended; the folder is locked."""
    journals = list_journals(folder)
    for writer in sorted({name for name, *_ in journals} | set(list_locks(folder))):
        with suppress(FolderInUse), writer_lock(folder, writer):
            for name, number, _ in journals:
                if name == writer:
                    _seal_journal(folder, writer, number)


def _unused_name(folder: Path) -> str:
    """The first of w0, w1, ... that no writer has or had; the folder is locked and holds no abandoned journals."""
    used = {name for name, *_ in list_shards(folder)} | set(list_locks(folder))
    return next(name for number in count() if (name := f"w{number}") not in used)


def _disk_full_named(folder: Path) -> AbstractContextManager[None]:
    return disk_full_named(folder, "every interaction that was acknowledged before is whole and readable")


def _check_arguments(split: str, writer: str | None, rows_per_shard: int) -> None:
    check_choice("split", split, SPLITS)
    if writer is not None and not _NAME.fullmatch(writer):
        raise InvalidConfiguration(
            f"writer {writer!r} is no name; accepted are letters, digits, '_' and '-', such as 'w0'"
        )
    check_range("rows_per_shard", rows_per_shard, 1)
