"""The card lets `datasets` give the rows that are on disk; what users wrote into it stays."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tabletop_interaction.envs.records.journal import seal_journals

OLD_CARD = """---
configs:
- config_name: default
  data_files:
  - split: train
    path: data/*.parquet
---
# My rows
"""


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., list[int]]:
    """Steps of the rows that `load_dataset` gives for a folder, streaming and not; all with one cache."""
    datasets = pytest.importorskip("datasets")

    def steps(folder: Path) -> list[int]:
        cache = str(tmp_path / "cache")
        loaded = [
            list(datasets.load_dataset(str(folder), split="train", cache_dir=cache, streaming=streaming))
            for streaming in (False, True)
        ]
        for row in loaded[0]:
            assert np.asarray(row["view_0_before"]).shape == (6, 8, 3)
        by_streaming = [row["step"] for row in loaded[1]]
        assert [row["step"] for row in loaded[0]] == by_streaming
        return by_streaming

    return steps


def front_matter(folder: Path) -> dict[str, Any]:
    front: dict[str, Any] = yaml.safe_load((folder / "README.md").read_text().split("---\n")[1])
    return front


def test_load_dataset_gives_the_rows_on_disk_after_more_were_recorded(sample: Any, tmp_path: Path, load: Any) -> None:
    sample.record(tmp_path / "records", 2)
    assert load(tmp_path / "records") == [0, 1]
    sample.record(tmp_path / "records", 3)
    assert load(tmp_path / "records") == [0, 1, 0, 1, 2]


def test_load_dataset_tells_folders_of_one_name_apart(sample: Any, tmp_path: Path, load: Any) -> None:
    for run, steps in (("a", [5, 6]), ("b", [7, 8])):
        with sample.writer(tmp_path / run / "records") as out:
            for step in steps:
                out.append(sample.interaction(step))
        assert load(tmp_path / run / "records") == steps
    shutil.rmtree(tmp_path / "a")
    sample.record(tmp_path / "a" / "records", 2)
    assert load(tmp_path / "a" / "records") == [0, 1]


@pytest.mark.parametrize(("replaced", "rows"), [(1, [0]), (2, [0, 9])])
def test_load_dataset_gives_the_rows_on_disk_after_a_kill(
    sample: Any, tmp_path: Path, load: Any, killed_at: Any, replaced: int, rows: list[int]
) -> None:
    folder = tmp_path / "records"
    sample.record(folder, 1)
    assert load(folder) == [0]

    def record() -> None:
        with sample.writer(folder) as out:
            out.append(sample.interaction(9))

    # The card is replaced first, then the shard, and then the card again.
    assert killed_at("pathlib.Path.replace", replaced, record)
    assert load(folder) == rows
    sample.writer(folder).close()
    assert load(folder) == [0, 9]


def test_cards_of_folders_with_shards_of_the_same_names_sizes_and_times_differ(sample: Any, tmp_path: Path) -> None:
    states = []
    for run, seed in (("a", 1), ("b", 2)):
        with sample.writer(tmp_path / run / "records") as out:
            out.append(sample.interaction(0, seed=seed))
        shard = tmp_path / run / "records" / "data" / "part-w0-00000.parquet"
        os.utime(shard, ns=(0, 0))
        sample.writer(tmp_path / run / "records").close()
        states.append((shard.stat().st_size, front_matter(tmp_path / run / "records")["configs"][0]["description"]))
    (one_size, one), (other_size, other) = states
    assert one_size == other_size
    assert one.rpartition(", ")[0] == other.rpartition(", ")[0]
    assert one != other


def test_a_card_is_written_only_when_shards_changed(sample: Any, tmp_path: Path) -> None:
    sample.record(tmp_path, 1)
    card = (tmp_path / "README.md").read_text()
    sample.writer(tmp_path).close()
    assert (tmp_path / "README.md").read_text() == card
    (tmp_path / "data" / "part-w0-00000.parquet").unlink()
    sample.writer(tmp_path).close()
    assert (tmp_path / "README.md").read_text() != card


def test_sealing_journals_refreshes_the_card(sample: Any, tmp_path: Path) -> None:
    sample.record(tmp_path, 1)
    (tmp_path / "README.md").write_text(OLD_CARD)
    seal_journals(tmp_path)
    assert front_matter(tmp_path)["configs"][0]["description"].startswith("1 shard, ")


def test_a_card_of_an_earlier_version_gets_a_description_and_keeps_its_text(
    sample: Any, tmp_path: Path, load: Any
) -> None:
    sample.record(tmp_path / "records", 1)
    (tmp_path / "records" / "README.md").write_text(OLD_CARD.replace("---\nconfigs", "---\nlicense: mit\nconfigs"))
    assert load(tmp_path / "records") == [0]
    sample.record(tmp_path / "records", 1)
    assert load(tmp_path / "records") == [0, 0]
    front = front_matter(tmp_path / "records")
    assert front["license"] == "mit"
    assert front["configs"][0]["description"].startswith("2 shards, ")
    assert (tmp_path / "records" / "README.md").read_text().endswith("---\n# My rows\n")


@pytest.mark.parametrize(
    "damaged", ["", "---\nconfigs: [\n---\n# My rows\n", "# My rows\n", "---\n!!int x\n---\n", "\xff"]
)
def test_a_damaged_card_is_repaired_by_the_next_writer(sample: Any, tmp_path: Path, damaged: str) -> None:
    sample.record(tmp_path, 1)
    (tmp_path / "README.md").write_bytes(damaged.encode("latin-1"))
    sample.writer(tmp_path).close()
    assert front_matter(tmp_path)["configs"][0]["data_files"] == [{"split": "train", "path": "data/*.parquet"}]
    assert ("# My rows" in damaged) == (tmp_path / "README.md").read_text().endswith("---\n# My rows\n")
