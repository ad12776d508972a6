"""How good the masks of the passive bootstrap are: motion segmentation of random pushes against the simulation's truth.

Run: python -m tabletop_interaction.benchmarks.accuracy.motion_quality --pushes 150 --seed 0

Every mask is compared with each object that was moved right before or after its frame, as it is seen in that frame,
and takes the best IoU; one of something that nobody moved has IoU 0. Two objects that move while they touch come as
one mask, which then is at most half right. Recall is of all moved objects of which 300 px or more are seen, one a frame
and view. The segmentation sees the pictures alone. Times are of one core.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, cast

import cv2
import numpy as np
import tyro
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from tabletop_interaction.benchmarks.accuracy.label_quality import SimulatedBackend, was_moved
from tabletop_interaction.envs.backend import Backend, GroundTruth, ObjectState, Pictures, open_backend
from tabletop_interaction.envs.watched_pushes import watch_pushes
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.segmentation.motion.masks import FrameMasks, motion_masks
from tabletop_interaction.segmentation.rle import mask_iou

_LEAST_SEEN_PX = 300
_USEFUL, _GOOD = 0.5, 0.75

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Options:
    """Report IoU and recall of masks from motion against the simulation's truth."""

    pushes: int = 150
    """How many to watch."""
    seed: int = 0
    """Where the random numbers start."""
    split: Literal["train", "val", "test"] = "train"
    """Which objects and backgrounds."""


@dataclass(frozen=True, eq=False)
class Moment:
    """What is true when a frame is taken: instance maps (H, W) by view, and the objects."""

    instances: dict[str, NDArray[np.int32]]
    states: tuple[ObjectState, ...]


@dataclass(frozen=True)
class Score:
    """One clip in one view.

    Attributes:
        ious: of each mask, its best.
        found: of each moved object in each frame, the best IoU that a mask has with it.
        seconds: of CPU time that the segmentation took.
    """

    ious: tuple[float, ...]
    found: tuple[float, ...]
    seconds: float


class Witness:
    """A backend that notes the truth whenever it is looked at.

    Attributes:
        moments: one a call of `observe`, the last ones last.
    """

    def __init__(self, backend: SimulatedBackend) -> None:
        self._backend = backend
        self.moments: list[Moment] = []

    def observe(self) -> Pictures:
        """The backend's pictures."""
        self.moments.append(Moment(self._backend.instance_maps(), self._backend.object_states()))
        return self._backend.observe()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)


def main(options: Options) -> None:
    """Watch, segment, compare, print."""
    if options.pushes < 1:
        raise InvalidConfiguration(f"--pushes {options.pushes} must be 1 or more")
    cv2.setNumThreads(1)
    with open_backend("simulation", split=options.split) as backend:
        if not isinstance(backend, GroundTruth):
            raise InvalidConfiguration(f"{type(backend).__name__} knows no ground truth; use the simulation")
        scores = list(track(scored_clips(cast(SimulatedBackend, backend), options), "clips", 4 * options.pushes))
    Console().print(results_table(scores, options))


def scored_clips(backend: SimulatedBackend, options: Options) -> Iterator[Score]:
    """The score of each push in each view."""
    witness = Witness(backend)
    rng = np.random.default_rng(options.seed)
    for clip in watch_pushes(cast(Backend, witness), rng, options.pushes):
        moments = witness.moments[-len(clip.path_xy) :]
        witness.moments.clear()
        for view, frames in clip.frames.items():
            start = time.process_time()
            masks = motion_masks(frames)
            seconds = time.process_time() - start
            yield score_clip(masks, moved_objects(moments, view), seconds)


def moved_objects(moments: list[Moment], view: str) -> list[list[BoolArray]]:
    """For each frame the masks of the objects that were moved right before or after it, as seen in the frame."""
    moved = [
        {old.id for old, new in zip(one.states, other.states, strict=True) if was_moved(old, new)}
        for one, other in pairwise(moments)
    ]
    beside = [before | after for before, after in zip([set(), *moved], [*moved, set()], strict=True)]
    return [[moment.instances[view] == id_ for id_ in sorted(ids)] for moment, ids in zip(moments, beside, strict=True)]


def score_clip(masks: FrameMasks, truth: list[list[BoolArray]], seconds: float) -> Score:
    """Compare the masks (H, W) of each frame with those of its moved objects."""
    ious: list[float] = []
    found: list[float] = []
    for answers, objects in zip(masks, truth, strict=True):
        ious += [max((mask_iou(answer, true) for true in objects), default=0.0) for answer in answers]
        seen = [true for true in objects if int(true.sum()) >= _LEAST_SEEN_PX]
        found += [max((mask_iou(answer, true) for answer in answers), default=0.0) for true in seen]
    return Score(tuple(ious), tuple(found), seconds)


def results_table(scores: list[Score], options: Options) -> Table:
    """A line a figure."""
    ious = np.array([iou for score in scores for iou in score.ious])
    found = np.array([iou for score in scores for iou in score.found])
    table = Table(title=f"masks from motion: {options.pushes} pushes, split {options.split}, seed {options.seed}")
    table.add_column("figure")
    table.add_column("value", justify="right")
    for name, value in (
        ("masks", f"{len(ious)}"),
        ("masks a push", f"{len(ious) / options.pushes:.1f}"),
        ("mean IoU", f"{_mean(ious):.3f}"),
        (f"IoU above {_USEFUL}", f"{_mean(ious > _USEFUL):.1%}"),
        (f"IoU above {_GOOD}", f"{_mean(ious > _GOOD):.1%}"),
        (f"moved objects found, IoU above {_USEFUL}", f"{_mean(found > _USEFUL):.1%} of {len(found)}"),
        ("CPU seconds a clip and view", f"{_mean(np.array([score.seconds for score in scores])):.3f}"),
    ):
        table.add_row(name, value)
    return table


def _mean(values: NDArray[Any]) -> float:
    return float(values.mean()) if len(values) else float("nan")


if __name__ == "__main__":
    main(tyro.cli(Options))
