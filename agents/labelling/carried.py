"""Carry masks to the other pictures of an episode in which their object stands where it was labelled.

One interaction labels one object of a picture; the others stay unknown and look like background to a learner. But most
objects do not move in an interaction, and the picture after it is the picture before the next one: a mask holds for
every picture of its episode and view up to the one in which its pixels change. After some interactions most objects of
most pictures are labelled, without further interactions. Ours; the paper takes each pair of pictures alone.

Where masks of one picture overlap, the smaller one is kept: two objects that moved at once share one label, and each of
them may have a label of its own from another interaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tabletop_interaction.arrays import Mask, Picture
from tabletop_interaction.frame_difference import differing_pixels
from tabletop_interaction.segmentation.rle import Rle, mask_from_rle

_RIM_PX = 5
_MOST_CHANGED = 0.02
_OVERLAP = 0.4
# JPEG leaves errors of several grey levels beside edges: with 6, a tenth of an object that stands still differs.
_CHANGE_Z = 16.0


@dataclass(frozen=True, eq=False)
class _Carried:
    """A mask in one picture: its box with a rim (rows, columns), its pixels there, and how far it was carried."""

    rle: Rle
    box: tuple[slice, slice]
    pixels: Mask
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

    def _cut(self, rows: slice, columns: slice) -> Mask:
        top, left = self.box[0].start, self.box[1].start
        return self.pixels[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]


def carry_masks(masks: Mapping[int, Sequence[Rle]], pictures: Mapping[int, Picture]) -> dict[int, list[Rle]]:
    """Masks by picture, each also in the pictures in which it still holds; of overlapping masks the smaller one.

    Args:
        masks: of one view and episode, by number of the labelled picture; all numbers have pictures.
        pictures: uint8 (H, W, 3) by number in time; no mask is carried across a missing number.
    """
    changed = {
        number: differing_pixels(pictures[number], pictures[number + 1], _CHANGE_Z)
        for number in pictures
        if number + 1 in pictures
    }
    found: dict[int, list[_Carried]] = {}
    for number, labelled in masks.items():
        for labelled_mask in map(_with_box, labelled):
            found.setdefault(number, []).append(labelled_mask)
            for step in (1, -1):
                at = number
                # The change between two pictures has the number of the earlier one.
                while _stands(labelled_mask, changed.get(at if step == 1 else at - 1)):
                    at += step
                    found.setdefault(at, []).append(replace(labelled_mask, distance=abs(at - number)))
    return {number: [one.rle for one in _without_overlaps(here)] for number, here in sorted(found.items())}


def _stands(mask: _Carried, changed: Mask | None) -> bool:
    return changed is not None and float(changed[mask.box][mask.pixels].mean()) <= _MOST_CHANGED


def _with_box(rle: Rle) -> _Carried:
    x, y, width, height = (int(value) for value in rle.box_xywh)
    rows = slice(max(0, y - _RIM_PX), min(rle.height, y + height + _RIM_PX))
    columns = slice(max(0, x - _RIM_PX), min(rle.width, x + width + _RIM_PX))
    return _Carried(rle, (rows, columns), mask_from_rle(rle)[rows, columns], 0)


def _without_overlaps(found: Sequence[_Carried]) -> list[_Carried]:
    """Of two masks that overlap the smaller one; of masks of like area the one that was labelled nearer in time."""
    kept: list[_Carried] = []
    for one in sorted(found, key=lambda one: (round(np.log2(one.rle.area) * 2), one.distance)):
        if all(one.overlap(other) < _OVERLAP for other in kept):
            kept.append(one)
    return kept
