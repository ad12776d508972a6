"""A push labels an object at its old and at its new place, and an empty path as background."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tabletop_interaction.agents.labelling.examples import recorded_examples
from tabletop_interaction.agents.labelling.frame_labels import label_interaction
from tabletop_interaction.agents.labelling.label_table import label_folder
from tabletop_interaction.agents.labelling.push_labels import PUSH_LABELLER
from tabletop_interaction.envs import Interaction, Push, RecordInteractions, TabletopPushing, open_interactions
from tabletop_interaction.envs.records.encoded import EncodedPictures
from tabletop_interaction.envs.records.png import encode_picture
from tabletop_interaction.segmentation.rle import mask_from_rle


@pytest.fixture(scope="module")
def pushes(pushing_table: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A push off the square's place, one that shifts it by a part of its size, and one beside it."""

    class SquareToTheLeft(pushing_table):  # type: ignore[misc, valid-type]
        def reset(self, rng: np.random.Generator, *, new_scene: bool) -> int:
            self._square = np.array([-0.15, 0.0])
            return 0

    folder = tmp_path_factory.mktemp("pushes") / "rows"
    with RecordInteractions(TabletopPushing(SquareToTheLeft()), folder) as env:
        env.reset(seed=1)
        for push in (Push(-0.26, 0, 0, 0.22), Push(-0.1, 0, 0, 0.1), Push(-0.2, -0.2, 0, 0.1)):
            env.step(push.to_action(env.unwrapped.arena))
    return folder


@pytest.fixture
def rows(pushes: Path) -> list[Interaction]:
    return list(open_interactions(pushes))


def test_an_object_that_left_its_place_is_labelled_at_both(rows: list[Interaction]) -> None:
    old, new = label_interaction(rows[0])
    assert [(one.pair, one.label, one.moment) for one in (old, new)] == [
        ("old", "object", "before"),
        ("new", "object", "after"),
    ]
    for label, picture in ((old, rows[0].before["view_0"]), (new, rows[0].after["view_0"])):
        assert label.mask is not None
        red, found = picture[..., 0] > 150, mask_from_rle(label.mask)
        assert (red & found).sum() > 0.9 * (red | found).sum()
        x, y = np.round(label.click_xy).astype(int)
        assert red[y, x]


def test_an_object_that_overlaps_its_old_place_is_labelled_nudged(rows: list[Interaction]) -> None:
    (label,) = label_interaction(rows[1])
    assert (label.pair, label.label, label.moved) == ("old", "nudged", True)


def test_a_path_on_which_nothing_changed_is_background_in_its_middle(rows: list[Interaction]) -> None:
    (label,) = label_interaction(rows[2])
    assert (label.pair, label.label, label.mask) == ("old", "background", None)
    (view,) = rows[2].views
    np.testing.assert_allclose(label.click_xy, view.project(np.array([[-0.15, -0.2, 0]]))[0], atol=0.1)


def test_a_push_that_was_not_made_labels_nothing(rows: list[Interaction]) -> None:
    row = rows[0]
    assert row.pushed is not None
    (label,) = label_interaction(replace(row, pushed=replace(row.pushed, came_down=False)))
    assert (label.label, label.mask) == ("unknown", None)


def test_a_change_in_another_view_forbids_background(rows: list[Interaction]) -> None:
    still, moving = rows[2], rows[0]
    assert still.pushed is not None
    views = (still.views[0], replace(still.views[0], name="other"))
    path = np.concatenate([still.pushed.start_xy] * 2), np.concatenate([still.pushed.end_xy] * 2)
    near = encode_picture(np.roll(moving.before["view_0"], 100, axis=0))
    row = replace(
        still,
        views=views,
        before=EncodedPictures({"view_0": still.before.encoded["view_0"], "other": near}),
        after=EncodedPictures({"view_0": still.after.encoded["view_0"], "other": still.after.encoded["view_0"]}),
        pushed=replace(still.pushed, start_xy=path[0], end_xy=path[1]),
    )
    labels = label_interaction(row)
    assert labels[0].label == "unknown"
    assert labels[-1].moved


def test_the_larger_of_two_unlike_masks_is_labelled_nudged(rows: list[Interaction]) -> None:
    row = rows[0]
    both = row.after["view_0"].copy()
    red = np.argwhere(both[..., 0] > 150)
    (top, left), (bottom, right) = red.min(0), red.max(0)
    both[top : bottom + 1, left : right + 60] = (200, 40, 40)
    merged = replace(row, after=EncodedPictures({"view_0": encode_picture(both)}))
    assert [label.label for label in label_interaction(merged)] == ["object", "nudged"]


def test_labels_and_examples_of_a_folder_of_pushes_are_kept(pushes: Path) -> None:
    labels = label_folder(pushes)
    assert {label.labeller for label in labels} == {PUSH_LABELLER}
    assert [label.label for label in labels] == ["object", "object", "nudged", "background"]
    assert label_folder(pushes) == labels
    examples = recorded_examples(pushes, carried=False)
    assert (len(examples.objects), len(examples.background)) == (2, 1)
