"""Interactions on disk: what goes in comes out, for us and for `datasets`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tabletop_interaction.envs.backend import PickOutcome
from tabletop_interaction.envs.records.reading import read_interactions


def test_a_row_comes_back_as_it_was_written(sample: Any, tmp_path: Path) -> None:
    sample.record(tmp_path / "rows", 1)
    (row,) = read_interactions(tmp_path / "rows")
    wanted = sample.interaction(0)
    assert (row.before, row.held, row.after) == (wanted.before, wanted.held, wanted.after)
    assert row.pick_place == wanted.pick_place
    assert (row.grasped, row.pick_outcome) == (True, PickOutcome.HELD)
    assert (row.split, row.background, row.seed, row.episode, row.step) == ("train", "oak", 7, 1, 0)
    assert (row.scene, row.time, row.writer) == (2, wanted.time, "w0")
    assert row.pick_xy.tolist() == wanted.pick_xy.tolist()
    assert row.place_xy.dtype == np.float32
    assert [view.to_dict() for view in row.views] == [view.to_dict() for view in wanted.views]


def test_pictures_come_back_bit_by_bit_in_rgb(sample: Any, tmp_path: Path) -> None:
    sample.record(tmp_path, 1)
    (row,) = read_interactions(tmp_path)
    assert np.array_equal(row.before["view_1"], sample.picture(1))
    assert np.array_equal(row.after["view_0"], sample.picture(20))


def test_load_dataset_opens_the_folder_with_its_pictures(sample: Any, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    folder = tmp_path / "sim_test"
    sample.record(folder, 5, rows_per_shard=2, writer="sim_test_w0")
    with sample.writer(folder) as living:
        living.append(sample.interaction(5))
        loaded = datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))
    assert {name: len(rows) for name, rows in loaded.items()} == {"train": 5}
    row = loaded["train"][3]
    assert np.array_equal(np.asarray(row["view_1_after"]), sample.picture(51))
    assert (row["step"], row["pick_xy"], row["grasped"]) == (3, [[1.5, 2.25], [3, 4]], False)
    assert json.loads(row["views"])[0]["name"] == "view_0"
