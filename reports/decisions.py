"""Pictures of a rearranging agent's decisions: now and goal side by side, segments outlined, matches joined."""

from __future__ import annotations

import cv2
import numpy as np

from tabletop_interaction.agents.rearranging.matching import SegmentedPicture
from tabletop_interaction.agents.rearranging.rearranger import Decision
from tabletop_interaction.arrays import Floats, Picture
from tabletop_interaction.segmentation.overlays import outlined

_SEGMENT = (255, 80, 60)
_MOVED = (255, 221, 51)
_IN_PLACE = (51, 221, 119)
_OTHER = (200, 200, 200)


def side_by_side(now: Picture, goal: Picture, caption: str) -> Picture:
    """Two pictures of one view as uint8 (H, 2 W, 3), with a caption inside."""
    picture = np.hstack([now, goal])
    _write(picture, caption, (6, 16))
    return picture


def draw_decision(decision: Decision, caption: str) -> Picture:
    """Draw a decision in its view, now and in the goal, as uint8 (H, 2 W, 3).

    Segments are red. Lines join matched ones, with distance in pixels and similarity: green for an object in place,
    yellow for the one that is moved, which also has a cross, and grey for the others.
    """
    picture = np.hstack([_with_segments(decision.now), _with_segments(decision.goal)])
    width = decision.now.image.shape[1]
    for match, distance in zip(decision.matches, decision.distances_px, strict=True):
        moved = match.now == decision.move.object
        colour = _IN_PLACE if match.stands else _MOVED if moved else _OTHER
        start = _pixel(decision.now.centroids_xy[match.now])
        cv2.line(picture, start, _pixel(decision.goal.centroids_xy[match.goal] + (width, 0)), colour, 1, cv2.LINE_AA)
        if not match.stands:
            _write(picture, f"{distance:.0f} px {match.similarity:.2f}", start)
    if decision.move.object is not None:
        at = _pixel(decision.now.centroids_xy[decision.move.object])
        cv2.drawMarker(picture, at, _MOVED, cv2.MARKER_CROSS, 20, 2, cv2.LINE_AA)
    _write(picture, f"{caption}: {decision.move.purpose} ({decision.view})", (6, 16))
    return picture


def _with_segments(segmented: SegmentedPicture) -> Picture:
    drawn = segmented.image
    for mask in segmented.masks:
        drawn = outlined(drawn, mask, _SEGMENT)
    return drawn


def _write(picture: Picture, words: str, at: tuple[int, int]) -> None:
    for colour, width in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(picture, words, at, cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, width, cv2.LINE_AA)


def _pixel(xy: Floats) -> tuple[int, int]:
    return round(float(xy[0])), round(float(xy[1]))
