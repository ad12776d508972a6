"""Agents turn observations into actions, whichever backend carries them out."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

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
