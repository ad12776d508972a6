"""A learning run is evaluated at its start, at regular intervals and at its end, and never twice at the same time."""

from __future__ import annotations

import json
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
    HeldOutChoice,
    HeldOutPictures,
    choose_held_out,
    matched_colours,
)
from tabletop_interaction.errors import InvalidConfiguration
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


def test_a_new_run_is_evaluated_on_the_development_set(tmp_path: Path, learning_run: Any) -> None:
    assert choose_held_out(RunFolder(tmp_path / "new"), None, None) == HeldOutChoice("dev", 60)
    assert choose_held_out(RunFolder(tmp_path / "new"), "val", None) == HeldOutChoice("val", 30)
    begun = RunFolder(learning_run(tmp_path / "begun"))
    assert choose_held_out(begun, None, 5) == HeldOutChoice("dev", 5)


def test_a_run_that_was_evaluated_keeps_its_pictures(tmp_path: Path, learning_run: Any, evaluation_of: Any) -> None:
    """Earlier versions evaluated on 30 pictures of val unless another set was asked for."""
    run = RunFolder(learning_run(tmp_path / "run", evaluations=[evaluation_of(50, 40.0)]))
    for set_name, pictures in ((None, None), ("val", None), (None, 30), ("val", 60)):
        # The set has 30 pictures, so that 60 are the same.
        assert choose_held_out(run, set_name, pictures) == HeldOutChoice("val", 30)
    for set_name, pictures in (("dev", None), (None, 20), ("test", 30)):
        with pytest.raises(InvalidConfiguration, match="was evaluated on the first 30 pictures of val; leave both"):
            choose_held_out(run, set_name, pictures)


def test_a_run_that_was_not_evaluated_yet_keeps_what_its_first_session_asked_for(
    tmp_path: Path, learning_run: Any
) -> None:
    run = RunFolder(learning_run(tmp_path / "run"))
    request = json.loads(run.request.read_text())
    run.request.write_text(json.dumps(request | {"session": {"set_name": "test", "pictures": 20}}))
    assert choose_held_out(run, None, None) == HeldOutChoice("test", 20)
    assert choose_held_out(run, "dev", 60) == HeldOutChoice("dev", 60)
