"""Read interactions, in order or at random, from shards and journals.

Reading changes nothing, and others may write to the folder meanwhile. A row that is for a moment both in a shard and in
its journal is read once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tabletop_interaction.arrays import Ints
from tabletop_interaction.envs.records.folder import SCHEMA_VERSION, list_journals, list_shards, read_meta
from tabletop_interaction.envs.records.row import SMALL_COLUMNS, Interaction, interaction_from_row, picture_columns
from tabletop_interaction.errors import InvalidConfiguration, UnreadableRecords
from tabletop_interaction.files import AnyPath


def open_interactions(folder: AnyPath, columns: Sequence[str] | None = None) -> InteractionTable:
    """All interactions of a folder as it is now, for reading at random.

    Args:
        columns: picture columns to read, e.g. `["view_0_before", "view_0_held"]`; None reads all. The small columns
            are always read.

    Raises:
        UnreadableRecords: a shard is damaged or newer than this reader, or there is no such folder.
        ForeignFolder: the folder does not hold interactions.
        InvalidConfiguration: there is no such picture column.
    """
    folder = Path(folder)
    all_pictures = picture_columns(read_meta(folder).views)
    wanted = all_pictures if columns is None else tuple(columns)
    if unknown := [name for name in wanted if name not in all_pictures]:
        raise InvalidConfiguration(f"no picture column {unknown[0]!r}; accepted are {', '.join(all_pictures)}")
    # Journals first: a journal that is sealed meanwhile is then read twice instead of missed, and an open file can be
    # read after its name is removed.
    journals = [journal for *_, path in list_journals(folder) if (journal := _open_journal(path))]
    sources: list[_Shard | _JournalRows] = [*(_open_shard(path) for *_, path in list_shards(folder)), *journals]
    return InteractionTable(sources, _index_of(sources), [*SMALL_COLUMNS, *wanted])


def read_interactions(folder: AnyPath, columns: Sequence[str] | None = None) -> Iterator[Interaction]:
    """All interactions of a folder in order; arguments and errors as `open_interactions`."""
    return iter(open_interactions(folder, columns))


def count_interactions(folder: AnyPath) -> int:
    """Number of interactions in a folder; errors as `open_interactions`."""
    return len(open_interactions(folder, columns=()))


class InteractionTable:
    """Interactions by number, 0 to `len(table) - 1`, in a fixed order; made by `open_interactions`.

    Neighbours share a row group, which is read once when they are read in sequence. Not safe to use from two threads.
    """

    def __init__(self, sources: Sequence[_Shard | _JournalRows], index: Ints, columns: Sequence[str]) -> None:
        self._sources = sources
        self._index = index
        self._columns = list(columns)
        self._last_group: tuple[tuple[int, int], pa.Table] | None = None

    def __len__(self) -> int:
        return len(self._index)

    def __getitem__(self, number: int) -> Interaction:
        """The `number`-th interaction; negative numbers count from the end.

        Raises:
            IndexError: there is no such number.
            UnreadableRecords: its shard is damaged.
        """
        if not -len(self) <= number < len(self):
            raise IndexError(f"there is no interaction {number} among {len(self)}")
        source, group, row = (int(value) for value in self._index[number])
        table = self._group(source, group)
        return interaction_from_row(table.slice(row, 1).to_pylist()[0])

    @property
    def ids(self) -> list[str]:
        """Interaction ids by number; reads no row."""
        return [self._sources[source].ids[group][row] for source, group, row in self._index.tolist()]

    def __iter__(self) -> Iterator[Interaction]:
        return (self[number] for number in range(len(self)))

    def _group(self, source: int, group: int) -> pa.Table:
        if self._last_group is None or self._last_group[0] != (source, group):
            self._last_group = (source, group), self._sources[source].read_group(group, self._columns)
        return self._last_group[1]


@dataclass(frozen=True)
class _Shard:
    """A Parquet file; `ids` are by row group and row."""

    path: Path
    footer: pq.FileMetaData
    ids: Sequence[Sequence[str]]

    def read_group(self, group: int, columns: list[str]) -> pa.Table:
        # Opened for each group, so that a thousand shards need no open files; the footer in memory makes this cheap.
        with _damage_named(self.path), pq.ParquetFile(self.path, metadata=self.footer, memory_map=True) as file:
            return file.read_row_group(group, columns=columns)


@dataclass(frozen=True)
class _JournalRows:
    """An open journal; each row is a group of its own, at `extents` in bytes."""

    file: pa.OSFile
    schema: pa.Schema | None
    extents: Sequence[tuple[int, int]]
    ids: Sequence[Sequence[str]]

    def read_group(self, group: int, columns: list[str]) -> pa.Table:
        start, end = self.extents[group]
        message = pa.ipc.read_message(pa.py_buffer(self.file.read_at(end - start, start)))
        return pa.Table.from_batches([pa.ipc.read_record_batch(message, self.schema)]).select(columns)


def journal_rows(file: pa.NativeFile, path: Path) -> Iterator[tuple[tuple[int, int], pa.RecordBatch]]:
    """((start, end) in bytes, row) of every whole row of a journal, up to a torn tail.

    Raises:
        UnreadableRecords: the journal has an unknown schema version.
    """
    if (schema := _whole(lambda: pa.ipc.read_schema(file))) is None:
        return
    _check_version(schema.metadata, path)
    start = file.tell()
    while (row := _whole(lambda: pa.ipc.read_record_batch(pa.ipc.read_message(file), schema))) is not None:
        yield (start, file.tell()), row
        start = file.tell()


def _whole(read: Callable[[], Any]) -> Any:
    """The result of `read`, or None at a torn tail."""
    try:
        return read()
    except (EOFError, pa.ArrowInvalid):
        return None
    except OSError as error:
        # With an error number the disk fails; without one Arrow found too few bytes.
        if error.errno:
            raise
        return None


def _open_journal(path: Path) -> _JournalRows | None:
    """Open a journal; None when it was sealed meanwhile."""
    try:
        file = pa.OSFile(str(path))
    except FileNotFoundError:
        return None
    extents, ids, schema = [], [], None
    for extent, row in journal_rows(file, path):
        extents.append(extent)
        ids.append(row.column("interaction_id").to_pylist())
        schema = row.schema
    return _JournalRows(file, schema, extents, ids)


def _open_shard(path: Path) -> _Shard:
    with _damage_named(path), pq.ParquetFile(path, memory_map=True) as file:
        _check_version(file.schema_arrow.metadata, path)
        ids = iter(file.read(columns=["interaction_id"])["interaction_id"].to_pylist())
        sizes = [file.metadata.row_group(group).num_rows for group in range(file.metadata.num_row_groups)]
        return _Shard(path, file.metadata, [list(islice(ids, size)) for size in sizes])


def _index_of(sources: Sequence[_Shard | _JournalRows]) -> Ints:
    """(rows, 3): source, group and row of the first occurrence of every interaction."""
    seen: dict[str, tuple[int, int, int]] = {}
    for number, source in enumerate(sources):
        for group, ids in enumerate(source.ids):
            for row, interaction_id in enumerate(ids):
                seen.setdefault(interaction_id, (number, group, row))
    return np.array(list(seen.values()), np.int64).reshape(-1, 3)


def _check_version(metadata: Mapping[bytes, bytes] | None, path: Path) -> None:
    version = (metadata or {}).get(b"schema_version", b"none").decode()
    if version not in {str(known) for known in range(1, SCHEMA_VERSION + 1)}:
        raise UnreadableRecords(
            f"{path} has schema version {version}; accepted are 1 to {SCHEMA_VERSION}; install a newer "
            "tabletop-interaction to read it"
        )


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        if getattr(error, "errno", None):
            raise
        raise UnreadableRecords(
            f"{path} is damaged ({error}); restore it from a copy, or move it out of the folder to read the rest"
        ) from error
