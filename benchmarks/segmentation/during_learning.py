"""How a learning run does on held-out pictures: figures and drawings, written beside the run as it goes on.

```
evaluations/00200.json   AP (per cent), recall at fixed precision and the curves after 200 interactions
evaluations/00200/       the same few pictures each time, with as many of the best masks drawn as there are objects
```
Pictures are the first ones of a benchmark set, which go round all its table tops; the settings of the proposals are
those of `tabletop evaluate`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from tabletop_interaction.agents.learning.learner import Update
from tabletop_interaction.agents.learning.loop import NewestNetwork
from tabletop_interaction.agents.learning.run_folder import RunFolder
from tabletop_interaction.benchmarks.segmentation.label_sets import make_set, spec_of
from tabletop_interaction.envs.records.folder import write_whole
from tabletop_interaction.reports.learning_page import write_report
from tabletop_interaction.segmentation.coco import Detections, LabelSet
from tabletop_interaction.segmentation.evaluation.metrics import AveragePrecision, average_precision
from tabletop_interaction.segmentation.evaluation.precision_recall import precision_recall
from tabletop_interaction.segmentation.network import DeepMask
from tabletop_interaction.segmentation.overlays import overlay
from tabletop_interaction.segmentation.photos import detect, read_picture
from tabletop_interaction.segmentation.proposals import Image, Segmenter

IOUS = (0.3, 0.5, 0.75)
CURVE_IOUS = (0.3, 0.5)
SHOWN = 4


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Labelled pictures in memory.

    Attributes:
        name: of the set.
        labels: of these pictures.
        pictures: uint8 (H, W, 3) by image id.
    """

    name: str
    labels: LabelSet
    pictures: Mapping[int, Image]


def open_held_out(name: str, sets_dir: Path, pictures: int, workers: int = 1) -> HeldOut:
    """The first pictures of a benchmark set, which is rendered below `sets_dir` where it is missing.

    Raises:
        InvalidConfiguration: no set has this name.
        ForeignFolder: its folder holds something else.
    """
    folder = make_set(spec_of(name), sets_dir, workers)
    labels = first_pictures(folder.load(), pictures)
    read = {image.image_id: read_picture(folder.images / image.file_name, upright=False) for image in labels.images}
    return HeldOut(name, labels, read)


def first_pictures(labels: LabelSet, count: int) -> LabelSet:
    """A label set's first pictures, all of them when it has fewer."""
    images = labels.images[:count]
    ids = {image.image_id for image in images}
    objects = tuple(labelled for labelled in labels.objects if labelled.image_id in ids)
    return replace(labels, images=images, objects=objects)


def evaluate_network(network: DeepMask, held_out: HeldOut) -> tuple[AveragePrecision, dict[int, Detections]]:
    """Figures and detections of a network in evaluation mode."""
    segmenter = Segmenter(network)
    detections = {image_id: detect(segmenter, picture) for image_id, picture in held_out.pictures.items()}
    return average_precision(held_out.labels, detections), detections


def evaluation_document(figures: AveragePrecision, held_out: HeldOut, update: Update) -> dict[str, Any]:
    """What an evaluation's JSON file says."""
    curves = {iou: precision_recall(figures.matches, iou) for iou in CURVE_IOUS}
    return {
        "interactions": update.interactions,
        "steps": update.step,
        "seconds": update.seconds,
        "set": held_out.name,
        "pictures": figures.images,
        "ap": {str(iou): round(100 * figures.ap[iou], 3) for iou in IOUS},
        "recall_at_precision": {
            str(iou): {str(precision): recall for precision, recall in figures.recall_at_precision[iou].items()}
            for iou in CURVE_IOUS
        },
        "precision_recall": {
            str(iou): {"recall": recall.tolist(), "precision": precision.tolist()}
            for iou, (recall, precision) in curves.items()
        },
        "settings": figures.settings.describe(),
    }


class Evaluations:
    """Evaluates a run every so many interactions and at its end, and keeps its report new.

    Args:
        folder: of the run.
        held_out: the pictures.
        every: interactions between two evaluations; the first update at or after each multiple is evaluated.
        last: interactions of the whole run.
    """

    def __init__(self, folder: RunFolder, held_out: HeldOut, every: int, last: int) -> None:
        self._folder = folder
        self._held_out = held_out
        self._every = every
        self._last = last
        self._evaluated = _last_evaluated(folder)

    def updated(self, update: Update, network: NewestNetwork) -> dict[str, Any] | None:
        """Evaluate if it is time; what the JSON file says, None when it is not or nothing has been learned."""
        if not self._is_due(update.interactions):
            return None
        newest = network()
        if newest is None:
            return None
        figures, detections = evaluate_network(newest, self._held_out)
        document = evaluation_document(figures, self._held_out, update)
        place = self._folder.evaluations / f"{update.interactions:05d}"
        place.mkdir(parents=True, exist_ok=True)
        self._draw(place, detections)
        # The figures come last: an evaluation that a kill cut short is made again.
        write_whole(place.with_suffix(".json"), json.dumps(document, indent=1) + "\n")
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
            found = detections[image_id]
            best = np.argsort(-found.scores, kind="stable")[: len(self._held_out.labels.objects_in(image_id))]
            shown = Detections(tuple(found.rles[index] for index in best), found.scores[best])
            done, encoded = cv2.imencode(".png", overlay(picture, shown)[:, :, ::-1])
            assert done, "OpenCV encodes every uint8 picture"
            (place / f"{number}.png").write_bytes(encoded.tobytes())


def _last_evaluated(folder: RunFolder) -> int:
    """Interactions of the last evaluation there is; -1 without one."""
    return max((int(path.stem) for path in folder.evaluations.glob("[0-9]*.json")), default=-1)
