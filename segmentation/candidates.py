"""From the score maps of a network to its best positions, and from their mask logits to distinct masks of the picture.

These are the steps before and after the mask branch, for one picture, in numpy: every way to run the network shares
them. Local maxima, the number of masks and mask NMS are from DeepMask and its later users on robots. The scores of all
scales are compared first, so that the mask branch runs for the best positions only.

The masks are ranked by their support (`ranked_by_support`), not by the score of their position: a network that has seen
few tables is as sure of a print as of an object, but its masks of a print are vague, and differ from position to
position and from scale to scale. The quality of a mask counts as in Mask Scoring R-CNN (Huang et al. 2019), here
without a branch that predicts it, and the votes of overlapping masks as in box voting (Gidaris, Komodakis 2015).
`docs/decisions/0012-ranking.md` has figures.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from tabletop_interaction.arrays import Bools, Floats, Floats32, Ints, Mask, Masks
from tabletop_interaction.segmentation.config import STRIDE, MaskGrid, ProposalConfig
from tabletop_interaction.segmentation.segments import Segments

_SUPPORT_IOU = 0.5
_STEEPNESS = 1.6


class Candidates(NamedTuple):
    """The best positions of a picture, by falling score.

    Attributes:
        scale: (N,) number of the scale.
        position_rc: (N, 2) row and column of the scale's score map.
        score: (N,) float32, the probability that an object is centred there.
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
    likely = score >= config.min_probability
    best = best[likely]
    return Candidates(
        np.concatenate(scales)[best], np.concatenate(positions)[best], np.asarray(score[likely], np.float32)
    )


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
    quality = candidates.score * expected_ious(mask_logits, threshold)
    return ranked_by_support(np.array(masks, np.bool_).reshape(-1, *shape), quality, config)


def expected_ious(logits: Floats32, threshold: float = 0.0) -> Floats32:
    """The IoU of each mask, logits (N, M, M) above a threshold, with the true one as the network expects it, (N,).

    ```
    IoU = sum of p inside / (number inside + sum of p outside),   p = sigmoid(logit)
    ```
    """
    inside = logits > threshold
    # A pixel that is not a number is no part of a mask.
    probability = 1 / (1 + np.exp(-np.clip(np.nan_to_num(logits, nan=-30.0), -30, 30)))
    common = (probability * inside).sum((1, 2))
    union = inside.sum((1, 2)) + (probability * ~inside).sum((1, 2))
    return np.asarray(common / np.maximum(union, 1), np.float32)


def ranked_by_support(masks: Masks, quality: Floats32, config: ProposalConfig) -> Segments:
    """Drop masks (N, H, W) of unlikely size, duplicates, and masks of low score, which is what supports them.

    ```
    score = 1 - exp(-1.6 x),   x = q_i sqrt(sum over j of IoU_ij q_j),   over all masks j with IoU_ij above 0.5
    ```

    The mask i itself is one of the masks j: alone and with q = 1, it has the score 0.8. More scales give more votes.
    With the factor 1.6 the shipped network's masks above 0.5 find about as many objects as positions of probability
    0.8 and more do.

    Args:
        quality: (N,) q, 0 to 1; of duplicates the mask of higher quality is kept.
    """
    sensible = _has_sensible_size(masks, config)
    masks, quality = masks[sensible], quality[sensible]
    overlap = _overlaps(masks)
    votes = np.where(overlap > _SUPPORT_IOU, overlap, 0) @ quality
    support = quality * np.sqrt(votes)
    score = -np.expm1(-_STEEPNESS * support)
    kept = [one for one in _without_duplicates(overlap, _falling(quality), config) if score[one] >= config.min_score]
    return Segments.of(masks[kept], score[kept])


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
    """Drop masks of unlikely size and duplicates; of duplicates the one of higher score is kept."""
    sensible = _has_sensible_size(masks, config)
    masks, scores = masks[sensible], scores[sensible]
    kept = _without_duplicates(_overlaps(masks), _falling(scores), config)
    return Segments.of(masks[kept], scores[kept])


def _has_sensible_size(masks: Masks, config: ProposalConfig) -> Bools:
    area = masks.sum((1, 2))
    return np.asarray((area >= max(1, config.min_area)) & (area <= config.max_area_share * masks[:1].size))


def _overlaps(masks: Masks) -> Floats:
    """IoU of each mask with each, (N, N)."""
    if not len(masks):
        return np.zeros((0, 0))
    encoded = coco_mask.encode(np.asfortranarray(masks.transpose(1, 2, 0).view(np.uint8)))
    return np.asarray(coco_mask.iou(encoded, encoded, [0] * len(encoded)), np.float64)


def _without_duplicates(overlap: Floats, order: Ints, config: ProposalConfig) -> list[int]:
    """Indices in an order, without those that overlap an earlier one (mask NMS)."""
    kept: list[int] = []
    for i in order.tolist():
        if (overlap[i, kept] <= config.nms_iou).all():
            kept.append(i)
    return kept
