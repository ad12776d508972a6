"""Damage to journals: whole rows are read and sealed, lost ones are counted, and nothing is deleted."""

from __future__ import annotations

import multiprocessing
import os
import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from tabletop_interaction.envs.records import journal as journal_module
from tabletop_interaction.envs.records.folder import FolderMeta
from tabletop_interaction.envs.records.frames import read_frames
from tabletop_interaction.envs.records.reading import count_interactions, open_interactions, read_interactions
from tabletop_interaction.envs.records.row import batch_from_interaction, schema_of
from tabletop_interaction.errors import UnreadableRecords


@pytest.fixture
def leave_journal(sample: Any, tmp_path: Path) -> Callable[[int], Path]:
    """Leaves what a killed writer leaves: a journal with some rows."""

    def leave(rows: int) -> Path:
        out = sample.writer(tmp_path / "rows")
        for number in range(rows):
            out.append(sample.interaction(number))
        (journal,) = (tmp_path / "rows").glob(".journal-*")
        return journal

    return leave


def places(journal: Path) -> list[int]:
    with open(journal, "rb") as file:
        return [frame.start for frame in read_frames(file)]


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 16
    path.write_bytes(content)


# A mark, a length, the checksum of a header, and the content.
@pytest.mark.parametrize("place", [0, 14, 24, 2000])
@pytest.mark.parametrize(("row", "lost"), [(0, "1"), (2, "1"), (3, "at least 1")])
def test_a_flipped_bit_costs_one_row_which_is_counted(
    sample: Any, leave_journal: Any, row: int, lost: str, place: int
) -> None:
    journal = leave_journal(4)
    folder = journal.parent
    flip(journal, places(journal)[row] + place)
    whole = [step for step in range(4) if step != row]
    with pytest.warns(UserWarning, match=f"rows read: 3, rows lost: {lost};"):
        assert [found.step for found in read_interactions(folder)] == whole
    content = journal.read_bytes()
    with pytest.warns(UserWarning, match=rf"rows sealed: 3, rows lost: {lost}; it is kept as \.damaged-journal-"):
        sample.writer(folder).close()
    assert (folder / ".damaged-journal-w0-00000.frames").read_bytes() == content
    assert [found.step for found in read_interactions(folder)] == whole


def test_rows_that_are_lost_leave_no_ids_for_others(sample: Any, leave_journal: Any) -> None:
    folder = leave_journal(1).parent
    for number in range(2):
        (journal,) = folder.glob(".journal-*")
        flip(journal, 3000)
        with pytest.warns(UserWarning, match="rows sealed: 0, rows lost: at least 1"):
            out = sample.writer(folder, writer="w0")
        assert out.append(sample.interaction(0)).interaction_id == f"w0-0000{number + 1}-000"
        del out
    assert len(list(folder.glob(".damaged-journal-*"))) == 2


def test_a_kill_after_the_shard_was_written_keeps_a_damaged_journal(sample: Any, leave_journal: Any) -> None:
    journal = leave_journal(3)
    flip(journal, places(journal)[1] + 100)
    content = journal.read_bytes()
    with pytest.warns(UserWarning, match="rows lost: 1"):
        sample.writer(journal.parent).close()
    (kept,) = journal.parent.glob(".damaged-journal-*")
    kept.rename(journal)
    with pytest.warns(UserWarning, match="rows lost: 1"):
        sample.writer(journal.parent).close()
    assert kept.read_bytes() == content
    assert count_interactions(journal.parent) == 2


def test_a_writer_knows_the_rows_that_it_wrote(sample: Any, tmp_path: Path) -> None:
    out = sample.writer(tmp_path)
    for number in range(3):
        out.append(sample.interaction(number))
    (journal,) = tmp_path.glob(".journal-*")
    os.truncate(journal, places(journal)[2])
    with pytest.warns(UserWarning, match="rows sealed: 2, rows lost: 1;"):
        out.close()
    assert [row.step for row in read_interactions(tmp_path)] == [0, 1]


def unframed(sample: Any, journal: Path) -> Path:
    """A journal as earlier versions wrote it."""
    rows, schema = list(read_interactions(journal.parent)), schema_of(FolderMeta("train", sample.VIEWS))
    messages = [schema, *(batch_from_interaction(row, schema) for row in rows)]
    journal.unlink()
    path = journal.with_suffix(".arrows")
    path.write_bytes(b"".join(message.serialize().to_pybytes() for message in messages))
    return path


def test_a_journal_of_an_earlier_version_is_read_and_sealed(sample: Any, leave_journal: Any) -> None:
    journal = unframed(sample, leave_journal(3))
    for _ in range(2):
        rows = list(read_interactions(journal.parent))
        assert [row.step for row in rows] == [0, 1, 2]
        assert rows[2].before == sample.interaction(2).before
        sample.writer(journal.parent).close()
    assert sorted(os.listdir(journal.parent)) == [".lock", "README.md", "data", "meta.json"]


# The lengths of the second row's header and of its body.
@pytest.mark.parametrize("place", [5, 28])
def test_a_wrong_length_in_a_journal_of_an_earlier_version_costs_one_row(
    sample: Any, leave_journal: Any, place: int
) -> None:
    journal = unframed(sample, leave_journal(3))
    schema = len(schema_of(FolderMeta("train", sample.VIEWS)).serialize())
    flip(journal, schema + (journal.stat().st_size - schema) // 3 + place)
    with pytest.warns(UserWarning, match="rows read: 2, rows lost: 1 or more"):
        assert [row.step for row in read_interactions(journal.parent)] == [0, 2]
    with pytest.warns(UserWarning, match=r"kept as \.damaged-journal-w0-00000\.arrows"):
        sample.writer(journal.parent).close()
    assert [row.step for row in read_interactions(journal.parent)] == [0, 2]


def test_shards_have_the_checksums_of_parquet_for_other_readers(sample: Any, tmp_path: Path) -> None:
    sample.record(tmp_path, 1)
    shard = tmp_path / "data" / "part-w0-00000.parquet"
    content = bytearray(shard.read_bytes())
    content[content.index(b"\3\0\0\0oak") + 4] ^= 1
    shard.write_bytes(content)
    assert pq.read_table(shard)["background"].to_pylist() == ["nak"]
    with pytest.raises(OSError, match="CRC"):
        pq.read_table(shard, page_checksum_verification=True)
    with pytest.raises(UnreadableRecords, match="checksum"):
        open_interactions(tmp_path)[0]


def test_a_damaged_shard_does_not_pass_for_one_of_an_earlier_version(sample: Any, tmp_path: Path) -> None:
    sample.record(tmp_path, 1)
    shard = tmp_path / "data" / "part-w0-00000.parquet"
    content = shard.read_bytes()
    shard.write_bytes(content.replace(b"\x93TTCRC\r\n", bytes(8)))
    with pytest.raises(UnreadableRecords, match="checksums are missing"):
        open_interactions(tmp_path)
    shard.write_bytes(content[:-8] + bytes([content[-8] ^ 1]) + content[-7:])
    with pytest.raises(UnreadableRecords, match="length of its footer is wrong"):
        open_interactions(tmp_path)


def first_picture(table: Any, number: int) -> Any:
    return table[number].before["view_0"]


def test_a_table_with_an_open_journal_reads_the_same_rows_in_a_spawned_worker(sample: Any, tmp_path: Path) -> None:
    sample.record(tmp_path, 1)
    with sample.writer(tmp_path) as out:
        for number in range(3):
            out.append(sample.interaction(number))
        table = open_interactions(tmp_path)
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            found = pool.submit(first_picture, table, 3).result()
    assert np.array_equal(found, sample.picture(20))


def test_a_pickled_table_reads_rows_of_a_journal_that_was_sealed(sample: Any, tmp_path: Path) -> None:
    with sample.writer(tmp_path) as out:
        for number in range(9):
            out.append(sample.interaction(number))
        pickled = pickle.dumps(open_interactions(tmp_path))
    table = pickle.loads(pickled)
    assert [row.step for row in table] == list(range(9))
    (tmp_path / "data" / "part-w0-00000.parquet").unlink()
    with pytest.raises(UnreadableRecords, match="were removed since the folder was opened"):
        pickle.loads(pickled)[0]


def test_a_relative_folder_stays_where_it_was_when_the_process_moves(
    sample: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    with sample.writer(Path("rows"), rows_per_shard=2) as out:
        for number in range(3):
            out.append(sample.interaction(number))
            monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path)
    table = open_interactions("rows")
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert [row.step for row in table] == [0, 1, 2]
    assert os.listdir(tmp_path / "elsewhere") == []


def test_a_writer_that_is_dropped_gives_up_its_name_and_loses_no_row(sample: Any, tmp_path: Path) -> None:
    def record(step: int) -> None:
        out = sample.writer(tmp_path, writer="w0")
        out.append(sample.interaction(step))
        # A cycle keeps it until the garbage collector runs.
        out.itself = out

    for step in range(3):
        record(step)
    sample.writer(tmp_path, writer="w0").close()
    assert [row.step for row in read_interactions(tmp_path)] == [0, 1, 2]
    assert sorted(os.listdir(tmp_path)) == [".lock", "README.md", "data", "meta.json"]


def test_a_journal_that_a_writer_leaves_while_its_name_is_taken_is_not_overwritten(
    sample: Any, leave_journal: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = leave_journal(2).parent
    monkeypatch.setattr(journal_module, "_seal_abandoned_journals", lambda *_: None)
    with sample.writer(folder, writer="w0") as out:
        assert out.append(sample.interaction(5)).interaction_id == "w0-00001-000"
    assert sorted(row.step for row in read_interactions(folder)) == [0, 1, 5]


def test_a_journal_that_was_removed_from_its_writer_is_named(sample: Any, tmp_path: Path) -> None:
    out = sample.writer(tmp_path)
    out.append(sample.interaction(0))
    (journal,) = tmp_path.glob(".journal-*")
    journal.unlink()
    with pytest.raises(UnreadableRecords, match="was moved or removed while rows were written to it; its 1 rows"):
        out.close()
    assert sample.record(tmp_path, 1, writer="w0") == ["w0-00000-000"]
