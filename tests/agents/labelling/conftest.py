"""What the tests of labelling share: a folder of a few interactions on a painted table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tabletop_interaction.envs import PickPlace, RecordInteractions, TabletopInteraction


@pytest.fixture(scope="session")
def record_picks(painted_table: Callable[..., Any]) -> Callable[..., None]:
    """record_picks(folder, picks, seed): one episode; "h" picks and places the square, "m" picks beside it."""

    def record(folder: Path, picks: str, seed: int = 0) -> None:
        env = RecordInteractions(TabletopInteraction(painted_table()), folder)
        env.reset(seed=seed)
        places = [(-0.2, -0.1), (0.15, 0.1), (0.0, -0.1), (-0.1, 0.12)]
        for number, pick in enumerate(picks):
            backend = env.unwrapped.backend  # type: ignore[attr-defined]
            x, y = backend._square
            aim = (x, y) if pick == "h" else (-np.sign(x) * 0.2, -np.sign(y) * 0.2)
            action = PickPlace(*aim, 0.0, *places[number % 4]).to_action(backend.arena)
            env.step(np.clip(action, -1, 1).astype(np.float32))
        env.close()

    return record


@pytest.fixture
def folder(record_picks: Callable[..., None], tmp_path: Path) -> Path:
    """Three interactions; the first and the last one grasp the square."""
    record_picks(tmp_path / "rows", "hmh")
    return tmp_path / "rows"
