"""Average precision of ranked masks: COCO's figure first, the area under the whole curve second.

The paper's metric is VOC-style AP at IoU 0.3 and 0.5 over ranked proposals. Two figures are given, each by
its name:

- `ap`, COCO's: precision made monotone, read at the recalls 0, 0.01, ..., 1 and averaged; from
  faster-coco-eval.
- `area_ap`, VOC's rule since 2010: the area under the same curve at all its points. Detections are matched as
  COCO does (a taken object gives way to the next best free one), which VOC's own matching does not: it can
  differ from a VOC figure by up to two points.

faster-coco-eval keeps the fate of each detection to itself; those that `area_ap`, the recalls and the
bootstrap use are pycocotools' (`evalImgs`), by the same rule.

Constant scores mean nothing to a ranking: equal scores are ranked by image id, then by their order in the
picture, as COCO does, and AP then depends on that order.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from tabletop_interaction.errors import InvalidDetections, InvalidLabelSet
from tabletop_interaction.segmentation.coco import MIN_OBJECT_AREA, Detections, LabelSet
from tabletop_interaction.segmentation.evaluation.precision_recall import (
    COCO_IOU_THRESHOLDS,
    FloatArray,
    Matches,
    area_under_curve,
    mean_matched_iou,
    precision_at_grid,
    precision_recall,
    recalls_at_precisions,
)

IOU_THRESHOLDS = (0.3, *COCO_IOU_THRESHOLDS)


@dataclass(frozen=True)
class EvaluationSettings:
    """What a figure was computed with; to be printed beside it.

    Attributes:
        max_detections: detections kept a picture; at least the most that any picture has, so that none is
            cut.
        min_object_area: objects of fewer pixels are left out, besides those that the label set marks as
            crowd.
        iou_thresholds: from which IoU on a detection is right.
        libraries: names and versions.
    """

    max_detections: int
    min_object_area: int
    iou_thresholds: tuple[float, ...]
    libraries: str

    def describe(self) -> str:
        """One line."""
        return (
            f"COCO 101-point AP, segm, class-agnostic, all areas, maxDets {self.max_detections}, "
            f"objects < {self.min_object_area} px ignored, {self.libraries}"
        )


@dataclass(frozen=True, eq=False)
class AveragePrecision:
    """Figures of one set of detections, each in [0, 1]; the keys of mappings are IoU thresholds.

    Attributes:
        settings: print `settings.describe()` beside any of these.
        ap: COCO's 101-point AP.
        ap_50_95: its mean over IoU 0.5, 0.55, ..., 0.95.
        area_ap: area under the monotone precision-recall curve at all points (VOC's rule, COCO's matching).
        precision: (101,) float64 each, monotone precision at `RECALL_GRID`.
        recall_at_precision: for each of `PRECISIONS`, the highest recall that is reached with it; 0 if it
            never is.
        mean_matched_iou: mean IoU of the detections that are right at IoU 0.5; NaN when none is.
        images: pictures evaluated.
        objects: objects that count.
        ignored_objects: objects that are left out.
        detections: detections evaluated, ignored ones included.
        matches: what `bootstrap_intervals` needs.
    """

    settings: EvaluationSettings
    ap: Mapping[float, float]
    ap_50_95: float
    area_ap: Mapping[float, float]
    precision: Mapping[float, FloatArray]
    recall_at_precision: Mapping[float, Mapping[float, float]]
    mean_matched_iou: float
    images: int
    objects: int
    ignored_objects: int
    detections: int
    matches: Matches


def average_precision(
    label_set: LabelSet, detections: Mapping[int, Detections], *, min_object_area: int = MIN_OBJECT_AREA
) -> AveragePrecision:
    """Score ranked masks against a label set, categories aside, objects of all sizes together.

    Perfect detections give 1, no detections 0. Objects that are not labelled become false positives.

    Args:
        label_set: the truth.
        detections: by image id, for every picture of the set; a picture without any has an empty
            `Detections`.
        min_object_area: objects of fewer pixels are left out as if the label set marked them as crowd.

    Raises:
        InvalidLabelSet: no object counts.
        InvalidDetections: pictures are missing or unknown, or a mask is not of its picture's size.
    """
    _check_detections(label_set, detections)
    truth = _truth_annotations(label_set, min_object_area)
    objects = sum(not annotation["iscrowd"] for annotation in truth)
    if objects == 0:
        raise InvalidLabelSet(
            f"none of the {len(truth)} objects counts, all are crowd or under {min_object_area} px; "
            "AP is undefined: label larger objects"
        )
    found = _found_annotations(label_set, detections)
    settings = EvaluationSettings(
        max_detections=max(1, *(len(found_in.rles) for found_in in detections.values())),
        min_object_area=min_object_area,
        iou_thresholds=IOU_THRESHOLDS,
        libraries=f"pycocotools {version('pycocotools')}",
    )
    matches = _matches(_evaluate(label_set, truth, found, settings), settings)
    curves = {iou: precision_recall(matches, iou) for iou in IOU_THRESHOLDS}
    precision = {iou: precision_at_grid(*curve) for iou, curve in curves.items()}
    ap = {iou: float(np.mean(values)) for iou, values in precision.items()}
    return AveragePrecision(
        settings=settings,
        ap=ap,
        ap_50_95=float(np.mean([ap[iou] for iou in COCO_IOU_THRESHOLDS])),
        area_ap={iou: area_under_curve(*curve) for iou, curve in curves.items()},
        precision=precision,
        recall_at_precision={iou: recalls_at_precisions(*curve) for iou, curve in curves.items()},
        mean_matched_iou=mean_matched_iou(matches, 0.5),
        images=len(label_set.images),
        objects=objects,
        ignored_objects=len(truth) - objects,
        detections=len(found),
        matches=matches,
    )


def _check_detections(label_set: LabelSet, detections: Mapping[int, Detections]) -> None:
    image_ids = {image.image_id for image in label_set.images}
    unknown, missing = sorted(set(detections) - image_ids), sorted(image_ids - set(detections))
    if unknown or missing:
        raise InvalidDetections(
            f"{len(missing)} images lack detections, first {missing[:5]}, and {len(unknown)} are unknown, "
            f"first {unknown[:5]}; give every picture its detections, empty if none was found"
        )
    for image in label_set.images:
        for index, rle in enumerate(detections[image.image_id].rles):
            if (rle.height, rle.width) != (image.height, image.width):
                raise InvalidDetections(
                    f"detection {index} of image {image.image_id} is {rle.height} x {rle.width} px, its "
                    f"picture {image.height} x {image.width}; resize masks to the picture first"
                )


def _truth_annotations(label_set: LabelSet, min_object_area: int) -> list[dict[str, Any]]:
    """As the evaluators want them, objects and pictures numbered from 1.

    An object with id 0 would count as unmatched, and faster-coco-eval passes ids of pictures through floats.
    """
    numbers = _picture_numbers(label_set)
    return [
        {
            "id": number,
            "image_id": numbers[labelled.image_id],
            "category_id": 1,
            "segmentation": labelled.rle.to_coco(),
            "area": labelled.rle.area,
            "iscrowd": int(labelled.is_crowd or labelled.rle.area < min_object_area),
        }
        for number, labelled in enumerate(label_set.objects, start=1)
    ]


def _picture_numbers(label_set: LabelSet) -> dict[int, int]:
    return {image.image_id: number for number, image in enumerate(label_set.images, start=1)}


def _found_annotations(label_set: LabelSet, detections: Mapping[int, Detections]) -> list[dict[str, Any]]:
    pairs = [
        (picture, rle, score)
        for picture, image in enumerate(label_set.images, start=1)
        for rle, score in zip(detections[image.image_id].rles, detections[image.image_id].scores.tolist(), strict=True)
    ]
    return [
        {
            "id": number,
            "image_id": picture,
            "category_id": 1,
            "segmentation": rle.to_coco(),
            "area": rle.area,
            "iscrowd": 0,
            "score": score,
        }
        for number, (picture, rle, score) in enumerate(pairs, start=1)
    ]


def _evaluate(
    label_set: LabelSet, truth: list[dict[str, Any]], found: list[dict[str, Any]], settings: EvaluationSettings
) -> COCOeval:
    """Match detections to objects by pycocotools."""
    # pycocotools prints its progress to stdout and has no option against it.
    with contextlib.redirect_stdout(io.StringIO()):
        evaluator = COCOeval(_coco(label_set, truth), _coco(label_set, found), "segm")
        evaluator.params.useCats = 0
        evaluator.params.iouThrs = np.array(settings.iou_thresholds)
        evaluator.params.maxDets = [settings.max_detections]
        evaluator.params.areaRng = [[0, 1e10]]
        evaluator.params.areaRngLbl = ["all"]
        evaluator.evaluate()
    return evaluator


def _coco(label_set: LabelSet, annotations: list[dict[str, Any]]) -> COCO:
    coco = COCO()
    coco.dataset = {
        "images": [
            {"id": number, "height": image.height, "width": image.width}
            for number, image in enumerate(label_set.images, start=1)
        ],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "object"}],
    }
    coco.createIndex()
    return coco


def _matches(evaluator: COCOeval, settings: EvaluationSettings) -> Matches:
    thresholds = len(settings.iou_thresholds)
    fates = [
        _picture_fate(evaluator, number, fate, thresholds) for number, fate in enumerate(evaluator.evalImgs, start=1)
    ]
    scores = np.concatenate([fate["scores"] for fate in fates])
    order = np.argsort(-scores, kind="stable")
    matched, ignored, iou = (
        np.concatenate([fate[key] for fate in fates], axis=1)[:, order] for key in ("matched", "ignored", "iou")
    )
    return Matches(
        iou_thresholds=settings.iou_thresholds,
        picture=np.repeat(np.arange(len(fates)), [len(fate["scores"]) for fate in fates])[order],
        scores=scores[order],
        hit=matched & ~ignored,
        ignored=ignored,
        iou=iou,
        objects=np.array([fate["objects"] for fate in fates], np.int64),
    )


def _picture_fate(evaluator: Any, number: int, fate: dict[str, Any] | None, thresholds: int) -> dict[str, Any]:
    """One of `evalImgs` as arrays; None, a picture with neither objects nor detections, gives empty ones."""
    if fate is None:
        empty = np.zeros((thresholds, 0))
        return {"scores": np.zeros(0), "matched": empty > 0, "ignored": empty > 0, "iou": empty, "objects": 0}
    matched = fate["dtMatches"] > 0
    iou = np.zeros(matched.shape)
    if matched.any():
        # Rows of `ious` are detections, best score first as in the fate; columns are objects, ordered by id.
        column = np.searchsorted(np.sort(fate["gtIds"]), fate["dtMatches"][matched])
        iou[matched] = evaluator.ious[number, -1][np.nonzero(matched)[1], column]
    return {
        "scores": np.array(fate["dtScores"], np.float64),
        "matched": matched,
        "ignored": fate["dtIgnore"].astype(np.bool_),
        "iou": iou,
        "objects": int(np.count_nonzero(np.asarray(fate["gtIgnore"]) == 0)),
    }
