"""Push difference: the masks of an object at its old and its new place, from the pictures before and after a push.

A pick shows the table without the object; a push does not. Everything that changed along the push is therefore divided
into connected regions, as in `frame_difference`. A region whose colours are the same before and after holds the object
in both pictures: its old and its new place overlap, or a neighbour was only turned or shifted. A region with other
colours holds it in one picture, and the bare table in the other: it is the place in the picture in which it stands out
more from its surroundings. An object of one colour changes only the ends of two places that overlap; what is between
these ends then has the object's colours in both pictures.

Pictures are uint8 (H, W, 3) RGB; pixels are (x, y) with integer coordinates at pixel centres.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal

import cv2
import numpy as np
from numpy.typing import ArrayLike

from tabletop_interaction.arrays import Bytes, Floats, Floats32, Mask, Picture
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
from tabletop_interaction.working_size import at_longer_side, resized_mask, resized_points, size_scale

Place = Literal["old", "new", "both"]

_DEFAULTS = FrameDifferenceConfig()
OTHER_COLOURS = 0.775
"""Bhattacharyya distance of a region's colours before and after from which they differ.

Chosen on 60 simulated pushes of training objects, some of them too short: 98 % of the regions beyond it are the mask of
one object, and 99 % of the masks of one object are beyond it.
"""

_COLOUR_BINS = [8, 8, 8]
_SAME_COLOURS = 0.5
_FEWEST_PX = 100
_RIM = np.ones((5, 5), np.uint8)


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
    before: Picture, after: Picture, path_xy: ArrayLike, config: FrameDifferenceConfig | None = None
) -> PushDifference:
    """Find what a push moved.

    Args:
        before: uint8 (H, W, 3) RGB, before the push.
        after: as `before`, after the push.
        path_xy: (2, 2) pixels x, y at which the push starts and ends; they may lie outside the picture.
        config: as for `frame_difference`.

    Raises:
        InvalidPicturePair: pictures of another type or of different shapes, or a path of other numbers.
    """
    check_pair(before, after)
    path = _checked_path(path_xy)
    if config is None:
        one, other = at_longer_side(before), at_longer_side(after)
        found = push_difference(one, other, resized_points(path, before.shape, one.shape), _DEFAULTS)
        return found if one is before else _resized(found, before.shape)
    rows, columns = _around(path, before.shape, config.window // 2)
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return PushDifference((), False)
    pair = matched_pair(before, after, rows, columns, config)
    changed = changed_blob(pair, config)
    if not changed.any():
        return PushDifference((), False)
    rows, columns, changed, pair = cut_to_blob(rows, columns, changed, pair)
    evidence = np.asarray(object_evidence(pair, config) & changed, np.uint8)
    regions = []
    for blob in _parts(evidence, config):
        part_rows, part_columns, part, part_pair = cut_to_blob(rows, columns, blob, pair)
        mask = np.zeros(before.shape[:2], bool)
        mask[part_rows, part_columns] = snapped_rim(part_pair, part, config)
        if int(mask.sum()) > config.min_area:
            share = share_before(part_pair, part, config)
            regions.append(MovedRegion(mask, _place(before, after, mask, share), _distance(mask, path)))
    near = [region for region in regions if region.distance_px <= 2 * config.reach_px]
    whole = _without_ends(sorted(near, key=lambda one: -int(one.mask.sum())), before, after)
    return PushDifference(tuple(whole), bool(evidence.any()))


def _without_ends(regions: Sequence[MovedRegion], before: Picture, after: Picture) -> list[MovedRegion]:
    """The regions, in which the ends of an object of one colour are not taken for its old and its new place."""
    ends: set[int] = set()
    for (one, old), (other, new) in product(enumerate(regions), repeat=2):
        if old.place == "old" and new.place == "new" and _continues(old.mask, new.mask, before, after):
            ends |= {one, other}
    return [replace(region, place="both") if number in ends else region for number, region in enumerate(regions)]


def _continues(old: Mask, new: Mask, before: Picture, after: Picture) -> bool:
    """Whether what lies between two regions has the colours of both."""
    together = (old | new).astype(np.uint8)
    hull = cv2.convexHull(cv2.findNonZero(together))
    between = np.asarray(cv2.fillConvexPoly(np.zeros_like(together), hull, 1), bool)
    between &= ~np.asarray(cv2.dilate(together, _RIM), bool)
    if int(between.sum()) < _FEWEST_PX:
        return False
    return all(
        _histogram_distance(_histogram(picture, mask), _histogram(picture, between)) < _SAME_COLOURS
        for picture, mask in ((before, old), (after, new))
    )


def _resized(found: PushDifference, shape: tuple[int, ...]) -> PushDifference:
    """The difference in pictures of another shape."""
    scale = size_scale(*shape[:2])
    regions = (MovedRegion(resized_mask(one.mask, shape), one.place, one.distance_px * scale) for one in found.regions)
    return PushDifference(tuple(one for one in regions if one.mask.any()), found.changed)


def _place(before: Picture, after: Picture, mask: Mask, share: float) -> Place:
    """Where the object of a region is; `share` of its contrast to its surroundings is in the picture before."""
    if _colour_distance(before, after, mask) < OTHER_COLOURS:
        return "both"
    return "old" if share > 0.5 else "new"


def _colour_distance(before: Picture, after: Picture, mask: Mask) -> float:
    """Bhattacharyya distance, 0 to 1, of the histograms of two pictures' colours in a mask."""
    return _histogram_distance(_histogram(before, mask), _histogram(after, mask))


def _histogram(picture: Picture, mask: Mask) -> Floats32:
    """The counts of a picture's colours in a mask."""
    y, x = np.nonzero(mask)
    box = np.s_[y.min() : y.max() + 1, x.min() : x.max() + 1]
    counts = cv2.calcHist([picture[box]], [0, 1, 2], mask[box].astype(np.uint8), _COLOUR_BINS, [0, 256] * 3)
    return np.asarray(counts, np.float32)


def _histogram_distance(one: Floats32, other: Floats32) -> float:
    return float(cv2.compareHist(one, other, cv2.HISTCMP_BHATTACHARYYA))


def _parts(evidence: Bytes, config: FrameDifferenceConfig) -> Iterator[Bytes]:
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
