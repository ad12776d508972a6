"""An evaluation on disk: results.json, detections, precision-recall curves, and pictures from best to worst."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tabletop_interaction.benchmarks.segmentation.evaluation import (
    SHOWN_IOUS,
    Evaluation,
    EvaluationSet,
    figures_document,
)
from tabletop_interaction.benchmarks.segmentation.sheet import write_evaluation_sheet
from tabletop_interaction.files import write_file, write_json
from tabletop_interaction.reports.charts import COLOURS, Line, LineChart, chart_file
from tabletop_interaction.segmentation.evaluation.precision_recall import RECALL_GRID
from tabletop_interaction.segmentation.photos import coco_results

_PANEL = (336, 346)


def write_report(
    out: Path, evaluations: Sequence[Evaluation], data: EvaluationSet, models: Mapping[str, Mapping[str, Any]]
) -> list[Path]:
    """Write the report.

    Args:
        out: the folder.
        evaluations: one for each model.
        data: the set.
        models: by model, further entries of results.json: checkpoint, settings, training.

    Returns:
        the files.
    """
    curves, results = out / "pr_curves.svg", out / "results.json"
    write_file(curves, precision_recall_svg(evaluations))
    paths = [curves, results]
    for evaluation in evaluations:
        detections = out / f"{evaluation.model}.detections.json"
        write_json(detections, _detections(evaluation, data), indent=None)
        paths += [write_evaluation_sheet(out / f"{evaluation.model}.jpg", evaluation, data), detections]
    document = {
        "set": data.describe(),
        "torch": torch.__version__,
        "machine": platform.machine(),
        "models": [{**models[e.model], **figures_document(e)} for e in evaluations],
    }
    write_json(results, document)
    return paths


def precision_recall_svg(evaluations: Sequence[Evaluation]) -> str:
    """An SVG file with a chart per IoU threshold and a line per model: precision at the recalls 0, 0.01, ..., 1."""
    charts = [_precision_recall_chart(evaluations, iou) for iou in SHOWN_IOUS]
    legend = [Line(_ap(one), np.empty(0), np.empty(0), number % COLOURS) for number, one in enumerate(evaluations)]
    return chart_file(charts, legend)


def model_labels(models: Sequence[str]) -> list[str]:
    """Short, different names for checkpoints, which can be names of files."""
    labels: list[str] = []
    for model in models:
        path = Path(model)
        label = path.parent.name if path.stem == "model" and path.parent.name else path.stem
        same = sum(known == label or known.startswith(f"{label}-") for known in labels)
        labels.append(f"{label}-{same + 1}" if same else label)
    return labels


def _precision_recall_chart(evaluations: Sequence[Evaluation], iou: float) -> LineChart:
    lines = [
        Line("", RECALL_GRID, one.figures.precision[iou], number % COLOURS) for number, one in enumerate(evaluations)
    ]
    return LineChart(f"IoU {iou}", "recall", "precision", tuple(lines), (0, 1), (0, 1), _PANEL)


def _ap(evaluation: Evaluation) -> str:
    figures = ", ".join(f"{100 * evaluation.figures.ap[iou]:.1f} at {iou}" for iou in SHOWN_IOUS)
    return f"{evaluation.model}: AP {figures}"


def _detections(evaluation: Evaluation, data: EvaluationSet) -> list[dict[str, Any]]:
    return [
        entry
        for image in data.label_set.images
        for entry in coco_results(image.image_id, image.file_name, evaluation.detections[image.image_id])
    ]
