"""Journals of earlier versions: an Arrow IPC stream without checksums.

Lengths are compared with the file before Arrow reads a message, and a row is validated before its values are used; with
both, no damaged byte ended the process in a test of all of them. Damage within a row's values cannot be found.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import BinaryIO

import pyarrow as pa

from tabletop_interaction.envs.records.frames import Gap, WholeRow, places_of

_MARK = b"\xff\xff\xff\xff"
_PREFIX = struct.Struct("<4si")


def read_unframed(file: BinaryIO, schema: pa.Schema) -> Iterator[WholeRow | Gap]:
    """All rows of a journal in order of their place, and the gaps between and after them.

    An incomplete last row counts as a gap that is not torn: a killed writer left it, or damage to a length.

    Args:
        schema: columns of the rows; the one in the journal may be damaged.
    """
    size = os.fstat(file.fileno()).st_size
    start = 0 if (begin := _end_of_schema(file)) is None else begin
    while start < size:
        if (row := read_unframed_row(file, start, schema)) is not None:
            yield row
            start = row.end
            continue
        places = (place for place in places_of(_MARK, file, start + 1) if read_unframed_row(file, place, schema))
        following = next(places, None)
        yield Gap(start, following or size, torn=False)
        start = following or size


def read_unframed_row(file: BinaryIO, start: int, schema: pa.Schema) -> WholeRow | None:
    """The row at a place; None where no whole one is."""
    try:
        if (found := _message(file, start)) is None or found[0].type != "record batch":
            return None
        message, end = found
        row = pa.ipc.read_record_batch(message, schema)
        row.validate(full=True)
    except (pa.ArrowException, OSError):
        return None
    return WholeRow(start, end, row) if row.num_rows == 1 else None


def _end_of_schema(file: BinaryIO) -> int | None:
    try:
        found = _message(file, 0)
    except (pa.ArrowException, OSError):
        return None
    return found[1] if found is not None and found[0].type == "schema" else None


def _message(file: BinaryIO, start: int) -> tuple[pa.ipc.Message, int] | None:
    """The message at a place and its end; None where its lengths do not fit the file."""
    prefix = os.pread(file.fileno(), _PREFIX.size, start)
    if len(prefix) < _PREFIX.size:
        return None
    mark, length = _PREFIX.unpack(prefix)
    left = os.fstat(file.fileno()).st_size - start - _PREFIX.size
    if mark != _MARK or length <= 0 or length % 8 or length > left:
        return None
    with pa.memory_map(file.name) as mapped:
        mapped.seek(start)
        message = pa.ipc.read_message(mapped.read_buffer(_PREFIX.size + left))
    return message, start + _PREFIX.size + length + message.body.size
