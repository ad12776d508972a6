"""An evaluation on disk: results.json, the detections, precision-recall curves, and pictures from best to worst."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import imageio.v2 as imageio
import torch

from tabletop_interaction.benchmarks.segmentation.evaluation import Evaluation, EvaluationSet, figures_document
from tabletop_interaction.benchmarks.segmentation.sheet import evaluation_sheet
from tabletop_interaction.reports.pr_curves import pr_curves_svg
from tabletop_interaction.segmentation.photos import coco_results


def write_report(
    out: Path, evaluations: Sequence[Evaluation], data: EvaluationSet, models: Mapping[str, Mapping[str, Any]]
) -> list[Path]:
    """Write the report into the folder `out`.

    Args:
        out: a folder that is there.
        evaluations: one a model.
        data: what they were made on.
        models: by model, what else results.json shall say of it: file, settings, training.

    Returns:
        the files that were written.
    """
    paths = [out / "pr_curves.svg", out / "results.json"]
    paths[0].write_text(pr_curves_svg(evaluations), encoding="utf-8")
    for evaluation in evaluations:
        sheet, found = out / f"{evaluation.model}.jpg", out / f"{evaluation.model}.detections.json"
        imageio.imwrite(sheet, evaluation_sheet(evaluation, data), quality=90)
        found.write_text(json.dumps(_detections(evaluation, data)) + "\n", encoding="utf-8")
        paths += [sheet, found]
    document = {
        "set": data.describe(),
        "torch": torch.__version__,
        "machine": platform.machine(),
        "models": [{**models[e.model], **figures_document(e)} for e in evaluations],
    }
    paths[1].write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return paths


def model_labels(models: Sequence[str]) -> list[str]:
    """Short names of checkpoint paths, fit for files and different from each other."""
    labels: list[str] = []
    for model in models:
        path = Path(model)
        label = path.parent.name if path.stem == "model" and path.parent.name else path.stem
        same = sum(known == label or known.startswith(f"{label}-") for known in labels)
        labels.append(f"{label}-{same + 1}" if same else label)
    return labels


def _detections(evaluation: Evaluation, data: EvaluationSet) -> list[dict[str, Any]]:
    return [
        entry
        for image in data.label_set.images
        for entry in coco_results(image.image_id, image.file_name, evaluation.detections[image.image_id])
    ]
