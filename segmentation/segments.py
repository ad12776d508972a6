"""What every segmenter gives for a picture, and what a segmenter is; importing it imports no torch.

Boxes are x0 y0 x1 y1 in pixels, x1 and y1 exclusive: a mask of one pixel at (5, 7) has the box 5 7 6 8.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from tabletop_interaction.arrays import Floats32, Masks, Picture
from tabletop_interaction.errors import InvalidDetections
from tabletop_interaction.ranges import shown


@dataclass(frozen=True, eq=False)
class Segments:
    """Proposed objects, best first.

    Attributes:
        masks: (N, H, W) bool.
        boxes: (N, 4) float32, x0 y0 x1 y1.
        scores: (N,) float32, 0 to 1, higher for a surer object, falling.
    """

    masks: Masks
    boxes: Floats32
    scores: Floats32

    def __len__(self) -> int:
        return len(self.scores)

    @classmethod
    def of(cls, masks: Masks, scores: ArrayLike) -> Segments:
        """Segments of masks (N, H, W) bool in any order, with their tight boxes; masks without a pixel are left out.

        Raises:
            InvalidDetections: the shapes or types differ from this, or a score is outside 0 to 1.
        """
        values = np.asarray(scores)
        if not isinstance(masks, np.ndarray) or masks.dtype != np.bool_ or masks.ndim != 3:
            raise InvalidDetections(f"masks are {_described(masks)}; accepted is an array bool (N, H, W)")
        if values.dtype.kind not in "fiu" and values.size:
            raise InvalidDetections(f"scores are {_described(values)}; accepted are numbers")
        if values.shape != masks.shape[:1]:
            raise InvalidDetections(f"{len(masks)} masks came with scores {values.shape}; give one score for each mask")
        values = values.astype(np.float32)
        if outside := [score for score in values.tolist() if not 0 <= score <= 1]:
            raise InvalidDetections(f"a score is {outside[0]:g}; accepted is 0 to 1, higher for a surer object")
        order = np.argsort(-values, kind="stable")
        order = order[masks[order].any(axis=(1, 2))]
        return cls(masks[order], _tight_boxes(masks[order]), values[order])


class PictureSegmenter(Protocol):
    """Finds the objects in a picture."""

    def segment(self, picture: Picture, /) -> Segments:
        """The objects of a picture (H, W, 3) uint8 RGB of any size, as masks of its size, best first."""
        ...


def _tight_boxes(masks: Masks) -> Floats32:
    """Boxes (N, 4) of masks that have a pixel."""
    sides = []
    for along_axis in (1, 2):
        covered = np.asarray(masks.any(axis=along_axis))
        sides += [covered.argmax(axis=1), covered.shape[1] - covered[:, ::-1].argmax(axis=1)]
    return np.stack(sides, axis=1)[:, [0, 2, 1, 3]].astype(np.float32)


def _described(value: object) -> str:
    return f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else shown(value)
