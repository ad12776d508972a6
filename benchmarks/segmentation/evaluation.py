"""Evaluation of a segmenter's masks on a labelled set: average precision, its interval, recall, and time.

`segmentation.evaluation.metrics` describes the metric. Figures in tables are per cent; in results.json they lie in
[0, 1]. Generalisation is the AP on each of the paper's four sets and its drop from A, in percentage points: (A) train
objects on train backgrounds, (B) train on test, (C) test objects on train backgrounds, (D) test on test.
"""

import math
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from tabletop_interaction.benchmarks.figures import figures_table, table_of_columns
from tabletop_interaction.benchmarks.results.result import Figure
from tabletop_interaction.benchmarks.results.shares import per_cent
from tabletop_interaction.benchmarks.segmentation.checksums import checksum_of, published_checksum, verdict
from tabletop_interaction.benchmarks.segmentation.label_sets import ABOUT_TEST, SETS, make_set, spec_of
from tabletop_interaction.errors import InvalidDetections, InvalidLabelSet
from tabletop_interaction.files import plain
from tabletop_interaction.picture_files import check_decodable
from tabletop_interaction.progress import track
from tabletop_interaction.reports.bars import Bar, BarChart, Bars
from tabletop_interaction.reports.figures_page import TERMS_OF_AP, FiguresPage, interval_words
from tabletop_interaction.reports.page import Essential
from tabletop_interaction.segmentation.checkpoints import checkpoint_metadata
from tabletop_interaction.segmentation.coco import Detections, LabelSet, load_label_set
from tabletop_interaction.segmentation.evaluation.metrics import AveragePrecision, average_precision
from tabletop_interaction.segmentation.evaluation.precision_recall import (
    FEWEST_PICTURES,
    Intervals,
    bootstrap_intervals,
)
from tabletop_interaction.segmentation.foreign.detections_file import DetectionsFile
from tabletop_interaction.segmentation.opening import file_of, is_network
from tabletop_interaction.segmentation.orientation import Orientation
from tabletop_interaction.segmentation.photos import LONGER_SIDE, detect
from tabletop_interaction.segmentation.segments import PictureSegmenter
from tabletop_interaction.segmentation.table_colour import NAME as TABLE_COLOUR
from tabletop_interaction.segmentation.table_colour import TableColour

UNRELIABLE = f"* unreliable: fewer than {FEWEST_PICTURES} pictures, which give too narrow intervals"
"""What the star behind an interval means."""
SHOWN_IOUS = (0.3, 0.5, 0.75)
"""IoU thresholds in tables and curves."""
_MAX_DETECTIONS = re.compile(r"(?<=maxDets )\d+")
GENERALISATION_SETS = tuple(name for name in SETS if name.startswith("generalisation-"))


@dataclass(frozen=True)
class EvaluationSet:
    """Labelled pictures, and what a reader has to know about them.

    Attributes:
        name: of the benchmark's set, or the label file of other pictures.
        label_set: labels and the folder of the pictures.
        renderer, standing: of the pictures, and whether it is the published set; None for pictures of others.
    """

    name: str
    label_set: LabelSet
    renderer: str | None = None
    standing: str | None = None

    @property
    def images_dir(self) -> Path:
        """The folder of the pictures."""
        assert self.label_set.images_dir is not None, "loaded with its pictures"
        return self.label_set.images_dir

    def describe(self) -> dict[str, Any]:
        """The set in results.json."""
        return {
            "name": self.name,
            "images": str(self.images_dir),
            "renderer": self.renderer,
            "standing": self.standing,
            "pictures_turned_upright": len(self.label_set.orientations.upright),
        }


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A model's scores on a set, the intervals of AP, median wall-clock seconds per picture, detections by image id.

    Detections that came in a file have no seconds.
    """

    model: str
    figures: AveragePrecision
    intervals: Intervals
    seconds: float | None
    detections: Mapping[int, Detections]


def benchmark_set(name: str, sets_dir: Path, workers: int = 1) -> EvaluationSet:
    """Open a set of the benchmark, make it below `sets_dir` if need be, and compare it with the published checksum.

    Raises:
        InvalidConfiguration: no set has this name.
        ForeignFolder: its folder holds something else.
    """
    folder = make_set(spec_of(name), sets_dir, workers)
    standing = verdict(name, checksum_of(folder), published_checksum(name))
    return EvaluationSet(name, folder.load(), folder.renderer, standing)


def foreign_set(labels: Path, images: Path, orientation: Orientation | None = None) -> EvaluationSet:
    """Open a COCO JSON and its pictures, and check that each picture can be decoded.

    `orientation`: see `load_label_set`.

    Raises:
        InvalidLabelSet: labels and pictures do not match.
        InvalidPicture: a picture cannot be decoded.
    """
    if not images.is_dir():
        raise InvalidLabelSet(f"{images} is no folder; give the one that contains the pictures that {labels} names")
    label_set = load_label_set(labels, images, orientation)
    for labelled in track(label_set.images, "checking"):
        # Damaged pixels behind an intact header are found before the evaluation starts, which may take an hour.
        check_decodable(images / labelled.file_name)
    return EvaluationSet(str(labels), label_set)


def evaluate(
    segmenter: PictureSegmenter | DetectionsFile, data: EvaluationSet, model: str, longer_side: int = LONGER_SIDE
) -> Evaluation:
    """Segment every picture of a set by the segmenter named `model`, and score the masks.

    `longer_side`, pixels: see `photos.detect`; the default leaves the benchmark's pictures as they are.

    Raises:
        InvalidDetections: as `detections_in_file`.
    """
    seconds: float | None = None
    if isinstance(segmenter, DetectionsFile):
        detections = detections_in_file(segmenter, data)
    else:
        detections, seconds = _detected(segmenter, data, model, longer_side)
    figures = average_precision(data.label_set, detections)
    return Evaluation(model, figures, bootstrap_intervals(figures.matches), seconds, detections)


def evaluate_baseline(data: EvaluationSet, longer_side: int = LONGER_SIDE) -> Evaluation:
    """The simple baseline's scores on a set; see `TableColour`."""
    return evaluate(TableColour(), data, TABLE_COLOUR, longer_side)


def detections_in_file(file: DetectionsFile, data: EvaluationSet) -> dict[int, Detections]:
    """What a file holds for each picture of a set, by image id.

    Raises:
        InvalidDetections: it holds nothing for any of them, or something else than masks of their sizes.
    """
    images = data.label_set.images
    found = {image.image_id: file.of(image.image_id, image.file_name, (image.height, image.width)) for image in images}
    if not any(len(one.rles) for one in found.values()):
        raise InvalidDetections(
            f"{file.path} has no detection in any picture of {data.name}; accepted are entries whose image_id or "
            f"file_name is one of the set's, such as {images[0].image_id} or {images[0].file_name}"
        )
    return found


def _detected(
    segmenter: PictureSegmenter, data: EvaluationSet, model: str, longer_side: int
) -> tuple[dict[int, Detections], float]:
    """What a segmenter finds in each picture, by image id, and the median of the seconds a picture."""
    detections: dict[int, Detections] = {}
    seconds = []
    for labelled in track(data.label_set.images, f"{model} on {data.name}"):
        picture = data.label_set.read(labelled)
        start = time.perf_counter()
        detections[labelled.image_id] = detect(segmenter, picture, longer_side)
        seconds.append(time.perf_counter() - start)
    return detections, float(np.median(seconds))


def figures_document(evaluation: Evaluation) -> dict[str, Any]:
    """The evaluation in results.json, which has null for a figure that does not exist."""
    figures, intervals = evaluation.figures, evaluation.intervals
    document = {
        "model": evaluation.model,
        "ap": figures.ap,
        "ap_interval": intervals.ap,
        "ap_50_95": figures.ap_50_95,
        "ap_50_95_interval": intervals.ap_50_95,
        "interval": intervals.describe(),
        "interval_reliable": intervals.reliable,
        "area_ap": figures.area_ap,
        "recall_at_precision": figures.recall_at_precision,
        "mean_matched_iou": None if math.isnan(figures.mean_matched_iou) else figures.mean_matched_iou,
        "pictures": figures.images,
        "objects": figures.objects,
        "ignored_objects": figures.ignored_objects,
        "proposals": figures.detections,
        "seconds_per_picture": evaluation.seconds,
        "settings": figures.settings,
    }
    return dict(plain(document))


def ap_figures(evaluation: Evaluation) -> dict[str, Figure]:
    """AP at each IoU in tables, with its interval, for a result file."""
    figures, intervals = evaluation.figures.ap, evaluation.intervals.ap
    return {f"AP at IoU {iou}": per_cent(figures[iou], intervals[iou]) for iou in SHOWN_IOUS}


def training_seeds(models: Sequence[str]) -> list[int] | None:
    """The seeds that networks were trained with, by their names; None if that of one is unknown."""
    seeds = set()
    for name in models:
        if name == TABLE_COLOUR:
            continue
        file = file_of(name)
        if file is None or file.suffix != ".safetensors" or not is_network(name):
            return None
        metadata = checkpoint_metadata(file)
        settings = metadata.get("learning") or metadata.get("training") or {}
        if "seed" not in settings:
            return None
        seeds.add(int(settings["seed"]))
    return sorted(seeds)


def results_table(evaluations: Sequence[Evaluation], data: EvaluationSet) -> Table:
    """A table with a row for each figure and a column for each model."""
    title = f"{data.name}: {len(data.label_set.images)} pictures"
    return table_of_columns(title, "figure", {evaluation.model: _cells(evaluation) for evaluation in evaluations})


def baseline_note(baseline: Evaluation) -> str:
    """The line about the simple baseline below the table."""
    figures, intervals = baseline.figures, baseline.intervals
    ap = " / ".join(with_interval(figures.ap[iou], intervals.ap[iou], intervals.reliable) for iou in SHOWN_IOUS)
    return f"simple baseline (--model {TABLE_COLOUR}) on the same pictures: AP at IoU 0.3 / 0.5 / 0.75 {ap}"


def footnotes(evaluations: Sequence[Evaluation], data: EvaluationSet) -> list[str]:
    """The lines below the table: settings, what the intervals mean, renderer, and whether it is the published set."""
    level = evaluations[0].intervals.level
    settings = {evaluation.model: evaluation.figures.settings for evaluation in evaluations}
    same = len(set(settings.values())) == 1
    lines = [settings[evaluations[0].model]] if same else [f"{name}: {line}" for name, line in settings.items()]
    lines.append(f"per cent; in brackets {100 * level:.0f} % bootstrap over pictures, not over training runs")
    lines += [UNRELIABLE] if not all(one.intervals.reliable for one in evaluations) else []
    lines += set_notes(data)
    return [*lines, ABOUT_TEST] if data.name == "test" else lines


def set_notes(data: EvaluationSet) -> list[str]:
    """The renderer of a set, and whether it is the published one."""
    lines = [f"renderer: {data.renderer or 'unknown, these are not our pictures'}"]
    return lines if data.standing is None else [*lines, data.standing]


@dataclass(frozen=True, eq=False)
class GeneralisationFigures:
    """A model's results on the four sets, by the names of the sets."""

    model: str
    sets: Mapping[str, EvaluationSet]
    evaluations: Mapping[str, Evaluation]

    def drop(self, name: str, iou: float) -> float:
        """AP on A minus AP on a set, in [-1, 1]."""
        return self.evaluations[GENERALISATION_SETS[0]].figures.ap[iou] - self.evaluations[name].figures.ap[iou]

    def table(self) -> Table:
        """A table with a row for each set, AP with intervals, and one for each drop from A, at each IoU."""
        rows = []
        for name, evaluation in self.evaluations.items():
            ap, intervals = evaluation.figures.ap, evaluation.intervals
            cells = (with_interval(ap[iou], intervals.ap[iou], intervals.reliable) for iou in SHOWN_IOUS)
            rows.append((_described(name), *cells))
        for name in list(self.evaluations)[1:]:
            drops = (f"{100 * self.drop(name, iou):.1f}" for iou in SHOWN_IOUS)
            rows.append((f"drop A to {name[-1]}, points", *drops))
        headings = ("objects on table tops", *(f"AP at IoU {iou}" for iou in SHOWN_IOUS))
        table = figures_table(f"generalisation of {self.model}", headings, rows)
        table.title_justify = "left"
        return table

    def figures(self) -> dict[str, dict[str, Figure]]:
        """The figures of a result file: AP and its drop from A on each set."""
        rows = {}
        for name, evaluation in self.evaluations.items():
            of = f"{SETS[name].objects} objects on {SETS[name].backgrounds} tables"
            drops = {f"drop at {iou}": Figure(100 * self.drop(name, iou), "points") for iou in SHOWN_IOUS}
            first = name == GENERALISATION_SETS[0]
            rows[f"{name[-1]}: {of}"] = {**ap_figures(evaluation), **({} if first else drops)}
        return rows

    def footnotes(self) -> list[str]:
        """The lines below the table, each once."""
        settings = [evaluation.figures.settings for evaluation in self.evaluations.values()]
        # The settings of the sets differ in the number of masks of their fullest pictures.
        most = " / ".join(dict.fromkeys(_MAX_DETECTIONS.findall("\n".join(settings))))
        lines = [_MAX_DETECTIONS.sub(most, settings[0], count=1)]
        for name, evaluation in self.evaluations.items():
            lines += footnotes([evaluation], self.sets[name])[1:]
        return list(dict.fromkeys(lines))

    def page(self) -> FiguresPage:
        """The content of results.html."""
        sets = [_described(name) for name in self.evaluations]
        return FiguresPage(
            title=f"Generalisation of {Path(self.model).name}",
            introduction="Average precision by objects and table tops: those of the training split (train) and new "
            "ones (test). B has training objects on new table tops. A drop is the AP on A minus that on the set, in "
            "percentage points.",
            essentials=[essential_ap(name, one) for name, one in zip(sets, self.evaluations.values(), strict=True)],
            charts=[
                BarChart(
                    "Average precision, objects on table tops",
                    "AP, %",
                    tuple(sets),
                    tuple(self._bars(iou, colour) for colour, iou in enumerate(SHOWN_IOUS)),
                )
            ],
            table=self.table(),
            notes=self.footnotes(),
            terms=TERMS_OF_AP,
        )

    def _bars(self, iou: float, colour: int) -> Bars:
        ends = [(one.figures.ap[iou], *one.intervals.ap[iou]) for one in self.evaluations.values()]
        return Bars(f"IoU {iou}", tuple(Bar(100 * ap, 100 * low, 100 * high) for ap, low, high in ends), colour)

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


def _described(name: str) -> str:
    """A set of generalisation by its letter, objects and table tops."""
    return f"{name[-1]}: {SETS[name].objects} on {SETS[name].backgrounds}"


def evaluate_generalisation(
    segmenter: PictureSegmenter, model: str, sets_dir: Path, workers: int = 1
) -> GeneralisationFigures:
    """Evaluate on the four sets; missing ones are made first."""
    sets = {name: benchmark_set(name, sets_dir, workers) for name in GENERALISATION_SETS}
    return GeneralisationFigures(model, sets, {name: evaluate(segmenter, data, model) for name, data in sets.items()})


def essential_ap(name: str, evaluation: Evaluation) -> Essential:
    """AP at IoU 0.5 for the head of a page, with its interval and AP at IoU 0.3 in the note."""
    figures, intervals = evaluation.figures, evaluation.intervals
    low, high = (100 * end for end in intervals.ap[0.5])
    interval = interval_words(low, high, intervals.reliable)
    note = f"AP at IoU 0.5; {interval}; at IoU 0.3: {100 * figures.ap[0.3]:.1f} %"
    return Essential(name, f"{100 * figures.ap[0.5]:.1f} %", note)


def _cells(evaluation: Evaluation) -> dict[str, str]:
    figures, intervals = evaluation.figures, evaluation.intervals
    recalls = {
        f"recall at precision {100 * precision:.0f} %, IoU {iou}": f"{100 * recall:.1f}"
        for iou in SHOWN_IOUS[:2]
        for precision, recall in figures.recall_at_precision[iou].items()
    }
    iou_of_matches = figures.mean_matched_iou
    return {
        **{
            f"AP at IoU {iou}": with_interval(figures.ap[iou], intervals.ap[iou], intervals.reliable)
            for iou in SHOWN_IOUS
        },
        "AP 0.5:0.95": with_interval(figures.ap_50_95, intervals.ap_50_95, intervals.reliable),
        **recalls,
        "mean IoU of masks right at 0.5": "-" if math.isnan(iou_of_matches) else f"{100 * iou_of_matches:.1f}",
        "objects (left out)": f"{figures.objects} ({figures.ignored_objects})",
        "proposals": str(figures.detections),
        "seconds per picture, median": "-" if evaluation.seconds is None else f"{evaluation.seconds:.2f}",
    }


def with_interval(value: float, interval: tuple[float, float], reliable: bool = True) -> str:
    """A figure and its interval, within [0, 1], as per cent; a star marks an unreliable interval."""
    low, high = interval
    return f"{100 * value:.1f} [{100 * low:.1f}, {100 * high:.1f}]{'' if reliable else '*'}"
