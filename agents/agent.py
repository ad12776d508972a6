"""What acts: anything that turns an observation into an action, whichever backend it acts on."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Observation = dict[str, NDArray[np.uint8]]


class Agent(Protocol):
    """The one method that the command line and the benchmarks ask of a policy."""

    def act(self, observation: Observation, info: dict[str, Any]) -> NDArray[np.float32]:
        """The next action, float32 (5,) in [-1, 1], from the pictures now and the last step's (or reset's) info."""
        ...


class RandomAgent:
    """Uniform in the action box: what an agent does that knows nothing.

    Args:
        rng: its random numbers.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def act(self, observation: Observation, info: dict[str, Any]) -> NDArray[np.float32]:
        """A uniform action, whatever is seen."""
        return self._rng.uniform(-1.0, 1.0, 5).astype(np.float32)
