"""What nobody moved is still there: masks carried to the other pictures in which nothing changed under them.

One interaction labels one object of a picture and leaves the others unknown; to a learner they look like background.
But the picture after is the picture before the next interaction, and most objects stand as they stood: a mask holds for
every picture of its episode and view up to the one in which its pixels change. After some interactions most objects of
most pictures are known, at no further interaction. Ours; the paper takes each pair of pictures alone.

Where masks of one picture overlap, the smaller one is kept: two objects that moved at once have one label together,
and each of them may have been moved alone at another time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tabletop_interaction.segmentation.frame_difference import differing_pixels
from tabletop_interaction.segmentation.rle import Rle, mask_from_rle

Picture = NDArray[np.uint8]
Bools = NDArray[np.bool_]

_RIM_PX = 5
_MOST_CHANGED = 0.02
_OVERLAP = 0.4


@dataclass(frozen=True, eq=False)
class _Carried:
    """A mask in one picture: its tight box (rows, columns), its pixels there, and how far it was carried."""

    rle: Rle
    box: tuple[slice, slice]
    pixels: Bools
    distance: int

    def overlap(self, other: _Carried) -> float:
        """Common pixels, as a share of the smaller mask."""
        rows, columns = (
            slice(max(mine.start, theirs.start), min(mine.stop, theirs.stop))
            for mine, theirs in zip(self.box, other.box, strict=True)
        )
        if rows.start >= rows.stop or columns.start >= columns.stop:
            return 0.0
        common = int((self._cut(rows, columns) & other._cut(rows, columns)).sum())
        return common / min(self.rle.area, other.rle.area)

    def _cut(self, rows: slice, columns: slice) -> Bools:
        top, left = self.box[0].start, self.box[1].start
        return self.pixels[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]


def carry_masks(masks: Mapping[int, Sequence[Rle]], pictures: Mapping[int, Picture]) -> dict[int, list[Rle]]:
    """The masks of the pictures of one view and episode, each also where it still holds.

    Args:
        masks: by number of a picture, what is labelled in it; all numbers have pictures.
        pictures: uint8 (H, W, 3) by number in time; a missing number ends what is carried.

    Returns:
        by number, masks that do not cover each other.
    """
    changed = {
        number: differing_pixels(pictures[number], pictures[number + 1])
        for number in pictures
        if number + 1 in pictures
    }
    found: dict[int, list[_Carried]] = {}
    for number, labelled in masks.items():
        for rle in labelled:
            start = _tight(rle)
            found.setdefault(number, []).append(start)
            for step in (1, -1):
                at, here = number, start
                # Between two pictures stands the change that the earlier one's number names.
                while _stands(here, changed.get(at if step == 1 else at - 1)):
                    at += step
                    here = _Carried(rle, start.box, start.pixels, abs(at - number))
                    found.setdefault(at, []).append(here)
    return {number: [one.rle for one in _apart(here)] for number, here in sorted(found.items())}


def _stands(mask: _Carried, changed: Bools | None) -> bool:
    return changed is not None and float(changed[mask.box][mask.pixels].mean()) <= _MOST_CHANGED


def _tight(rle: Rle) -> _Carried:
    """A mask within its box and a rim."""
    x, y, width, height = (int(value) for value in rle.box_xywh)
    rows = slice(max(0, y - _RIM_PX), min(rle.height, y + height + _RIM_PX))
    columns = slice(max(0, x - _RIM_PX), min(rle.width, x + width + _RIM_PX))
    return _Carried(rle, (rows, columns), mask_from_rle(rle)[rows, columns], 0)


def _apart(found: Sequence[_Carried]) -> list[_Carried]:
    """Masks that do not cover each other; the smaller of two is kept, of two alike the one that was labelled nearer."""
    kept: list[_Carried] = []
    for one in sorted(found, key=lambda one: (round(np.log2(one.rle.area) * 2), one.distance)):
        if all(one.overlap(other) < _OVERLAP for other in kept):
            kept.append(one)
    return kept
