"""The same seeds give the same interactions in the simulation and on the Sawyer's twin."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from rich.console import Console

from tabletop_interaction.benchmarks.accuracy.twin_agreement import (
    ComparedInteraction,
    TwinOptions,
    compare,
    results_table,
)
from tabletop_interaction.envs import PickOutcome
from tabletop_interaction.errors import InvalidConfiguration


def test_interactions_end_alike_and_leave_the_objects_near_each_other(quick_lab_file: Path) -> None:
    compared = list(compare(quick_lab_file, range(4)))
    assert all(one.start_m == 0 for one in compared)
    assert all(one.simulated is one.twins for one in compared)
    moved = [one for one in compared if one.moved_m > 0.05]
    assert len(moved) >= 3
    assert np.median([one.apart_m for one in moved]) < 0.02
    assert max(one.apart_m for one in moved) < 0.04
    assert max(one.apart_m for one in compared if one.moved_m < 0.001) < 0.002


def test_the_table_names_interactions_with_different_outcomes() -> None:
    held, slipped = PickOutcome.HELD, PickOutcome.SLIPPED
    compared = [
        ComparedInteraction(7, held, held, 0, 0.2, 0.004),
        ComparedInteraction(8, held, slipped, 0, 0.2, 0.1),
    ]
    console = Console(width=120, file=StringIO())
    console.print(results_table(compared, TwinOptions(interactions=2, seed=7)))
    text = console.file.getvalue()
    assert "1 of 2" in text
    assert "seed 8, simulation against twin" in text
    assert "HELD, SLIPPED" in text
    assert "median 4.0 mm" in text


def test_a_robots_lab_file_is_refused_before_anything_is_opened(
    quick_lab_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The robot was connected before its lack of ground truth was noticed."""
    opened: list[str] = []
    monkeypatch.setattr(gym, "make", lambda *_, backend, **__: opened.append(backend))
    robots = tmp_path / "robot.yaml"
    robots.write_text(quick_lab_file.read_text().replace("driver: twin", "driver: intera"))
    with pytest.raises(InvalidConfiguration, match="name the lab file of a twin"):
        next(compare(robots, range(1)))
    assert not opened
