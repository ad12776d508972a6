"""Interactions on disk: what goes in comes out, damage is named, and others read the files."""

from __future__ import annotations

import json
import os
import random
import shutil
from pathlib import Path
from typing import Any

import cv2
import imageio.v3 as iio
import numpy as np
import pyarrow.parquet as pq
import pytest

from tabletop_interaction.envs.backend import PickOutcome
from tabletop_interaction.envs.records.folder import is_record_folder
from tabletop_interaction.envs.records.reading import count_interactions, open_interactions, read_interactions
from tabletop_interaction.envs.records.row import encode_picture
from tabletop_interaction.errors import ForeignFolder, InvalidConfiguration, UnreadableRecords

GOLDEN = Path(__file__).parent / "golden"


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


def test_only_the_pictures_that_were_asked_for_are_read(sample: Any, tmp_path: Path) -> None:
    sample.record(tmp_path, 1)
    (row,) = read_interactions(tmp_path, columns=["view_0_before", "view_0_held"])
    assert (list(row.before), list(row.held), list(row.after)) == (["view_0"], ["view_0"], [])
    with pytest.raises(KeyError, match="read are"):
        row.before["view_1"]
    with pytest.raises(InvalidConfiguration, match="view_0_before"):
        read_interactions(tmp_path, columns=["view_9_before"])


def test_a_table_gives_any_row_in_any_order(sample: Any, tmp_path: Path) -> None:
    written = sample.record(tmp_path, 21, rows_per_shard=10)
    table = open_interactions(tmp_path)
    assert (len(table), count_interactions(tmp_path)) == (21, 21)
    order = random.Random(0).sample(range(21), 21)
    assert [table[number].interaction_id for number in order] == [written[number] for number in order]
    assert table[-1].step == 20
    with pytest.raises(IndexError):
        table[21]


def test_a_shard_that_was_copied_is_read_once(sample: Any, tmp_path: Path) -> None:
    sample.record(tmp_path, 3)
    shutil.copy(tmp_path / "data/part-w0-00000.parquet", tmp_path / "data/part-copy-00000.parquet")
    assert count_interactions(tmp_path) == 3


def test_a_damaged_shard_is_named(sample: Any, tmp_path: Path) -> None:
    sample.record(tmp_path, 4, rows_per_shard=2)
    os.truncate(tmp_path / "data/part-w0-00001.parquet", 1000)
    with pytest.raises(UnreadableRecords, match=r"part-w0-00001\.parquet is damaged .* restore it"):
        read_interactions(tmp_path)


def test_a_damaged_meta_is_named(sample: Any, tmp_path: Path) -> None:
    sample.record(tmp_path, 1)
    (tmp_path / "meta.json").write_text('{"split":')
    with pytest.raises(UnreadableRecords, match=r"meta\.json is damaged"):
        read_interactions(tmp_path)


def test_a_folder_of_records_is_known_from_others(sample: Any, tmp_path: Path) -> None:
    sample.writer(tmp_path / "rows").close()
    assert is_record_folder(tmp_path / "rows")
    assert not is_record_folder(tmp_path)
    assert not is_record_folder(tmp_path / "nowhere")


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableRecords, match="nowhere"):
        count_interactions(tmp_path / "nowhere")


def test_the_first_schema_is_read_for_ever(sample: Any, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    shutil.copy(GOLDEN / "records_v1.parquet", tmp_path / "data/part-w0-00000.parquet")
    shutil.copy(GOLDEN / "meta_v1.json", tmp_path / "meta.json")
    rows = list(read_interactions(tmp_path))
    assert [row.interaction_id for row in rows] == ["w0-00000-000", "w0-00000-001"]
    for number, row in enumerate(rows):
        wanted = sample.interaction(number)
        assert np.array_equal(row.held["view_1"], wanted.held["view_1"])
        assert (row.pick_place, row.pick_outcome) == (wanted.pick_place, wanted.pick_outcome)
        assert row.place_xy.tolist() == wanted.place_xy.tolist()
        assert row.views[1].to_dict() == wanted.views[1].to_dict()


def test_a_newer_schema_is_refused(sample: Any, tmp_path: Path) -> None:
    sample.record(tmp_path, 1)
    path = tmp_path / "data/part-w0-00000.parquet"
    rows = pq.read_table(path)
    pq.write_table(rows.replace_schema_metadata({"schema_version": "9"}), path)
    with pytest.raises(UnreadableRecords, match="schema version 9"):
        read_interactions(tmp_path)
    meta = json.loads((tmp_path / "meta.json").read_text())
    (tmp_path / "meta.json").write_text(json.dumps({**meta, "schema_version": 9}))
    with pytest.raises(ForeignFolder, match="schema_version 9, not 1"):
        sample.writer(tmp_path)


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


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 7, 3), (350, 430, 3)])
def test_our_png_is_read_by_others_as_it_was(shape):
    picture = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    by_opencv = cv2.imdecode(np.frombuffer(encode_picture(picture), np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
    by_pillow = iio.imread(encode_picture(picture), extension=".png")
    np.testing.assert_array_equal(by_opencv, picture)
    np.testing.assert_array_equal(by_pillow, picture)
