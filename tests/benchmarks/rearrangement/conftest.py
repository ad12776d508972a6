"""Episodes, and a simulation that remembers the truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tabletop_interaction.benchmarks.rearrangement.episode import Episode
from tabletop_interaction.benchmarks.rearrangement.oracle_parts import RememberingSimulation


def played_episode(**changes: Any) -> Episode:
    """An oracle's success with one displaced object, or a failure where a cause is given."""
    success = not changes.get("cause")
    row = {"agent": "oracle", "objects": "test", "tables": "test", "seed": 200, "displaced": 1, "occupied": False}
    row |= {"success": success, "fraction_done": float(success), "fixed_strict": float(success), "mean_px": 4.0}
    row |= {"max_px": 4.0 if success else 80.0, "max_m": 0.006, "others_px": 1.0, "interactions": 1, "seconds": 1.0}
    return Episode(**{**row, "processor_seconds": 0.5, "cause": "", **changes})


@pytest.fixture
def episode_of() -> Callable[..., Episode]:
    """Makes a played episode."""
    return played_episode


@pytest.fixture
def world() -> Iterator[RememberingSimulation]:
    """A simulation with the test split."""
    with RememberingSimulation("test") as world:
        yield world
