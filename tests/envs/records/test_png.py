"""Our PNG encoder writes what other programs read."""

from __future__ import annotations

import cv2
import imageio.v3 as iio
import numpy as np
import pytest

from tabletop_interaction.envs.records.png import encode_picture


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 7, 3), (350, 430, 3)])
def test_other_libraries_decode_our_png_bit_by_bit(shape):
    picture = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    by_opencv = cv2.imdecode(np.frombuffer(encode_picture(picture), np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
    by_pillow = iio.imread(encode_picture(picture), extension=".png")
    np.testing.assert_array_equal(by_opencv, picture)
    np.testing.assert_array_equal(by_pillow, picture)
