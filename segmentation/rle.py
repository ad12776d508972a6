"""Masks in COCO's compressed run-length encoding, to and from bool arrays."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from tabletop_interaction.arrays import Mask


@dataclass(frozen=True)
class Rle:
    """A mask in COCO's compressed run-length encoding.

    Attributes:
        height: rows, pixels.
        width: columns, pixels.
        counts: the runs, column by column, as COCO's ASCII string.
    """

    height: int
    width: int
    counts: str

    def to_coco(self) -> dict[str, Any]:
        """Return the dict that pycocotools reads."""
        return {"size": [self.height, self.width], "counts": self.counts}

    @cached_property
    def area(self) -> int:
        """Pixels of the mask."""
        return int(coco_mask.area(self.to_coco()))

    @cached_property
    def box_xywh(self) -> tuple[float, float, float, float]:
        """The tight box of the mask: x, y, width, height, pixels."""
        x, y, width, height = (float(value) for value in coco_mask.toBbox(self.to_coco()))
        return x, y, width, height

    @cached_property
    def centre_xy(self) -> tuple[float, float]:
        """Pixel x, y of the centre of the tight box, as DeepMask centres objects."""
        x, y, width, height = self.box_xywh
        return x + (width - 1) / 2, y + (height - 1) / 2


def rle_from_mask(mask: Mask) -> Rle:
    """Encode a mask (H, W) bool; `mask_from_rle` is the exact inverse."""
    if mask.ndim != 2 or mask.dtype != np.bool_:
        raise ValueError(f"a mask is {mask.dtype} {mask.shape}; bool (height, width) is needed")
    encoded = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    return Rle(mask.shape[0], mask.shape[1], encoded["counts"].decode("ascii"))


def mask_from_rle(rle: Rle) -> Mask:
    """Decode to a mask (H, W) bool."""
    return np.asarray(coco_mask.decode(rle.to_coco()), np.bool_)


def mask_iou(one: Mask, other: Mask) -> float:
    """Intersection over union of two masks of the same shape; 1 when both are empty."""
    union = int((one | other).sum())
    return int((one & other).sum()) / union if union else 1.0
