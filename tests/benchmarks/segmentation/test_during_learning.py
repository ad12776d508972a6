"""A learning run is evaluated at its start, at regular intervals and at its end, and never twice at the same time."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tabletop_interaction.agents.learning.learner import Update
from tabletop_interaction.agents.learning.run_folder import RunFolder
from tabletop_interaction.benchmarks.segmentation.during_learning import (
    UNMATCHED,
    Evaluations,
    HeldOutPictures,
    matched_colours,
)
from tabletop_interaction.segmentation.coco import LabelSet
from tabletop_interaction.segmentation.rle import rle_from_mask


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


def test_a_mask_has_the_colour_of_its_object_and_is_grey_without_one() -> None:
    masks = np.zeros((4, 60, 60), np.bool_)
    masks[0, 5:25, 5:25], masks[1, 35:55, 35:55] = True, True
    masks[2, 36:55, 35:55], masks[3, 5:25, 35:55] = True, True
    first, second, near_second, elsewhere = map(rle_from_mask, masks)
    red, blue = (255, 0, 0), (0, 0, 255)
    assert matched_colours([near_second, elsewhere, first], [first, second], [red, blue]) == [blue, UNMATCHED, red]
    assert matched_colours([first, first], [first], [red]) == [red, UNMATCHED]
    assert matched_colours([], [first], [red]) == []
    assert matched_colours([first], [], []) == [UNMATCHED]
