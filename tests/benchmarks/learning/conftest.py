"""Learning runs of chosen figures, by seed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tabletop_interaction.reports.learning_run import LearningRun, read_learning_run

BASELINE = {"baseline_ap": {"0.3": 22.5, "0.5": 13.5, "0.75": 6.5}}

WriteRun = Callable[..., LearningRun]


@pytest.fixture
def write_run(tmp_path: Path, learning_run: Any, history_of: Any, evaluation_of: Any, update_of: Any) -> WriteRun:
    """A run whose interactions move something where `moved` has an "m", evaluated after each half.

    AP at IoU 0.3 is `halfway` and `end`, less 10 at 0.5 and less 30 at 0.75; None means that there is no network yet.
    """

    def written(
        name: str,
        halfway: float | None,
        end: float | None,
        moved: str = "m--m",
        cpu: float | None = 60.0,
        folder: Path = tmp_path,
        **evaluation: Any,
    ) -> LearningRun:
        points = {len(moved) // 2: halfway, len(moved): end}
        history = [history_of(number, moved=each == "m") for number, each in enumerate(moved, start=1)]
        figures = [evaluation_of(at, ap, **BASELINE, **evaluation) for at, ap in points.items() if ap is not None]
        updates = [
            update_of(at, cpu_seconds=cpu, seconds=3.0 * at, **({} if ap is not None else {"step": 0}))
            for at, ap in points.items()
        ]
        config = {"interactions": len(moved), "policy": "hypothesis", "model": None}
        return read_learning_run(learning_run(folder / name, history, figures, updates, config))

    return written
