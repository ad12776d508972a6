"""A mask as COCO's compressed run-length encoding, to and from bool pictures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from faster_coco_eval.core import mask as coco_mask
from numpy.typing import NDArray

BoolArray = NDArray[np.bool_]


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
        """The dict that pycocotools and faster-coco-eval read."""
        return {"size": [self.height, self.width], "counts": self.counts}

    @cached_property
    def area(self) -> int:
        """Pixels of the mask."""
        return int(coco_mask.area(self.to_coco()))

    @cached_property
    def box_xywh(self) -> tuple[float, float, float, float]:
        """The mask's tight box: x, y, width, height, pixels."""
        x, y, width, height = (float(value) for value in coco_mask.toBbox(self.to_coco()))
        return x, y, width, height


def rle_from_mask(mask: BoolArray) -> Rle:
    """Encode a mask (H, W) bool; `mask_from_rle` is the exact inverse."""
    if mask.ndim != 2 or mask.dtype != np.bool_:
        raise ValueError(f"a mask is {mask.dtype} {mask.shape}; bool (height, width) is needed")
    encoded = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    return Rle(mask.shape[0], mask.shape[1], encoded["counts"].decode("ascii"))


def mask_from_rle(rle: Rle) -> BoolArray:
    """Decode to a mask (H, W) bool."""
    return np.asarray(coco_mask.decode(rle.to_coco()), np.bool_)
