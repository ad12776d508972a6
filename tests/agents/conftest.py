"""What the tests of inverse models share: a folder in which every interaction carries a square elsewhere."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tabletop_interaction.envs import PickPlace, RecordInteractions, TabletopInteraction


@pytest.fixture(scope="session")
def record_moves(painted_table: Callable[..., Any]) -> Callable[..., None]:
    """record_moves(folder, episodes, steps): in each step the square is grasped and placed at random."""

    def record(folder: Path, episodes: int, steps: int) -> None:
        rng, backend = np.random.default_rng(0), painted_table()
        env = RecordInteractions(TabletopInteraction(backend, episodes_per_scene=1), folder)
        for episode in range(episodes):
            env.reset(seed=0 if episode == 0 else None)
            for _ in range(steps):
                (x, y), place = backend._square, rng.uniform([-0.25, -0.2], [0.25, 0.2])
                env.step(PickPlace(x, y, rng.uniform(-1.5, 1.5), *place).to_action(backend.arena))
        env.close()

    return record


@pytest.fixture(scope="session")
def moves(record_moves: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three scenes of three moves each."""
    folder = tmp_path_factory.mktemp("moves") / "records"
    record_moves(folder, episodes=3, steps=3)
    return folder
