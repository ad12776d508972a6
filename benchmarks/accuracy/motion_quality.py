"""IoU and recall of the passive bootstrap's masks: motion segmentation of random pushes against ground truth.

Run: python -m tabletop_interaction.benchmarks.accuracy.motion_quality --pushes 150 --seed 0

The IoU of a mask is its best one with an object that moved right before or after the mask's frame, as seen in that
frame; a mask of something that did not move has IoU 0. Two objects that move while they touch give one mask, with an
IoU of about one half with each. Recall counts every moved object with 300 visible px or more, in each frame and
view. The segmentation gets only the pictures. Times are of one core.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from tabletop_interaction.arrays import Mask
from tabletop_interaction.benchmarks.figures import SceneOptions, figures_table, mean
from tabletop_interaction.benchmarks.ground_truth import Snapshot, TruthfulBackend, take_snapshot, was_moved
from tabletop_interaction.benchmarks.results.result import Figure
from tabletop_interaction.benchmarks.results.shares import per_cent
from tabletop_interaction.envs.backend import Backend, Pictures
from tabletop_interaction.envs.watched_pushes import watch_pushes
from tabletop_interaction.program import run_module
from tabletop_interaction.progress import track
from tabletop_interaction.ranges import Count
from tabletop_interaction.segmentation.motion.masks import FrameMasks, segment_motion
from tabletop_interaction.segmentation.rle import mask_iou
from tabletop_interaction.simulation import open_simulation

_LEAST_SEEN_PX = 300
_USEFUL, _GOOD = 0.5, 0.75


@dataclass(frozen=True, kw_only=True)
class MotionOptions(SceneOptions):
    """Options of the benchmark of masks from motion."""

    pushes: Count = 150
    """Pushes to watch."""


@dataclass(frozen=True)
class ClipScore:
    """Of a clip in a view: best IoU of each mask, and of each moved object in each frame, and processor time."""

    ious: tuple[float, ...]
    found: tuple[float, ...]
    seconds: float


class Witness:
    """A backend that keeps a snapshot of the truth for every call of `observe`: `moments`, in order."""

    def __init__(self, backend: TruthfulBackend) -> None:
        self._backend = backend
        self.moments: list[Snapshot] = []

    def observe(self) -> Pictures:
        """The backend's pictures."""
        self.moments.append(take_snapshot(self._backend))
        return self.moments[-1].pictures

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)


def main(options: MotionOptions) -> None:
    """Watch, segment and print the table."""
    cv2.setNumThreads(1)
    with open_simulation(options.split, None) as backend:
        scores = list(track(scored_clips(backend, options), "clips", 4 * options.pushes))
    Console().print(results_table(scores, options))
    ious = np.array([iou for score in scores for iou in score.ious])
    row = {
        "masks": Figure(len(ious), decimals=0),
        "mean IoU": per_cent(mean(ious)),
        f"IoU above {_USEFUL}": per_cent(mean(ious > _USEFUL)),
        f"IoU above {_GOOD}": per_cent(mean(ious > _GOOD)),
    }
    options.keep({f"masks of {options.pushes} watched pushes": row}, seeds=(options.seed,))


def scored_clips(backend: TruthfulBackend, options: MotionOptions) -> Iterator[ClipScore]:
    """Scores of each push in each view."""
    witness = Witness(backend)
    rng = np.random.default_rng(options.seed)
    for clip in watch_pushes(cast(Backend, witness), rng, options.pushes):
        moments = witness.moments[-len(clip.path_xy) :]
        witness.moments.clear()
        for view, frames in clip.frames.items():
            start = time.process_time()
            masks = segment_motion(frames).masks
            seconds = time.process_time() - start
            yield score_clip(masks, moved_objects(moments, view), seconds)


def moved_objects(moments: list[Snapshot], view: str) -> list[list[Mask]]:
    """For each frame the masks of the objects that moved right before or after it, as seen in the frame."""
    moved = [
        {old.id for old, new in zip(one.states, other.states, strict=True) if was_moved(old, new)}
        for one, other in pairwise(moments)
    ]
    beside = [before | after for before, after in zip([set(), *moved], [*moved, set()], strict=True)]
    return [[moment.instances[view] == id_ for id_ in sorted(ids)] for moment, ids in zip(moments, beside, strict=True)]


def score_clip(masks: FrameMasks, truth: list[list[Mask]], seconds: float) -> ClipScore:
    """Compare the masks (H, W) of each frame with those of its moved objects."""
    ious: list[float] = []
    found: list[float] = []
    for answers, objects in zip(masks, truth, strict=True):
        ious += [max((mask_iou(answer, true) for true in objects), default=0.0) for answer in answers]
        seen = [true for true in objects if int(true.sum()) >= _LEAST_SEEN_PX]
        found += [max((mask_iou(answer, true) for answer in answers), default=0.0) for true in seen]
    return ClipScore(tuple(ious), tuple(found), seconds)


def results_table(scores: list[ClipScore], options: MotionOptions) -> Table:
    """One row for each figure."""
    ious = np.array([iou for score in scores for iou in score.ious])
    found = np.array([iou for score in scores for iou in score.found])
    rows = (
        ("masks", f"{len(ious)}"),
        ("masks a push", f"{len(ious) / options.pushes:.1f}"),
        ("mean IoU", f"{mean(ious):.3f}"),
        (f"IoU above {_USEFUL}", f"{mean(ious > _USEFUL):.1%}"),
        (f"IoU above {_GOOD}", f"{mean(ious > _GOOD):.1%}"),
        (f"moved objects found, IoU above {_USEFUL}", f"{mean(found > _USEFUL):.1%} of {len(found)}"),
        ("CPU seconds a clip and view", f"{mean([score.seconds for score in scores]):.3f}"),
    )
    title = f"masks from motion: {options.pushes} pushes, split {options.split}, seed {options.seed}"
    return figures_table(title, ("figure", "value"), rows)


if __name__ == "__main__":
    run_module(main, MotionOptions, __doc__)
