"""Push difference: the masks of an object at its old and its new place, from the pictures before and after a push.

A pick shows the table without the object; a push does not. Everything that changed along the push is therefore divided
into connected regions, as in `frame_difference`, and each region is compared with its surroundings in both pictures:
the object stands out where it is, and the bare table does not. A region that stands out

- before only is an old place, with its mask in the picture before;
- after only is a new place, with its mask in the picture after;
- in both holds an object twice, because its places overlap, or a neighbour that was only turned or shifted.

Pictures are uint8 (H, W, 3) RGB; pixels are (x, y) with integer coordinates at pixel centres.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import ArrayLike

from tabletop_interaction.arrays import Floats, Mask, Picture
from tabletop_interaction.errors import InvalidPicturePair
from tabletop_interaction.frame_difference import (
    FrameDifferenceConfig,
    changed_blob,
    check_pair,
    cut_to_blob,
    matched_pair,
    morphed,
    object_evidence,
    share_before,
    snapped_rim,
)

Place = Literal["old", "new", "both"]

_DEFAULTS = FrameDifferenceConfig()
STANDS_OUT = 0.7
"""Share of the contrast to the surroundings from which an object stands out in one picture only.

Chosen on simulated pushes of training objects: of the regions beyond it, nine in ten are the mask of one object.
"""


@dataclass(frozen=True, eq=False)
class MovedRegion:
    """A connected region without holes in which an object was, or is now.

    Attributes:
        mask: bool (H, W).
        place: where the object is: in the picture before, in the picture after, or in both.
        distance_px: from its nearest pixel to the path of the push.
    """

    mask: Mask
    place: Place
    distance_px: float


@dataclass(frozen=True, eq=False)
class PushDifference:
    """What a push moved.

    Attributes:
        regions: every region of more than `min_area` pixels near the path, largest first.
        changed: whether any pixel near the path changed by more than noise and shadows.
    """

    regions: tuple[MovedRegion, ...]
    changed: bool

    @property
    def moved(self) -> bool:
        """Whether an object moved."""
        return bool(self.regions)


def push_difference(
    before: Picture, after: Picture, path_xy: ArrayLike, config: FrameDifferenceConfig = _DEFAULTS
) -> PushDifference:
    """Find what a push moved.

    Args:
        before: uint8 (H, W, 3) RGB, before the push.
        after: as `before`, after the push.
        path_xy: (2, 2) pixels x, y at which the push starts and ends; they may lie outside the picture.

    Raises:
        InvalidPicturePair: pictures of another type or of different shapes, or a path of other numbers.
    """
    check_pair(before, after)
    path = _checked_path(path_xy)
    rows, columns = _around(path, before.shape, config.window // 2)
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return PushDifference((), False)
    pair = matched_pair(before, after, rows, columns, config)
    changed = changed_blob(pair, config)
    if not changed.any():
        return PushDifference((), False)
    rows, columns, changed, pair = cut_to_blob(rows, columns, changed, pair)
    evidence = object_evidence(pair, config) & changed
    regions = []
    for blob in _parts(evidence, config):
        part_rows, part_columns, part, part_pair = cut_to_blob(rows, columns, blob, pair)
        mask = np.zeros(before.shape[:2], bool)
        mask[part_rows, part_columns] = snapped_rim(part_pair, part, config)
        if int(mask.sum()) > config.min_area:
            place = _place(share_before(part_pair, part, config))
            regions.append(MovedRegion(mask, place, _distance(mask, path)))
    near = [region for region in regions if region.distance_px <= 2 * config.reach_px]
    return PushDifference(tuple(sorted(near, key=lambda one: -int(one.mask.sum()))), bool(evidence.any()))


def _place(share: float) -> Place:
    if share > STANDS_OUT:
        return "old"
    return "new" if share < 1 - STANDS_OUT else "both"


def _parts(evidence: Mask, config: FrameDifferenceConfig) -> Iterator[Mask]:
    """Connected parts of the evidence, with holes filled, without those that are too small for an object."""
    closed = morphed(cv2.MORPH_CLOSE, evidence, config.close_px)
    opened = morphed(cv2.MORPH_OPEN, closed, config.open_px)
    outlines, _ = cv2.findContours(opened, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    for outline in outlines:
        part = np.zeros(evidence.shape, np.uint8)
        cv2.drawContours(part, [outline], -1, 1, cv2.FILLED)
        if int(part.sum()) * 2 > config.min_area:
            yield part


def _distance(mask: Mask, path: Floats) -> float:
    """Least distance of a mask's pixels to the path, pixels."""
    rows, columns = np.nonzero(mask)
    along = path[1] - path[0]
    offsets = np.column_stack([columns, rows]) - path[0]
    share = np.clip(offsets @ along / max(float(along @ along), 1e-9), 0, 1)
    return float(np.linalg.norm(offsets - share[:, None] * along, axis=1).min())


def _around(path: Floats, shape: tuple[int, ...], margin: int) -> tuple[slice, slice]:
    """Rows and columns of the picture within a margin around the path."""
    x0, y0 = np.floor(path.min(0)).astype(int) - margin
    x1, y1 = np.ceil(path.max(0)).astype(int) + margin + 1
    return slice(max(0, int(y0)), min(shape[0], int(y1))), slice(max(0, int(x0)), min(shape[1], int(x1)))


def _checked_path(path_xy: ArrayLike) -> Floats:
    try:
        path = np.asarray(path_xy, np.float64)
    except (TypeError, ValueError):
        path = np.empty(0)
    if path.shape != (2, 2) or not np.isfinite(path).all():
        raise InvalidPicturePair(f"path {path_xy!r} is not two points of two finite numbers; give pixels x, y")
    return path
