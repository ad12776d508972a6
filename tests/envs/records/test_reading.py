"""Rows are read in any order, once each, and damage is named."""

from __future__ import annotations

import json
import os
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from tabletop_interaction.envs.records.reading import count_interactions, open_interactions, read_interactions
from tabletop_interaction.errors import ForeignFolder, InvalidConfiguration, UnreadableRecords

GOLDEN = Path(__file__).parent / "golden"


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


def test_schema_version_1_can_be_read(sample: Any, tmp_path: Path) -> None:
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
    meta.pop("checksum")
    (tmp_path / "meta.json").write_text(json.dumps({**meta, "schema_version": 9}))
    with pytest.raises(ForeignFolder, match="schema_version 9, not 1"):
        sample.writer(tmp_path)
