"""Our PNG encoder writes what other programs read."""

from __future__ import annotations

from typing import Any

import cv2
import imageio.v3 as iio
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from tabletop_interaction.envs.records.png import (
    decode_depths,
    decode_instances,
    decode_picture,
    encode_depths,
    encode_instances,
    encode_picture,
)
from tabletop_interaction.errors import UnreadableRecords


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 7, 3), (350, 430, 3)])
def test_other_libraries_decode_our_png_bit_by_bit(shape):
    picture = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    by_opencv = cv2.imdecode(np.frombuffer(encode_picture(picture), np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
    by_pillow = iio.imread(encode_picture(picture), extension=".png")
    np.testing.assert_array_equal(by_opencv, picture)
    np.testing.assert_array_equal(by_pillow, picture)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (350, 430)])
def test_other_libraries_decode_our_16_bits(shape: tuple[int, int]) -> None:
    ids = np.random.default_rng(0).integers(0, 2**16, shape, dtype=np.int32)
    by_opencv = cv2.imdecode(np.frombuffer(encode_instances(ids), np.uint8), cv2.IMREAD_UNCHANGED)
    by_pillow = iio.imread(encode_instances(ids), extension=".png")
    np.testing.assert_array_equal(by_opencv, ids)
    np.testing.assert_array_equal(by_pillow, ids)
    np.testing.assert_array_equal(decode_instances(encode_instances(ids)), ids)
    assert decode_instances(encode_instances(ids)).dtype == np.int32


@given(arrays(np.float32, (3, 4), elements=st.floats(0, 65.5, width=32)))
def test_depths_come_back_to_the_millimetre(depths: NDArray[np.float32]) -> None:
    read = decode_depths(encode_depths(depths))
    assert read.dtype == np.float32
    np.testing.assert_allclose(read, depths, atol=0.5005e-3)
    # What was read is written without another change.
    np.testing.assert_array_equal(decode_depths(encode_depths(read)), read)


def test_depths_are_stored_in_millimetres() -> None:
    png = encode_depths(np.array([[0.0, 0.7194, 65.535]], np.float32))
    assert iio.imread(png, extension=".png").tolist() == [[0, 719, 65535]]


@pytest.mark.parametrize(
    ("encode", "values", "message"),
    [
        (encode_depths, np.zeros((2, 2), np.float64), "float64; accepted is float32"),
        (encode_depths, np.full((2, 2), 66, np.float32), "go from 66000.0 to 66000.0; accepted are 0 to 65535"),
        (encode_depths, np.full((2, 2), np.nan, np.float32), "nan"),
        (encode_depths, np.zeros((2, 2, 1), np.float32), r"shape \(2, 2, 1\)"),
        (encode_instances, np.zeros((2, 2), np.int64), "int64; accepted is int32"),
        (encode_instances, np.full((2, 2), -1, np.int32), "go from -1 to -1"),
    ],
)
def test_what_16_bits_cannot_hold_is_refused(encode: Any, values: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        encode(values)


def test_a_picture_is_no_map_of_16_bits() -> None:
    with pytest.raises(UnreadableRecords, match="no PNG of 16-bit grey levels"):
        decode_depths(encode_picture(np.zeros((2, 2, 3), np.uint8)))


@pytest.mark.parametrize(
    ("png", "decode"),
    [
        (encode_picture(np.arange(60, dtype=np.uint8).reshape(4, 5, 3)), decode_picture),
        (encode_instances(np.arange(20, dtype=np.int32).reshape(4, 5)), decode_instances),
    ],
)
def test_every_flipped_bit_is_found(png: bytes, decode: Any) -> None:
    for place in range(8 * len(png)):
        damaged = bytearray(png)
        damaged[place // 8] ^= 1 << place % 8
        with pytest.raises(UnreadableRecords, match="damaged"):
            decode(bytes(damaged))
