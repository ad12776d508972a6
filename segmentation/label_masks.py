"""Masks of COCO annotations: polygons and run-length encodings as pycocotools reads them, and what other tools write.

A polygon without an area adds nothing to a mask, and the last of an odd number of coordinates is not read, both as in
pycocotools. It crashes or returns random pixels for damaged encodings; these never reach it.
"""

from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from tabletop_interaction.arrays import Ints, Points
from tabletop_interaction.segmentation.label_faults import Fault, FaultKind, shown
from tabletop_interaction.segmentation.label_files import whole_number
from tabletop_interaction.segmentation.rle import Rle, rle_from_runs, runs_from_counts

_LONGEST_OUTLINE = 2**22
"""Pixels along a polygon; pycocotools needs 80 bytes for each."""


def rle_from_segmentation(segmentation: Any, height: int, width: int) -> Rle | Fault:
    """Read a mask, or say what is wrong with it.

    Args:
        segmentation: the decoded JSON: polygons [[x, y, x, y, ...], ...] in pixels, one polygon without its outer list,
            points in pairs, an RLE {"size": [height, width], "counts": text or numbers}, or a list of RLEs.
        height, width: of the picture, pixels.
    """
    if segmentation is None:
        return Fault(FaultKind.NO_MASK, "no segmentation")
    parts = _parts(segmentation) if isinstance(segmentation, list) else [segmentation]
    rles: list[Rle] = []
    for part in parts:
        rle = _from_runs(part, height, width) if isinstance(part, dict) else _from_polygon(part, height, width)
        if isinstance(rle, Fault):
            return rle
        rles.append(rle)
    if all(part == [] for part in parts):
        return Fault(FaultKind.NO_MASK, f"segmentation {shown(segmentation)}")
    union = rles[0] if len(rles) == 1 else _union(rles)
    return union if union.area else Fault(FaultKind.NO_PIXEL, f"segmentation {shown(segmentation)}")


def _parts(segmentation: list[Any]) -> list[Any]:
    """Return the polygons or RLEs of a list; one polygon may be flat or in pairs."""
    is_flat = not any(isinstance(part, list | dict) for part in segmentation)
    is_in_pairs = all(
        isinstance(part, list) and len(part) == 2 and not isinstance(part[0], list | dict) for part in segmentation
    )
    return [segmentation] if segmentation and (is_flat or is_in_pairs) else segmentation


def _from_polygon(polygon: Any, height: int, width: int) -> Rle | Fault:
    unreadable = Fault(FaultKind.MASK_UNREADABLE, shown(polygon))
    if not isinstance(polygon, list):
        return unreadable
    try:
        numbers = np.array(polygon, np.float64)
    except (ValueError, TypeError, OverflowError):
        return unreadable
    if numbers.ndim > 2 or (numbers.ndim == 2 and numbers.shape[1] != 2):
        return unreadable
    points = numbers.ravel()[: numbers.size // 2 * 2].reshape(-1, 2)
    if not np.isfinite(numbers).all() or _outline_length(points) > _LONGEST_OUTLINE:
        return Fault(FaultKind.COORDINATES, shown(polygon))
    if len(points) < 3:
        return rle_from_runs(np.array([height * width]), height, width)
    return _as_rle(coco_mask.frPyObjects([points.ravel().tolist()], height, width)[0])


def _outline_length(points: Points) -> float:
    """Return the pixels along a closed polygon (N, 2) and from the origin to its farthest point."""
    if not len(points):
        return 0.0
    with np.errstate(over="ignore"):
        steps = np.abs(points - np.roll(points, 1, axis=0)).max(axis=1)
        return float(steps.sum() + np.abs(points).max())


def _from_runs(runs: dict[str, Any], height: int, width: int) -> Rle | Fault:
    size, counts = runs.get("size"), runs.get("counts")
    if not isinstance(size, list) or len(size) != 2 or not isinstance(counts, str | list):
        return Fault(FaultKind.MASK_UNREADABLE, shown(runs))
    found = [whole_number(side) for side in size]
    if found != [height, width]:
        swapped = ", height and width are exchanged" if found == [width, height] else ""
        return Fault(FaultKind.MASK_SIZE, f"{shown(size)}, the picture has {[height, width]}{swapped}")
    try:
        lengths = runs_from_counts(counts).tolist() if isinstance(counts, str) else [whole_number(c) for c in counts]
    except ValueError as error:
        return Fault(FaultKind.RLE_DAMAGED, str(error))
    if any(length is None or length < 0 for length in lengths):
        return Fault(FaultKind.RLE_DAMAGED, "a run has no length in pixels")
    if sum(lengths) != height * width:
        return Fault(FaultKind.RLE_DAMAGED, f"its runs have {sum(lengths)} px, its picture has {height * width}")
    return rle_from_runs(_without_empty_runs(np.array(lengths, np.int64)), height, width)


def _without_empty_runs(runs: Ints) -> Ints:
    """Join the neighbours of runs of no pixel, at which pycocotools ends a comparison; the first may be empty."""
    if runs[1:].all():
        return runs
    is_object = (np.arange(len(runs)) % 2 == 1)[runs > 0]
    filled = runs[runs > 0]
    starts = np.flatnonzero(np.diff(is_object, prepend=~is_object[:1]))
    joined = np.add.reduceat(filled, starts)
    return np.concatenate([[0], joined]) if is_object[0] else joined


def _union(rles: list[Rle]) -> Rle:
    return _as_rle(coco_mask.merge([rle.to_coco() for rle in rles]))


def _as_rle(encoded: dict[str, Any]) -> Rle:
    height, width = encoded["size"]
    return Rle(int(height), int(width), encoded["counts"].decode("ascii"))
