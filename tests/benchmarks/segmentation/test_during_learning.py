"""A learning run is evaluated at its start, at regular intervals and at its end, and never twice at the same time."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tabletop_interaction.agents.learning.learner import Update
from tabletop_interaction.agents.learning.run_folder import RunFolder
from tabletop_interaction.benchmarks.segmentation.during_learning import Evaluations, HeldOutPictures
from tabletop_interaction.segmentation.coco import LabelSet


@pytest.mark.parametrize(
    ("evaluated", "due"), [(None, [0, 50, 60, 100, 120]), (0, [50, 60, 100, 120]), (50, [100, 120]), (100, [120])]
)
def test_an_evaluation_is_due_at_each_interval_and_at_the_end(
    evaluated: int | None, due: list[int], tmp_path: Path, update_of: Any
) -> None:
    folder = RunFolder(tmp_path)
    folder.evaluations.mkdir()
    if evaluated is not None:
        (folder.evaluations / f"{evaluated:05d}.json").write_text("{}")
    pictures = HeldOutPictures("val", LabelSet((), ()), {})
    evaluations = Evaluations(folder, pictures, every=50, last=120)
    asked: list[int] = []
    for interactions in (0, 10, 49, 50, 60, 100, 120):
        # A network is requested when an evaluation is due; there is none, so that nothing is evaluated.
        assert evaluations.updated(Update(**update_of(interactions)), partial(asked.append, interactions)) is None
    assert asked == due
