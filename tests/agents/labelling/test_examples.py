"""Examples have their pictures, decoded once, however the interactions are added."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tabletop_interaction.agents.labelling.examples import ExampleBuilder, recorded_examples
from tabletop_interaction.agents.labelling.frame_labels import label_interaction
from tabletop_interaction.envs.records.reading import open_interactions
from tabletop_interaction.errors import DiskFull
from tabletop_interaction.segmentation.rle import mask_from_rle


def test_examples_have_their_pictures_and_neighbours_share_one(folder: Path) -> None:
    reports: list[tuple[str, int, int]] = []
    examples = recorded_examples(folder, progress=lambda *report: reports.append(report))
    assert len(examples.objects) == 4
    assert len(examples.background) == 1
    for example in examples.objects:
        assert example.mask is not None
        inside = examples.pictures[example.picture][mask_from_rle(example.mask)]
        assert (inside[:, 0] > 150).mean() > 0.9
    # Before, after, and after the third; the second interaction changed nothing that a label speaks of.
    keys = [example.picture for example in examples.examples]
    assert len(set(keys)) == len(examples.pictures) < len(keys)
    assert {what for what, *_ in reports} == {"labels", "pictures"}
    again = recorded_examples(folder)
    assert again.examples == examples.examples


def test_carried_masks_are_on_their_object_too(folder: Path) -> None:
    plain, carried = recorded_examples(folder), recorded_examples(folder, carried=True)
    assert len(carried.objects_by_picture) >= len(plain.objects_by_picture)
    for example in carried.objects:
        assert example.mask is not None
        inside = carried.pictures[example.picture][mask_from_rle(example.mask)]
        assert (inside[:, 0] > 150).mean() > 0.9


def test_the_disk_is_compared_before_pictures_are_decoded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = shutil.disk_usage(folder)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free._replace(free=1))
    with pytest.raises(DiskFull, match=r"decoded pictures take 0\.00 GB in .*pictures; free are 0\.00 GB"):
        recorded_examples(folder, callback=print)
    assert not (folder / "pictures").exists()
    monkeypatch.undo()
    lines: list[str] = []
    for _ in range(2):
        examples = recorded_examples(folder, callback=lines.append)
    needed = sum(picture.size for picture in examples.pictures.values())
    (line,) = lines
    assert line.startswith(f"{len(examples.pictures)} decoded pictures take {needed / 1e9:.2f} GB in ")


@pytest.mark.parametrize("carry", [False, True])
def test_interactions_added_one_by_one_give_the_examples_and_pictures_of_all_at_once(
    folder: Path, tmp_path: Path, carry: bool
) -> None:
    rows = open_interactions(folder)
    labels = {row.interaction_id: label_interaction(row) for row in rows}
    grown, whole = (ExampleBuilder(folder, tmp_path / name, carry=carry) for name in ("grown", "whole"))
    for id_, found in labels.items():
        grown.add({id_: found})
    whole.add(labels)
    assert grown.example_set().examples == whole.example_set().examples
    assert list(grown.store) == list(whole.store)
    recorded = recorded_examples(folder, carried=carry)
    assert sorted(map(repr, recorded.examples)) == sorted(map(repr, whole.example_set().examples))
