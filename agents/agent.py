"""Agents turn observations into actions, whichever backend carries them out."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tabletop_interaction.envs.actions import ACTION_SIZE

Observation = dict[str, NDArray[np.uint8]]


class Agent(Protocol):
    """A policy, as the command line and the benchmarks use it."""

    def act(self, observation: Observation, info: dict[str, Any]) -> NDArray[np.float32]:
        """The next action, float32 in [-1, 1], from the pictures now and the last step's (or reset's) info."""


class RandomAgent:
    """Draws actions of `size` numbers uniformly from the action box."""

    def __init__(self, rng: np.random.Generator, size: int = ACTION_SIZE) -> None:
        self._rng = rng
        self._size = size

    def act(self, observation: Observation, info: dict[str, Any]) -> NDArray[np.float32]:
        """A uniform action; the observation is not used."""
        return self._rng.uniform(-1.0, 1.0, self._size).astype(np.float32)
