"""Judges of a rearrangement: by true positions, which a simulation has, or by pictures alone.

Success is defined as in Pathak et al. 2018, section 5: every displaced object is within 15 px of its goal in the first
view. Our addition: no other object has moved by more than 15 px. Both hold for pictures of 350 x 430 px; in others the
tolerance is the same share of the longer side.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from tabletop_interaction.arrays import FloatPicture, Floats, Mask, Picture
from tabletop_interaction.envs.backend import Backend, GroundTruth, ObjectState, Pictures
from tabletop_interaction.envs.goals import Arrangement, Goal
from tabletop_interaction.envs.views import View
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.exposure import relative_exposure
from tabletop_interaction.working_size import at_longer_side, size_scale

WITHIN_PX = 15.0
"""In a picture with a longer side of 430 px, see `tolerance_px`."""

# In pixels of the halved pictures and grey levels; tuned on scenes of training objects for the best agreement with the
# truth, as measured by benchmarks.accuracy.judge_agreement.
_REACH = 6.5
_PATCH = (3, 3)
_MIN_DIFFERENCE = 20.0
_MIN_AREA = 45
_BLUR = 0.8
_EXPOSED = (10, 235)
_DISC = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
_MEAN_OF_CHANNELS = np.full((1, 3), 1 / 3, np.float32)
_STEPS = range(-int(_REACH), int(_REACH) + 1)
_SHIFTS = tuple((x, y) for x in _STEPS for y in _STEPS if x * x + y * y <= _REACH**2)


@dataclass(frozen=True, eq=False)
class Verdict:
    """Progress of a rearrangement.

    Attributes:
        success: whether the goal is reached.
        fraction_done: share of the displaced objects at their goals, 0 to 1, or the judge's estimate of it.
        remaining: remaining distance relative to the start: 1 at the start, 0 at the goal, above 1 if it has grown.
        distances_px: (displaced,) float64, distance of each displaced object to its goal in the first view, in order of
            ids; empty for a judge without object positions.
        distances_m: (displaced,) float64, the same on the table.
        others_px: largest distance of any other object from its start in the first view; -1 if unknown.
        others_m: the same on the table.
    """

    success: bool
    fraction_done: float
    remaining: float
    distances_px: Floats
    distances_m: Floats
    others_px: float = -1.0
    others_m: float = -1.0


Judge = Callable[[Pictures], Verdict]
"""Judge of one episode, called with the current pictures at its start and after each step."""

JudgeMaker = Callable[[Backend, Goal, Pictures], Judge]
"""Makes an episode's judge from the backend, the goal and the pictures of the start."""


@dataclass(frozen=True, eq=False)
class TrueJudge:
    """Judges by the true positions of the objects; `view` is the camera that defines the pixel distances."""

    world: GroundTruth
    view: View
    arrangement: Arrangement

    def __call__(self, pictures: Pictures) -> Verdict:
        """See `Judge`; the pictures are not used."""
        now = self.world.object_states()
        wanted = self.arrangement
        displaced = np.array([state.id in wanted.displaced for state in wanted.start])
        to_goal_px, to_goal_m = self._apart(now, wanted.goal)
        at_first_px, _ = self._apart(wanted.start, wanted.goal)
        moved_px, moved_m = self._apart(now, wanted.start)
        distances = to_goal_px[displaced]
        others_px = float(moved_px[~displaced].max(initial=0.0))
        within_px = tolerance_px(self.view)
        near = distances <= within_px
        return Verdict(
            success=bool(near.all()) and others_px <= within_px,
            fraction_done=float(near.mean()),
            remaining=float(distances.sum() / at_first_px[displaced].sum()),
            distances_px=distances,
            distances_m=to_goal_m[displaced],
            others_px=others_px,
            others_m=float(moved_m[~displaced].max(initial=0.0)),
        )

    def _apart(self, some: tuple[ObjectState, ...], others: tuple[ObjectState, ...]) -> tuple[Floats, Floats]:
        """Distances between two lists of positions: (N,) pixels in the view, (N,) metres on the table."""
        a, b = (np.array([state.position for state in states]) for states in (some, others))
        pixels = np.linalg.norm(self.view.project(a) - self.view.project(b), axis=1)
        return pixels, np.linalg.norm((a - b)[:, :2], axis=1)


@dataclass(frozen=True, eq=False)
class PictureJudge:
    """Judges by comparing the first view with the goal's picture of it, which also works on a robot.

    A pixel differs if its patch resembles no patch within reach in the other picture (`differing_regions`). An object
    that is nearer to its goal than the reach has no differing pixel, whatever its pattern. One that is farther away has
    differing strips at its position and at its goal. The reach therefore corresponds to the paper's 15 px.

    Attributes:
        view: name of the view.
        goal: uint8 (H, W, 3) RGB, the goal in this view.
        area_at_start: differing pixels at the start of the episode.
    """

    view: str
    goal: Picture
    area_at_start: int

    def __call__(self, pictures: Pictures) -> Verdict:
        """See `Judge`; the fraction done is the share of the start's differing pixels that no longer differ."""
        area = int(differing_regions(pictures[self.view], self.goal).sum())
        remaining = area / self.area_at_start if self.area_at_start else float(area > 0)
        nothing = np.zeros(0)
        return Verdict(area == 0, float(np.clip(1 - remaining, 0, 1)), remaining, nothing, nothing)


def tolerance_px(view: View) -> float:
    """Distance in a view's picture up to which an object is at its goal: 15 px of 430 px of the longer side."""
    return WITHIN_PX * size_scale(view.height, view.width)


def judge_by_truth(backend: Backend, goal: Goal, start: Pictures) -> Judge:
    """A `TrueJudge`.

    Raises:
        InvalidConfiguration: the backend has no ground truth, or the goal has no arrangement.
    """
    if not isinstance(backend, GroundTruth) or goal.arrangement is None:
        raise InvalidConfiguration(
            "the judge 'truth' needs a backend with GroundTruth (the simulation) and a drawn goal instead of picture "
            "files; choose the judge 'pictures' or None"
        )
    return TrueJudge(backend, backend.views[0], goal.arrangement)


def judge_by_pictures(backend: Backend, goal: Goal, start: Pictures) -> Judge:
    """A `PictureJudge`."""
    name = backend.views[0].name
    return PictureJudge(name, goal.pictures[name], int(differing_regions(start[name], goal.pictures[name]).sum()))


JUDGES: dict[str, JudgeMaker] = {"truth": judge_by_truth, "pictures": judge_by_pictures}


def differing_regions(one: Picture, other: Picture) -> Mask:
    """Find regions of one picture without a similar patch nearby in the other, in either direction.

    Exposures are matched, then each small patch is compared with the other picture at every shift up to 13 px; it
    differs if the best match is still poor. Regions smaller than the strip of a small object are dropped.

    Args:
        one: uint8 (H, W, 3) RGB.
        other: the same view at another time; swapping the two changes the result by rounding only.

    Returns:
        bool (h, w), at half the working size: with a longer side of 215 px.
    """
    a, b = _halved(at_longer_side(one)), _halved(at_longer_side(other))
    exposure = relative_exposure(b, a, _EXPOSED)
    a, b = _smoothed(a), _smoothed(b if exposure is None else (b * exposure.gain).astype(np.float32))
    differs = cv2.max(_least_difference(a, b), _least_difference(b, a)) > _MIN_DIFFERENCE
    opened = cv2.morphologyEx(differs.astype(np.uint8), cv2.MORPH_OPEN, _DISC)
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(opened)
    large = statistics[:, cv2.CC_STAT_AREA] >= _MIN_AREA
    large[0] = False
    return np.asarray(large[labels], np.bool_)


def _halved(picture: Picture) -> FloatPicture:
    height, width = picture.shape[:2]
    return cv2.resize(picture, (width // 2, height // 2), interpolation=cv2.INTER_AREA).astype(np.float32)


def _smoothed(picture: FloatPicture) -> FloatPicture:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), _BLUR), np.float32)


def _least_difference(one: FloatPicture, other: FloatPicture) -> FloatPicture:
    """(h, w) grey levels between the patch around each pixel of `one` and its best match in `other`."""
    reach = int(_REACH)
    height, width = one.shape[:2]
    padded = cv2.copyMakeBorder(other, reach, reach, reach, reach, cv2.BORDER_REPLICATE)
    least = np.full((height, width), np.inf, np.float32)
    for x, y in _SHIFTS:
        shifted = padded[reach + y : reach + y + height, reach + x : reach + x + width]
        difference = cv2.transform(cv2.absdiff(one, shifted), _MEAN_OF_CHANNELS)
        cv2.min(least, cv2.boxFilter(difference, -1, _PATCH), least)
    return least
