"""Frames: the rows of a journal, each with its length and checksums.

```
frame    mark, number of the row, length of the content, CRC-32 of the content, CRC-32 of these four; then the content
content  an Arrow IPC stream with one row; each frame has its own schema, so that a lost one costs no other row
```
Nothing is handed to Arrow before its checksum holds, because a damaged Arrow stream can end the process. After damage,
reading continues at the next whole frame.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import pyarrow as pa
from isal import isal_zlib

_MARK = b"\x93TTROW\r\n"
_HEADER = struct.Struct("<8sIQI")
_CHECK = struct.Struct("<I")
_HEADER_BYTES = _HEADER.size + _CHECK.size
_SEARCHED_BYTES = 1 << 20


@dataclass(frozen=True)
class WholeRow:
    """A whole row of a journal.

    Attributes:
        start, end: its extent in bytes.
        row: its one row.
        number: its number in the journal, from 0; -1 in journals of earlier versions.
    """

    start: int
    end: int
    row: pa.RecordBatch
    number: int = -1


@dataclass(frozen=True)
class Gap:
    """Bytes of a journal that hold no whole row.

    Attributes:
        start, end: its extent in bytes.
        torn: it is what remains of a row that was never acknowledged, because the writer was killed.
    """

    start: int
    end: int
    torn: bool


def frame_bytes(number: int, row: pa.RecordBatch) -> bytes:
    """The frame of a row."""
    content = row.schema.serialize().to_pybytes() + row.serialize().to_pybytes()
    header = _HEADER.pack(_MARK, number, len(content), isal_zlib.crc32(content))
    return header + _CHECK.pack(isal_zlib.crc32(header)) + content


def read_frames(file: BinaryIO) -> Iterator[WholeRow | Gap]:
    """All frames of a journal in order of their place, and the gaps between and after them."""
    start, size = 0, os.fstat(file.fileno()).st_size
    while start < size:
        if (frame := read_frame(file, start)) is not None:
            yield frame
            start = frame.end
            continue
        following = next((place for place in places_of(_MARK, file, start + 1) if read_frame(file, place)), None)
        yield Gap(start, following or size, torn=following is None and _is_cut_off(file, start, size))
        start = following or size


def read_frame(file: BinaryIO, start: int) -> WholeRow | None:
    """The frame at a place; None where no whole one is."""
    if (header := _read_header(file, start)) is None:
        return None
    number, length, crc = header
    end = start + _HEADER_BYTES + length
    # The length is compared first: a length beyond the end needs no memory.
    if end > os.fstat(file.fileno()).st_size:
        return None
    content = os.pread(file.fileno(), length, start + _HEADER_BYTES)
    if len(content) < length or isal_zlib.crc32(content) != crc:
        return None
    return WholeRow(start, end, pa.ipc.open_stream(pa.py_buffer(content)).read_next_batch(), number)


def places_of(mark: bytes, file: BinaryIO, start: int) -> Iterator[int]:
    """Places of some bytes in a file, from a place on."""
    while chunk := os.pread(file.fileno(), _SEARCHED_BYTES, start):
        found = chunk.find(mark)
        while found >= 0:
            yield start + found
            found = chunk.find(mark, found + 1)
        if len(chunk) < len(mark):
            return
        start += len(chunk) - len(mark) + 1


def _read_header(file: BinaryIO, start: int) -> tuple[int, int, int] | None:
    """(number, length, CRC) of the frame at a place; None where no whole header is."""
    header = os.pread(file.fileno(), _HEADER_BYTES, start)
    if len(header) < _HEADER_BYTES:
        return None
    mark, number, length, crc = _HEADER.unpack_from(header)
    (check,) = _CHECK.unpack_from(header, _HEADER.size)
    if mark != _MARK or check != isal_zlib.crc32(header[: _HEADER.size]):
        return None
    return number, length, crc


def _is_cut_off(file: BinaryIO, start: int, size: int) -> bool:
    """Whether a frame begins at a place and the file ends within it."""
    if size - start < _HEADER_BYTES:
        return True
    header = _read_header(file, start)
    return header is not None and start + _HEADER_BYTES + header[1] > size
