"""What moved is labelled once, by a rule that asks the gripper too, and the raw rows stay as they are."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tabletop_interaction.agents.labelling import label_table
from tabletop_interaction.agents.labelling.examples import recorded_examples
from tabletop_interaction.agents.labelling.frame_labels import LABELLER, label_interaction, label_interactions
from tabletop_interaction.agents.labelling.label_table import label_folder, read_labels
from tabletop_interaction.envs import PickPlace, RecordInteractions, TabletopInteraction
from tabletop_interaction.envs.backend import PickOutcome
from tabletop_interaction.envs.records.reading import open_interactions
from tabletop_interaction.envs.records.row import PngPictures, encode_picture
from tabletop_interaction.errors import UnreadableRecords
from tabletop_interaction.segmentation.rle import mask_from_rle


def record(painted_table: Callable[..., Any], folder: Path, picks: str, seed: int = 0) -> None:
    """One episode: "h" picks the square and places it elsewhere, "m" picks beside it."""
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


@pytest.fixture
def folder(painted_table: Callable[..., Any], tmp_path: Path) -> Path:
    record(painted_table, tmp_path / "rows", "hmh")
    return tmp_path / "rows"


def test_a_held_object_is_labelled_where_it_stood_and_where_it_was_put(folder: Path) -> None:
    row = open_interactions(folder)[0]
    picked, placed = label_interaction(row)
    assert (picked.pair, picked.label, picked.moment) == ("pick", "object", "before")
    assert (placed.pair, placed.label, placed.moment) == ("place", "object", "after")
    for label, picture in ((picked, row.before["view_0"]), (placed, row.after["view_0"])):
        assert label.mask is not None
        red, found = picture[..., 0] > 150, mask_from_rle(label.mask)
        assert (red & found).sum() > 0.9 * (red | found).sum()
        x, y = np.round(label.click_xy).astype(int)
        assert red[y, x]


def test_closing_on_nothing_shows_background_and_asks_no_place_pair(folder: Path) -> None:
    (label,) = label_interaction(open_interactions(folder)[1])
    assert (label.pair, label.label, label.moved, label.mask) == ("pick", "background", False, None)


def test_a_pick_that_touched_something_proves_no_background(folder: Path) -> None:
    row = open_interactions(folder)[1]
    for outcome in (PickOutcome.SLIPPED, PickOutcome.BLOCKED, PickOutcome.PUSHED_AWAY, PickOutcome.UNREACHABLE):
        (label,) = label_interaction(replace(row, pick_outcome=outcome))
        assert label.label == "unknown"


def test_what_moved_without_being_held_is_told_apart(folder: Path) -> None:
    row = replace(open_interactions(folder)[0], grasped=False, pick_outcome=PickOutcome.SLIPPED)
    (label,) = label_interaction(row)
    assert label.label == "nudged"
    assert label.mask is not None


def test_of_two_masks_of_unlike_size_the_larger_is_taken_back(folder: Path) -> None:
    row = open_interactions(folder)[0]
    both = row.after["view_0"].copy()
    x, y = np.round(row.place_xy[0]).astype(int)
    both[y - 30 : y + 30, x : x + 90] = (200, 40, 40)
    merged = replace(row, after=PngPictures({"view_0": encode_picture(both)}))
    picked, placed = label_interaction(merged)
    assert (picked.label, placed.label) == ("object", "nudged")
    assert placed.mask is not None


def test_labels_come_in_the_order_of_the_rows(folder: Path) -> None:
    rows = open_interactions(folder)
    one_by_one = [label for row in rows for label in label_interaction(row)]
    assert list(label_interactions(rows)) == one_by_one


def test_a_folder_is_labelled_once_and_its_rows_are_left_alone(
    folder: Path, painted_table: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def digests(name: str) -> dict[str, str]:
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (folder / name).iterdir()}

    raw, told = digests("data"), []
    first = label_folder(folder, progress=lambda done, total: told.append((done, total)))
    assert first.counts() == {"object": 4, "nudged": 0, "background": 1, "unknown": 0}
    assert told == [(3, 3)]
    assert digests("data") == raw
    files = digests("labels")
    assert label_folder(folder) == first
    assert digests("labels") == files
    record(painted_table, folder, "m", seed=1)
    seen: list[int] = []
    real = label_table.label_interactions
    monkeypatch.setattr(label_table, "label_interactions", lambda rows: real(_counted(rows, seen)))
    more = label_folder(folder)
    assert len(seen) == 1
    assert more.labels[: len(first)] == first.labels
    assert files.items() < digests("labels").items()


def test_another_labeller_reads_nothing_of_ours(folder: Path) -> None:
    label_folder(folder)
    assert len(read_labels(folder / "labels", "difference-0-00000000")) == 0
    assert {label.labeller for label in read_labels(folder / "labels").labels} == {LABELLER}


def test_labels_read_back_as_they_were_made(folder: Path, tmp_path: Path) -> None:
    made = label_folder(folder, tmp_path / "elsewhere")
    assert made.labels == tuple(label_interactions(open_interactions(folder)))
    assert not (folder / "labels").exists()


def test_a_damaged_file_of_labels_is_named(folder: Path) -> None:
    label_folder(folder)
    (path,) = (folder / "labels").glob("*.parquet")
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(UnreadableRecords, match=path.name):
        label_folder(folder)


def test_examples_have_their_pictures_and_neighbours_share_one(folder: Path) -> None:
    told: list[tuple[str, int, int]] = []
    examples = recorded_examples(folder, progress=lambda *what: told.append(what))
    assert len(examples.objects) == 4
    assert len(examples.background) == 1
    for example in examples.objects:
        assert example.mask is not None
        inside = examples.pictures[example.picture][mask_from_rle(example.mask)]
        assert (inside[:, 0] > 150).mean() > 0.9
    # Before, after, and after the third; the second interaction changed nothing that a label speaks of.
    keys = [example.picture for example in examples.examples]
    assert len(set(keys)) == len(examples.pictures) < len(keys)
    assert {what for what, *_ in told} == {"labels", "pictures"}
    again = recorded_examples(folder)
    assert again.examples == examples.examples


def test_carried_masks_are_on_their_object_too(folder: Path) -> None:
    plain, carried = recorded_examples(folder), recorded_examples(folder, carried=True)
    assert len(carried.objects_by_picture) >= len(plain.objects_by_picture)
    for example in carried.objects:
        assert example.mask is not None
        inside = carried.pictures[example.picture][mask_from_rle(example.mask)]
        assert (inside[:, 0] > 150).mean() > 0.9


def _counted(rows: Any, seen: list[int]) -> Any:
    for row in rows:
        seen.append(1)
        yield row
