"""A segmenter that somebody else has written, with its answers checked and limited as ours are."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tabletop_interaction.arrays import Picture
from tabletop_interaction.errors import InvalidDetections, TabletopError
from tabletop_interaction.named_classes import reason_of
from tabletop_interaction.ranges import shown
from tabletop_interaction.segmentation.config import ProposalConfig
from tabletop_interaction.segmentation.segments import PictureSegmenter, Segments


@dataclass(frozen=True, eq=False)
class CheckedSegmenter:
    """Checks what a segmenter returns, sorts it, and drops what is too unsure, too small or too large.

    Attributes:
        name: of the segmenter, for messages.
        segmenter: any object with `segment`; of what it returns, `masks` and `scores` are read.
        limits: its `min_score`, `min_area` and `max_area_share` hold; the other settings are of our network.
    """

    name: str
    segmenter: PictureSegmenter
    limits: ProposalConfig

    def segment(self, picture: Picture) -> Segments:
        """See `PictureSegmenter`.

        Raises:
            InvalidDetections: it fails, or returns anything but masks (N, H, W) bool of the picture's size and scores.
        """
        found = self._found(picture)
        if not (hasattr(found, "masks") and hasattr(found, "scores")):
            raise InvalidDetections(
                f"the segmenter {self.name} returned {shown(found)}; accepted are Segments, as Segments.of(masks, "
                "scores) makes them"
            )
        try:
            segments = Segments.of(found.masks, found.scores)
        except InvalidDetections as error:
            raise InvalidDetections(f"the segmenter {self.name} returned no segments: {error}") from error
        if len(segments) and segments.masks.shape[1:] != picture.shape[:2]:
            raise InvalidDetections(
                f"the segmenter {self.name} returned masks of {segments.masks.shape[1:]} for a picture of "
                f"{picture.shape[:2]}; return masks (N, height, width) of the picture"
            )
        return limited(segments, self.limits)

    def _found(self, picture: Picture) -> Any:
        """What the segmenter returns."""
        try:
            # A copy: a segmenter may draw into its picture.
            return self.segmenter.segment(picture.copy())
        except TabletopError as error:
            raise type(error)(f"the segmenter {self.name}: {error}") from error
        except Exception as error:  # Somebody else's code may raise anything.
            raise InvalidDetections(
                f"the segmenter {self.name} failed on a picture {picture.shape} ({reason_of(error)}); correct it, or "
                "try it on this picture alone with `tabletop segment`"
            ) from error


def limited(segments: Segments, limits: ProposalConfig) -> Segments:
    """The segments within limits of score and area."""
    area = segments.masks.sum(axis=(1, 2))
    most = limits.max_area_share * np.prod(segments.masks.shape[1:])
    kept = (segments.scores >= limits.min_score) & (area >= limits.min_area) & (area <= most)
    return Segments(segments.masks[kept], segments.boxes[kept], segments.scores[kept])
