"""Chooses what to try: one of the objects that the network believes to see, or a random point when it sees none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tabletop_interaction.agents.agent import Observation, RandomAgent
from tabletop_interaction.agents.grasp import GraspPoint, grasp_from_mask
from tabletop_interaction.agents.learning.config import ChoiceName, PolicyName
from tabletop_interaction.envs import Arena, PickPlace, View

Floats = NDArray[np.float64]

# A network sees the same again in a picture that has not changed, and would try it until its next update.
_SAME_TRY_M = 0.025

CHOICES: Mapping[ChoiceName, Callable[[Floats], Floats]] = {
    "score": lambda scores: scores,
    "random": np.ones_like,
    "uncertainty": lambda scores: scores * (1 - scores),
}
"""By name: how often a hypothesis is taken, up to a factor, given its score in 0 to 1.

"random" is Algorithm 1's (paper); "score" tries what the network believes in more often; "uncertainty" what it is
undecided about.
"""


class Hypotheses(Protocol):
    """What a segmenter answers: masks bool (N, H, W) with scores (N,) in 0 to 1."""

    @property
    def masks(self) -> NDArray[np.bool_]: ...

    @property
    def scores(self) -> NDArray[np.float32]: ...


class SegmentsPictures(Protocol):
    """Whatever turns a picture into hypotheses, such as `segmentation.Segmenter`."""

    def segment(self, image: NDArray[np.uint8]) -> Hypotheses:
        """Hypotheses for a picture uint8 (H, W, 3)."""
        ...


@dataclass(frozen=True, eq=False)
class Attempt:
    """What is going to be tried, and why.

    Attributes:
        action: float32 (5,), for the environment.
        policy: "hypothesis", or "random" when there was none or none was asked for.
        view: the camera whose hypothesis was chosen; None for a random action.
        score: the hypothesis' own, 0 to 1; None for a random action, and for what was seen to move.
        hypotheses: how many there were to choose from.
    """

    action: NDArray[np.float32]
    policy: PolicyName = "random"
    view: str | None = None
    score: float | None = None
    hypotheses: int = 0


class HypothesisAgent:
    """Segments one view, chosen at random, takes one hypothesis, and places at a random point.

    That is Algorithm 1's "choose one; move" (paper). Without a segmenter, and with no hypothesis inside the arena, the
    agent acts at random. Ours: it may be told what has just been seen to move, and then tries that again in a share of
    those cases. A random pick hits a small object once in many times; what has moved once is an object for sure.

    Args:
        segmenter: makes the hypotheses; None while there is none.
        views: the cameras.
        arena: the rectangle that actions span.
        rng: its random numbers.
        choice: see `CHOICES`.
        random_share: of the actions, are random whatever is seen: an agent that only ever tries what it believes in
            cannot find what it does not believe in.
        follow_share: of the random actions, go to what was seen to move, if anything was; 0 is the paper's.

    Attributes:
        segmenter: may be replaced at any time.
    """

    def __init__(
        self,
        segmenter: SegmentsPictures | None,
        views: tuple[View, ...],
        arena: Arena,
        rng: np.random.Generator,
        choice: ChoiceName = "score",
        random_share: float = 0.0,
        follow_share: float = 0.0,
    ) -> None:
        self.segmenter = segmenter
        self._views = views
        self._arena = arena
        self._rng = rng
        self._random = RandomAgent(rng)
        self._weigh = CHOICES[choice]
        self._random_share = random_share
        self._follow_share = follow_share
        self._refuted: list[tuple[float, float]] = []
        self._movers: list[tuple[View, NDArray[np.bool_]]] = []

    def act(self, observation: Observation, info: dict[str, Any]) -> NDArray[np.float32]:
        """An attempt to pick up one hypothesis, or a random action."""
        return self.attempt(observation).action

    def attempt(self, observation: Observation) -> Attempt:
        """What to try next, with its reason."""
        fallback = self._random.act(observation, {})
        if self.segmenter is None or self._rng.random() < self._random_share:
            return self._follow(fallback, 0)
        view = self._views[self._rng.integers(len(self._views))]
        hypotheses = self.segmenter.segment(observation[view.name])
        count = len(hypotheses.scores)
        for index in self._in_random_order(hypotheses.scores):
            grasp = grasp_from_mask(hypotheses.masks[index], view)
            if self._arena.contains(grasp.x, grasp.y) and not self._is_refuted(grasp):
                action = np.concatenate([self._aimed(grasp), fallback[3:]])
                return Attempt(action, "hypothesis", view.name, float(hypotheses.scores[index]), count)
        return self._follow(fallback, count)

    def refute(self, x: float, y: float) -> None:
        """A try at this point of the arena, metres, moved nothing: leave it alone until `forget`."""
        self._refuted.append((x, y))

    def has_moved(self, view: View, mask: NDArray[np.bool_]) -> None:
        """What is seen as `mask` (H, W) in a view has moved, and is where the mask is now."""
        self._movers.append((view, mask))

    def forget(self) -> None:
        """The table is another: nothing is refuted, and nothing is known to be where it was."""
        self._refuted.clear()
        self._movers.clear()

    def _follow(self, fallback: NDArray[np.float32], hypotheses: int) -> Attempt:
        """Something that has moved, which is then known no longer, or the random action."""
        if self._movers and self._rng.random() < self._follow_share:
            view, mask = self._movers.pop(self._rng.integers(len(self._movers)))
            grasp = grasp_from_mask(mask, view)
            if self._arena.contains(grasp.x, grasp.y):
                action = np.concatenate([self._aimed(grasp), fallback[3:]])
                return Attempt(action, "hypothesis", view.name, None, max(hypotheses, 1))
        return Attempt(fallback, hypotheses=hypotheses)

    def _is_refuted(self, grasp: GraspPoint) -> bool:
        return any(np.hypot(grasp.x - x, grasp.y - y) < _SAME_TRY_M for x, y in self._refuted)

    def _aimed(self, grasp: GraspPoint) -> NDArray[np.float32]:
        return PickPlace(grasp.x, grasp.y, grasp.angle, 0.0, 0.0).to_action(self._arena)[:3]

    def _in_random_order(self, scores: NDArray[np.float32]) -> NDArray[np.int64]:
        """All indices, each drawn with a chance in proportion to its weight."""
        if len(scores) == 0:
            return np.zeros(0, np.int64)
        chances = np.maximum(self._weigh(scores.astype(np.float64)), 1e-6)
        return self._rng.choice(len(scores), len(scores), replace=False, p=chances / chances.sum())
