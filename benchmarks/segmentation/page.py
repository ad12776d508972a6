"""An evaluation on disk: a page, results.json, detections, precision-recall curves, and a sheet of pictures.

The sheet shows the best, middle and worst pictures with the outlines of true and of proposed masks. The rank of a
picture is its own AP, averaged over IoU 0.5 to 0.95. As many of its best proposals are drawn as it has objects, so that
each missing one is a mistake.
"""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from tabletop_interaction.arrays import Floats, Picture
from tabletop_interaction.benchmarks.figures import counted
from tabletop_interaction.benchmarks.segmentation.evaluation import (
    SHOWN_IOUS,
    UNRELIABLE,
    Evaluation,
    EvaluationSet,
    essential_ap,
    figures_document,
    footnotes,
    results_table,
    with_interval,
)
from tabletop_interaction.files import write_file, write_json
from tabletop_interaction.reports.charts import Line, LineChart, chart_file
from tabletop_interaction.reports.drawing import COLOURS
from tabletop_interaction.reports.figures_page import (
    TERMS_OF_AP,
    TERMS_OF_CURVES,
    CaptionedPicture,
    FiguresPage,
    PictureGroup,
)
from tabletop_interaction.reports.page import embedded
from tabletop_interaction.reports.sheets import with_caption, with_margin, write_sheet
from tabletop_interaction.segmentation.evaluation.precision_recall import (
    COCO_IOU_THRESHOLDS,
    IOU_THRESHOLDS,
    RECALL_GRID,
    Matches,
    area_under_curve,
    precision_recall,
)
from tabletop_interaction.segmentation.lettering import INK, words_width, write_words
from tabletop_interaction.segmentation.opening import built_in_name, file_of
from tabletop_interaction.segmentation.overlays import outlined
from tabletop_interaction.segmentation.photos import coco_results
from tabletop_interaction.segmentation.rle import mask_from_rle

_CHART = (336, 346)
_TRUE, _RIGHT, _WRONG = (40, 220, 80), (255, 221, 51), (240, 50, 50)
_LEGEND = (("true object", _TRUE), ("proposal, IoU at least 0.5", _RIGHT), ("proposal, wrong or a second one", _WRONG))
_TILE_PX = (430, 350)
_LETTERS_PX = 16
_GAP_PX = 6
_IN_A_ROW = 4
_PER_CENT = (0.0, 100.0)
_EMBEDDED_PX = 640
_MEANING = (
    "Outlines: green is a true object, yellow a proposal with IoU of at least 0.5, red a wrong one or a second one of "
    "an object. As many of the best proposals are drawn as there are objects. A picture's rank is its own AP, the mean "
    "over IoU 0.5 to 0.95."
)
_INTERVALS = "AP in per cent; in brackets its 95 % interval, a bootstrap over pictures"


def write_report(
    out: Path,
    evaluations: Sequence[Evaluation],
    data: EvaluationSet,
    models: Mapping[str, Mapping[str, Any]],
    baseline: Evaluation | None = None,
) -> list[Path]:
    """Write the report into the folder `out` and return its files.

    `models` holds further entries of results.json by model: checkpoint, settings, training; `baseline` is the simple
    one on the same pictures, a dashed curve.
    """
    curves, results = out / "pr_curves.svg", out / "results.json"
    write_file(curves, precision_recall_svg(evaluations, baseline))
    paths = [results_page(evaluations, data, baseline).write(out / "results.html"), curves, results]
    for evaluation in evaluations:
        detections = out / f"{evaluation.model}.detections.json"
        write_json(detections, _detections(evaluation, data), indent=None)
        rows = evaluation_rows(evaluation, data)
        legend = _legend(max(sum(tile.shape[1] for tile in row) for row in rows))
        paths += [write_sheet(out / f"{evaluation.model}.jpg", [[legend], *rows], quality=90), detections]
    document = {
        "set": data.describe(),
        "torch": torch.__version__,
        "machine": platform.machine(),
        "models": [{**models[e.model], **figures_document(e)} for e in evaluations],
        "simple_baseline": None if baseline is None else figures_document(baseline),
    }
    write_json(results, document)
    return paths


def precision_recall_svg(evaluations: Sequence[Evaluation], baseline: Evaluation | None = None) -> str:
    """An SVG file with a chart per IoU threshold and a line per model: precision at the recalls 0, 0.01, ..., 1.

    The simple baseline's line is dashed.
    """
    charts = [replace(_curves(evaluations, iou, baseline), title=f"IoU {iou}", size=_CHART) for iou in SHOWN_IOUS]
    notes = [_INTERVALS] if all(one.intervals.reliable for one in evaluations) else [_INTERVALS, UNRELIABLE]
    references = [] if baseline is None else [f"simple baseline, {_ap(baseline)}"]
    return chart_file(charts, [_ap(one) for one in evaluations], notes, references)


def results_page(
    evaluations: Sequence[Evaluation], data: EvaluationSet, baseline: Evaluation | None = None
) -> FiguresPage:
    """The evaluation as a page: AP at IoU 0.5, precision-recall curves, all figures, and pictures of each model.

    `baseline` is the simple one on the same pictures, a dashed curve.
    """
    pictures = len(data.label_set.images)
    return FiguresPage(
        title=f"Segmentation on {Path(data.name).name}, {pictures:,} pictures",
        introduction=f"Masks of {', '.join(one.model for one in evaluations)} against the labels of {data.name}.",
        essentials=[essential_ap(one.model, one) for one in evaluations],
        charts=[_curves(evaluations, iou, baseline) for iou in SHOWN_IOUS],
        table=results_table(evaluations, data),
        notes=footnotes(evaluations, data),
        terms=(*TERMS_OF_AP, *TERMS_OF_CURVES),
        groups=[_pictures(one, data) for one in evaluations],
    )


def _curves(evaluations: Sequence[Evaluation], iou: float, baseline: Evaluation | None) -> LineChart:
    lines = [_curve(one.model, one, iou, number) for number, one in enumerate(evaluations)]
    if baseline is not None:
        lines.append(replace(_curve("simple baseline", baseline, iou, len(lines)), style="dashed"))
    title = f"Precision and recall, IoU {iou}"
    return LineChart(title, "recall, %", "precision, %", tuple(lines), _PER_CENT, _PER_CENT)


def _curve(name: str, evaluation: Evaluation, iou: float, number: int) -> Line:
    precision, ap = 100 * evaluation.figures.precision[iou], f"AP {100 * evaluation.figures.ap[iou]:.1f} %"
    return Line(name, 100 * RECALL_GRID, precision, number % COLOURS, value=ap)


def _pictures(evaluation: Evaluation, data: EvaluationSet) -> PictureGroup:
    """The best, middle and worst pictures, each once."""
    quality, shown = picture_quality(evaluation.figures.matches), dict[int, str]()
    for name, chosen in _ranked(quality).items():
        for number in chosen:
            shown.setdefault(number, name)
    title = f"Best, middle and worst pictures of {evaluation.model}"
    return PictureGroup(title, _MEANING, [_captioned(evaluation, data, n, shown[n], quality[n]) for n in shown])


def _captioned(evaluation: Evaluation, data: EvaluationSet, number: int, name: str, quality: float) -> CaptionedPicture:
    labelled, objects = data.label_set.images[number], int(evaluation.figures.matches.objects[number])
    picture = _with_outlines(data.label_set.read(labelled), evaluation, data, number)
    caption = f"{name}: AP {100 * quality:.0f} %, {counted(objects, 'object')}, {labelled.file_name}"
    return CaptionedPicture(embedded(picture, _EMBEDDED_PX), caption, f"{labelled.file_name} with outlines, {caption}")


def evaluation_rows(evaluation: Evaluation, data: EvaluationSet) -> list[list[Picture]]:
    """Three rows of up to four tiles (H, W, 3): the best, middle and worst pictures."""
    quality = picture_quality(evaluation.figures.matches)
    return [
        [_tile(evaluation, data, number, f"{name}: AP {100 * quality[number]:.0f} %") for number in chosen]
        for name, chosen in _ranked(quality).items()
    ]


def _ranked(quality: Floats) -> dict[str, list[int]]:
    """Numbers of the best, middle and worst pictures, up to four each; those without an object are left out."""
    ranked = np.argsort(-quality, kind="stable")[: np.count_nonzero(np.isfinite(quality))].tolist()
    count = min(_IN_A_ROW, len(ranked))
    middle = (len(ranked) - count) // 2
    return {
        "best": ranked[:count],
        "middle": ranked[middle : middle + count],
        "worst": ranked[len(ranked) - count :],
    }


def picture_quality(matches: Matches) -> Floats:
    """The AP of each picture (P,), mean over IoU 0.5 to 0.95; NaN without an object."""
    quality = np.full(len(matches.objects), np.nan)
    for number in np.flatnonzero(matches.objects):
        alone = np.zeros(len(matches.objects))
        alone[number] = 1.0
        areas = [area_under_curve(*precision_recall(matches, iou, alone)) for iou in COCO_IOU_THRESHOLDS]
        quality[number] = np.mean(areas)
    return quality


def model_labels(models: Sequence[str]) -> list[str]:
    """Short, different names for segmenters, which can be names of files."""
    labels: list[str] = []
    for model in models:
        label = _label(model)
        same = sum(known == label or known.startswith(f"{label}-") for known in labels)
        labels.append(f"{label}-{same + 1}" if same else label)
    return labels


def _label(model: str) -> str:
    """The built-in name before weights, the class of a module, or the stem of a file, of its folder for model.*."""
    if kind := built_in_name(model):
        return kind
    if file_of(model) is None and ":" in model:
        return model.rpartition(":")[2]
    path = Path(model)
    return path.parent.name if path.stem == "model" and path.parent.name else path.stem


def _ap(evaluation: Evaluation) -> str:
    figures, intervals = evaluation.figures, evaluation.intervals
    each = (f"{with_interval(figures.ap[iou], intervals.ap[iou], intervals.reliable)} at {iou}" for iou in SHOWN_IOUS)
    return f"{evaluation.model}: AP {', '.join(each)}"


def _detections(evaluation: Evaluation, data: EvaluationSet) -> list[dict[str, Any]]:
    return [
        entry
        for image in data.label_set.images
        for entry in coco_results(image.image_id, image.file_name, evaluation.detections[image.image_id])
    ]


def _tile(evaluation: Evaluation, data: EvaluationSet, number: int, caption: str) -> Picture:
    labelled = data.label_set.images[number]
    drawn = _with_outlines(data.label_set.read(labelled), evaluation, data, number)
    objects = counted(int(evaluation.figures.matches.objects[number]), "object")
    captioned = with_caption(_fitted(drawn), f"{caption}, {objects}, {labelled.file_name}")
    return with_margin(captioned, bottom=_GAP_PX, left=_GAP_PX, right=_GAP_PX)


def _with_outlines(picture: Picture, evaluation: Evaluation, data: EvaluationSet, number: int) -> Picture:
    image_id = data.label_set.images[number].image_id
    matches, found = evaluation.figures.matches, evaluation.detections[image_id]
    # A line is a pixel wide on the sheet, also when a large picture shrinks to it.
    thickness = max(1, round(max(picture.shape[:2]) / _TILE_PX[0]))
    for truth in data.label_set.objects_in(image_id):
        picture = outlined(picture, mask_from_rle(truth.rle), _TRUE, thickness)
    right = matches.hit[IOU_THRESHOLDS.index(0.5), matches.picture == number]
    best_first = np.argsort(-found.scores, kind="stable")[: matches.objects[number]]
    for rank, index in enumerate(best_first):
        colour = _RIGHT if right[rank] else _WRONG
        picture = outlined(picture, mask_from_rle(found.rles[index]), colour, thickness)
    return picture


def _fitted(picture: Picture) -> Picture:
    """The picture resized into a tile, with white margins."""
    width, height = _TILE_PX
    ratio = min(width / picture.shape[1], height / picture.shape[0])
    size = (round(picture.shape[1] * ratio), round(picture.shape[0] * ratio))
    resized = picture if ratio == 1 else np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    right, below = width - size[0], height - size[1]
    return with_margin(resized, below // 2, below - below // 2, right // 2, right - right // 2)


def _legend(width: int) -> Picture:
    strip = np.full((28, width, 3), 255, np.uint8)
    x = _GAP_PX
    for text, colour in _LEGEND:
        cv2.rectangle(strip, (x, 8), (x + 16, 20), INK, 1)
        cv2.rectangle(strip, (x + 1, 9), (x + 15, 19), colour, -1)
        write_words(strip, text, (x + 23, 20), _LETTERS_PX, colour=INK, rim=None)
        x += 50 + words_width(text, _LETTERS_PX)
    return strip
