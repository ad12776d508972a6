"""From the score maps of a network to its best positions, and from their mask logits to distinct masks of the picture.

These are the steps before and after the mask branch, for one picture, in numpy: every way to run the network shares
them. Local maxima, the number of masks and mask NMS are from DeepMask and its later users on robots. The scores of all
scales are compared first, so that the mask branch runs for the best positions only.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from tabletop_interaction.arrays import Floats32, Ints, Mask, Masks
from tabletop_interaction.segmentation.config import STRIDE, MaskGrid, ProposalConfig
from tabletop_interaction.segmentation.segments import Segments


class Candidates(NamedTuple):
    """The best positions of a picture, by falling score.

    Attributes:
        scale: (N,) number of the scale.
        position_rc: (N, 2) row and column of the scale's score map.
        score: (N,) float32, probabilities.
    """

    scale: Ints
    position_rc: Ints
    score: Floats32


def scaled_shape(shape: tuple[int, int], scale: float) -> tuple[int, int]:
    """Height and width to which a picture is resized for a scale."""
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def best_candidates(score_maps: Sequence[Floats32], config: ProposalConfig) -> Candidates:
    """The `max_masks` best local maxima of the score logits (h, w) of each scale."""
    scores, scales, positions = [], [], []
    for number, logits in enumerate(score_maps):
        peaks = np.flatnonzero(cv2.dilate(logits, np.ones((3, 3), np.uint8)) == logits)
        best = peaks[_falling(logits.ravel()[peaks])[: config.candidates_per_scale]]
        scores.append(logits.ravel()[best])
        scales.append(np.full(len(best), number))
        positions.append(np.stack(np.unravel_index(best, logits.shape), axis=1))
    every = np.concatenate(scores)
    best = _falling(every)[: config.max_masks]
    with np.errstate(over="ignore"):
        score = 1 / (1 + np.exp(-every[best]))
    best, score = best[score >= config.min_score], score[score >= config.min_score]
    return Candidates(np.concatenate(scales)[best], np.concatenate(positions)[best], np.asarray(score, np.float32))


def drawn_segments(
    mask_logits: Floats32, candidates: Candidates, grid: MaskGrid, shape: tuple[int, int], config: ProposalConfig
) -> Segments:
    """Draw the candidates' mask logits (N, M, M) into a picture of a shape (H, W), without duplicates."""
    threshold = math.log(config.mask_threshold / (1 - config.mask_threshold))
    centres = candidates.position_rc[:, ::-1] * STRIDE
    masks = [
        _drawn_mask(logits - threshold, centre, scaled_shape(shape, config.scales[scale]), grid, shape)
        for logits, centre, scale in zip(mask_logits, centres, candidates.scale, strict=True)
    ]
    return distinct(np.array(masks, np.bool_).reshape(-1, *shape), candidates.score, config)


def _falling(values: Floats32) -> Ints:
    """The order of falling values; equal ones keep theirs."""
    return np.argsort(-values, kind="stable")


def _drawn_mask(
    logits: Floats32, centre_xy: Ints, scaled_shape: tuple[int, int], grid: MaskGrid, shape: tuple[int, int]
) -> Mask:
    """Draw the mask (H, W) of a picture: pixels where the logits (M, M) of its resized copy, enlarged, are positive."""
    # Resizing keeps the outer edges of the picture, half a pixel beyond the outer pixel centres.
    ratio = np.array([scaled_shape[1] / shape[1], scaled_shape[0] / shape[0]])
    corner = centre_xy - (grid.size - 1) / 2 * grid.spacing
    reach = np.array([corner, 2 * centre_xy - corner])
    low, high = np.clip((reach + 0.5) / ratio - 0.5, 0, [shape[1] - 1, shape[0] - 1])
    x0, y0 = np.floor(low).astype(int)
    x1, y1 = np.ceil(high).astype(int) + 1
    first = ((np.array([x0, y0]) + 0.5) * ratio - 0.5 - corner) / grid.spacing
    grid_from_window = np.column_stack([np.diag(ratio / grid.spacing), first])
    enlarged = cv2.warpAffine(
        logits,
        grid_from_window,
        (int(x1 - x0), int(y1 - y0)),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=-1e6,
    )
    mask = np.zeros(shape, np.bool_)
    mask[y0:y1, x0:x1] = enlarged > 0
    return mask


def distinct(masks: Masks, scores: Floats32, config: ProposalConfig) -> Segments:
    """Drop masks of unlikely size and duplicates; `scores` fall, so that the better mask is kept."""
    area = masks.sum((1, 2))
    sensible = (area >= max(1, config.min_area)) & (area <= config.max_area_share * masks[:1].size)
    masks, scores = masks[sensible], scores[sensible]
    kept: list[int] = []
    boxes = np.zeros((0, 4))
    if len(masks):
        encoded = coco_mask.encode(np.asfortranarray(masks.transpose(1, 2, 0).view(np.uint8)))
        overlap = np.asarray(coco_mask.iou(encoded, encoded, [0] * len(encoded)))
        for i in range(len(masks)):
            if all(overlap[i, j] <= config.nms_iou for j in kept):
                kept.append(i)
        boxes = coco_mask.toBbox([encoded[i] for i in kept])
        boxes[:, 2:] += boxes[:, :2]
    return Segments(masks[kept], boxes.astype(np.float32), scores[kept].astype(np.float32))
