"""Match the segments of the picture now to those of the goal's picture (Pathak et al. 2018, section 5).

A segment that looks the same in both pictures stands, and is matched with itself. The others are matched one to one by
appearance: of all ways to pair segments the one with the largest sum of similarities above a threshold, and among
objects that look equal the one with the least movement. The paper only says that features are matched; this is ours.

Pixels are (x, y) with integers at pixel centres.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from tabletop_interaction.agents.features import DescribesSegments
from tabletop_interaction.arrays import Bools, Floats, Masks, Picture, Points
from tabletop_interaction.frame_difference import differing_pixels
from tabletop_interaction.ranges import Pixels, Range, Share, check_fields
from tabletop_interaction.working_size import size_scale

_SAME_IOU = 0.3
_AREA_RATIO = 0.7


@dataclass(frozen=True, eq=False)
class SegmentedPicture:
    """A picture uint8 (H, W, 3) RGB and the masks bool (N, H, W) of its segments, none of them empty."""

    image: Picture
    masks: Masks

    def __len__(self) -> int:
        return len(self.masks)

    @cached_property
    def areas(self) -> Floats:
        """(N,) pixels."""
        return np.asarray(self.masks.sum((1, 2)), np.float64)

    @cached_property
    def centroids_xy(self) -> Points:
        """(N, 2) pixels."""
        found = [np.argwhere(mask).mean(0)[::-1] for mask in self.masks]
        return np.array(found, np.float64).reshape(-1, 2)


@dataclass(frozen=True)
class Match:
    """A segment now and the segment of the goal that shows the same object.

    Attributes:
        stands: whether the object looks the same at the same place, so that it is at its goal.
    """

    now: int
    goal: int
    similarity: float
    stands: bool = False


class MatchesSegments(Protocol):
    """Finds the segments of two pictures that show the same objects."""

    def match(self, now: SegmentedPicture, goal: SegmentedPicture) -> tuple[Match, ...]:
        """Matches in which no segment occurs twice, in order of the segments now."""


@dataclass(frozen=True)
class MatchingConfig:
    """Thresholds and weights of a match.

    Attributes:
        least_similarity: Cosine of the features from which two segments may show the same object.
        distance_weight: Similarity that a movement over the picture's diagonal costs; decides between equal objects.
        place_bonus: Similarity added at the place of a segment of like area.
        place_px: Distance up to which two segments are at one place, pixels of a picture of 350 x 430.
        most_changed: Share of a mask's pixels that may change while the object counts as standing.
        least_left: Share of a mask's pixels that must change if the object moved farther than its own size; a segment
            that looks mostly the same has not left.
    """

    least_similarity: Annotated[float, Range(-1, 1)] = 0.6
    distance_weight: Annotated[float, Range(0, 1000)] = 0.1
    place_bonus: Annotated[float, Range(0, 1000)] = 0.15
    place_px: Pixels = 15.0
    most_changed: Share = 0.1
    least_left: Share = 0.5

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True, eq=False)
class AppearanceMatcher:
    """Matches by features; see the module.

    Attributes:
        features: describe segments; only those that changed are described.
    """

    features: DescribesSegments
    config: MatchingConfig = MatchingConfig()

    def match(self, now: SegmentedPicture, goal: SegmentedPicture) -> tuple[Match, ...]:
        """See `MatchesSegments`."""
        changed_now, changed_goal = changed_shares(now, goal.image), changed_shares(goal, now.image)
        standing_now, standing_goal = (one <= self.config.most_changed for one in (changed_now, changed_goal))
        moved_now, moved_goal = np.flatnonzero(~standing_now), np.flatnonzero(~standing_goal)
        left = np.minimum.outer(changed_now[moved_now], changed_goal[moved_goal]) >= self.config.least_left
        standing = _standing_pairs(now, goal, np.flatnonzero(standing_now), np.flatnonzero(standing_goal))
        moved = [
            Match(int(moved_now[row]), int(moved_goal[column]), similarity)
            for row, column, similarity in self._by_appearance(now, goal, moved_now, moved_goal, left)
        ]
        return tuple(sorted([*standing, *moved], key=lambda one: one.now))

    def _by_appearance(
        self,
        now: SegmentedPicture,
        goal: SegmentedPicture,
        rows: NDArray[np.intp],
        columns: NDArray[np.intp],
        left: Bools,
    ) -> list[tuple[int, int, float]]:
        """Pairs of the changed segments, (N,) and (M,); `left` (N, M) says which pairs may have moved far."""
        if not len(rows) or not len(columns):
            return []
        ours = self.features.describe(now.image, now.masks[rows])
        theirs = self.features.describe(goal.image, goal.masks[columns])
        shape, scale = now.image.shape[:2], size_scale(*now.image.shape[:2])
        distances = np.linalg.norm(now.centroids_xy[rows, None] - goal.centroids_xy[None, columns], axis=2)
        sizes = np.sqrt(np.maximum.outer(now.areas[rows], goal.areas[columns]))
        similarities = np.where(left | (distances <= sizes), ours @ theirs.T, -1.0)
        like_area = _like_area(now.areas[rows], goal.areas[columns])
        diagonal = float(np.hypot(*shape))
        return assign(similarities, distances / scale, like_area, diagonal / scale, self.config)


def assign(
    similarities: NDArray[np.floating],
    distances_px: Floats,
    like_area: Bools,
    diagonal_px: float,
    config: MatchingConfig,
) -> list[tuple[int, int, float]]:
    """The best pairs, one to one, as (row, column, similarity), in order of rows.

    Maximises the sum over pairs of: similarity - least_similarity + distance_weight (1 - distance / diagonal), and
    place_bonus for pairs at one place and of like area; pairs below the least similarity are not allowed.

    Args:
        similarities: (N, M) up to 1.
        distances_px: (N, M) between the segments' centroids.
        like_area: (N, M) whether the two have about the same area.
    """
    allowed = similarities >= config.least_similarity
    in_place = like_area & (distances_px <= config.place_px)
    gain = similarities - config.least_similarity + config.distance_weight * (1 - distances_px / diagonal_px)
    gain = np.where(allowed, gain + config.place_bonus * in_place, 0.0)
    rows, columns = linear_sum_assignment(gain, maximize=True)
    return [
        (int(row), int(column), float(similarities[row, column]))
        for row, column in zip(rows, columns, strict=True)
        if allowed[row, column]
    ]


def changed_shares(segmented: SegmentedPicture, other: Picture) -> Floats:
    """(N,) float64: the share of each mask's pixels that look different in another picture of the same view.

    Args:
        other: uint8 (H, W, 3) RGB.
    """
    changed = differing_pixels(segmented.image, other)
    return np.array([changed[mask].mean() for mask in segmented.masks], np.float64)


def _standing_pairs(
    now: SegmentedPicture, goal: SegmentedPicture, rows: NDArray[np.intp], columns: NDArray[np.intp]
) -> list[Match]:
    """Segments that show the same unchanged pixels, one to one."""
    if not len(rows) or not len(columns):
        return []
    flat_now, flat_goal = (
        one.masks[chosen].reshape(len(chosen), -1).astype(np.float32) for one, chosen in ((now, rows), (goal, columns))
    )
    common = flat_now @ flat_goal.T
    iou = common / (now.areas[rows, None] + goal.areas[None, columns] - common)
    return [
        Match(int(rows[row]), int(columns[column]), 1.0, stands=True)
        for row, column in zip(*linear_sum_assignment(iou, maximize=True), strict=True)
        if iou[row, column] >= _SAME_IOU
    ]


def _like_area(ours: Floats, theirs: Floats) -> Bools:
    ratio = ours[:, None] / theirs[None]
    return np.asarray((ratio > _AREA_RATIO) & (ratio < 1 / _AREA_RATIO))
