"""Picture files of every kind, for tests: a drawn picture, and TIFFs with any tags, which Pillow does not write."""

import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PilImage

ORIENTATION = 0x0112


def drawn(height: int = 24, width: int = 40) -> NDArray[np.uint8]:
    """A smooth picture (H, W, 3) without symmetry, with black and white in it."""
    rows, columns = np.mgrid[:height, :width] / np.array([height - 1, width - 1])[:, None, None]
    return np.stack([255 * rows, 255 * columns, 255 * rows * columns], axis=-1).round().astype(np.uint8)


def upright(stored: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Turn a stored picture upright, written from the EXIF standard: where row 0 and column 0 are in the scene."""
    turned = {
        1: stored,  # top, left
        2: stored[:, ::-1],  # top, right
        3: stored[::-1, ::-1],  # bottom, right
        4: stored[::-1],  # bottom, left
        5: stored.swapaxes(0, 1),  # left, top
        6: stored.swapaxes(0, 1)[:, ::-1],  # right, top
        7: stored.swapaxes(0, 1)[::-1, ::-1],  # right, bottom
        8: stored.swapaxes(0, 1)[::-1],  # left, bottom
    }
    return turned[orientation]


def exif(orientation: int) -> PilImage.Exif:
    """EXIF data with an orientation only."""
    made = PilImage.Exif()
    made[ORIENTATION] = orientation
    return made


def tiff(samples: NDArray[Any], photometric: int, tags: Mapping[int, Any] | None = None, bits: int = 0) -> bytes:
    """An uncompressed TIFF of one strip with the samples (H, W) or (H, W, channels) as they are, in their byte order.

    `tags` are 16-bit numbers, or tuples of them; `bits` are those of a sample if its array has another type.
    """
    channels = samples.shape[2] if samples.ndim == 3 else 1
    order = ">" if samples.dtype.byteorder == ">" else "<"
    entries: dict[int, Any] = {
        256: samples.shape[1],
        257: samples.shape[0],
        258: (bits or 8 * samples.itemsize,) * channels,
        259: 1,
        262: photometric,
        273: 8,
        277: channels,
        278: samples.shape[0],
        279: 0,
        **(tags or {}),
    }
    data = samples.tobytes()
    entries[279] = (len(data),)
    data += b"\0" * (len(data) % 2)
    directory, beyond = struct.pack(order + "H", len(entries)), b""
    behind = 8 + len(data) + 2 + 12 * len(entries) + 4
    for tag, value in sorted(entries.items()):
        kind, letter = (4, "L") if tag == 279 else (3, "H")
        values = value if isinstance(value, tuple) else (value,)
        packed = struct.pack(f"{order}{len(values)}{letter}", *values)
        if len(packed) > 4:
            packed, beyond = struct.pack(order + "L", behind + len(beyond)), beyond + packed
        directory += struct.pack(order + "HHL", tag, kind, len(values)) + packed.ljust(4, b"\0")
    magic = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "L", 8 + len(data))
    return magic + data + directory + b"\0\0\0\0" + beyond
