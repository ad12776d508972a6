"""The loss of precision on objects and table tops that a network was not trained on.

The paper's four sets: (A) train objects on train backgrounds, (B) train objects on test backgrounds, (C) test objects
on train backgrounds, (D) test on test. Figures: AP on each, and the drop from A in percentage points.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from tabletop_interaction.benchmarks.figures import figures_table
from tabletop_interaction.benchmarks.segmentation.evaluation import (
    SHOWN_IOUS,
    Evaluation,
    EvaluationSet,
    benchmark_set,
    evaluate,
    figures_document,
    footnotes,
)
from tabletop_interaction.benchmarks.segmentation.label_sets import SETS
from tabletop_interaction.files import plain
from tabletop_interaction.segmentation.photos import PictureSegmenter

GENERALISATION_SETS = tuple(name for name in SETS if name.startswith("generalisation-"))
_FIRST = GENERALISATION_SETS[0]


@dataclass(frozen=True, eq=False)
class GeneralisationFigures:
    """A model's results on the four sets, by the names of the sets."""

    model: str
    sets: Mapping[str, EvaluationSet]
    evaluations: Mapping[str, Evaluation]

    def drop(self, name: str, iou: float) -> float:
        """AP on A minus AP on a set, in [-1, 1]."""
        return self.evaluations[_FIRST].figures.ap[iou] - self.evaluations[name].figures.ap[iou]

    def table(self) -> Table:
        """A table with a row for each set: AP and its drop from A at each IoU, per cent."""
        rows = []
        for name, evaluation in self.evaluations.items():
            cells = [f"{100 * evaluation.figures.ap[iou]:.1f} ({100 * self.drop(name, iou):.1f})" for iou in SHOWN_IOUS]
            rows.append((name.removeprefix("generalisation-"), SETS[name].objects, SETS[name].backgrounds, *cells))
        title = f"generalisation of {self.model}: AP (drop from A)"
        headings = ("set", "objects", "backgrounds", *(f"IoU {iou}" for iou in SHOWN_IOUS))
        table = figures_table(title, headings, rows, names=3)
        table.title_justify = "left"
        return table

    def footnotes(self) -> list[str]:
        """The lines below the table, each once."""
        lines = [
            line for name, evaluation in self.evaluations.items() for line in footnotes([evaluation], self.sets[name])
        ]
        return list(dict.fromkeys(lines))

    def document(self) -> dict[str, Any]:
        """The content of results.json."""
        return {
            "model": self.model,
            "sets": {
                name: {
                    **self.sets[name].describe(),
                    **figures_document(evaluation),
                    "drop_from_a": plain({iou: self.drop(name, iou) for iou in SHOWN_IOUS}),
                }
                for name, evaluation in self.evaluations.items()
            },
        }


def evaluate_generalisation(
    segmenter: PictureSegmenter, model: str, sets_dir: Path, workers: int = 1
) -> GeneralisationFigures:
    """Evaluate on the four sets; missing ones are made first."""
    sets = {name: benchmark_set(name, sets_dir, workers) for name in GENERALISATION_SETS}
    return GeneralisationFigures(model, sets, {name: evaluate(segmenter, data, model) for name, data in sets.items()})
