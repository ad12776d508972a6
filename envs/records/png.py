"""Fast PNG encoder: filter "up" and ISA-L's deflate take a quarter of OpenCV's time at about the same size."""

from __future__ import annotations

import struct

import numpy as np
from isal import isal_zlib

from tabletop_interaction.arrays import Bytes, Picture

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_LEVEL = 1
_BITS, _RGB, _DEFLATE, _FILTERED_ROWS, _NOT_INTERLACED = 8, 2, 0, 0, 0
_FILTER_UP = 2


def encode_png(picture: Picture) -> bytes:
    """PNG of a picture, uint8 (height, width, 3) RGB (W3C PNG specification, sections 5, 9 and 11)."""
    height, width, _ = picture.shape
    header = struct.pack(">IIBBBBB", width, height, _BITS, _RGB, _DEFLATE, _FILTERED_ROWS, _NOT_INTERLACED)
    return b"".join(
        [
            _SIGNATURE,
            _chunk(b"IHDR", header),
            _chunk(b"IDAT", isal_zlib.compress(_differences_from_above(picture), _LEVEL)),
            _chunk(b"IEND", b""),
        ]
    )


def _differences_from_above(picture: Picture) -> Bytes:
    """(height, 1 + 3 width): the number of the filter, then each byte minus the byte above it."""
    rows = picture.reshape(len(picture), -1)
    filtered = np.empty((rows.shape[0], rows.shape[1] + 1), np.uint8)
    filtered[:, 0] = _FILTER_UP
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    return filtered


def _chunk(kind: bytes, content: bytes) -> bytes:
    body = kind + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", isal_zlib.crc32(body))
