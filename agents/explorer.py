"""Chooses what to try: one of the objects that the network believes to see, or a random point when it sees none."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tabletop_interaction.agents.agent import Observation, RandomAgent
from tabletop_interaction.agents.grasp import grasp_from_mask
from tabletop_interaction.envs import Arena, PickPlace, View


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


class HypothesisAgent:
    """Segments one view, chosen at random, takes one hypothesis at random, and places at a random point.

    That is Algorithm 1's "choose one at random; move" (paper); here a hypothesis is taken as often as the network
    believes in it. With no hypothesis inside the arena the agent acts at random.

    Args:
        segmenter: makes the hypotheses.
        views: the cameras.
        arena: the rectangle that actions span.
        rng: its random numbers.
    """

    def __init__(
        self, segmenter: SegmentsPictures, views: tuple[View, ...], arena: Arena, rng: np.random.Generator
    ) -> None:
        self._segmenter = segmenter
        self._views = views
        self._arena = arena
        self._rng = rng
        self._random = RandomAgent(rng)

    def act(self, observation: Observation, info: dict[str, Any]) -> NDArray[np.float32]:
        """An attempt to pick up one hypothesis, or a random action."""
        view = self._views[self._rng.integers(len(self._views))]
        hypotheses = self._segmenter.segment(observation[view.name])
        fallback = self._random.act(observation, info)
        for index in self._in_random_order(hypotheses.scores):
            grasp = grasp_from_mask(hypotheses.masks[index], view)
            if self._arena.contains(grasp.x, grasp.y):
                aimed = PickPlace(grasp.x, grasp.y, grasp.angle, 0.0, 0.0).to_action(self._arena)
                return np.concatenate([aimed[:3], fallback[3:]])
        return fallback

    def _in_random_order(self, scores: NDArray[np.float32]) -> NDArray[np.int64]:
        """All indices, each drawn with a chance in proportion to its score."""
        if len(scores) == 0:
            return np.zeros(0, np.int64)
        chances = np.maximum(scores.astype(np.float64), 1e-6)
        return self._rng.choice(len(scores), len(scores), replace=False, p=chances / chances.sum())
