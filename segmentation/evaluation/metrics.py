"""Average precision of ranked masks: COCO's figure, and the area under the whole curve.

The paper's metric is VOC-style AP at IoU 0.3 and 0.5 over ranked proposals. There are two figures:

- `ap`, COCO's: monotone precision, sampled at the recalls 0, 0.01, ..., 1 and averaged;
- `area_ap`, VOC's rule since 2010: the area under the same curve at all its points.

pycocotools matches detections with objects for both: a detection whose object is taken gets the next best free one.
VOC's own matching does not do this and can differ by up to two points.

Equal scores are ranked by image id, then by their order in the picture, as in COCO; constant scores mean nothing to a
ranking, and AP then depends on that order.
"""

import contextlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from tabletop_interaction.arrays import Floats
from tabletop_interaction.errors import InvalidDetections, InvalidLabelSet
from tabletop_interaction.segmentation.coco import MIN_OBJECT_AREA, Detections, LabelSet
from tabletop_interaction.segmentation.evaluation.precision_recall import (
    COCO_IOU_THRESHOLDS,
    IOU_THRESHOLDS,
    Matches,
    area_under_curve,
    precision_at_grid,
    precision_recall,
    recalls_at_precisions,
)
from tabletop_interaction.segmentation.rle import Rle


@dataclass(frozen=True, eq=False)
class AveragePrecision:
    """Figures of one set of detections, each in [0, 1]; the keys of mappings are IoU thresholds.

    Attributes:
        settings: of the evaluation with the library's version, one line to print beside the figures.
        ap: COCO's 101-point AP.
        ap_50_95: its mean over IoU 0.5, 0.55, ..., 0.95.
        area_ap: area under the monotone precision-recall curve at all points (VOC's rule, COCO's matching).
        precision: (101,) float64 each, monotone precision at `RECALL_GRID`.
        recall_at_precision: for each of `PRECISIONS`, the highest recall at that precision or more; 0 if there is none.
        mean_matched_iou: mean IoU of the detections that are correct at IoU 0.5; NaN without any.
        images: pictures evaluated.
        objects: objects that count.
        ignored_objects: objects that do not count.
        detections: detections evaluated, ignored ones included.
        matches: input of `bootstrap_intervals`.
    """

    settings: str
    ap: Mapping[float, float]
    ap_50_95: float
    area_ap: Mapping[float, float]
    precision: Mapping[float, Floats]
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
    """Score ranked masks against a label set, without categories, objects of all sizes together.

    Perfect detections give 1, no detections 0. Objects that are not labelled become false positives.

    Args:
        detections: by image id, for every picture of the set; empty where nothing was found.
        min_object_area: objects of fewer pixels are treated as crowd.

    Raises:
        InvalidLabelSet: no object counts.
        InvalidDetections: pictures are missing or unknown, or a mask has another size than its picture.
    """
    _check_detections(label_set, detections)
    picture_of = {image.image_id: number for number, image in enumerate(label_set.images, start=1)}
    truth = [
        _annotation(picture_of[one.image_id], one.rle, iscrowd=int(one.is_crowd or one.rle.area < min_object_area))
        for one in label_set.objects
    ]
    found = [
        _annotation(picture_of[image.image_id], rle, iscrowd=0, score=score)
        for image in label_set.images
        for rle, score in zip(detections[image.image_id].rles, detections[image.image_id].scores.tolist(), strict=True)
    ]
    objects = sum(not annotation["iscrowd"] for annotation in truth)
    if objects == 0:
        raise InvalidLabelSet(
            f"none of the {len(truth)} objects counts, all are crowd or under {min_object_area} px; "
            "AP is undefined: label larger objects"
        )
    # Enough that none is dropped.
    max_detections = max(1, *(len(one.rles) for one in detections.values()))
    # pycocotools prints its progress to stdout and has no option against it.
    with contextlib.redirect_stdout(io.StringIO()):
        matches = _matches(_evaluate(_coco(label_set, truth), _coco(label_set, found), max_detections))
    half = IOU_THRESHOLDS.index(0.5)
    hit = matches.hit[half]
    curves = {iou: precision_recall(matches, iou) for iou in IOU_THRESHOLDS}
    precision = {iou: precision_at_grid(*curve) for iou, curve in curves.items()}
    ap = {iou: float(np.mean(values)) for iou, values in precision.items()}
    return AveragePrecision(
        settings=(
            f"COCO 101-point AP, segm, class-agnostic, all areas, maxDets {max_detections}, "
            f"objects < {min_object_area} px ignored, pycocotools {version('pycocotools')}"
        ),
        ap=ap,
        ap_50_95=float(np.mean([ap[iou] for iou in COCO_IOU_THRESHOLDS])),
        area_ap={iou: area_under_curve(*curve) for iou, curve in curves.items()},
        precision=precision,
        recall_at_precision={iou: recalls_at_precisions(*curve) for iou, curve in curves.items()},
        mean_matched_iou=float(np.mean(matches.iou[half][hit])) if hit.any() else float("nan"),
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


def _annotation(picture: int, rle: Rle, **more: float) -> dict[str, Any]:
    return {"image_id": picture, "category_id": 1, "segmentation": rle.to_coco(), "area": rle.area, **more}


def _evaluate(truth: COCO, found: COCO, max_detections: int) -> COCOeval:
    evaluator = COCOeval(truth, found, "segm")
    evaluator.params.useCats = 0
    evaluator.params.iouThrs = np.array(IOU_THRESHOLDS)
    evaluator.params.maxDets = [max_detections]
    evaluator.params.areaRng = [[0, 1e10]]
    evaluator.params.areaRngLbl = ["all"]
    evaluator.evaluate()
    return evaluator


def _coco(label_set: LabelSet, annotations: list[dict[str, Any]]) -> COCO:
    """Number pictures and annotations from 1, because pycocotools takes id 0 for "unmatched"."""
    coco = COCO()
    coco.dataset = {
        "images": [
            {"id": number, "height": image.height, "width": image.width}
            for number, image in enumerate(label_set.images, start=1)
        ],
        "annotations": [{"id": number, **annotation} for number, annotation in enumerate(annotations, start=1)],
        "categories": [{"id": 1, "name": "object"}],
    }
    coco.createIndex()
    return coco


def _matches(evaluator: COCOeval) -> Matches:
    fates = [_picture_fate(evaluator, number, fate) for number, fate in enumerate(evaluator.evalImgs, start=1)]
    scores = np.concatenate([fate["scores"] for fate in fates])
    order = np.argsort(-scores, kind="stable")
    matched, ignored, iou = (
        np.concatenate([fate[key] for fate in fates], axis=1)[:, order] for key in ("matched", "ignored", "iou")
    )
    return Matches(
        picture=np.repeat(np.arange(len(fates)), [len(fate["scores"]) for fate in fates])[order],
        scores=scores[order],
        hit=matched & ~ignored,
        ignored=ignored,
        iou=iou,
        objects=np.array([fate["objects"] for fate in fates], np.int64),
    )


def _picture_fate(evaluator: Any, number: int, fate: dict[str, Any] | None) -> dict[str, Any]:
    """Convert one of `evalImgs` to arrays; None, a picture without objects and detections, gives empty ones."""
    if fate is None:
        empty = np.zeros((len(IOU_THRESHOLDS), 0))
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
