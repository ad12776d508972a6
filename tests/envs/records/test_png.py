"""Our PNG encoder writes what other programs read."""

from __future__ import annotations

import cv2
import imageio.v3 as iio
import numpy as np
import pytest

from tabletop_interaction.envs.records.png import decode_picture, encode_picture
from tabletop_interaction.errors import UnreadableRecords


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 7, 3), (350, 430, 3)])
def test_other_libraries_decode_our_png_bit_by_bit(shape):
    picture = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    by_opencv = cv2.imdecode(np.frombuffer(encode_picture(picture), np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
    by_pillow = iio.imread(encode_picture(picture), extension=".png")
    np.testing.assert_array_equal(by_opencv, picture)
    np.testing.assert_array_equal(by_pillow, picture)


def test_every_flipped_bit_of_a_picture_is_found() -> None:
    png = encode_picture(np.arange(60, dtype=np.uint8).reshape(4, 5, 3))
    for place in range(8 * len(png)):
        damaged = bytearray(png)
        damaged[place // 8] ^= 1 << place % 8
        with pytest.raises(UnreadableRecords, match="no PNG or damaged"):
            decode_picture(bytes(damaged))
