"""Photos of any size: find objects at the scale that the network is trained for.

Training pictures have a longer side of 430 px, and an object spans a tenth to a half of it. A photo is shrunk or
enlarged to such a side, and its masks are resized back to its own pixels.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from tabletop_interaction.arrays import Mask, Picture
from tabletop_interaction.errors import InvalidPicture
from tabletop_interaction.ranges import check_range
from tabletop_interaction.segmentation.coco import Detections
from tabletop_interaction.segmentation.rle import Rle, rle_from_mask, rle_from_part
from tabletop_interaction.segmentation.segments import PictureSegmenter, Segments
from tabletop_interaction.working_size import WORKING_SIDE, at_longer_side, resized_mask

LONGER_SIDE = WORKING_SIDE
"""Longer side of the pictures that the networks are trained on, pixels."""


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
    segments = segmenter.segment(at_longer_side(image, longer_side))
    # Masks are resized one at a time to save memory.
    rles = [_resized_rle(mask, (width, height)) for mask in segments.masks]
    kept = [index for index, rle in enumerate(rles) if rle.area > 0]
    return Detections(tuple(rles[index] for index in kept), segments.scores[kept].astype(np.float64))


@dataclass(frozen=True, eq=False)
class AtTrainingSize:
    """A segmenter that shows another one each picture with a longer side of 430 px, and resizes the masks back.

    Attributes:
        segmenter: the other one.
    """

    segmenter: PictureSegmenter

    def segment(self, picture: Picture) -> Segments:
        """See `PictureSegmenter`."""
        resized = at_longer_side(picture)
        found = self.segmenter.segment(resized)
        if resized is picture:
            return found
        masks = [resized_mask(mask, picture.shape) for mask in found.masks]
        return Segments.of(np.array(masks, np.bool_).reshape(-1, *picture.shape[:2]), found.scores)


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
