"""A folder is labelled once, its rows stay as they are, and labels read back as they were made."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tabletop_interaction.agents.labelling import label_table
from tabletop_interaction.agents.labelling.frame_labels import LABELLER, label_interactions
from tabletop_interaction.agents.labelling.label_table import label_folder, read_labels
from tabletop_interaction.envs.records.reading import open_interactions
from tabletop_interaction.errors import ForeignFolder, UnreadableRecords


def test_a_folder_is_labelled_once_and_its_rows_are_left_alone(
    folder: Path, record_picks: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def digests(name: str) -> dict[str, str]:
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (folder / name).iterdir()}

    raw, reports = digests("data"), []
    first = label_folder(folder, progress=lambda done, total: reports.append((done, total)))
    assert Counter(label.label for label in first) == {"object": 4, "background": 1}
    assert reports == [(3, 3)]
    assert digests("data") == raw
    files = digests("labels")
    assert label_folder(folder) == first
    assert digests("labels") == files
    record_picks(folder, "m", seed=1)
    seen: list[int] = []
    real = label_table.label_interactions
    monkeypatch.setattr(label_table, "label_interactions", lambda rows: real(_counted(rows, seen)))
    more = label_folder(folder)
    assert len(seen) == 1
    assert more[: len(first)] == first
    assert files.items() < digests("labels").items()


def test_labels_of_another_labeller_are_not_read(folder: Path) -> None:
    assert {label.labeller for label in label_folder(folder)} == {LABELLER}
    for path in (folder / "labels").glob("*.parquet"):
        path.rename(path.with_name(path.name.replace(LABELLER, "difference-0-00000000")))
    assert read_labels(folder / "labels") == ()


def test_labels_read_back_as_they_were_made(folder: Path) -> None:
    assert label_folder(folder) == tuple(label_interactions(open_interactions(folder)))


def test_a_damaged_file_of_labels_is_named(folder: Path) -> None:
    label_folder(folder)
    (path,) = (folder / "labels").glob("*.parquet")
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(UnreadableRecords, match=path.name):
        label_folder(folder)


def _counted(rows: Any, seen: list[int]) -> Any:
    for row in rows:
        seen.append(1)
        yield row


def test_a_changed_label_is_named(folder: Path) -> None:
    label_folder(folder)
    (path,) = (folder / "labels").glob("*.parquet")
    content = path.read_bytes()
    for place in range(0, len(content), 97):
        path.write_bytes(content[:place] + bytes([content[place] ^ 16]) + content[place + 1 :])
        with pytest.raises(UnreadableRecords, match="remove it, its labels are made again"):
            read_labels(folder / "labels")


def test_labels_of_another_run_are_refused_and_those_of_an_earlier_version_are_read(folder: Path) -> None:
    labels = label_folder(folder)
    with pytest.raises(ForeignFolder, match=r"belongs to a run without an id, .* to run abc;"):
        read_labels(folder / "labels", "abc")
    (path,) = (folder / "labels").glob("*.parquet")
    path.rename(path.with_name(f"part-{LABELLER}-00000.parquet"))
    assert label_folder(folder) == labels


def test_lost_labels_are_made_again_in_their_place(
    folder: Path, record_picks: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(label_table, "_PER_FILE", 1)
    labels = label_folder(folder)
    sorted((folder / "labels").glob("*.parquet"))[0].unlink()
    assert label_folder(folder) == labels
