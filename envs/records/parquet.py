"""Parquet files in which every damaged byte is found before its values are used.

Parquet's own checksums cover its pages, but neither their headers nor the footer, and headers with a flipped bit give
wrong rows or end the process. A table of CRC-32 therefore stands where readers of Parquet do not look:

```
rows     column by column, as Parquet stores them; pages have Parquet's checksums, for other readers
table    start, size and CRC of each column in each row group
tail     number of columns in the table, CRC of table and footer, mark
footer   as Parquet stores it, with its length and "PAR1"
```
Files without the table, from earlier versions or other software, are read with the checksums that their pages have.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from isal import isal_zlib
from numpy.typing import NDArray

from tabletop_interaction.errors import TabletopError, UnreadableRecords

_ENTRY = np.dtype([("start", "<u8"), ("size", "<u8"), ("crc", "<u4")])
_MARK = b"\x93TTCRC\r\n"
_TAIL = struct.Struct("<II8s")
_END = struct.Struct("<I4s")
_PARQUET = b"PAR1"
# Names the table in the footer as well, so that damage to the mark does not pass for an earlier version.
_KEY, _KIND = "tabletop_checksums", "crc32"
_SEARCHED_BYTES = 1 << 20


@dataclass(frozen=True)
class CheckedParquet:
    """An open Parquet file; holds its footer and checksums, but no descriptor.

    Attributes:
        path: the file.
        footer: its footer, whose checksum held.
        schema: columns and metadata.
        checksums: (row groups, columns) start, size and CRC; None in a file without them.
    """

    path: Path
    footer: pq.FileMetaData
    schema: pa.Schema
    checksums: NDArray[Any] | None

    @property
    def group_sizes(self) -> list[int]:
        """Number of rows of each row group."""
        return [self.footer.row_group(group).num_rows for group in range(self.footer.num_row_groups)]

    def read(self, columns: Sequence[str], groups: Sequence[int] | None = None) -> pa.Table:
        """Some columns of some row groups, by default of all.

        Raises:
            UnreadableRecords: they are damaged, or there is no such column.
        """
        chosen = range(self.footer.num_row_groups) if groups is None else groups
        with damage_named(self.path), pa.memory_map(str(self.path)) as file:
            self._check(file, columns, chosen)
            # Ours cost less time than those of the pages and cover more.
            with pq.ParquetFile(
                file, metadata=self.footer, page_checksum_verification=self.checksums is None
            ) as parquet:
                return parquet.read_row_groups(list(chosen), columns=list(columns))

    def _check(self, file: pa.NativeFile, columns: Sequence[str], groups: Iterable[int]) -> None:
        names = self.schema.names
        if missing := [name for name in columns if name not in names]:
            raise UnreadableRecords(f"{self.path} has no column {missing[0]!r}; it belongs to another folder")
        if self.checksums is None:
            return
        places = [names.index(name) for name in columns]
        for start, size, crc in self.checksums[np.ix_(list(groups), places)].ravel().tolist():
            file.seek(start)
            if isal_zlib.crc32(file.read_buffer(size)) != crc:
                raise ValueError(f"the checksum of bytes {start} to {start + size} does not hold")


def write_parquet(path: Path, schema: pa.Schema, groups: Iterable[pa.Table], **options: Any) -> None:
    """Write a row group for each table, with checksums; `options` as for `pyarrow.parquet.ParquetWriter`."""
    named = schema.with_metadata({**(schema.metadata or {}), _KEY: _KIND})
    with pq.ParquetWriter(path, named, write_page_checksum=True, **options) as file:
        for table in groups:
            file.write_table(table.cast(named), row_group_size=len(table))
    _add_checksums(path)


def open_parquet(path: Path) -> CheckedParquet:
    """Open a Parquet file and check its footer.

    Raises:
        UnreadableRecords: it is damaged.
    """
    with damage_named(path), pa.memory_map(str(path)) as file:
        table = _checksum_table(file)
        footer = pq.read_metadata(file)
        is_named = (footer.metadata or {}).get(_KEY.encode()) == _KIND.encode()
        if table is None and is_named:
            raise ValueError("its checksums are missing")
        schema = footer.schema.to_arrow_schema()
        checksums = None if table is None else table.reshape(footer.num_row_groups, len(schema))
        return CheckedParquet(path, footer, schema, checksums)


@contextmanager
def damage_named(path: Path) -> Iterator[None]:
    """Raise UnreadableRecords in place of what libraries raise for a damaged file."""
    try:
        yield
    except TabletopError:
        raise
    except (pa.ArrowException, OSError, ValueError, TypeError, LookupError, OverflowError, MemoryError) as error:
        if getattr(error, "errno", None):
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UnreadableRecords(
            f"{path} is damaged ({reason}); restore it from a copy, or move it out of the folder to read the rest"
        ) from error


def _add_checksums(path: Path) -> None:
    """Insert table and tail before the footer; offsets in the footer stay valid."""
    with open(path, "r+b") as file:
        content_end, footer = _footer_of(file)
        table = _extents(pq.read_metadata(path))
        for entry in table:
            file.seek(entry["start"])
            entry["crc"] = isal_zlib.crc32(file.read(entry["size"]))
        file.seek(content_end)
        file.write(table.tobytes() + _tail(table.tobytes(), footer) + footer)


def _footer_of(file: Any) -> tuple[int, bytes]:
    """Start of the footer, and its bytes up to the end of the file."""
    size = file.seek(0, 2)
    file.seek(size - _END.size)
    length, _ = _END.unpack(file.read(_END.size))
    start = size - _END.size - length
    file.seek(start)
    return start, file.read()


def _extents(footer: pq.FileMetaData) -> NDArray[Any]:
    """(row groups x columns,) start and size of each column, whose leaves follow each other; the CRC is zero."""
    return np.array(
        [extent for group in range(footer.num_row_groups) for extent in _group_extents(footer.row_group(group))],
        _ENTRY,
    )


def _group_extents(group: pq.RowGroupMetaData) -> list[tuple[int, int, int]]:
    extents: dict[str, tuple[int, int]] = {}
    for number in range(group.num_columns):
        leaf = group.column(number)
        start = min(leaf.data_page_offset, leaf.dictionary_page_offset or leaf.data_page_offset)
        name = leaf.path_in_schema.partition(".")[0]
        first, _ = extents.get(name, (start, 0))
        extents[name] = first, start + leaf.total_compressed_size
    return [(start, end - start, 0) for start, end in extents.values()]


def _tail(table: bytes, footer: bytes) -> bytes:
    count = len(table) // _ENTRY.itemsize
    return _TAIL.pack(count, isal_zlib.crc32(footer, isal_zlib.crc32(table)), _MARK)


def _checksum_table(file: pa.NativeFile) -> NDArray[Any] | None:
    """(row groups x columns,) the table of a file, whose checksum holds; None in a file without one.

    Raises:
        ValueError: table or footer are damaged.
    """
    size = file.size()
    end = _bytes_at(file, size - _END.size, _END.size)
    length, magic = _END.unpack(end)
    tail_start = size - _END.size - length - _TAIL.size
    if magic != _PARQUET or tail_start < 0:
        raise ValueError("it does not end as a Parquet file")
    count, _, mark = _TAIL.unpack(_bytes_at(file, tail_start, _TAIL.size))
    if mark != _MARK:
        # A length with a flipped bit leads elsewhere.
        searched = min(size, _SEARCHED_BYTES)
        if _MARK in _bytes_at(file, size - searched, searched):
            raise ValueError("the length of its footer is wrong")
        return None
    start = tail_start - count * _ENTRY.itemsize
    if start < 0:
        raise ValueError("its table of checksums is too long")
    table = _bytes_at(file, start, count * _ENTRY.itemsize)
    footer = _bytes_at(file, tail_start + _TAIL.size, size)
    if _tail(table, footer) != _bytes_at(file, tail_start, _TAIL.size):
        raise ValueError("the checksum of its footer does not hold")
    return np.frombuffer(table, _ENTRY)


def _bytes_at(file: pa.NativeFile, start: int, size: int) -> bytes:
    if start < 0:
        raise ValueError("it is too short")
    file.seek(start)
    return bytes(file.read(size))
