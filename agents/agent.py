"""Agents turn observations into actions, whichever backend carries them out; segmenters turn pictures into masks."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tabletop_interaction.arrays import Floats32, Masks, Picture

Observation = dict[str, NDArray[np.uint8]]


class Agent(Protocol):
    """A policy, as the command line and the benchmarks use it."""

    def act(self, observation: Observation, info: dict[str, Any]) -> NDArray[np.float32]:
        """The next action, float32 (5,) in [-1, 1], from the pictures now and the last step's (or reset's) info."""


class RandomAgent:
    """Draws actions uniformly from the action box."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def act(self, observation: Observation, info: dict[str, Any]) -> NDArray[np.float32]:
        """A uniform action; the observation is not used."""
        return self._rng.uniform(-1.0, 1.0, 5).astype(np.float32)


class Hypotheses(Protocol):
    """Masks bool (N, H, W) with scores float32 (N,) in 0 to 1."""

    @property
    def masks(self) -> Masks: ...

    @property
    def scores(self) -> Floats32: ...


class SegmentsPictures(Protocol):
    """Finds hypotheses in a picture, as `segmentation.Segmenter` does."""

    def segment(self, image: Picture) -> Hypotheses:
        """Hypotheses for a picture uint8 (H, W, 3)."""
