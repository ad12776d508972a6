"""Masks in COCO's compressed run-length encoding, to and from bool arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from tabletop_interaction.arrays import Floats, Ints, Mask

_MOST_CHARACTERS = 6
"""Of one number: 29 bits and the sign."""


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


def rle_from_part(mask: Mask, height: int, width: int) -> Rle:
    """Encode the upper left part (h, w) bool of a mask (height, width) whose other pixels are background.

    It takes time for the part's columns only.
    """
    columns = np.zeros((mask.shape[1], height), np.uint8)
    columns[:, : mask.shape[0]] = cv2.transpose(mask.view(np.uint8))
    runs = runs_from_counts(coco_mask.encode(columns.T)["counts"].decode("ascii"))
    behind = (width - mask.shape[1]) * height
    if len(runs) % 2:
        runs[-1] += behind
    elif behind:
        runs = np.append(runs, behind)
    return rle_from_runs(runs, height, width)


def box_from_rle(rle: Rle) -> tuple[Mask, tuple[int, int]]:
    """Decode the tight box of a mask that has a pixel, (h, w) bool, and return the pixel x, y where it begins."""
    x, y, width, height = map(int, rle.box_xywh)
    runs = runs_from_counts(rle.counts)
    runs[0] -= x * rle.height
    if len(runs) % 2:
        runs[-1] -= (rle.width - x - width) * rle.height
    return mask_from_rle(rle_from_runs(runs, rle.height, width))[y : y + height], (x, y)


def rle_from_runs(runs: Ints, height: int, width: int) -> Rle:
    """Encode runs (N,): pixels of background and object in turn, column by column, each below 2**28.

    They fill the picture.
    """
    values = np.concatenate([runs[:3], runs[3:] - runs[1:-2]])[:, None]
    # pycocotools packs as well, but writes beyond its memory when all runs take 6 characters.
    shifts = 5 * np.arange(_MOST_CHARACTERS)
    bits = (values >> shifts) & 31
    more = values >> (shifts + 5) != -(bits >> 4)
    is_needed = np.insert(more[:, :-1], 0, True, axis=1)
    return Rle(height, width, (bits + 32 * more + 48)[is_needed].astype(np.uint8).tobytes().decode("ascii"))


def runs_from_counts(counts: str) -> Ints:
    """Unpack COCO's string; `rle_from_runs` packs it.

    A character holds 5 bits, the lowest first, and whether more follow. From the fourth number on, each is the
    difference to the last but one.

    Raises:
        ValueError: a character is none of COCO's, the last number is cut off, or one is too long.
    """
    bits = np.frombuffer(counts.encode("utf-8"), np.uint8).astype(np.int64) - 48
    ends = np.flatnonzero((bits & 32) == 0)
    if not len(ends) or bits.min() < 0 or bits.max() > 63 or ends[-1] != len(bits) - 1:
        raise ValueError("the string has a foreign character or is cut off")
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    if lengths.max() > _MOST_CHARACTERS:
        raise ValueError("the string has a number that is too long")
    places = np.arange(len(bits)) - np.repeat(starts, lengths)
    runs = np.add.reduceat((bits & 31) << 5 * places, starts)
    runs -= ((bits[ends] & 16) != 0) * (1 << 5 * lengths)
    runs[1::2] = runs[1::2].cumsum()
    runs[2::2] = runs[2::2].cumsum()
    return np.asarray(runs, np.int64)


def rle_ious(first: Sequence[Rle], second: Sequence[Rle]) -> Floats:
    """(N, M) intersection over union of each of N masks with each of M, all of one picture."""
    encoded = ([one.to_coco() for one in masks] for masks in (first, second))
    return np.asarray(coco_mask.iou(*encoded, [0] * len(second)), np.float64).reshape(len(first), len(second))


def mask_iou(one: Mask, other: Mask) -> float:
    """Intersection over union of two masks of the same shape; 1 when both are empty."""
    union = int((one | other).sum())
    return int((one & other).sum()) / union if union else 1.0
