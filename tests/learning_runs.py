"""Folders of learning runs with chosen lines, as `tabletop learn` writes them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import imageio.v2 as imageio
import numpy as np


def write_learning_run(
    folder: Path,
    history: Sequence[dict[str, Any]] = (),
    evaluations: Sequence[dict[str, Any]] = (),
    updates: Sequence[dict[str, Any]] = (),
    config: dict[str, Any] | None = None,
) -> Path:
    """A run with the given lines; each evaluation shows two pictures, whose true masks are there as well."""
    folder.mkdir(parents=True, exist_ok=True)
    asked = {"schema_version": 1, "seed": 7, "config": {"policy": "hypothesis"} if config is None else config}
    (folder / "learn.json").write_text(json.dumps(asked))
    for name, lines in (("history", history), ("updates", updates)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    if evaluations:
        write_pictures(folder / "evaluations" / "truth", 150)
    for evaluation in evaluations:
        pictures = folder / "evaluations" / f"{evaluation['interactions']:05d}"
        write_pictures(pictures, 100)
        pictures.with_suffix(".json").write_text(json.dumps(evaluation))
    return folder


def write_pictures(folder: Path, level: int) -> None:
    """Two plain pictures, whose grey levels are `level` and the next one."""
    folder.mkdir(parents=True)
    for number in range(2):
        imageio.imwrite(folder / f"{number}.png", np.full((350, 430, 3), level + number, np.uint8))


def history_line(number: int, **changes: Any) -> dict[str, Any]:
    """A random pick that found nothing, unless changed."""
    line = {"number": number, "id": f"none-{number}", "policy": "random", "view": None, "score": None}
    line |= {"hypotheses": 0, "pick_outcome": 2, "grasped": False, "moved": False, "seconds": 2.0 * number}
    line |= {"time": f"2026-11-29T11:{number:02d}:48.249+00:00"} if number < 60 else {}
    return line | changes


def evaluation_line(interactions: int, ap: float, **changes: Any) -> dict[str, Any]:
    """An evaluation with AP `ap`, `ap - 10` and `ap - 30` per cent."""
    curve = {"recall": [0.0, 0.4, 0.8], "precision": [1.0, 0.9, 0.2]}
    document = {
        "interactions": interactions,
        "steps": 3 * interactions,
        "seconds": 2.0 * interactions,
        "set": "val",
        "pictures": 30,
        "ap": {"0.3": ap, "0.5": ap - 10, "0.75": ap - 30},
        "ap_interval": {"0.3": [ap - 8, ap + 8], "0.5": [ap - 18, ap - 2], "0.75": [ap - 38, ap - 22]},
        "recall_at_precision": {iou: {"0.5": 0.81, "0.7": 0.72, "0.9": 0.45} for iou in ("0.3", "0.5")},
        "precision_recall": {"0.3": curve, "0.5": curve},
    }
    return document | changes


def update_line(interactions: int, **changes: Any) -> dict[str, Any]:
    """An update."""
    line = {"interactions": interactions, "step": 3 * interactions, "steps_planned": 900, "score_loss": 0.31}
    line |= {"mask_loss": 0.27, "mask_iou": 0.66, "learning_rate": 0.01, "objects": 2 * interactions}
    return line | {"background": interactions, "seconds": 2.0 * interactions} | changes
