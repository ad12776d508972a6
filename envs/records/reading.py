"""Read interactions, in order or at random, from shards and journals.

Reading changes nothing, and others may write to the folder meanwhile. A row that is for a moment both in a shard and in
its journal is read once.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa

from tabletop_interaction.arrays import Ints
from tabletop_interaction.envs.records.folder import FolderMeta, list_journals, list_shards, read_meta, shard_path
from tabletop_interaction.envs.records.journal_rows import JournalRows, open_journal
from tabletop_interaction.envs.records.parquet import CheckedParquet, damage_named, open_parquet
from tabletop_interaction.envs.records.row import (
    Interaction,
    check_columns,
    interaction_from_row,
    picture_columns,
    small_columns,
)
from tabletop_interaction.errors import InvalidConfiguration, UnreadableRecords
from tabletop_interaction.files import AnyPath


def open_interactions(folder: AnyPath, columns: Sequence[str] | None = None) -> InteractionTable:
    """All interactions of a folder as it is now, for reading at random.

    Rows that damage to a journal has cost are counted in a warning; a damaged shard is an error.

    Args:
        columns: picture columns to read, e.g. `["view_0_before", "view_0_depth_before"]`; None reads all. The small
            columns are always read.

    Raises:
        UnreadableRecords: a shard or meta.json is damaged or newer than this reader, or there is no such folder.
        ForeignFolder: the folder does not hold interactions.
        InvalidConfiguration: there is no such picture column.
    """
    # Absolute, so that the table reads the same folder after os.chdir.
    folder = Path(folder).absolute()
    meta = read_meta(folder)
    all_pictures = picture_columns(meta.keys, meta.primitive)
    wanted = all_pictures if columns is None else tuple(columns)
    if unknown := [name for name in wanted if name not in all_pictures]:
        raise InvalidConfiguration(f"no picture column {unknown[0]!r}; accepted are {', '.join(all_pictures)}")
    # Journals first: a journal that is sealed meanwhile is then read twice instead of missed.
    journals = [journal for each in list_journals(folder) if (journal := _open_journal(folder, *each, meta))]
    sources: list[_Shard | _Journal] = [*(_open_shard(path, meta) for *_, path in list_shards(folder)), *journals]
    return InteractionTable(sources, _index_of(sources), [*small_columns(meta.primitive), *wanted])


def read_interactions(folder: AnyPath, columns: Sequence[str] | None = None) -> Iterator[Interaction]:
    """All interactions of a folder in order; arguments and errors as `open_interactions`."""
    return iter(open_interactions(folder, columns))


def count_interactions(folder: AnyPath) -> int:
    """Number of interactions in a folder; errors as `open_interactions`."""
    return len(open_interactions(folder, columns=()))


class InteractionTable:
    """Interactions by number, 0 to `len(table) - 1`, in a fixed order; made by `open_interactions`.

    Neighbours share a row group, which is read once when they are read in sequence. Not safe to use from two threads.
    Pickled tables read the same rows in other processes, also after a journal was sealed.
    """

    def __init__(self, sources: Sequence[_Shard | _Journal], index: Ints, columns: Sequence[str]) -> None:
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
        with damage_named(self._sources[source].path):
            return interaction_from_row(self._group(source, group).slice(row, 1).to_pylist()[0])

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

    file: CheckedParquet
    ids: Sequence[Sequence[str]]

    @property
    def path(self) -> Path:
        return self.file.path

    def read_group(self, group: int, columns: list[str]) -> pa.Table:
        # Opened for each group, so that a thousand shards need no open files; the footer in memory makes this cheap.
        return self.file.read(columns, [group])


@dataclass(frozen=True)
class _Journal:
    """An open journal, each row a group of its own; `ids` are by row group and row, `shard` is what it becomes."""

    rows: JournalRows
    shard: Path
    ids: Sequence[Sequence[str]]

    @property
    def path(self) -> Path:
        return self.rows.path

    def read_group(self, group: int, columns: list[str]) -> pa.Table:
        try:
            return pa.Table.from_batches([self.rows.read(group)]).select(columns)
        except FileNotFoundError:
            return self._read_sealed(self.rows.ids[group], columns)

    def _read_sealed(self, row_id: str, columns: list[str]) -> pa.Table:
        try:
            shard = _open_shard(self.shard)
            group, row = next((n, ids.index(row_id)) for n, ids in enumerate(shard.ids) if row_id in ids)
        except (FileNotFoundError, StopIteration):
            raise UnreadableRecords(
                f"{self.rows.path} and its row {row_id} were removed since the folder was opened; open it again"
            ) from None
        return shard.read_group(group, columns).slice(row, 1)


def _open_journal(folder: Path, writer: str, number: int, path: Path, meta: FolderMeta) -> _Journal | None:
    """Open a journal, and warn when rows of it are lost; None when it was sealed meanwhile."""
    try:
        rows = open_journal(path, meta)
    except FileNotFoundError:
        return None
    if rows.damage is not None:
        warnings.warn(
            f"{path} is damaged; rows read: {len(rows.ids)}, rows lost: {rows.damage}; restore it from a copy, or "
            "record into the folder to seal its whole rows",
            stacklevel=2,
        )
    return _Journal(rows, shard_path(folder, writer, number), [[row_id] for row_id in rows.ids])


def _open_shard(path: Path, meta: FolderMeta | None = None) -> _Shard:
    file = open_parquet(path)
    if meta is not None:
        check_columns(file.schema, meta, path)
    sizes = file.group_sizes
    with damage_named(path):
        ids = file.read(["interaction_id"])["interaction_id"].to_pylist()
        if len(ids) != sum(sizes):
            raise ValueError(f"it has {len(ids)} of {sum(sizes)} ids")
    rest = iter(ids)
    return _Shard(file, [list(islice(rest, size)) for size in sizes])


def _index_of(sources: Sequence[_Shard | _Journal]) -> Ints:
    """(rows, 3): source, group and row of the first occurrence of every interaction."""
    seen: dict[str, tuple[int, int, int]] = {}
    for number, source in enumerate(sources):
        for group, ids in enumerate(source.ids):
            for row, interaction_id in enumerate(ids):
                seen.setdefault(interaction_id, (number, group, row))
    return np.array(list(seen.values()), np.int64).reshape(-1, 3)
