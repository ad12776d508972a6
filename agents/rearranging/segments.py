"""Find the objects on the table in a picture: hypotheses of high score, without parts of each other, in reach.

Frame: pixels of a view, and the arena's metres on the plane on which masks are laid.
"""

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from tabletop_interaction.agents.grasp import TYPICAL_HALF_HEIGHT_M, grasp_from_mask
from tabletop_interaction.agents.rearranging.matching import SegmentedPicture
from tabletop_interaction.arrays import Floats, Mask, Picture, Points
from tabletop_interaction.envs import Arena, View
from tabletop_interaction.ranges import Range, Share, check_fields
from tabletop_interaction.segmentation.segments import PictureSegmenter

_FOOTPRINT_CELL_M = 0.003


@dataclass(frozen=True)
class SegmentConfig:
    """Which hypotheses count as objects.

    Attributes:
        least_score: Smallest score of a hypothesis.
        most_covered: Largest share of a mask that hypotheses of higher score may cover.
        beyond_m: Distance outside the arena up to which a centroid may lie, metres.
    """

    least_score: Share = 0.5
    most_covered: Share = 0.5
    beyond_m: Annotated[float, Range(0, 10, unit="m")] = 0.02

    def __post_init__(self) -> None:
        check_fields(self)


def segment_table(
    image: Picture, segmenter: PictureSegmenter, view: View, arena: Arena, config: SegmentConfig | None = None
) -> SegmentedPicture:
    """The objects in a picture uint8 (H, W, 3) of the table, by falling score."""
    config = config or SegmentConfig()
    hypotheses = segmenter.segment(image)
    kept: list[Mask] = []
    covered = np.zeros(image.shape[:2], np.bool_)
    for index in np.argsort(-hypotheses.scores, kind="stable"):
        mask = hypotheses.masks[index]
        if hypotheses.scores[index] < config.least_score or not mask.any():
            continue
        if covered[mask].mean() <= config.most_covered and _is_on_table(mask, view, arena, config.beyond_m):
            kept.append(mask)
            covered |= mask
    return SegmentedPicture(image, np.array(kept, np.bool_).reshape(-1, *image.shape[:2]))


def centroid_of(mask: Mask, view: View) -> Floats:
    """(2,) metres: the centroid of a mask on the plane."""
    grasp = grasp_from_mask(mask, view)
    return np.array([grasp.x, grasp.y])


def footprint_of(mask: Mask, view: View) -> Points:
    """(N, 2) metres: the points of the plane that a mask covers, one for each cell of 3 mm."""
    pixels = np.argwhere(mask)[:, ::-1].astype(np.float64)
    points = view.unproject(pixels, TYPICAL_HALF_HEIGHT_M)[:, :2]
    cells = np.unique(np.round(points / _FOOTPRINT_CELL_M).astype(np.int64), axis=0)
    return np.asarray(cells * _FOOTPRINT_CELL_M, np.float64)


def _is_on_table(mask: Mask, view: View, arena: Arena, beyond_m: float) -> bool:
    beyond = np.abs(centroid_of(mask, view) - arena.centre) - arena.half_size
    return bool(beyond.max() <= beyond_m)
