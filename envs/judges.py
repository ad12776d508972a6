"""Who says how far a rearrangement has come: the truth, where a simulation knows it, or pictures alone.

The rule is the paper's (Pathak et al. 2018, section 5): success when every displaced object is within 15 px of its
goal in the first view; that nothing else has moved by more is ours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from tabletop_interaction.arrays import Floats, Mask, Picture
from tabletop_interaction.envs.backend import Backend, GroundTruth, ObjectState, Pictures
from tabletop_interaction.envs.goals import Arrangement, Goal
from tabletop_interaction.envs.views import View
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.exposure import relative_exposure

WITHIN_PX = 15.0

# Pixels of the halved pictures and grey levels, chosen on scenes of training objects for the best agreement with the
# truth; benchmarks.judge_agreement measures it.
_REACH = 6.5
_PATCH = (3, 3)
_UNLIKE = 20.0
_LEAST_AREA = 45
_BLUR = 0.8
_EXPOSED = (10, 235)
_FEWEST_SAMPLES = 100
_DISC = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
_MEAN_OF_CHANNELS = np.full((1, 3), 1 / 3, np.float32)
_STEPS = range(-int(_REACH), int(_REACH) + 1)
_SHIFTS = tuple((x, y) for x in _STEPS for y in _STEPS if x * x + y * y <= _REACH**2)


@dataclass(frozen=True, eq=False)
class Verdict:
    """How far a rearrangement has come.

    Attributes:
        success: whether it is done.
        fraction_done: share that is done, 0 to 1; of the displaced objects, or as near to it as the judge can tell.
        remaining: how far is left to go, 1 at the start and 0 at the goal; above 1 farther away than at the start.
        distances_px: (displaced,) float64, from each displaced object's position to its goal in the first view, in
            order of their ids; empty for a judge that knows no objects, as are the next.
        distances_m: (displaced,) float64, the same on the table.
        others_px: the farthest that any other object has moved since the start, in the first view; -1 if unknown.
        others_m: the same on the table.
    """

    success: bool
    fraction_done: float
    remaining: float
    distances_px: Floats
    distances_m: Floats
    others_px: float = -1.0
    others_m: float = -1.0


class Judge(Protocol):
    """Judges one episode; asked at its start and after each step."""

    def __call__(self, pictures: Pictures) -> Verdict:
        """The verdict on the table as it is now and as these pictures show it."""
        ...


JudgeMaker = Callable[[Backend, Goal, Pictures], Judge]
"""Makes an episode's judge from the world, the goal and the pictures of the start."""


@dataclass(frozen=True, eq=False)
class TrueJudge:
    """Asks the simulation where the objects are.

    Attributes:
        world: who knows it.
        view: the camera whose pixels count.
        arrangement: start and goal.
    """

    world: GroundTruth
    view: View
    arrangement: Arrangement

    def __call__(self, pictures: Pictures) -> Verdict:
        """See `Judge`; the pictures are not looked at."""
        now = self.world.object_states()
        wanted = self.arrangement
        displaced = np.array([state.id in wanted.displaced for state in wanted.start])
        to_goal_px, to_goal_m = self._apart(now, wanted.goal)
        at_first_px, _ = self._apart(wanted.start, wanted.goal)
        moved_px, moved_m = self._apart(now, wanted.start)
        distances = to_goal_px[displaced]
        others_px = float(moved_px[~displaced].max(initial=0.0))
        near = distances <= WITHIN_PX
        return Verdict(
            success=bool(near.all()) and others_px <= WITHIN_PX,
            fraction_done=float(near.mean()),
            remaining=float(distances.sum() / at_first_px[displaced].sum()),
            distances_px=distances,
            distances_m=to_goal_m[displaced],
            others_px=others_px,
            others_m=float(moved_m[~displaced].max(initial=0.0)),
        )

    def _apart(self, some: tuple[ObjectState, ...], others: tuple[ObjectState, ...]) -> tuple[Floats, Floats]:
        """How far each object's positions are apart: (N,) pixels in the view, (N,) metres on the table."""
        a, b = (np.array([state.position for state in states]) for states in (some, others))
        pixels = np.linalg.norm(self.view.project(a) - self.view.project(b), axis=1)
        return pixels, np.linalg.norm((a - b)[:, :2], axis=1)


@dataclass(frozen=True, eq=False)
class PictureJudge:
    """Compares the first view with the goal's picture of it, as a robot can.

    A pixel is told apart where it looks like nothing within reach of it in the other picture. An object that is less
    than the reach away from its goal is told apart nowhere, however it is patterned; one that is farther away leaves
    a strip, where it is and where it should be. So the reach stands for the paper's 15 px.

    Attributes:
        view: name of the view.
        goal: uint8 (H, W, 3) RGB, the goal in this view.
        area_at_start: pixels told apart at the start of the episode.
    """

    view: str
    goal: Picture
    area_at_start: int

    def __call__(self, pictures: Pictures) -> Verdict:
        """See `Judge`; done is what share of the start's pixels are no longer told apart."""
        area = int(told_apart(pictures[self.view], self.goal).sum())
        remaining = area / self.area_at_start if self.area_at_start else float(area > 0)
        nothing = np.zeros(0)
        return Verdict(area == 0, float(np.clip(1 - remaining, 0, 1)), remaining, nothing, nothing)


def judge_by_truth(backend: Backend, goal: Goal, start: Pictures) -> Judge:
    """A `TrueJudge`.

    Raises:
        InvalidConfiguration: the backend knows no truth, or the goal is known by its pictures only.
    """
    if not isinstance(backend, GroundTruth) or goal.arrangement is None:
        raise InvalidConfiguration(
            "the judge 'truth' needs a backend that knows where objects are (GroundTruth, as the simulation) and a "
            "goal that was drawn, not a picture file; choose the judge 'pictures' or None"
        )
    return TrueJudge(backend, backend.views[0], goal.arrangement)


def judge_by_pictures(backend: Backend, goal: Goal, start: Pictures) -> Judge:
    """A `PictureJudge`."""
    name = backend.views[0].name
    return PictureJudge(name, goal.pictures[name], int(told_apart(start[name], goal.pictures[name]).sum()))


JUDGES: dict[str, JudgeMaker] = {"truth": judge_by_truth, "pictures": judge_by_pictures}


def told_apart(one: Picture, other: Picture) -> Mask:
    """(H/2, W/2) bool, at half the size: the blobs where one picture looks like nothing near there in the other.

    Small patches of one picture are laid over the other at every shift up to 13 px, exposures matched; where the best
    fit is still unlike, in either direction, the pictures are told apart. Blobs smaller than a strip of a small object
    are dropped.

    Args:
        one: uint8 (H, W, 3) RGB.
        other: the same view at another time; exchanging the two changes nothing but the rounding.
    """
    a, b = _halved(one), _halved(other)
    exposure = relative_exposure(b, a, _EXPOSED, _FEWEST_SAMPLES)
    a, b = _smoothed(a), _smoothed(b if exposure is None else (b * exposure.gain).astype(np.float32))
    unlike = cv2.max(_least_misfit(a, b), _least_misfit(b, a)) > _UNLIKE
    opened = cv2.morphologyEx(unlike.astype(np.uint8), cv2.MORPH_OPEN, _DISC)
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(opened)
    large = statistics[:, cv2.CC_STAT_AREA] >= _LEAST_AREA
    large[0] = False
    return np.asarray(large[labels], np.bool_)


def _halved(picture: Picture) -> Floats:
    height, width = picture.shape[:2]
    return cv2.resize(picture, (width // 2, height // 2), interpolation=cv2.INTER_AREA).astype(np.float32)


def _smoothed(picture: Floats) -> Floats:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), _BLUR), np.float32)


def _least_misfit(one: Floats, other: Floats) -> Floats:
    """(h, w): grey levels by which the patch around each pixel of `one` misses its best fit in `other`."""
    reach = int(_REACH)
    height, width = one.shape[:2]
    padded = cv2.copyMakeBorder(other, reach, reach, reach, reach, cv2.BORDER_REPLICATE)
    least = np.full((height, width), np.inf, np.float32)
    for x, y in _SHIFTS:
        shifted = padded[reach + y : reach + y + height, reach + x : reach + x + width]
        difference = cv2.transform(cv2.absdiff(one, shifted), _MEAN_OF_CHANNELS)
        cv2.min(least, cv2.boxFilter(difference, -1, _PATCH), least)
    return least
