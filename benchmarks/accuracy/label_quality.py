"""Quality of the frame difference's masks and labels, on simulated interactions, against ground truth.

Run: python -m tabletop_interaction.benchmarks.accuracy.label_quality --interactions 500 --out runs/label_quality

Half of the picks are aimed at an object by ground truth, half are uniform over the arena. Each interaction gives two
pairs of pictures in each view: before and held, at the pick point; if something was held, also held and after, at the
place point. The labeller gets only the pictures and the click. Times are of one core.

- Clean pairs: every moved object is visible in one picture of the pair only. The true mask is that of the objects that
  vanished or appeared, in the picture that shows them; the true label is whether it has more than 1,000 px in the
  window. Precision and recall are of these pairs; the IoU is of those with one moved object.
- Disturbed pairs: an object that is visible in both pictures was displaced by 1.5 mm or 2 degrees or more. They have no
  true mask; the benchmark counts how many are labelled as an object.
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np

from tabletop_interaction.agents.grasp import GraspPoint
from tabletop_interaction.arrays import Floats, Mask, Picture
from tabletop_interaction.benchmarks.figures import SceneOptions, mean
from tabletop_interaction.benchmarks.ground_truth import (
    Snapshot,
    TruthfulBackend,
    inside_arena,
    random_object,
    take_snapshot,
    was_moved,
)
from tabletop_interaction.benchmarks.results.result import Figure
from tabletop_interaction.benchmarks.results.shares import CLUSTERED, per_cent, ratio_of_sums
from tabletop_interaction.envs import Arena
from tabletop_interaction.errors import UnreachableTarget
from tabletop_interaction.files import check_new_folder, lock_file, write_json
from tabletop_interaction.frame_difference import FrameDifference, FrameDifferenceConfig, frame_difference
from tabletop_interaction.program import run_module
from tabletop_interaction.progress import track
from tabletop_interaction.ranges import Count, Range
from tabletop_interaction.reports.sheets import (
    PICK_COLOUR,
    header_row,
    with_caption,
    with_cross,
    with_margin,
    write_sheet,
)
from tabletop_interaction.segmentation.overlays import outlined
from tabletop_interaction.segmentation.rle import mask_iou
from tabletop_interaction.simulation import SimulationConfig, open_simulation

_PAPER = FrameDifferenceConfig()
_GOOD_IOU = 0.75
_GAP_PX = 4
_TITLES = ("before; cross: the click", "after", "difference; grey: none", "red: true mask, green: the labeller's")
_SUMMARY = """\
label  precision {precision:.3f}, recall {recall:.3f} (true positives {true_positives}, false positives \
{false_positives}, false negatives {false_negatives}, true negatives {true_negatives})
mask   IoU mean {iou_mean:.3f}, median {iou_median:.3f}, above 0.75 {iou_above_075:.1%}, above 0.9 {iou_above_09:.1%} \
of {masks} masks of one object
apart  {disturbed} pairs with a displaced neighbour, {disturbed_called_moved:.1%} called an object
time   {ms_per_pair:.1f} ms a pair on one core
"""


@dataclass(frozen=True, kw_only=True)
class LabelQualityOptions(SceneOptions):
    """Options of the benchmark of labels."""

    out: Path
    """Folder for summary.json and errors.jpg; new or empty."""
    interactions: Count = 100
    """Picks to make."""
    interactions_per_scene: Count = 6
    """Picks before a new scene is drawn."""
    clutter: bool = False
    """Pick from heaps, where objects touch and lie on each other."""
    errors_of_a_kind: Annotated[int, Range(0, 10**6)] = 8
    """Rows on the sheet for each of: false positives, false negatives, worst masks with IoU up to 0.75."""


@dataclass(frozen=True, eq=False)
class PairTruth:
    """The truth about a pair in the window around the click.

    Attributes:
        mask: bool (H, W), the objects that vanished or appeared.
        objects: number of these objects.
        disturbed: whether an object that is visible in both pictures was displaced.
    """

    mask: Mask
    objects: int
    disturbed: bool


@dataclass(frozen=True, eq=False)
class TruePair:
    """One pair of pictures with the truth.

    Attributes:
        interaction: number of the interaction.
        name: "pick" or "place".
        view: name of the view.
        before, after: its pictures.
        click: pixel x, y.
        truth: what moved.
    """

    interaction: int
    name: str
    view: str
    before: Picture
    after: Picture
    click: Floats
    truth: PairTruth


@dataclass(frozen=True)
class PairScore:
    """The figures of one pair.

    Attributes:
        kind: disturbed, or true or false positive or negative; positive is a true mask of more than 1,000 px.
        answered: whether the labeller says that something moved.
        objects: number of moved objects.
        iou: of the answer with the true mask; 1 if both are empty.
        seconds: of the labeller.
        interaction: number of the interaction.
    """

    kind: str
    answered: bool
    objects: int
    iou: float
    seconds: float
    interaction: int = 0


@dataclass(frozen=True, eq=False)
class JudgedPair:
    """One pair of pictures with the labeller's answer, the truth and the score."""

    caption: str
    before: Picture
    after: Picture
    click: Floats
    answer: FrameDifference
    truth: PairTruth
    score: PairScore


def main(options: LabelQualityOptions) -> None:
    """Interact, print the summary, write summary.json and errors.jpg. Raises ForeignFolder, FolderInUse."""
    check_new_folder(options.out, "a summary of labels")
    with lock_file(options.out / ".lock", blocking=False):
        scores = _measure(options)
    print(_text(summarise(scores), options))
    options.keep(figures_of(scores), seeds=(options.seed,), interval=CLUSTERED)


def _measure(options: LabelQualityOptions) -> list[PairScore]:
    cv2.setNumThreads(1)
    scores: list[PairScore] = []
    errors: dict[str, list[JudgedPair]] = {"false positive": [], "false negative": [], "true positive": []}
    with open_simulation(options.split, SimulationConfig(clutter=options.clutter)) as backend:
        for judged in judged_pairs(backend, options):
            scores.append(judged.score)
            if judged.score.kind in errors:
                _keep_worst(errors[judged.score.kind], judged, options.errors_of_a_kind)
    summary = summarise(scores)
    write_json(options.out / "summary.json", {"options": options, "summary": summary})
    write_error_sheet(options.out / "errors.jpg", [judged for kept in errors.values() for judged in kept])
    return scores


def judged_pairs(backend: TruthfulBackend, options: LabelQualityOptions) -> Iterator[JudgedPair]:
    """Make the interactions and label each pair of pictures in each view."""
    for pair in true_pairs(backend, options.interactions, options.interactions_per_scene, options.seed):
        start = time.perf_counter()
        answer = frame_difference(pair.before, pair.after, pair.click)
        seconds = time.perf_counter() - start
        score = score_of(answer, pair, seconds)
        caption = f"{pair.interaction} {pair.name} {pair.view}"
        yield JudgedPair(caption, pair.before, pair.after, pair.click, answer, pair.truth, score)


def true_pairs(
    backend: TruthfulBackend, interactions: int, interactions_per_scene: int, seed: int
) -> Iterator[TruePair]:
    """Make interactions, and give each pair of pictures in each view with the truth about it."""
    rng = np.random.default_rng(seed)
    for number in track(range(interactions), "interactions"):
        if number % interactions_per_scene == 0:
            backend.reset(rng, new_scene=True)
        for name, xy, before, after in _interact(backend, rng, aimed=number % 2 == 0):
            for view in backend.views:
                click = view.project(np.array([[*xy, 0.0]]))[0]
                truth = pair_truth(before, after, view.name, click)
                pictures = before.pictures[view.name], after.pictures[view.name]
                yield TruePair(number, name, view.name, *pictures, click, truth)


def score_of(answer: FrameDifference, pair: TruePair, seconds: float = 0.0) -> PairScore:
    """The figures of an answer, which took some seconds, about a pair."""
    truth = pair.truth
    found, there = answer.moved, int(truth.mask.sum()) > _PAPER.min_area
    kind = f"{'true' if found == there else 'false'} {'positive' if found else 'negative'}"
    iou = mask_iou(answer.mask, truth.mask)
    return PairScore("disturbed" if truth.disturbed else kind, found, truth.objects, iou, seconds, pair.interaction)


def pair_truth(before: Snapshot, after: Snapshot, view: str, click: Floats) -> PairTruth:
    """The truth in one view's window around the click (x, y pixels)."""
    first, second = before.instances[view], after.instances[view]
    window = _window_mask(first.shape, click)
    mask, objects, disturbed = np.zeros(first.shape, bool), 0, False
    for old, new in zip(before.states, after.states, strict=True):
        seen_before, seen_after = first == old.id, second == old.id
        here = (seen_before | seen_after) & window
        if not here.any() or not was_moved(old, new):
            continue
        if seen_before.any() and seen_after.any():
            disturbed = True
        else:
            mask |= here
            objects += 1
    return PairTruth(mask, objects, disturbed)


def write_error_sheet(path: Path, errors: Sequence[JudgedPair]) -> None:
    """Write a sheet with a row for each error, below headers; nothing without an error."""
    if not errors:
        return
    strips = [_strip(judged) for judged in errors]
    header = header_row(_TITLES, strips[0].shape[1])
    write_sheet(path, [[header], *([strip] for strip in strips)], quality=90)


def summarise(scores: list[PairScore]) -> dict[str, float]:
    """The figures of all pairs; shares and IoUs within 0 to 1, NaN without a pair to take them from."""
    count = Counter(score.kind for score in scores)
    found, false, missed = count["true positive"], count["false positive"], count["false negative"]
    disturbed = [score.answered for score in scores if score.kind == "disturbed"]
    ious = np.array([s.iou for s in scores if s.kind == "true positive" and s.objects == 1])
    return {
        "pairs": len(scores),
        "disturbed": len(disturbed),
        "disturbed_called_moved": mean(disturbed),
        "true_positives": found,
        "false_positives": false,
        "false_negatives": missed,
        "true_negatives": count["true negative"],
        "precision": mean([1] * found + [0] * false),
        "recall": mean([1] * found + [0] * missed),
        "masks": len(ious),
        "iou_mean": mean(ious),
        "iou_median": float(np.median(ious)) if len(ious) else float("nan"),
        "iou_above_075": mean(ious > 0.75),
        "iou_above_09": mean(ious > 0.9),
        "ms_per_pair": 1e3 * mean([score.seconds for score in scores]),
    }


def figures_of(scores: list[PairScore]) -> dict[str, dict[str, Figure]]:
    """The figures of a result file, with intervals."""
    number = np.array([score.interaction for score in scores], np.intp)
    kind = np.array([score.kind for score in scores])
    right, false, missed = (kind == name for name in ("true positive", "false positive", "false negative"))
    single = right & (np.array([score.objects for score in scores]) == 1)
    iou = np.array([score.iou for score in scores])

    def ratio(parts: Floats | Mask, wholes: Mask) -> Figure:
        return ratio_of_sums(np.bincount(number, parts), np.bincount(number, wholes))

    disturbed = per_cent(mean(kind == "disturbed"), trials=len(scores))
    return {
        "labels": {"precision": ratio(right, right | false), "recall": ratio(right, right | missed)},
        "masks of one moved object": {
            "mean IoU": ratio(iou * single, single),
            "IoU above 0.75": ratio(single & (iou > 0.75), single),
        },
        "pairs with a displaced neighbour, counted apart": {"share": disturbed},
    }


def _interact(
    backend: TruthfulBackend, rng: np.random.Generator, *, aimed: bool
) -> Iterator[tuple[str, tuple[float, float], Snapshot, Snapshot]]:
    """One pick-and-place: the pairs' names, points in metres and snapshots; no pair if the pick is out of reach."""
    before = take_snapshot(backend)
    states, arena = backend.object_states(), backend.arena
    pick = random_object(states, arena, rng) if aimed and inside_arena(states, arena) else _anywhere(arena, rng)
    place = _anywhere(arena, rng)
    try:
        grasp = backend.pick(pick.x, pick.y, pick.angle)
    except UnreachableTarget:
        return
    held = take_snapshot(backend)
    yield "pick", (pick.x, pick.y), before, held
    if not grasp.held:
        return
    try:
        backend.place(place.x, place.y)
    except UnreachableTarget:
        place = pick
        backend.place(place.x, place.y)
    yield "place", (place.x, place.y), held, take_snapshot(backend)


def _anywhere(arena: Arena, rng: np.random.Generator) -> GraspPoint:
    x, y = rng.uniform(arena.x_min, arena.x_max), rng.uniform(arena.y_min, arena.y_max)
    return GraspPoint(float(x), float(y), float(rng.uniform(-np.pi / 2, np.pi / 2)))


def _window_mask(shape: tuple[int, ...], click: Floats) -> Mask:
    x, y = (round(float(value)) for value in click)
    half = _PAPER.window // 2
    inside = np.zeros(shape, bool)
    inside[max(0, y - half) : max(0, y + half), max(0, x - half) : max(0, x + half)] = True
    return inside


def _keep_worst(kept: list[JudgedPair], judged: JudgedPair, most: int) -> None:
    """Keep the pairs with the lowest IoU, without good masks, and true positives with one moved object only.

    A false positive can have a good mask: its object has just too few pixels to count.
    """
    several = judged.score.kind == "true positive" and judged.score.objects != 1
    if several or judged.score.iou > _GOOD_IOU:
        return
    kept.append(judged)
    kept.sort(key=lambda one: one.score.iou)
    del kept[most:]


def _strip(judged: JudgedPair) -> Picture:
    """Before, after, their difference, and the outlines of answer (green) and truth (red) on the object's picture."""
    shown = judged.before if " pick " in judged.caption else judged.after
    difference = np.clip(128 + (judged.after.astype(np.int16) - judged.before), 0, 255).astype(np.uint8)
    compared = outlined(outlined(shown, judged.truth.mask, (240, 40, 40)), judged.answer.mask, (0, 230, 80))
    before = with_cross(judged.before, judged.click, PICK_COLOUR)
    panels = [cropped(panel, judged.click) for panel in (before, judged.after, difference, compared)]
    enlarged = [np.asarray(cv2.resize(panel, None, fx=1.5, fy=1.5), np.uint8) for panel in panels]
    strip = np.hstack([with_margin(panel, right=_GAP_PX, bottom=_GAP_PX) for panel in enlarged])
    score, true_px = judged.score, int(judged.truth.mask.sum())
    kind = "bad mask" if score.kind == "true positive" else score.kind
    return with_caption(strip, f"{kind}, IoU {score.iou:.2f}, true mask {true_px:,} px (interaction {judged.caption})")


def cropped(picture: Picture, click: Floats) -> Picture:
    """The part of a picture (H, W, 3) that a window shows which has the click in its middle, or is moved inside."""
    side = _PAPER.window
    (x, y), (height, width) = (round(float(value)) for value in click), picture.shape[:2]
    left, top = (max(0, min(at - side // 2, most - side)) for at, most in ((x, width), (y, height)))
    return picture[top : top + side, left : left + side]


def _text(summary: dict[str, float], options: LabelQualityOptions) -> str:
    head = f"{options.interactions} interactions, split {options.split}, seed {options.seed}: {{pairs}} pairs\n"
    return (head + _SUMMARY).format(**summary) + f"wrote  {options.out}"


if __name__ == "__main__":
    run_module(main, LabelQualityOptions, __doc__)
