"""Pictures, depths and instance maps as PNG.

Depths are stored as grey levels of 16 bits, in millimetres, 0 where nothing is seen; instance maps as ids of 16 bits.
Filter "up" and ISA-L's deflate take a quarter of OpenCV's encoding time at about the same size.

Source: W3C PNG specification, sections 5, 7, 9 and 11.
"""

import struct
from typing import Any

import cv2
import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

from tabletop_interaction.arrays import Bytes, Floats32, Ids, Picture
from tabletop_interaction.envs.observations import MAX_ID
from tabletop_interaction.errors import UnreadableRecords
from tabletop_interaction.ranges import check_picture

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_LEVEL = 1
_GREY, _RGB, _DEFLATE, _FILTERED_ROWS, _NOT_INTERLACED = 0, 2, 0, 0, 0
_MM_PER_M = 1000
_FILTER_UP = 2
# Length, kind and checksum of a chunk.
_CHUNK_FRAME_BYTES = 12


def encode_picture(picture: Picture) -> bytes:
    """PNG of a picture, uint8 (height, width, 3) RGB.

    Raises:
        ValueError: it has another shape or element type.
    """
    check_picture("picture", picture)
    height, width, _ = picture.shape
    return _encoded(picture.reshape(height, -1), width, bits=8, colour=_RGB)


def encode_depths(depths: Floats32) -> bytes:
    """PNG of depths, float32 (height, width), metres from 0 to 65.535, rounded to millimetres.

    Raises:
        ValueError: it has another shape or element type, or a value outside this range.
    """
    if depths.dtype != np.float32:
        raise ValueError(f"depths are {depths.dtype}; accepted is float32, metres")
    return _encoded_16_bits("depths", np.round(depths * _MM_PER_M))


def encode_instances(ids: Ids) -> bytes:
    """PNG of an instance map, int32 (height, width), ids from 0 to 65535.

    Raises:
        ValueError: it has another shape or element type, or a value outside this range.
    """
    if ids.dtype != np.int32:
        raise ValueError(f"instances are {ids.dtype}; accepted is int32")
    return _encoded_16_bits("instances", ids)


def decode_picture(png: bytes) -> Picture:
    """Inverse of `encode_picture`.

    Raises:
        UnreadableRecords: the bytes are no PNG, or one of its checksums does not hold.
    """
    picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR_RGB) if _is_whole(png) else None
    if picture is None:
        raise UnreadableRecords(f"a picture of {len(png)} bytes is no PNG or damaged; restore the shard from a copy")
    return np.asarray(picture, np.uint8)


def decode_depths(png: bytes) -> Floats32:
    """Depths float32 (height, width) in metres, as `encode_depths` rounded them; errors as `decode_picture`."""
    return (_decoded_16_bits(png) / _MM_PER_M).astype(np.float32)


def decode_instances(png: bytes) -> Ids:
    """Inverse of `encode_instances`; errors as `decode_picture`."""
    return _decoded_16_bits(png).astype(np.int32)


def _encoded_16_bits(what: str, values: NDArray[Any]) -> bytes:
    if values.ndim != 2 or not values.size:
        raise ValueError(f"{what} have shape {values.shape}; accepted is (height, width)")
    if not (values.min() >= 0 and values.max() <= MAX_ID):
        raise ValueError(f"{what} go from {values.min()} to {values.max()}; accepted are 0 to {MAX_ID}")
    height, width = values.shape
    return _encoded(values.astype(">u2").view(np.uint8).reshape(height, -1), width, bits=16, colour=_GREY)


def _decoded_16_bits(png: bytes) -> NDArray[np.uint16]:
    values = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED) if _is_whole(png) else None
    if values is None or values.dtype != np.uint16 or values.ndim != 2:
        raise UnreadableRecords(
            f"a map of {len(png)} bytes is no PNG of 16-bit grey levels, or damaged; restore the shard from a copy"
        )
    return np.asarray(values, np.uint16)


def _encoded(rows: Bytes, width: int, *, bits: int, colour: int) -> bytes:
    """PNG of rows of bytes, (height, bytes of a row)."""
    header = struct.pack(">IIBBBBB", width, len(rows), bits, colour, _DEFLATE, _FILTERED_ROWS, _NOT_INTERLACED)
    return b"".join(
        [
            _SIGNATURE,
            _chunk(b"IHDR", header),
            _chunk(b"IDAT", isal_zlib.compress(_differences_from_above(rows), _LEVEL)),
            _chunk(b"IEND", b""),
        ]
    )


def _is_whole(png: bytes) -> bool:
    """Whether the checksum of every chunk holds; OpenCV decodes damaged pictures too."""
    start, kind = len(_SIGNATURE), b""
    while png.startswith(_SIGNATURE) and kind != b"IEND" and start + _CHUNK_FRAME_BYTES <= len(png):
        (length,) = struct.unpack_from(">I", png, start)
        end = start + _CHUNK_FRAME_BYTES + length
        kind = png[start + 4 : start + 8]
        if isal_zlib.crc32(png[start + 4 : end - 4]).to_bytes(4, "big") != png[end - 4 : end]:
            return False
        start = end
    return kind == b"IEND"


def _differences_from_above(rows: Bytes) -> Bytes:
    """(height, 1 + bytes of a row): the number of the filter, then each byte minus the byte above it."""
    filtered = np.empty((rows.shape[0], rows.shape[1] + 1), np.uint8)
    filtered[:, 0] = _FILTER_UP
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    return filtered


def _chunk(kind: bytes, content: bytes) -> bytes:
    body = kind + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", isal_zlib.crc32(body))
