"""Precision and recall of ranked and matched detections, and bootstrap intervals.

The matching is done before (`metrics`), so that a thousand bootstrap draws take a second.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tabletop_interaction.arrays import Bools, Floats, Ints

COCO_IOU_THRESHOLDS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
IOU_THRESHOLDS = (0.3, *COCO_IOU_THRESHOLDS)
RECALL_GRID: Floats = np.linspace(0.0, 1.0, 101)
PRECISIONS = (0.5, 0.7, 0.9)
FEWEST_PICTURES = 10
"""Fewer pictures give unreliable intervals."""


@dataclass(frozen=True, eq=False)
class Matches:
    """Matches of D detections, best score first, in P pictures at the T `IOU_THRESHOLDS`.

    Attributes:
        picture: (D,) int64, index of the detection's picture in the order of ids.
        scores: (D,) float64, not increasing.
        hit: (T, D) bool, matched to an object that counts.
        ignored: (T, D) bool, matched to an ignored object: neither right nor wrong.
        iou: (T, D) float64 with the matched object; 0 without a match.
        objects: (P,) int64, objects that count in each picture.
    """

    picture: Ints
    scores: Floats
    hit: Bools
    ignored: Bools
    iou: Floats
    objects: Ints


@dataclass(frozen=True)
class Intervals:
    """Percentile bootstrap intervals (low, high) over `pictures`; keys as in `AveragePrecision`."""

    ap: Mapping[float, tuple[float, float]]
    ap_50_95: tuple[float, float]
    level: float
    samples: int
    seed: int
    pictures: int

    @property
    def reliable(self) -> bool:
        """Whether there are enough pictures to draw from; from few pictures the intervals are too narrow."""
        return self.pictures >= FEWEST_PICTURES

    def describe(self) -> str:
        """How they were made, one line."""
        return f"{self.level:.0%} bootstrap over pictures, {self.samples} draws, seed {self.seed}"


def precision_recall(matches: Matches, iou: float, picture_weights: Floats | None = None) -> tuple[Floats, Floats]:
    """Return recall and monotone precision at each correct detection, best score first; AP depends on these only.

    The precision at a recall is the highest at that recall or beyond.

    Args:
        iou: one of `IOU_THRESHOLDS`.
        picture_weights: (P,) how often each picture counts, by default once; twice is the same as two copies.

    Returns:
        recall and precision, (hits,) float64 each; recall is NaN if the weighted pictures have no object.
    """
    row = IOU_THRESHOLDS.index(iou)
    weights = np.ones(len(matches.objects)) if picture_weights is None else picture_weights
    weight = weights[matches.picture]
    hits = np.flatnonzero(matches.hit[row])
    counted = np.cumsum(weight * ~matches.ignored[row])[hits]
    right = np.cumsum(weight[hits])
    objects = weights @ matches.objects
    recall = right / objects if objects else np.full(len(hits), np.nan)
    precision = np.divide(right, counted, out=np.zeros(len(hits)), where=counted > 0)
    return recall, np.maximum.accumulate(precision[::-1])[::-1]


def precision_at_grid(recall: Floats, precision: Floats) -> Floats:
    """(101,): the precision at the first point that reaches each recall of `RECALL_GRID`, else 0."""
    reached = np.searchsorted(recall, RECALL_GRID, side="left")
    return np.append(precision, 0.0)[reached]


def coco_101_point(recall: Floats, precision: Floats) -> float:
    """COCO's AP: the mean of `precision_at_grid`."""
    return float(np.mean(precision_at_grid(recall, precision)))


def area_under_curve(recall: Floats, precision: Floats) -> float:
    """VOC's AP since 2010: sum over all points of (recall_k - recall_(k-1)) precision_k."""
    # Rounded steps of recall may not sum to 1; a perfect curve has area exactly 1.
    return round(float(np.diff(recall, prepend=0.0) @ precision), 12)


def recalls_at_precisions(recall: Floats, precision: Floats) -> dict[float, float]:
    """Return for each of `PRECISIONS` the highest recall at that precision or more; 0 if there is none."""
    return {bound: float(np.max(recall[precision >= bound], initial=0.0)) for bound in PRECISIONS}


def bootstrap_intervals(matches: Matches, *, samples: int = 1000, level: float = 0.95, seed: int = 0) -> Intervals:
    """Percentile bootstrap over pictures: draw as many with replacement, rank again, compute COCO's AP.

    The intervals say how much the figure depends on the pictures, not how much it depends on the training run. Draws
    without any object are left out.

    Args:
        samples: number of draws, at least 1.
        level: share of the draws inside the interval, in (0, 1).

    Raises:
        ValueError: samples or level is outside its range, or no draw holds an object.
    """
    if samples < 1 or not 0.0 < level < 1.0:
        raise ValueError(f"samples {samples} and level {level} came; samples >= 1 and 0 < level < 1 are needed")
    pictures = len(matches.objects)
    draws = np.random.default_rng(seed).multinomial(pictures, np.full(pictures, 1 / pictures), size=samples)
    draws = draws[draws @ matches.objects > 0]
    if len(draws) == 0:
        raise ValueError(f"none of {samples} draws holds an object; take more samples")
    values = np.array(
        [
            [coco_101_point(*precision_recall(matches, iou, weights)) for iou in IOU_THRESHOLDS]
            for weights in draws.astype(np.float64)
        ]
    )
    coco_rows = [IOU_THRESHOLDS.index(iou) for iou in COCO_IOU_THRESHOLDS]
    return Intervals(
        ap={iou: _interval(values[:, row], level) for row, iou in enumerate(IOU_THRESHOLDS)},
        ap_50_95=_interval(values[:, coco_rows].mean(axis=1), level),
        level=level,
        samples=samples,
        seed=seed,
        pictures=pictures,
    )


def _interval(values: Floats, level: float) -> tuple[float, float]:
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
