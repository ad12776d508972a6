"""What the figures look like: the best, middle and worst pictures of an evaluation, true and proposed outlines in them.

A picture's rank is its own AP, averaged over IoU 0.5 to 0.95. Shown are as many of its best proposals as it has
objects, so that each missing one is a mistake.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from tabletop_interaction.benchmarks.segmentation.evaluation import Evaluation, EvaluationSet
from tabletop_interaction.segmentation.coco import LabelledImage
from tabletop_interaction.segmentation.evaluation.precision_recall import (
    COCO_IOU_THRESHOLDS,
    Matches,
    area_under_curve,
    precision_recall,
)
from tabletop_interaction.segmentation.overlays import outlined
from tabletop_interaction.segmentation.photos import read_picture
from tabletop_interaction.segmentation.proposals import Image
from tabletop_interaction.segmentation.rle import mask_from_rle

_TRUE, _RIGHT, _WRONG = (40, 220, 80), (255, 221, 51), (240, 50, 50)
_LEGEND = (("true object", _TRUE), ("proposal, IoU at least 0.5", _RIGHT), ("proposal, wrong or double", _WRONG))
_TILE_PX = (430, 350)
_CAPTION_PX = 20
_GAP_PX = 6
_IN_A_ROW = 4


def evaluation_sheet(evaluation: Evaluation, data: EvaluationSet) -> Image:
    """uint8 (H, W, 3): rows of up to four best, middle and worst pictures."""
    quality = picture_quality(evaluation.figures.matches)
    ranked = np.argsort(-quality, kind="stable")[: np.count_nonzero(np.isfinite(quality))]
    count = min(_IN_A_ROW, len(ranked))
    middle = (len(ranked) - count) // 2
    rows = {"best": ranked[:count], "middle": ranked[middle : middle + count], "worst": ranked[-count:]}
    strips = [
        np.hstack([_tile(evaluation, data, int(number), f"{name} {quality[number]:.2f}") for number in chosen])
        for name, chosen in rows.items()
    ]
    return np.vstack([_legend(strips[0].shape[1]), *strips])


def picture_quality(matches: Matches) -> NDArray[np.float64]:
    """Each picture's own AP (P,), mean over IoU 0.5 to 0.95; NaN without an object."""
    quality = np.full(len(matches.objects), np.nan)
    for number in np.flatnonzero(matches.objects):
        alone = np.zeros(len(matches.objects))
        alone[number] = 1.0
        areas = [area_under_curve(*precision_recall(matches, iou, alone)) for iou in COCO_IOU_THRESHOLDS]
        quality[number] = np.mean(areas)
    return quality


def _tile(evaluation: Evaluation, data: EvaluationSet, number: int, caption: str) -> Image:
    labelled = data.label_set.images[number]
    picture = read_picture(data.images_dir / labelled.file_name, upright=False)
    drawn = _with_outlines(picture, evaluation, data, number, labelled)
    fitted = _fitted(drawn)
    tile = cv2.copyMakeBorder(
        fitted, _CAPTION_PX, _GAP_PX, _GAP_PX, _GAP_PX, cv2.BORDER_CONSTANT, value=(255, 255, 255)
    )
    objects = int(evaluation.figures.matches.objects[number])
    text = f"{caption}   {labelled.file_name}   {objects} objects"
    cv2.putText(tile, text, (_GAP_PX, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (30, 30, 30), 1, cv2.LINE_AA)
    return np.asarray(tile, np.uint8)


def _with_outlines(
    picture: Image, evaluation: Evaluation, data: EvaluationSet, number: int, labelled: LabelledImage
) -> Image:
    matches, found = evaluation.figures.matches, evaluation.detections[labelled.image_id]
    thickness = max(1, round(1.5 * max(picture.shape[:2]) / _TILE_PX[0]))
    for truth in data.label_set.objects_in(labelled.image_id):
        picture = outlined(picture, mask_from_rle(truth.rle), _TRUE, thickness + 1)
    right = matches.hit[matches.iou_thresholds.index(0.5), matches.picture == number]
    best_first = np.argsort(-found.scores, kind="stable")[: matches.objects[number]]
    for rank, index in enumerate(best_first):
        colour = _RIGHT if right[rank] else _WRONG
        picture = outlined(picture, mask_from_rle(found.rles[index]), colour, thickness)
    return picture


def _fitted(picture: Image) -> Image:
    """Shrunk into the tile, white around it."""
    width, height = _TILE_PX
    ratio = min(width / picture.shape[1], height / picture.shape[0])
    size = (round(picture.shape[1] * ratio), round(picture.shape[0] * ratio))
    tile = np.full((height, width, 3), 255, np.uint8)
    resized = picture if ratio == 1 else cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    top, left = (height - size[1]) // 2, (width - size[0]) // 2
    tile[top : top + size[1], left : left + size[0]] = resized
    return tile


def _legend(width: int) -> Image:
    strip = np.full((26, width, 3), 255, np.uint8)
    x = _GAP_PX
    for text, colour in _LEGEND:
        cv2.rectangle(strip, (x, 8), (x + 16, 20), colour, -1)
        cv2.putText(strip, text, (x + 22, 19), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (30, 30, 30), 1, cv2.LINE_AA)
        x += 40 + 8 * len(text)
    return strip
