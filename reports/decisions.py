"""What a rearranging agent sees and decides, drawn: now and goal side by side, segments outlined, matches joined."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from tabletop_interaction.agents.rearranging.matching import SegmentedPicture
from tabletop_interaction.agents.rearranging.rearranger import Decision

Picture = NDArray[np.uint8]

_SEGMENT = (255, 80, 60)
_MOVED = (255, 221, 51)
_STANDS = (51, 221, 119)
_OTHER = (200, 200, 200)
_WHITE = (255, 255, 255)


def side_by_side(now: Picture, goal: Picture, caption: str) -> Picture:
    """uint8 (H, 2 W, 3): two pictures of one view with words above."""
    return _captioned(np.hstack([now, goal]), caption)


def draw_decision(decision: Decision, caption: str) -> Picture:
    """uint8 (H, 2 W, 3): the view in which it was decided, now and in the goal.

    Segments are red; matched ones are joined, green where the object stands, yellow for the one that is moved, grey
    for the others, with the distance in pixels and the similarity; a cross marks the object that is moved.
    """
    picture = np.hstack([_outlined(one) for one in (decision.now, decision.goal)])
    width = decision.now.image.shape[1]
    for match, distance in zip(decision.matches, decision.distances_px, strict=True):
        moved = match.now == decision.move.object
        colour = _STANDS if match.stands else _MOVED if moved else _OTHER
        start = _pixel(decision.now.centroids_xy[match.now])
        cv2.line(picture, start, _pixel(decision.goal.centroids_xy[match.goal] + (width, 0)), colour, 1, cv2.LINE_AA)
        if not match.stands:
            _write(picture, f"{distance:.0f} px {match.similarity:.2f}", start)
    if decision.move.object is not None:
        at = _pixel(decision.now.centroids_xy[decision.move.object])
        cv2.drawMarker(picture, at, _MOVED, cv2.MARKER_CROSS, 20, 2, cv2.LINE_AA)
    return _captioned(picture, f"{caption}: {decision.move.purpose} ({decision.view})")


def _outlined(segmented: SegmentedPicture) -> Picture:
    drawn = segmented.image.copy()
    for mask in segmented.masks:
        contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(drawn, contours, -1, _SEGMENT, 1, cv2.LINE_AA)
    return drawn


def _captioned(picture: Picture, caption: str) -> Picture:
    drawn = picture.copy()
    _write(drawn, caption, (6, 16))
    return drawn


def _write(picture: Picture, words: str, at: tuple[int, int]) -> None:
    for colour, width in (((0, 0, 0), 3), (_WHITE, 1)):
        cv2.putText(picture, words, at, cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, width, cv2.LINE_AA)


def _pixel(xy: NDArray[np.float64]) -> tuple[int, int]:
    return round(float(xy[0])), round(float(xy[1]))
