"""Start, goal and end of an episode side by side, as a small picture of the first view."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from tabletop_interaction.agents.agent import Observation
from tabletop_interaction.arrays import Picture, Points
from tabletop_interaction.benchmarks.rearrangement.oracle_parts import RememberingSimulation
from tabletop_interaction.envs.judges import WITHIN_PX
from tabletop_interaction.envs.rearrangement import goal_key

PICTURE_WIDTH_PX, PICTURE_HEIGHT_PX = 788, 212

_PANEL_WIDTH_PX, _GAP_PX = 260, 4

_QUALITY = 80
_ASKED = (255, 221, 51)
_DARK, _GREY = (0, 0, 0), (128, 128, 128)
_FINE = 4


def episode_jpeg(first: Observation, last: Observation, world: RememberingSimulation) -> bytes:
    """A JPEG of 788 x 212 px with start, goal and end of an episode, from its first and last observation."""
    size = (_PANEL_WIDTH_PX, PICTURE_HEIGHT_PX)
    small = [cv2.resize(panel, size, interpolation=cv2.INTER_AREA) for panel in _panels(first, last, world)]
    small[1] = cv2.copyMakeBorder(small[1], 0, 0, _GAP_PX, _GAP_PX, cv2.BORDER_CONSTANT, value=_GREY)
    done, encoded = cv2.imencode(".jpg", np.hstack(small)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    assert done, "OpenCV encodes every uint8 picture"
    return encoded.tobytes()


def _panels(first: Observation, last: Observation, world: RememberingSimulation) -> Iterator[Picture]:
    """Start, with lines from the displaced objects to their goals; goal; end. Rings of 15 px show the tolerance."""
    wanted, view = world.arrangement, world.views[0]
    asked = [state.id in wanted.displaced for state in wanted.start]
    start, goal = (
        view.project(np.array([state.position for state in states])[asked]) for states in (wanted.start, wanted.goal)
    )
    yield _ringed(_joined(first[view.name], start, goal), goal)
    yield _ringed(first[goal_key(0)], goal)
    yield _ringed(last[view.name], goal)


def _joined(picture: Picture, starts: Points, ends: Points) -> Picture:
    drawn = picture.copy()
    for colour, width in ((_DARK, 4), (_ASKED, 2)):
        for start, end in zip(starts, ends, strict=True):
            ring = end - WITHIN_PX * (end - start) / np.linalg.norm(end - start)
            cv2.line(drawn, _fine(start), _fine(ring), colour, width, cv2.LINE_AA, _FINE)
            cv2.circle(drawn, _fine(start), 3 << _FINE, colour, width, cv2.LINE_AA, _FINE)
    return drawn


def _ringed(picture: Picture, centres: Points) -> Picture:
    drawn = picture.copy()
    for colour, width in ((_DARK, 4), (_ASKED, 2)):
        for centre in centres:
            cv2.circle(drawn, _fine(centre), round(WITHIN_PX) << _FINE, colour, width, cv2.LINE_AA, _FINE)
    return drawn


def _fine(xy: Points) -> tuple[int, int]:
    """In sixteenths of a pixel, for OpenCV's `shift`."""
    x, y = np.round(xy * 2**_FINE).astype(int).tolist()
    return x, y
