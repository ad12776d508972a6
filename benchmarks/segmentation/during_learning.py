"""Evaluations of a learning run on held-out pictures, written into the run's folder while it learns.

```
evaluations/00200.json   AP with intervals (per cent), recall at fixed precision and the curves after 200 interactions,
                         and the AP of the simple baseline (`TableColour`) on the same pictures
evaluations/00200/       the same few pictures each time, with as many of the best masks as there are objects
evaluations/truth/       these pictures with the true masks
```
An object has one colour in all of its pictures.
The pictures are the first ones of a benchmark set, whose table tops take turns; proposals have the settings of
`tabletop evaluate`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from tabletop_interaction.agents.learning.learner import Update
from tabletop_interaction.agents.learning.loop import NewestNetwork
from tabletop_interaction.agents.learning.run_folder import RunFolder
from tabletop_interaction.arrays import Picture
from tabletop_interaction.benchmarks.segmentation.label_sets import HELD_OUT_SETS, make_set, spec_of
from tabletop_interaction.envs.records.png import encode_picture
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.files import plain, read_json, write_file, write_json
from tabletop_interaction.reports.learning_page import write_report
from tabletop_interaction.reports.learning_run import IOUS, TRUTH, read_evaluations
from tabletop_interaction.segmentation.coco import Detections, LabelSet
from tabletop_interaction.segmentation.evaluation.metrics import AveragePrecision, average_precision
from tabletop_interaction.segmentation.evaluation.precision_recall import bootstrap_intervals, precision_recall
from tabletop_interaction.segmentation.lettering import Colour
from tabletop_interaction.segmentation.network import DeepMask
from tabletop_interaction.segmentation.overlays import distinct_colours, overlay, tinted
from tabletop_interaction.segmentation.photos import detect
from tabletop_interaction.segmentation.proposals import Segmenter
from tabletop_interaction.segmentation.rle import Rle, rle_ious
from tabletop_interaction.segmentation.segments import PictureSegmenter
from tabletop_interaction.segmentation.table_colour import TableColour

CURVE_IOUS = (0.3, 0.5)
"""IoU thresholds of curves and recalls."""
DEFAULT_PICTURES = 60
"""Number of pictures that are evaluated unless another is asked for."""
SHOWN = 4
"""Number of pictures that are drawn."""
MATCHED_FROM_IOU = 0.3
UNMATCHED: Colour = (215, 215, 215)
"""RGB of a mask that is none of the objects."""


@dataclass(frozen=True, eq=False)
class HeldOutPictures:
    """Labelled pictures (H, W, 3) of a set in memory, by image id."""

    name: str
    labels: LabelSet
    pictures: Mapping[int, Picture]

    def detect(self, segmenter: PictureSegmenter) -> dict[int, Detections]:
        """What a segmenter finds in each picture, by image id."""
        return {image_id: detect(segmenter, picture) for image_id, picture in self.pictures.items()}

    @cached_property
    def baseline(self) -> AveragePrecision:
        """The figures of the simple baseline on these pictures."""
        return average_precision(self.labels, self.detect(TableColour()))


@dataclass(frozen=True)
class HeldOutChoice:
    """The name of a held-out set, and how many of its first pictures are evaluated."""

    set_name: str
    pictures: int


def default_held_out(set_name: str | None, pictures: int | None) -> HeldOutChoice:
    """The pictures of a new run: those that are asked for, or else the default; no more than the set has.

    Raises:
        InvalidConfiguration: no set has this name.
    """
    name = set_name or HELD_OUT_SETS[0]
    return HeldOutChoice(name, min(pictures or DEFAULT_PICTURES, spec_of(name).pictures))


def choose_held_out(run: RunFolder, set_name: str | None, pictures: int | None) -> HeldOutChoice:
    """The pictures for a run: those that are asked for, or else the run's own, or else the default.

    A run that was evaluated keeps its pictures, so that all points of its curves are measured on the same.

    Raises:
        InvalidConfiguration: the run was evaluated on other pictures than those that are asked for.
        UnreadableRecords: an evaluation is damaged.
    """
    evaluations = read_evaluations(run.path)
    if not evaluations:
        session = read_json(run.request).get("session", {}) if run.request.is_file() else {}
        return default_held_out(set_name or session.get("set_name"), pictures or session.get("pictures"))
    own = HeldOutChoice(evaluations[-1].set_name, evaluations[-1].pictures)
    name = set_name or own.set_name
    asked = HeldOutChoice(name, min(pictures, spec_of(name).pictures) if pictures else own.pictures)
    if asked != own:
        raise InvalidConfiguration(
            f"--set {asked.set_name} and --pictures {asked.pictures} came, but {run.path} was evaluated on the first "
            f"{own.pictures} pictures of {own.set_name}; leave both options out to resume it, and measure its network "
            "on other pictures by tabletop evaluate"
        )
    return own


def open_held_out(choice: HeldOutChoice, sets_dir: Path, workers: int = 1) -> HeldOutPictures:
    """Read the first pictures of a set, which is rendered below `sets_dir` if need be; errors as `benchmark_set`."""
    folder = make_set(spec_of(choice.set_name), sets_dir, workers, first=choice.pictures)
    labels = folder.load_first(choice.pictures)
    return HeldOutPictures(choice.set_name, labels, {image.image_id: labels.read(image) for image in labels.images})


def evaluation_document(figures: AveragePrecision, held_out: HeldOutPictures, update: Update) -> dict[str, Any]:
    """The content of an evaluation's JSON file."""
    curves = {iou: precision_recall(figures.matches, iou) for iou in CURVE_IOUS}
    intervals = bootstrap_intervals(figures.matches)
    document = {
        "interactions": update.interactions,
        "steps": update.step,
        "seconds": update.seconds,
        "set": held_out.name,
        "pictures": figures.images,
        "ap": {iou: round(100 * figures.ap[iou], 3) for iou in IOUS},
        "ap_interval": {iou: [round(100 * end, 3) for end in intervals.ap[iou]] for iou in IOUS},
        "interval": intervals.describe(),
        "baseline_ap": {iou: round(100 * held_out.baseline.ap[iou], 3) for iou in IOUS},
        "recall_at_precision": {iou: figures.recall_at_precision[iou] for iou in CURVE_IOUS},
        "precision_recall": {
            iou: {"recall": recall, "precision": precision} for iou, (recall, precision) in curves.items()
        },
        "settings": figures.settings,
    }
    return dict(plain(document))


class Evaluations:
    """Evaluates a run at regular intervals and at its end, and rewrites its report after each evaluation.

    Args:
        folder, held_out: of the run, and the pictures to evaluate on.
        every: interactions between two evaluations; the first update at or after each multiple is evaluated.
        last: interactions of the whole run.
    """

    def __init__(self, folder: RunFolder, held_out: HeldOutPictures, every: int, last: int) -> None:
        self._folder = folder
        self._held_out = held_out
        self._every = every
        self._last = last
        # Interactions before the last evaluation; -1 without one.
        self._evaluated = max((int(path.stem) for path in folder.evaluations.glob("[0-9]*.json")), default=-1)

    def updated(self, update: Update, network: NewestNetwork) -> dict[str, Any] | None:
        """Evaluate if that is due and there is a network; return the content of the JSON file, or else None."""
        if not self._is_due(update.interactions):
            return None
        newest = network()
        if newest is None:
            return None
        with nullcontext() if self._folder.clock is None else self._folder.clock.stopped():
            return self._evaluate(update, newest)

    def _evaluate(self, update: Update, newest: DeepMask) -> dict[str, Any]:
        detections = self._held_out.detect(Segmenter(newest))
        figures = average_precision(self._held_out.labels, detections)
        document = evaluation_document(figures, self._held_out, update)
        place = self._folder.evaluations / f"{update.interactions:05d}"
        self._draw(place, detections)
        # The figures are written last: an evaluation that a kill interrupts is repeated.
        write_json(place.with_suffix(".json"), document, indent=1)
        self._evaluated = update.interactions
        write_report(self._folder.path)
        return document

    def _is_due(self, interactions: int) -> bool:
        if interactions <= self._evaluated:
            return False
        is_last = interactions == self._last
        return is_last or interactions == 0 or interactions // self._every > max(self._evaluated, 0) // self._every

    def _draw(self, place: Path, detections: Mapping[int, Detections]) -> None:
        for number, (image_id, picture) in enumerate(list(self._held_out.pictures.items())[:SHOWN]):
            found, truth = detections[image_id], [one.rle for one in self._held_out.labels.objects_in(image_id)]
            best = np.argsort(-found.scores, kind="stable")[: len(truth)]
            shown = Detections(tuple(found.rles[index] for index in best), found.scores[best])
            colours = distinct_colours(len(truth))
            true_masks = self._folder.evaluations / TRUTH / f"{number}.png"
            if not true_masks.exists():
                write_file(true_masks, encode_picture(tinted(picture, truth, colours)))
            drawn = overlay(picture, shown, matched_colours(shown.rles, truth, colours))
            write_file(place / f"{number}.png", encode_picture(drawn))


def matched_colours(found: Sequence[Rle], truth: Sequence[Rle], colours: Sequence[Colour]) -> list[Colour]:
    """A colour for each found mask: that of its object, or grey where it has IoU 0.3 or more with none.

    Each object has one mask at most; the matches have the largest sum of IoUs.
    """
    drawn = [UNMATCHED] * len(found)
    ious = rle_ious(found, truth)
    for mask, true in zip(*linear_sum_assignment(-ious), strict=True):
        if ious[mask, true] >= MATCHED_FROM_IOU:
            drawn[mask] = colours[true]
    return drawn
