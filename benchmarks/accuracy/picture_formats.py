"""What recorded pictures cost in each format, and what a lossy format changes in the labels.

Interactions are made as in `label_quality`, with the simulator's true masks. Every picture is encoded and decoded in
each format in turn, on one core; times are the thread's processor time, as ratios to PNG's. The labeller gets
the decoded pictures. `RecordInteractions` writes the formats with an asterisk; "JPEG 90" has the usual tables of this
quality, and "WebP, fastest" is libwebp's method 0.

- MB an interaction: of the 12 pictures that a row of a pick-and-place has.
- IoU with PNG's: mean IoU of the masks with those from lossless pictures, where at least one of both is a mask.
- mean IoU, precision, recall: of the labels with the truth, as `label_quality` defines them.
- other decision: share of the pairs in which one says object and the other does not.

Run: python -m tabletop_interaction.benchmarks.accuracy.picture_formats
"""

import io
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

import cv2
import numpy as np
from PIL import Image
from rich.console import Console

from tabletop_interaction.arrays import Picture
from tabletop_interaction.benchmarks.accuracy.label_quality import PairScore, TruePair, figures_of, score_of, true_pairs
from tabletop_interaction.benchmarks.figures import SceneOptions, figures_table
from tabletop_interaction.benchmarks.results.result import Figure
from tabletop_interaction.benchmarks.results.shares import CLUSTERED, per_cent, ratio_of_sums
from tabletop_interaction.benchmarks.speed.interactions import one_core
from tabletop_interaction.envs.records.picture_format import encode_jpeg
from tabletop_interaction.envs.records.png import encode_picture
from tabletop_interaction.frame_difference import FrameDifference, frame_difference
from tabletop_interaction.program import run_module
from tabletop_interaction.ranges import Count
from tabletop_interaction.segmentation.rle import mask_iou
from tabletop_interaction.simulation import SimulationConfig, open_simulation

_PICTURES_OF_A_ROW = 12
_LOSSLESS = "PNG *"
_FULL_COLOUR = "4:4:4", cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444
_HALVED_COLOUR = "4:2:0", cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420
_USUAL_JPEG = (
    (85, *_FULL_COLOUR),
    (88, *_FULL_COLOUR),
    (90, *_FULL_COLOUR),
    (95, *_FULL_COLOUR),
    (98, *_FULL_COLOUR),
    (90, *_HALVED_COLOUR),
    (92, *_HALVED_COLOUR),
    (95, *_HALVED_COLOUR),
)


@dataclass(frozen=True, kw_only=True)
class PictureFormatOptions(SceneOptions):
    """Options of the benchmark of picture formats."""

    interactions: Count = 40
    """Picks to make."""
    interactions_per_scene: Count = 2
    """Picks before a new scene is drawn."""


@dataclass
class Cost:
    """Pictures that a format has encoded so far, their bytes, and the seconds that it took."""

    pictures: int = 0
    bytes: int = 0
    encoding: float = 0.0
    decoding: float = 0.0


@dataclass
class FormatRecord:
    """What one format has cost, and the labels from its pictures, in the order of the pairs."""

    cost: Cost = field(default_factory=Cost)
    scores: list[PairScore] = field(default_factory=list)
    answers: list[FrameDifference] = field(default_factory=list)


def formats() -> dict[str, Callable[[Picture], bytes]]:
    """The encoders by name, PNG first."""
    found: dict[str, Callable[[Picture], bytes]] = {_LOSSLESS: encode_picture}
    for step in (6, 8, 10, 12):
        found[f"JPEG, step {step} *"] = partial(encode_jpeg, step=step)
    for quality, name, sampling in _USUAL_JPEG:
        options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling]
        found[f"JPEG {quality}, {name}"] = _by_opencv(".jpg", options)
    for quality in (80, 90, 95):
        found[f"WebP {quality}"] = _by_opencv(".webp", [cv2.IMWRITE_WEBP_QUALITY, quality])
        found[f"WebP {quality}, fastest"] = partial(_fast_webp, quality)
    return found


def _fast_webp(quality: int, picture: Picture) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "WEBP", quality=quality, method=0)
    return file.getvalue()


def _by_opencv(suffix: str, options: list[int]) -> Callable[[Picture], bytes]:
    def encode(picture: Picture) -> bytes:
        return cv2.imencode(suffix, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), options)[1].tobytes()

    return encode


def measure(pairs: Iterator[TruePair], encoders: Mapping[str, Callable[[Picture], bytes]]) -> dict[str, FormatRecord]:
    """Encode, decode and label each pair in each format."""
    records = {name: FormatRecord() for name in encoders}
    # A picture belongs to up to two pairs of an interaction; the original is kept so that its id stays its own.
    decoded: dict[int, tuple[Picture, dict[str, Picture]]] = {}
    interaction = -1
    for pair in pairs:
        if pair.interaction != interaction:
            decoded.clear()
            interaction = pair.interaction
        for picture in (pair.before, pair.after):
            if id(picture) not in decoded:
                decoded[id(picture)] = picture, _decoded(picture, encoders, records)
        for name, record in records.items():
            before, after = (decoded[id(picture)][1][name] for picture in (pair.before, pair.after))
            answer = frame_difference(before, after, pair.click)
            record.answers.append(answer)
            record.scores.append(score_of(answer, pair))
    return records


def _decoded(
    picture: Picture, encoders: Mapping[str, Callable[[Picture], bytes]], records: Mapping[str, FormatRecord]
) -> dict[str, Picture]:
    """The picture as each format gives it back; adds what that costs."""
    found = {}
    for name, encode in encoders.items():
        cost, start = records[name].cost, time.thread_time()
        content = encode(picture)
        encoded = time.thread_time()
        found[name] = np.asarray(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB), np.uint8)
        cost.decoding += time.thread_time() - encoded
        cost.encoding += encoded - start
        cost.bytes += len(content)
        cost.pictures += 1
    return found


def figures(records: Mapping[str, FormatRecord]) -> dict[str, dict[str, Figure]]:
    """A row for each format."""
    lossless = records[_LOSSLESS]
    return {
        name: {**_costs(record.cost, lossless.cost), **_labels(record, lossless)} for name, record in records.items()
    }


def _costs(cost: Cost, lossless: Cost) -> dict[str, Figure]:
    return {
        "MB an interaction": Figure(_PICTURES_OF_A_ROW * cost.bytes / cost.pictures / 1e6, decimals=2),
        "encoding over PNG": Figure(cost.encoding / lossless.encoding, decimals=2),
        "decoding over PNG": Figure(cost.decoding / lossless.decoding, decimals=2),
    }


def _labels(record: FormatRecord, lossless: FormatRecord) -> dict[str, Figure]:
    number = np.array([score.interaction for score in record.scores], np.intp)
    both = list(zip(record.answers, lossless.answers, strict=True))
    masks = np.array([mine.moved or its.moved for mine, its in both])
    iou = np.array([mask_iou(mine.mask, its.mask) for mine, its in both])
    others = sum(mine.moved != its.moved for mine, its in both)
    true = figures_of(record.scores)
    return {
        "IoU with PNG's": ratio_of_sums(np.bincount(number, iou * masks), np.bincount(number, masks)),
        "other decision": per_cent(others / len(both), trials=len(both)),
        "mean IoU": true["masks of one moved object"]["mean IoU"],
        **true["labels"],
    }


def _text(figure: Figure) -> str:
    return f"{figure.value:.{figure.decimals}f}{figure.unit and f' {figure.unit}'}"


def main(options: PictureFormatOptions) -> None:
    """Interact, measure and print the table."""
    cv2.setNumThreads(1)
    with one_core(), open_simulation(options.split, SimulationConfig()) as backend:
        pairs = true_pairs(backend, options.interactions, options.interactions_per_scene, options.seed)
        records = measure(pairs, formats())
    rows = figures(records)
    lossless = records[_LOSSLESS]
    title = f"{options.interactions} interactions, {len(lossless.scores)} pairs, {lossless.cost.pictures} pictures"
    columns = list(rows[_LOSSLESS])
    cells = [(name, *(_text(row[column]) for column in columns)) for name, row in rows.items()]
    Console(width=160).print(figures_table(title, ("format", *columns), cells))
    options.keep(rows, seeds=(options.seed,), interval=CLUSTERED)


if __name__ == "__main__":
    run_module(main, PictureFormatOptions, __doc__)
