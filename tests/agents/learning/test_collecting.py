"""Collecting continues after a passing fault and ends with a lasting one; a collector that dies on Ray is replaced."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tabletop_interaction.agents.learning.collecting import Collection, collect, collect_with_ray
from tabletop_interaction.envs import Grasp, count_interactions, read_interactions
from tabletop_interaction.errors import RobotFault


@pytest.fixture
def faulty_table(painted_table: Callable[..., Any]) -> Callable[..., Any]:
    """A painted table whose arm stops at the picks with these numbers."""

    class FaultyTable(painted_table):  # type: ignore[misc, valid-type]
        def __init__(self, faults: tuple[int, ...], recoverable: bool = True) -> None:
            super().__init__()
            self._faults = faults
            self._recoverable = recoverable
            self._picks = 0

        def pick(self, x: float, y: float, angle: float) -> Grasp:
            self._picks += 1
            if self._picks in self._faults:
                raise RobotFault("the arm stopped", recoverable=self._recoverable)
            return super().pick(x, y, angle)

    return FaultyTable


def _places(folder: Path) -> list[tuple[int, int]]:
    return [(row.episode, row.step) for row in read_interactions(folder)]


def test_after_a_passing_fault_a_new_episode_begins(faulty_table: Callable[..., Any], tmp_path: Path) -> None:
    infos = list(collect(Collection(tmp_path / "records", 3, backend=faulty_table((3, 4, 6))), 5))
    assert len(infos) == 5
    assert _places(tmp_path / "records") == [(0, 0), (0, 1), (2, 0), (3, 0), (3, 1)]
    assert {row.seed for row in read_interactions(tmp_path / "records")} == {3}


def test_episodes_are_as_long_as_asked_for(painted_table: Callable[..., Any], tmp_path: Path) -> None:
    assert len(list(collect(Collection(tmp_path / "records", 3, backend=painted_table(), steps_per_episode=2), 5))) == 5
    assert _places(tmp_path / "records") == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0)]


@pytest.mark.parametrize(("faults", "recoverable", "rows"), [((2, 3, 4), True, 1), ((2,), False, 1)])
def test_a_lasting_fault_ends_collecting_and_every_row_is_sealed(
    faulty_table: Callable[..., Any], tmp_path: Path, faults: tuple[int, ...], recoverable: bool, rows: int
) -> None:
    with pytest.raises(RobotFault, match="the arm stopped"):
        list(collect(Collection(tmp_path / "records", 3, backend=faulty_table(faults, recoverable)), 5))
    assert len(_places(tmp_path / "records")) == rows
    assert not list((tmp_path / "records").glob(".journal*"))


def test_a_killed_collector_is_replaced_and_the_work_is_finished(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    psutil = pytest.importorskip("psutil")
    steps = collect_with_ray(Collection(tmp_path / "records", seed=0), 14, workers=2, already_there=0)
    progress = [next(steps)]
    collectors = [
        process
        for process in psutil.Process().children(recursive=True)
        if any("ray::Collector" in part for part in process.cmdline())
    ]
    collectors[0].kill()
    progress += list(steps)
    assert sum(step.deaths for step in progress) == 1
    assert count_interactions(tmp_path / "records") == 14
