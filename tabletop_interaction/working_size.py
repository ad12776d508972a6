"""The size of pictures for which lengths and areas in pixels are meant: a longer side of 430 px, as 350 x 430.

Pictures of cameras with another size are resized to it before they are compared or segmented, and masks are resized
back. Pixels are (x, y) with integer coordinates at pixel centres.
"""

import cv2
import numpy as np

from tabletop_interaction.arrays import Floats, Mask, Picture

WORKING_SIDE = 430
"""Longer side, pixels."""


def size_scale(height: int, width: int) -> float:
    """Lengths in a picture of this size, relative to those in one of working size."""
    return max(height, width) / WORKING_SIDE


def at_longer_side(picture: Picture, longer_side: int = WORKING_SIDE) -> Picture:
    """A picture (H, W, 3) resized so that its longer side has so many pixels; itself where it has."""
    height, width = picture.shape[:2]
    ratio = longer_side / max(height, width)
    size = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    if size == (width, height):
        return picture
    interpolation = cv2.INTER_AREA if ratio < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, size, interpolation=interpolation), np.uint8)


def resized_points(points_xy: Floats, before: tuple[int, ...], after: tuple[int, ...]) -> Floats:
    """Pixels (..., 2) x, y of a picture of shape `before` in the picture resized to the shape `after`."""
    scale = np.array([after[1] / before[1], after[0] / before[0]])
    return np.asarray((points_xy + 0.5) * scale - 0.5)


def resized_mask(mask: Mask, shape: tuple[int, ...]) -> Mask:
    """A mask bool resized to the height and width of a shape."""
    height, width = shape[:2]
    interpolation = cv2.INTER_AREA if width < mask.shape[1] else cv2.INTER_LINEAR
    grey = cv2.resize(mask.astype(np.uint8) * 255, (width, height), interpolation=interpolation)
    return np.asarray(grey > 127)
