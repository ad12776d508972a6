"""The same seeds give the same interactions in the simulation and on the Sawyer's twin."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

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
    assert all(one.same_outcome for one in compared)
    moved = [one for one in compared if one.moved_m > 0.05]
    assert len(moved) >= 3
    assert np.median([one.apart_m for one in moved]) < 0.02
    assert max(one.apart_m for one in moved) < 0.04
    assert max(one.apart_m for one in compared if one.moved_m < 0.001) < 0.002


def test_the_table_names_what_ended_otherwise() -> None:
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


def test_no_interactions_are_refused() -> None:
    with pytest.raises(InvalidConfiguration, match="--interactions 0"):
        TwinOptions(interactions=0)
