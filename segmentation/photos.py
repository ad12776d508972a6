"""Photos of any size: read them, and find objects at the scale that the network is trained for.

Training pictures have a longer side of 430 px, and an object spans a tenth to a half of it. A photo is shrunk or
enlarged to such a side, and its masks are resized back to its own pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import cv2
import imageio.v3 as iio
import numpy as np
from PIL import Image as PilImage

from tabletop_interaction.arrays import Mask, Picture
from tabletop_interaction.errors import InvalidPicture
from tabletop_interaction.ranges import check_range
from tabletop_interaction.segmentation.coco import Detections
from tabletop_interaction.segmentation.rle import Rle, rle_from_mask, rle_from_part

if TYPE_CHECKING:
    from tabletop_interaction.segmentation.proposals import Segments

LONGER_SIDE = 430
"""Longer side of the pictures that the networks are trained on, pixels."""

_UNREADABLE = (OSError, ValueError, SyntaxError, PilImage.DecompressionBombError)


class PictureSegmenter(Protocol):
    """Finds objects in a picture (H, W, 3) uint8 RGB, as a `Segmenter` does."""

    def segment(self, image: Picture) -> Segments:
        """Return the objects, best first."""
        ...


def check_pictures(paths: Sequence[Path]) -> None:
    """Check the headers of picture files.

    Raises:
        InvalidPicture: no file is given, or one is missing, a folder or not a picture.
    """
    if not paths:
        raise InvalidPicture("no picture was given; name at least one file")
    for path in paths:
        if path.is_dir():
            raise InvalidPicture(f"{path} is a folder; name the pictures in it, such as {path}/*.jpg")
        if not path.is_file():
            raise InvalidPicture(f"{path} does not exist; name a picture file")
        try:
            iio.improps(path, plugin="pillow")
        except _UNREADABLE as error:
            raise _unreadable(path, error) from None


def read_picture(path: Path, *, upright: bool) -> Picture:
    """Read a picture as uint8 (H, W, 3) RGB, without transparency, of an animation the first frame.

    Grey of 16 bits becomes 8 bits, 65535 becomes 255; Pillow would clip it to white.

    Args:
        path: any format that Pillow reads.
        upright: rotate it as its camera says; otherwise pixels are as stored.

    Raises:
        InvalidPicture: it cannot be decoded.
    """
    try:
        if _is_deep(path):
            grey = iio.imread(path, plugin="pillow", index=0, rotate=upright).astype(np.uint32)
            return np.repeat(((grey + 128) // 257).astype(np.uint8)[..., None], 3, axis=-1)
        picture = iio.imread(path, plugin="pillow", index=0, mode="RGB", rotate=upright)
    except _UNREADABLE as error:
        raise _unreadable(path, error) from None
    return np.ascontiguousarray(picture, np.uint8)


def check_longer_side(longer_side: int) -> None:
    """Raise InvalidPicture outside 64 to 4096 px."""
    check_range("longer side", longer_side, 64, 4096, unit="px", error=InvalidPicture)


def detect(segmenter: PictureSegmenter, image: Picture, longer_side: int = LONGER_SIDE) -> Detections:
    """Find the objects of a picture of any size, as masks of its own size.

    Args:
        segmenter: finds the objects.
        image: (H, W, 3) uint8 RGB.
        longer_side: pixels to which the longer side is resized first; objects should then be 40 to 200 px long. Twice
            the default finds objects that are small in their picture, at four times the cost.

    Raises:
        InvalidPicture: the side is outside 64 to 4096 px.
        ValueError: the picture is not as described.
    """
    check_longer_side(longer_side)
    height, width = image.shape[:2]
    ratio = longer_side / max(height, width)
    size = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    if size != (width, height):
        interpolation = cv2.INTER_AREA if ratio < 1 else cv2.INTER_CUBIC
        image = np.asarray(cv2.resize(image, size, interpolation=interpolation), np.uint8)
    segments = segmenter.segment(image)
    # Masks are resized one at a time to save memory.
    rles = [_resized_rle(mask, (width, height)) for mask in segments.masks]
    kept = [index for index, rle in enumerate(rles) if rle.area > 0]
    return Detections(tuple(rles[index] for index in kept), segments.scores[kept].astype(np.float64))


def coco_results(image_id: int, file_name: str, detections: Detections) -> list[dict[str, Any]]:
    """Return detections in COCO's results format, which `COCO.loadRes` reads, with the file name in addition."""
    return [
        {
            "image_id": image_id,
            "file_name": file_name,
            "category_id": 1,
            "segmentation": rle.to_coco(),
            "bbox": list(rle.box_xywh),
            "score": score,
        }
        for rle, score in zip(detections.rles, detections.scores.tolist(), strict=True)
    ]


def _resized_rle(mask: Mask, size: tuple[int, int]) -> Rle:
    """Resize a mask to a size (width, height)."""
    width, height = size
    if mask.shape == (height, width):
        return rle_from_mask(mask)
    if width <= mask.shape[1] or not mask.any():
        grey = cv2.resize(mask.astype(np.uint8) * 255, size, interpolation=cv2.INTER_AREA)
        return rle_from_mask(np.asarray(grey, np.uint8) > 127)
    # Beyond its last row and column the mask is empty after resizing, too. To cut off the first ones would move the
    # grid by a rounding error.
    last_row, last_column = (int(np.flatnonzero(mask.any(axis=axis))[-1]) for axis in (1, 0))
    grey = cv2.resize(
        mask[: last_row + 2, : last_column + 2].astype(np.uint8) * 255,
        None,
        fx=width / mask.shape[1],
        fy=height / mask.shape[0],
        interpolation=cv2.INTER_LINEAR,
    )
    return rle_from_part(np.asarray(grey, np.uint8) > 127, height, width)


def _is_deep(path: Path) -> bool:
    """Return whether a picture is grey of 16 bits; older versions of Pillow open such PNGs as 32 bits."""
    with PilImage.open(path) as opened:
        return opened.mode.startswith("I;16") or (opened.mode, opened.format) == ("I", "PNG")


def _unreadable(path: Path, error: Exception) -> InvalidPicture:
    return InvalidPicture(f"{path} cannot be read as a picture ({error}); give JPEG, PNG or another common format")
