"""Masks of moving objects in a clip, without supervision: pixels that move together belong together.

As in Pathak et al. 2017, "Learning features by watching objects move", masks come from unsupervised video segmentation
after Faktor and Irani 2014; the paper (Pathak et al. 2018, section 4.2) bootstraps its network with them. In three
steps: find where the clip moves (`saliency`), let similar superpixels vote on what is an object (`consensus_voting`),
and turn connected parts of a usual size into masks (here).

Camera and table stand still and clips are stop motion: only frames next to a movement are segmented, and only the part
of the picture around it. A part counts in the frames next to its own movement; an object that waits for another push
adds nothing.
"""

from dataclasses import dataclass, field
from typing import Annotated

import cv2
import numpy as np

from tabletop_interaction.arrays import Bytes, Masks
from tabletop_interaction.errors import InvalidClip
from tabletop_interaction.frame_difference import Blob, morphed
from tabletop_interaction.ranges import Range, Share, check_fields, check_picture
from tabletop_interaction.segmentation.motion.consensus_voting import VotingConfig, consensus
from tabletop_interaction.segmentation.motion.saliency import SaliencyConfig, motion_saliency

FrameMasks = list[list[Masks]]
"""The masks of each frame of a clip, bool (H, W) each."""


@dataclass(frozen=True)
class MotionConfig:
    """Settings of motion segmentation.

    Attributes:
        least_vote: pixels with a larger vote belong to an object.
        least_area_px: least area of a mask.
        most_area: largest share of the picture of a mask.
        least_solidity: least share of its convex hull that a mask fills.
        least_moving: least share of a mask that moves right before or after its frame.
        close_px: widest gap that is closed.
        open_px: parts narrower than this are cut off.
        context_px: width of still table around all movements that votes too.
        saliency: see `SaliencyConfig`.
        voting: see `VotingConfig`.
    """

    least_vote: Share = 0.5
    least_area_px: Annotated[int, Range(0, 10**9)] = 300
    most_area: Share = 0.05
    least_solidity: Share = 0.6
    least_moving: Share = 0.3
    close_px: Annotated[int, Range(1, 10**4)] = 7
    open_px: Annotated[int, Range(1, 10**4)] = 3
    context_px: Annotated[int, Range(0, 10**4)] = 40
    saliency: SaliencyConfig = field(default_factory=SaliencyConfig)
    voting: VotingConfig = field(default_factory=VotingConfig)

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True, eq=False)
class Motion:
    """The movements in a clip of T frames.

    Attributes:
        moving: (T - 1, H, W) bool, pixels that move between frames t and t + 1, at both places.
        masks: of each of the T frames, bool (H, W), connected, disjoint, without holes; none where nothing moved.
    """

    moving: Masks
    masks: FrameMasks


_DEFAULTS = MotionConfig()


def segment_motion(frames: Bytes, config: MotionConfig = _DEFAULTS) -> Motion:
    """Segment moving objects in every frame right before or after a movement.

    Objects that move while they touch each other become one mask. Frames are uint8 (T, H, W, 3) RGB, T of 2 or more, of
    one still camera.

    Raises:
        InvalidClip: frames of another type or shape, or only one.
    """
    check_picture("the clip", frames, "frames, height, width, 3", error=InvalidClip)
    if len(frames) < 2:
        raise InvalidClip(f"a clip of {len(frames)} frame shows no motion; give 2 or more")
    saliency = motion_saliency(frames, config.saliency)
    masks: FrameMasks = [[] for _ in frames]
    moving = np.pad(saliency.moving, ((1, 1), (0, 0), (0, 0)))
    beside = moving[:-1] | moving[1:]
    active = np.flatnonzero(beside.any((1, 2))).tolist()
    if active:
        context = config.context_px
        x, y, width, height = cv2.boundingRect(np.asarray(saliency.moving.any(0), np.uint8))
        rows, columns = (
            slice(max(0, y - context), y + height + context),
            slice(max(0, x - context), x + width + context),
        )
        first, trust = (each[active, rows, columns] for each in (saliency.votes, saliency.trust))
        votes = consensus(np.ascontiguousarray(frames[active, rows, columns]), first, trust, config.voting)
        for number, seen in zip(active, votes, strict=True):
            pixels = np.zeros(frames.shape[1:3], np.uint8)
            pixels[rows, columns] = seen > config.least_vote
            masks[number] = _parts(pixels, beside[number], config)
    return Motion(saliency.moving, masks)


def _parts(pixels: Blob, moving: Masks, config: MotionConfig) -> list[Masks]:
    """Return the connected parts that may be an object, holes filled, largest first."""
    closed = morphed(cv2.MORPH_CLOSE, pixels, config.close_px)
    opened = morphed(cv2.MORPH_OPEN, closed, config.open_px)
    outlines, _ = cv2.findContours(opened, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    parts = []
    for outline in sorted(outlines, key=cv2.contourArea, reverse=True):
        part = np.zeros(pixels.shape, np.uint8)
        cv2.drawContours(part, [outline], -1, 1, cv2.FILLED)
        mask = part.astype(bool)
        hull = max(1.0, cv2.contourArea(cv2.convexHull(outline)))
        if (
            config.least_area_px <= int(mask.sum()) <= config.most_area * mask.size
            and cv2.contourArea(outline) >= config.least_solidity * hull
            and float(moving[mask].mean()) >= config.least_moving
        ):
            parts.append(mask)
    return parts
