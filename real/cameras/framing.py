"""Crop and scale a camera's full picture to a view's picture.

The lens distortion stays in the picture and in the view: it is a property of rays, which cropping and scaling do not
change, so only the intrinsics are adapted. Undistorting the picture would resample it a second time. Pixels are (x, y)
with integer coordinates at pixel centres, as in `views`.
"""

from dataclasses import dataclass
from typing import Annotated

import cv2
import numpy as np
from msgspec import Meta

from tabletop_interaction.arrays import Floats, Picture
from tabletop_interaction.envs.views import View
from tabletop_interaction.errors import CalibrationRejected

_MARGIN = 0.02


@dataclass(frozen=True)
class ViewCrop:
    """Columns left to left + width - 1 and rows top to top + height - 1 of a camera's full picture, pixels."""

    left: Annotated[int, Meta(ge=0)]
    top: Annotated[int, Meta(ge=0)]
    width: Annotated[int, Meta(ge=1)]
    height: Annotated[int, Meta(ge=1)]


def crop_around(pixels: Floats, full_width: int, full_height: int, width: int, height: int) -> ViewCrop:
    """The smallest rectangle of the proportions width x height around pixels (N, 2), inside the full picture.

    The margin on each side is 2 % of the rectangle, less at the border of the full picture.

    Raises:
        CalibrationRejected: no such rectangle inside the full picture contains all pixels.
    """
    low, high = pixels.min(axis=0) - 0.5, pixels.max(axis=0) + 0.5
    extent = high - low
    largest = min(full_width / width, full_height / height)
    scale = min(float((extent / (width, height)).max()) / (1 - 2 * _MARGIN), largest)
    size = np.array([width, height]) * scale
    space = np.array([full_width, full_height]) - size
    corner = np.clip((low + high - size) / 2 + 0.5, 0, space)
    if (low + 0.5 < corner - 0.5).any() or (high + 0.5 > corner + size + 0.5).any():
        raise CalibrationRejected(
            f"the arena reaches from x {low[0]:.0f} to {high[0]:.0f} and y {low[1]:.0f} to {high[1]:.0f}; no crop of "
            f"the {full_width} x {full_height} px picture with the proportions {width} x {height} contains it; move "
            "the camera back or turn it to the arena's centre"
        )
    left, top = np.floor(corner).astype(int)
    return ViewCrop(int(left), int(top), min(round(size[0]), full_width - left), min(round(size[1]), full_height - top))


def take_crop(image: Picture, crop: ViewCrop, width: int, height: int) -> Picture:
    """The rectangle of a picture scaled to width x height, uint8 (height, width, 3)."""
    cut = image[crop.top : crop.top + crop.height, crop.left : crop.left + crop.width]
    shrinks = crop.width > width
    scaled = cv2.resize(cut, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return np.asarray(scaled, np.uint8)


def crop_intrinsics(intrinsics: Floats, crop: ViewCrop, width: int, height: int) -> Floats:
    """Intrinsics (3, 3) of the picture that `take_crop` makes, from those of the full picture.

    A point at x in the full picture maps to (x - left + 1/2) * width / crop.width - 1/2, and y with top and height.
    """
    scale_x, scale_y = width / crop.width, height / crop.height
    view_from_full = np.array(
        [
            [scale_x, 0, (0.5 - crop.left) * scale_x - 0.5],
            [0, scale_y, (0.5 - crop.top) * scale_y - 0.5],
            [0, 0, 1],
        ]
    )
    return np.asarray(view_from_full @ intrinsics, np.float64)


def framed_view(full: View, crop: ViewCrop, width: int, height: int) -> View:
    """The view of the pictures that `take_crop` makes, from the view of the camera's full picture."""
    intrinsics = crop_intrinsics(full.intrinsics, crop, width, height)
    return View(full.name, height, width, intrinsics, full.camera_from_arena, full.distortion)
