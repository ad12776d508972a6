"""From a picture to the objects on the table: the hypotheses that are believed, without parts of each other, in reach.

Frame: pixels of a view, and the arena's metres on the plane on which masks are laid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tabletop_interaction.agents.agent import SegmentsPictures
from tabletop_interaction.agents.grasp import TYPICAL_HALF_HEIGHT_M, grasp_from_mask
from tabletop_interaction.agents.rearranging.matching import SegmentedPicture
from tabletop_interaction.envs import Arena, View

Masks = NDArray[np.bool_]

_FOOTPRINT_CELL_M = 0.003


@dataclass(frozen=True)
class BeliefConfig:
    """Which hypotheses are taken for objects.

    Attributes:
        least_score: of a hypothesis.
        most_covered: share of a mask that more certain ones may cover.
        beyond_m: how far outside the arena a centroid may lie.
    """

    least_score: float = 0.8
    most_covered: float = 0.5
    beyond_m: float = 0.02


def segment_table(
    image: NDArray[np.uint8], segmenter: SegmentsPictures, view: View, arena: Arena, config: BeliefConfig | None = None
) -> SegmentedPicture:
    """The objects that a picture uint8 (H, W, 3) of the table shows, the most certain first."""
    config = config or BeliefConfig()
    hypotheses = segmenter.segment(image)
    kept: list[NDArray[np.bool_]] = []
    covered = np.zeros(image.shape[:2], np.bool_)
    for index in np.argsort(-hypotheses.scores, kind="stable"):
        mask = hypotheses.masks[index]
        if hypotheses.scores[index] < config.least_score or not mask.any():
            continue
        if covered[mask].mean() <= config.most_covered and _on_table(mask, view, arena, config.beyond_m):
            kept.append(mask)
            covered |= mask
    return SegmentedPicture(image, np.array(kept, np.bool_).reshape(-1, *image.shape[:2]))


def centroid_of(mask: NDArray[np.bool_], view: View) -> NDArray[np.float64]:
    """(2,) metres: where the middle of a mask lies on the plane."""
    grasp = grasp_from_mask(mask, view)
    return np.array([grasp.x, grasp.y])


def footprint_of(mask: NDArray[np.bool_], view: View) -> NDArray[np.float64]:
    """(N, 2) metres: the points of the plane that a mask covers, one a cell of 3 mm."""
    pixels = np.argwhere(mask)[:, ::-1].astype(np.float64)
    points = view.unproject(pixels, TYPICAL_HALF_HEIGHT_M)[:, :2]
    cells = np.unique(np.round(points / _FOOTPRINT_CELL_M).astype(np.int64), axis=0)
    return np.asarray(cells * _FOOTPRINT_CELL_M, np.float64)


def _on_table(mask: NDArray[np.bool_], view: View, arena: Arena, beyond_m: float) -> bool:
    beyond = np.abs(centroid_of(mask, view) - arena.centre) - arena.half_size
    return bool(beyond.max() <= beyond_m)
