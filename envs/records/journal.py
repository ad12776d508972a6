"""Record rows into Parquet shards; each row survives a kill.

A row is appended to a journal as a frame with checksums and made durable before `append` returns. A full journal is
sealed: its rows are written as a shard, and only then is it removed. After a kill at any time, each acknowledged row is
in a shard or in a journal; the next process that opens the folder seals the journals of writers that have ended. A
damaged journal with lost rows is renamed and kept.
"""

from __future__ import annotations

import ctypes
import gc
import re
import warnings
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import replace
from io import FileIO
from itertools import count, islice
from pathlib import Path
from typing import Any, Self

import pyarrow as pa

from tabletop_interaction.envs.backend import PRIMITIVES, SPLITS, Primitive
from tabletop_interaction.envs.observations import Extra, check_extras, in_order
from tabletop_interaction.envs.records.card import begin_change, end_change
from tabletop_interaction.envs.records.folder import (
    FolderMeta,
    check_folder,
    folder_lock,
    journal_path,
    list_damaged_journals,
    list_journals,
    list_locks,
    list_shards,
    prepare_folder,
    read_meta,
    shard_path,
    writer_lock,
)
from tabletop_interaction.envs.records.frames import frame_bytes
from tabletop_interaction.envs.records.journal_rows import JournalRows, open_journal
from tabletop_interaction.envs.records.parquet import write_parquet
from tabletop_interaction.envs.records.row import (
    Interaction,
    batch_from_interaction,
    check_row,
    schema_of,
    small_columns,
)
from tabletop_interaction.errors import FolderInUse, InvalidConfiguration, UnreadableRecords
from tabletop_interaction.files import (
    AnyPath,
    append_bytes,
    atomic_path,
    disk_full_named,
    move_aside,
    plain,
    sync_folder,
)
from tabletop_interaction.ranges import Count, check_choice, check_value, shown

ROWS_PER_GROUP = 8
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def open_writer(
    folder: AnyPath,
    *,
    split: str,
    views: Sequence[str],
    metadata: Mapping[str, Any] | None = None,
    writer: str | None = None,
    rows_per_shard: int = 64,
    primitive: Primitive = "pick",
    extras: Sequence[Extra] = (),
) -> InteractionWriter:
    """Open a folder for recording, and seal the journals of writers that ended without closing.

    Several writers may write to one folder at once, each under its own name.

    Args:
        folder: new, empty, or with interactions of the same primitive, split, views, extras, backend and renderer.
        split: "train", "val", "test" or "dev", the same for all rows.
        views: names of the views whose pictures each row has.
        metadata: plain JSON that says what made the pictures; meta.json keeps that of the first writer.
        writer: name of this writer, of letters, digits, "_" and "-"; None takes the first of w0, w1, ... that was
            never used in the folder. The shards of a name are numbered on.
        rows_per_shard: rows of a journal before it is sealed.
        primitive: "pick" or "push", the same for all rows.
        extras: "depth" and "instances": what each row has of each view besides the pictures.

    Raises:
        ForeignFolder: the folder holds something else; nothing was written.
        FolderInUse: an open writer has this name; nothing was written.
        InvalidConfiguration: a malformed name, split or number; nothing was written.
        DiskFull: no space is left.
    """
    _check_arguments(split, writer, rows_per_shard)
    check_choice("primitive", primitive, PRIMITIVES)
    check_extras(extras)
    meta = FolderMeta(split, tuple(views), plain(metadata or {}), primitive=primitive, extras=in_order(extras))
    # Absolute, so that os.chdir does not lead the next shard elsewhere.
    folder = Path(folder).absolute()
    check_folder(folder, meta)
    try:
        name, number, lock = _begin_writing(folder, meta, writer)
    except FolderInUse:
        # A writer that was dropped within a reference cycle holds its name until it is collected.
        gc.collect()
        name, number, lock = _begin_writing(folder, meta, writer)
    return InteractionWriter(folder, meta, name, lock, number=number, rows_per_shard=rows_per_shard)


def seal_journals(folder: AnyPath) -> None:
    """Seal the journals of writers that ended without closing and refresh the card, as the next writer would.

    Raises:
        UnreadableRecords, ForeignFolder: the folder holds no interactions.
        DiskFull: no space is left; the rows stay readable.
    """
    folder = Path(folder)
    meta = read_meta(folder)
    with _disk_full_named(folder), folder_lock(folder):
        prepare_folder(folder, meta)
        _seal_abandoned_journals(folder, meta)


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
        self._schema = schema_of(meta)
        self._lock: ExitStack | None = lock
        self._number = number
        self._rows_per_shard = rows_per_shard
        # The open journal, and its rows. A writer that is dropped closes it and releases its name; the next writer of
        # the folder seals it.
        self._journal: FileIO | None = None
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
        check_row(interaction, self._meta)
        with _disk_full_named(self._folder):
            if self._rows >= self._rows_per_shard:
                self._seal()
            if self._journal is None:
                self._journal = _begin_journal(journal_path(self._folder, self.writer, self._number))
            row_id = f"{self.writer}-{self._number:05d}-{self._rows:03d}"
            written = replace(interaction, interaction_id=row_id, writer=self.writer)
            append_bytes(self._journal.fileno(), frame_bytes(self._rows, batch_from_interaction(written, self._schema)))
            self._rows += 1
            if self._rows % ROWS_PER_GROUP == 0:
                _return_freed_memory()
        return written

    def close(self) -> None:
        """Seal the journal and release the name; a second call does nothing.

        Raises:
            DiskFull: no space is left for the shard; the rows stay readable in the journal, which the next writer of
                the folder seals.
        """
        if self._lock is None:
            return
        with _disk_full_named(self._folder):
            try:
                self._seal()
            finally:
                if self._journal is not None:
                    self._journal.close()
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
        journal = journal_path(self._folder, self.writer, self._number)
        shard = shard_path(self._folder, self.writer, self._number)
        try:
            with folder_lock(self._folder):
                _seal_journal(self._folder, self._meta, journal, shard, acknowledged=self._rows)
        except FileNotFoundError as error:
            raise UnreadableRecords(
                f"{journal} was moved or removed while rows were written to it; its {self._rows} rows are only there"
            ) from error
        _return_freed_memory()
        self._journal.close()
        self._journal, self._rows = None, 0
        self._number += 1


def _begin_journal(path: Path) -> FileIO:
    """A new journal without rows, open for appending; an empty file is whole."""
    file = open(path, "ab", buffering=0)  # noqa: SIM115
    sync_folder(path.parent)
    return file


def _seal_journal(folder: Path, meta: FolderMeta, journal: Path, shard: Path, acknowledged: int = 0) -> None:
    """Turn a journal into its shard; a kill at any time leaves each whole row in one of them or in both.

    The folder is locked.

    Args:
        acknowledged: rows that are known to have been in it.
    """
    rows = open_journal(journal, meta)
    # A shard that exists is whole: a kill came before its journal was removed.
    if rows.ids and not shard.exists():
        _write_shard(folder, meta, shard, rows)
    lost = rows.damage or (f"{acknowledged - len(rows.ids)}" if acknowledged > len(rows.ids) else None)
    if lost is None:
        journal.unlink()
    else:
        kept = move_aside(journal, f".damaged-{journal.name.removeprefix('.')}")
        warnings.warn(
            f"{journal} was damaged; rows sealed: {len(rows.ids)}, rows lost: {lost}; it is kept as {kept.name}",
            stacklevel=2,
        )
    sync_folder(folder)


def _write_shard(folder: Path, meta: FolderMeta, shard: Path, rows: JournalRows) -> None:
    """Write rows as Parquet, eight per row group, and let `datasets` see them."""
    options = {"compression": "none", "use_dictionary": False, "write_statistics": list(small_columns(meta.primitive))}
    numbers = iter(range(len(rows.ids)))
    groups = iter(lambda: [rows.read(number) for number in islice(numbers, ROWS_PER_GROUP)], [])
    with atomic_path(shard) as temporary:
        write_parquet(temporary, rows.schema, map(pa.Table.from_batches, groups), **options)
        begin_change(folder, meta.split)
    end_change(folder, meta.split, [path for *_, path in list_shards(folder)])


def _seal_abandoned_journals(folder: Path, meta: FolderMeta) -> None:
    """Seal the journals of all writers that have ended; the folder is locked."""
    journals = list_journals(folder)
    for writer in sorted({name for name, *_ in journals} | set(list_locks(folder))):
        with suppress(FolderInUse), writer_lock(folder, writer):
            for name, number, path in journals:
                if name == writer:
                    _seal_journal(folder, meta, path, shard_path(folder, name, number))


def _begin_writing(folder: Path, meta: FolderMeta, writer: str | None) -> tuple[str, int, ExitStack]:
    """Name of a writer, number of its next shard, and what holds the name.

    Raises:
        FolderInUse: an open writer has the name.
    """
    lock = ExitStack()
    with _disk_full_named(folder), folder_lock(folder):
        check_folder(folder, meta)
        prepare_folder(folder, meta)
        _seal_abandoned_journals(folder, meta)
        name = writer or _unused_name(folder)
        try:
            lock.enter_context(writer_lock(folder, name))
        except FolderInUse as error:
            raise FolderInUse(
                f"an open writer records into {folder} as {name!r}; give another name, or none"
            ) from error
        # Numbers of rows that damage has cost are not given again: labels may know them.
        numbers = [number for each, number, _ in _numbers_used(folder) if each == name]
    return name, max(numbers, default=-1) + 1, lock


def _numbers_used(folder: Path) -> list[tuple[str, int, Path]]:
    # A writer that was killed just now may have left a journal.
    return list_shards(folder) + list_damaged_journals(folder) + list_journals(folder)


def _unused_name(folder: Path) -> str:
    """The first of w0, w1, ... that no writer has or had; the folder is locked and holds no abandoned journals."""
    used = {name for name, *_ in _numbers_used(folder)} | set(list_locks(folder))
    return next(name for number in count() if (name := f"w{number}") not in used)


def _disk_full_named(folder: Path) -> AbstractContextManager[None]:
    return disk_full_named(folder, "every interaction that was acknowledged before is whole and readable")


def _check_arguments(split: str, writer: str | None, rows_per_shard: int) -> None:
    check_choice("split", split, SPLITS)
    if writer is not None and not (isinstance(writer, str) and _NAME.fullmatch(writer)):
        raise InvalidConfiguration(
            f"writer {shown(writer)} is no name; accepted are up to 64 letters, digits, '_' and '-', such as 'w0'"
        )
    check_value("rows_per_shard", rows_per_shard, Count)


def _return_freed_memory() -> None:
    """Return freed memory to the system.

    Arrow keeps the 50 MB that a shard takes while it is written, and glibc's arenas, one for each encoding thread, keep
    20 MB more with every 50 interactions. It takes 2 ms. Other C libraries have no `malloc_trim`.
    """
    pa.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
