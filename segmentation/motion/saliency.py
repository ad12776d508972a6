"""Where a clip of a still camera over a still table moves: changed pixels and dense optical flow.

Each cue sees what the other does not. The difference of two pictures is sharp and follows shifts and rotations of any
size, but a small shift changes little more than the rims, and a large one changes both places alike. Optical flow (DIS,
Kroeger et al. 2016) fills the inside of objects that shift by less than their size; it loses larger moves and leaks
into plain tables. A pixel moves between two frames if it changed, or if it lies between changed pixels and its flow
leads there and back. Shadows move with their objects; `frame_difference.changed_pixels` leaves them out.

A clip adds time to a pair. An object that moves twice differs in the frame between from both neighbours; the table that
it uncovers or covers differs from one only. A pixel that never changes belongs to the table or to an untouched object.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

import cv2
import numpy as np

from tabletop_interaction.arrays import Bytes, Floats32, Masks, Picture
from tabletop_interaction.frame_difference import changed_pixels, morphed
from tabletop_interaction.ranges import Pixels, Range, Share, check_fields

_FLOW_CONTEXT_PX = 24
_FLOW_SLACK_PX = 0.5
# DIS starts from patches on a pyramid.
_LEAST_FLOW_SIDE = 32


@dataclass(frozen=True)
class SaliencyConfig:
    """Settings of saliency.

    Attributes:
        least_change_px: least number of changed pixels in a movement.
        least_flow_px: least flow of a moving pixel.
        flow_mismatch: tolerance of the difference between flow and flow back, as a share of the length.
        gap_px: widest gap between changed pixels in which flow counts.
        still_px: least distance of a still pixel from all movements.
        once_trust: trust in a pixel that moves before or after a frame, but not both.
        twice_trust: trust in a pixel that moves before and after.
    """

    least_change_px: Annotated[int, Range(0, 10**9)] = 100
    least_flow_px: Pixels = 1.5
    flow_mismatch: Annotated[float, Range(0, 1000)] = 0.3
    gap_px: Annotated[int, Range(1, 10**4)] = 31
    still_px: Annotated[int, Range(0, 10**4)] = 4
    once_trust: Share = 0.27
    twice_trust: Share = 0.72

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True, eq=False)
class Saliency:
    """The movements of a clip of T frames.

    Attributes:
        moving: (T - 1, H, W) bool, moves between frames t and t + 1.
        votes: (T, H, W) float32, 1 where a pixel moves before or after the frame, else 0.
        trust: (T, H, W) float32 in 0 to 1; 1 where a pixel never moves, 0 where it moves at another time only.
    """

    moving: Masks
    votes: Floats32
    trust: Floats32


def motion_saliency(frames: Bytes, config: SaliencyConfig) -> Saliency:
    """Find the movements of a clip uint8 (T, H, W, 3) RGB, T of 2 or more, and votes and trust of every pixel."""
    moving = np.stack([moving_pixels(before, after, config) for before, after in pairwise(frames)])
    nothing = np.zeros_like(moving[:1])
    times = np.concatenate([nothing, moving]).astype(np.uint8) + np.concatenate([moving, nothing])
    still = morphed(cv2.MORPH_DILATE, np.asarray(moving.any(0), np.uint8), 2 * config.still_px + 1) == 0
    trust = np.array([0, config.once_trust, config.twice_trust], np.float32)[times]
    return Saliency(moving, (times > 0).astype(np.float32), np.where(still, np.float32(1), trust))


def moving_pixels(before: Picture, after: Picture, config: SaliencyConfig) -> Masks:
    """Return pixels (H, W) bool that move between two pictures, at both places."""
    changed = changed_pixels(before, after)
    if int(changed.sum()) < config.least_change_px:
        return np.zeros_like(changed)
    return changed | (_closed(changed, config.gap_px) & _flowing(before, after, changed, config))


def _flowing(before: Picture, after: Picture, changed: Masks, config: SaliencyConfig) -> Masks:
    """Return pixels (H, W) bool of `before`, around the changed ones, that flow and whose flow leads back."""
    x, y, width, height = cv2.boundingRect(changed.astype(np.uint8))
    context = _FLOW_CONTEXT_PX
    cut = np.s_[max(0, y - context) : y + height + context, max(0, x - context) : x + width + context]
    one, other = (np.asarray(cv2.cvtColor(picture[cut], cv2.COLOR_RGB2GRAY), np.uint8) for picture in (before, after))
    flowing = np.zeros(changed.shape, bool)
    if min(one.shape) < _LEAST_FLOW_SIDE:
        return flowing
    there, back = _flow(one, other), _flow(other, one)
    length = np.linalg.norm(there, axis=2)
    mismatch = np.linalg.norm(there + _sampled(back, there), axis=2)
    flowing[cut] = (length > config.least_flow_px) & (mismatch < config.flow_mismatch * length + _FLOW_SLACK_PX)
    return flowing


def _flow(one: Bytes, other: Bytes) -> Floats32:
    """(h, w, 2) pixels x, y, minus the median flow: exposure may change, and a camera may shake."""
    dense = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow = dense.calc(one, other, np.zeros((*one.shape, 2), np.float32))
    return np.asarray(flow - np.median(flow, axis=(0, 1)), np.float32)


def _sampled(values: Floats32, flow: Floats32) -> Floats32:
    """Sample values where the flow leads to."""
    height, width = flow.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return np.asarray(
        cv2.remap(values, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    )


def _closed(pixels: Masks, gap_px: int) -> Masks:
    bordered = cv2.copyMakeBorder(pixels.astype(np.uint8), *(gap_px,) * 4, cv2.BORDER_CONSTANT)
    closed = morphed(cv2.MORPH_CLOSE, np.asarray(bordered, np.uint8), gap_px)
    return np.asarray(closed[gap_px:-gap_px, gap_px:-gap_px] > 0)
