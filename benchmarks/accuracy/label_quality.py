"""How good the masks and labels of the frame difference are: simulated interactions against the simulation's truth.

Run: python -m tabletop_interaction.benchmarks.accuracy.label_quality --interactions 500 --out runs/label_quality

Half of the picks are aimed at an object across its principal axis, half are drawn over the arena. Of each
interaction and view two pairs are judged: before and held at the pick point; when something was held, held and
after at the place point.

Scored, by what happened in the window:

- clean pairs: whatever moved is seen in one picture of the pair only. True is the mask of the objects that vanished
  or appeared, as seen in the picture that shows them; the true label is whether it has more than 1,000 px in the
  window. Precision and recall of the label are of these; the IoU is of those with one moved object.
- disturbed pairs: an object that is seen in both pictures was displaced by 1.5 mm or 2 degrees or more. No one
  mask is right there; only how many of them are called an object is told.

The labeller sees the pictures and the click alone. Times are of one core.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, Protocol

import cv2
import gymnasium as gym
import imageio.v2 as imageio
import numpy as np
import tyro
from numpy.typing import NDArray
from rich.progress import track
from scipy.spatial.transform import Rotation

from tabletop_interaction.agents.grasp import GraspPoint
from tabletop_interaction.benchmarks.accuracy.grasp_success import grasp_from_truth
from tabletop_interaction.envs.backend import Backend, GroundTruth, ObjectState, Pictures
from tabletop_interaction.errors import ForeignFolder, InvalidConfiguration, UnreachableTarget
from tabletop_interaction.segmentation.frame_difference import (
    FrameDifference,
    FrameDifferenceConfig,
    frame_difference,
)
from tabletop_interaction.segmentation.overlays import outlined
from tabletop_interaction.segmentation.rle import mask_iou

Labeller = Callable[[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float64]], FrameDifference]

_DISPLACED_M = 0.0015
_DISPLACED_DEG = 2.0
_PAPER = FrameDifferenceConfig()


class SimulatedBackend(Backend, GroundTruth, Protocol):
    """What this benchmark needs of a backend: that it knows the truth."""


@dataclass(frozen=True)
class Options:
    """Report precision, recall and mask IoU of the frame difference against the simulation's truth."""

    out: Path
    """Folder for summary.json and errors.jpg; new or empty."""
    interactions: int = 100
    """Picks to make."""
    seed: int = 0
    """Where the random numbers start."""
    split: Literal["train", "val", "test"] = "train"
    """Which objects and backgrounds."""
    interactions_per_scene: int = 6
    """Picks before a new scene is drawn."""
    errors_of_a_kind: int = 8
    """Rows on the sheet for each of: false positives, false negatives, worst masks."""


@dataclass(frozen=True, eq=False)
class Snapshot:
    """What is seen at one moment, and what is true then."""

    pictures: Pictures
    instances: dict[str, NDArray[np.int32]]
    states: tuple[ObjectState, ...]


@dataclass(frozen=True, eq=False)
class Truth:
    """What truly happened in a pair's window.

    Attributes:
        mask: bool (H, W), the objects that vanished or appeared, inside the window.
        objects: how many these are.
        disturbed: whether an object that both pictures show in the window was displaced.
    """

    mask: NDArray[np.bool_]
    objects: int
    disturbed: bool


@dataclass(frozen=True, eq=False)
class Judged:
    """One pair of pictures with the answer and the truth."""

    caption: str
    before: NDArray[np.uint8]
    after: NDArray[np.uint8]
    click: NDArray[np.float64]
    answer: FrameDifference
    truth: Truth
    seconds: float

    @property
    def positive(self) -> bool:
        """The true label."""
        return int(self.truth.mask.sum()) > _PAPER.min_area

    @property
    def iou(self) -> float:
        """Of the answer with the true mask; 1 where both are empty."""
        return mask_iou(self.answer.mask, self.truth.mask)

    @property
    def kind(self) -> str:
        """Which row of the summary it belongs to."""
        if self.truth.disturbed:
            return "disturbed"
        found, there = self.answer.moved, self.positive
        return f"{'true' if found == there else 'false'} {'positive' if found else 'negative'}"


@dataclass(frozen=True)
class Score:
    """The numbers of one pair, without its pictures."""

    kind: str
    answered: bool
    objects: int
    iou: float
    seconds: float


@dataclass(frozen=True)
class Summary:
    """What the benchmark says; shares and IoUs within 0 to 1, NaN where nothing was there to be judged."""

    pairs: int
    disturbed: int
    disturbed_called_moved: float
    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int
    precision: float
    recall: float
    masks: int
    iou_mean: float
    iou_median: float
    iou_above_075: float
    iou_above_09: float
    ms_per_pair: float


def main(options: Options) -> None:
    """Run, print and write."""
    _check_folder(options.out)
    cv2.setNumThreads(1)
    scores: list[Score] = []
    errors: dict[str, list[Judged]] = {"false positive": [], "false negative": [], "true positive": []}
    with _open_simulated(options.split) as backend:
        for judged in judged_pairs(backend, options):
            scores.append(Score(judged.kind, judged.answer.moved, judged.truth.objects, judged.iou, judged.seconds))
            if judged.kind in errors:
                _keep_worst(errors[judged.kind], judged, options.errors_of_a_kind)
    summary = summarise(scores)
    options.out.mkdir(parents=True, exist_ok=True)
    said = {"options": {**asdict(options), "out": str(options.out)}, "summary": asdict(summary)}
    (options.out / "summary.json").write_text(json.dumps(said, indent=2) + "\n")
    strips = [_strip(judged) for kept in errors.values() for judged in kept]
    if strips:
        imageio.imwrite(options.out / "errors.jpg", np.vstack(strips), quality=90)
    print(_told(summary, options))


def judged_pairs(
    backend: SimulatedBackend, options: Options, labeller: Labeller = frame_difference
) -> Iterator[Judged]:
    """Make the interactions and judge the labeller on each pair of pictures in each view."""
    rng = np.random.default_rng(options.seed)
    for number in track(range(options.interactions), description="interactions"):
        if number % options.interactions_per_scene == 0:
            backend.reset(rng, new_scene=True)
        for name, xy, before, after in _interact(backend, rng, aimed=number % 2 == 0):
            for view in backend.views:
                click = view.project(np.array([[*xy, 0.0]]))[0]
                start = time.perf_counter()
                answer = labeller(before.pictures[view.name], after.pictures[view.name], click)
                seconds = time.perf_counter() - start
                truth = pair_truth(before, after, view.name, click)
                caption = f"{number} {name} {view.name}"
                pictures = before.pictures[view.name], after.pictures[view.name]
                yield Judged(caption, *pictures, click, answer, truth, seconds)


def pair_truth(before: Snapshot, after: Snapshot, view: str, click: NDArray[np.float64]) -> Truth:
    """What truly happened in one view's window around the click (x, y pixels)."""
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
    return Truth(mask, objects, disturbed)


def summarise(scores: list[Score]) -> Summary:
    """The summary of all pairs."""
    count = {
        kind: sum(score.kind == kind for score in scores)
        for kind in ("true positive", "false positive", "false negative", "true negative")
    }
    disturbed = [score.answered for score in scores if score.kind == "disturbed"]
    ious = np.array([s.iou for s in scores if s.kind == "true positive" and s.objects == 1])
    found = count["true positive"]
    return Summary(
        pairs=len(scores),
        disturbed=len(disturbed),
        disturbed_called_moved=_mean(disturbed),
        true_positives=found,
        false_positives=count["false positive"],
        false_negatives=count["false negative"],
        true_negatives=count["true negative"],
        precision=_mean([1] * found + [0] * count["false positive"]),
        recall=_mean([1] * found + [0] * count["false negative"]),
        masks=len(ious),
        iou_mean=_mean(ious),
        iou_median=float(np.median(ious)) if len(ious) else float("nan"),
        iou_above_075=_mean(ious > 0.75),
        iou_above_09=_mean(ious > 0.9),
        ms_per_pair=1e3 * _mean([score.seconds for score in scores]),
    )


def _open_simulated(split: str) -> SimulatedBackend:
    env = gym.make("tabletop_interaction:TabletopInteraction-v0", split=split)
    backend = env.unwrapped.backend  # type: ignore[attr-defined]
    if not isinstance(backend, GroundTruth):
        raise InvalidConfiguration(f"{type(backend).__name__} knows no ground truth; use the simulation")
    return backend  # type: ignore[return-value]


def _interact(
    backend: SimulatedBackend, rng: np.random.Generator, *, aimed: bool
) -> Iterator[tuple[str, tuple[float, float], Snapshot, Snapshot]]:
    """One pick-and-place: the pairs' names, points in metres and snapshots; none when the arm cannot go there."""
    before = _snapshot(backend)
    pick = _aimed(backend, rng) if aimed else _anywhere(backend, rng)
    place = _anywhere(backend, rng)
    try:
        grasp = backend.pick(pick.x, pick.y, pick.angle)
    except UnreachableTarget:
        return
    held = _snapshot(backend)
    yield "pick", (pick.x, pick.y), before, held
    if not grasp.held:
        return
    try:
        backend.place(place.x, place.y)
    except UnreachableTarget:
        place = pick
        backend.place(place.x, place.y)
    yield "place", (place.x, place.y), held, _snapshot(backend)


def _snapshot(backend: SimulatedBackend) -> Snapshot:
    return Snapshot(backend.observe(), backend.instance_maps(), backend.object_states())


def _aimed(backend: SimulatedBackend, rng: np.random.Generator) -> GraspPoint:
    standing = [state for state in backend.object_states() if backend.arena.contains(*state.position[:2])]
    if not standing:
        return _anywhere(backend, rng)
    return grasp_from_truth(standing[int(rng.integers(len(standing)))])


def _anywhere(backend: SimulatedBackend, rng: np.random.Generator) -> GraspPoint:
    arena = backend.arena
    x, y = rng.uniform(arena.x_min, arena.x_max), rng.uniform(arena.y_min, arena.y_max)
    return GraspPoint(float(x), float(y), float(rng.uniform(-np.pi / 2, np.pi / 2)))


def was_moved(old: ObjectState, new: ObjectState) -> bool:
    """Whether an object was displaced by 1.5 mm or 2 degrees or more."""
    turn = Rotation.from_quat(old.quaternion_xyzw).inv() * Rotation.from_quat(new.quaternion_xyzw)
    shift = float(np.linalg.norm(old.position - new.position))
    return shift >= _DISPLACED_M or float(np.rad2deg(turn.magnitude())) >= _DISPLACED_DEG


def _window_mask(shape: tuple[int, ...], click: NDArray[np.float64]) -> NDArray[np.bool_]:
    x, y = (round(float(value)) for value in click)
    half = _PAPER.window // 2
    inside = np.zeros(shape, bool)
    inside[max(0, y - half) : max(0, y + half), max(0, x - half) : max(0, x + half)] = True
    return inside


def _mean(values: NDArray[np.float64] | NDArray[np.bool_] | list[float] | list[int] | list[bool]) -> float:
    return float(np.mean(values)) if len(values) else float("nan")


def _keep_worst(kept: list[Judged], judged: Judged, most: int) -> None:
    """Keep the pairs of lowest IoU, of true positives those with one moved object."""
    if judged.kind == "true positive" and judged.truth.objects != 1:
        return
    kept.append(judged)
    kept.sort(key=lambda one: one.iou)
    del kept[most:]


def _strip(judged: Judged) -> NDArray[np.uint8]:
    """Before, after, their difference, and the outlines of answer (green) and truth (red) where the object stands."""
    shown = judged.before if " pick " in judged.caption else judged.after
    difference = np.clip(128 + (judged.after.astype(np.int16) - judged.before), 0, 255).astype(np.uint8)
    for mask, colour in ((judged.truth.mask, (240, 40, 40)), (judged.answer.mask, (0, 230, 80))):
        shown = outlined(shown, mask, colour)
    panels = [_cropped(panel, judged.click) for panel in (judged.before, judged.after, difference, shown)]
    strip = cv2.resize(np.hstack(panels), None, fx=1.5, fy=1.5)
    text = f"{judged.caption}: {judged.kind}, IoU {judged.iou:.2f}, truth {int(judged.truth.mask.sum())} px"
    for colour, width in ((0, 0, 0), 3), ((255, 255, 255), 1):
        cv2.putText(strip, text, (8, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, width, cv2.LINE_AA)
    return np.asarray(strip, np.uint8)


def _cropped(picture: NDArray[np.uint8], click: NDArray[np.float64]) -> NDArray[np.uint8]:
    """The window around the click, black where it leaves the picture."""
    x, y = (round(float(value)) for value in click)
    side, half = _PAPER.window, _PAPER.window // 2
    bordered = cv2.copyMakeBorder(picture, half, half, half, half, cv2.BORDER_CONSTANT)
    return np.asarray(bordered[y : y + side, x : x + side], np.uint8)


def _check_folder(out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ForeignFolder(f"{out} exists and is no empty folder; nothing was run; name a new folder")


def _told(summary: Summary, options: Options) -> str:
    s = summary
    return "\n".join(
        (
            f"{options.interactions} interactions, split {options.split}, seed {options.seed}: {s.pairs} pairs",
            f"label  precision {s.precision:.3f}, recall {s.recall:.3f} (true positives {s.true_positives}, false "
            f"positives {s.false_positives}, false negatives {s.false_negatives}, true negatives {s.true_negatives})",
            f"mask   IoU mean {s.iou_mean:.3f}, median {s.iou_median:.3f}, above 0.75 {s.iou_above_075:.1%}, above "
            f"0.9 {s.iou_above_09:.1%} of {s.masks} masks of one object",
            f"apart  {s.disturbed} pairs with a displaced neighbour, {s.disturbed_called_moved:.1%} called an object",
            f"time   {s.ms_per_pair:.1f} ms a pair on one core",
            f"wrote  {options.out}",
        )
    )


if __name__ == "__main__":
    main(tyro.cli(Options))
