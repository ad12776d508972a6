"""Interactions on disk: what goes in comes out, whatever kills the writer in between."""

from __future__ import annotations

import errno
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import imageio.v3 as iio
import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from tabletop_interaction.envs.actions import PickPlace
from tabletop_interaction.envs.backend import PickOutcome
from tabletop_interaction.envs.errors import (
    DiskFull,
    ForeignFolder,
    InvalidConfiguration,
    UnreadableRecords,
    WriterInUse,
)
from tabletop_interaction.envs.journal import InteractionWriter
from tabletop_interaction.envs.record_folder import is_record_folder
from tabletop_interaction.envs.record_reading import (
    count_interactions,
    open_interactions,
    read_interactions,
)
from tabletop_interaction.envs.records import Interaction, PngPictures, encode_picture
from tabletop_interaction.envs.views import View

VIEWS = ("view_0", "view_1")
GOLDEN = Path(__file__).parent / "golden"


def picture(number: int) -> NDArray[np.uint8]:
    return np.random.default_rng(number).integers(0, 256, (6, 8, 3), dtype=np.uint8)


def pictures(number: int) -> PngPictures:
    return PngPictures({name: encode_picture(picture(10 * number + i)) for i, name in enumerate(VIEWS)})


def interaction(number: int, **changes: Any) -> Interaction:
    values: dict[str, Any] = {
        "before": pictures(number),
        "held": pictures(number + 1),
        "after": pictures(number + 2),
        "pick_place": PickPlace(0.1, -0.2, 0.5, 0.05, number / 1000),
        "grasped": number % 2 == 0,
        "pick_outcome": PickOutcome.HELD if number % 2 == 0 else PickOutcome.SLIPPED,
        "pick_xy": np.array([[1.5, 2.25], [3, 4]], np.float32),
        "place_xy": np.array([[5, 6], [7, 8]], np.float32),
        "views": tuple(View(name, 6, 8, np.eye(3) * 2, np.eye(4), np.arange(5.0)) for name in VIEWS),
        "split": "train",
        "background": "oak",
        "seed": 7,
        "episode": 1,
        "step": number,
        "scene": 2,
        "time": "2026-11-05T12:00:00.000+00:00",
    }
    return Interaction(**{**values, **changes})


def writer(folder: Path, **options: Any) -> InteractionWriter:
    return InteractionWriter(folder, **{"split": "train", "views": VIEWS, **options})


def record(folder: Path, rows: int, **options: Any) -> list[str]:
    with writer(folder, **options) as out:
        return [out.append(interaction(number)).interaction_id for number in range(rows)]


def ids(folder: Path) -> list[str]:
    return [row.interaction_id for row in read_interactions(folder, columns=())]


def shards(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "data").iterdir())


def test_a_row_comes_back_as_it_was_written(tmp_path: Path) -> None:
    record(tmp_path / "rows", 1)
    (row,) = read_interactions(tmp_path / "rows")
    wanted = interaction(0)
    assert (row.before, row.held, row.after) == (wanted.before, wanted.held, wanted.after)
    assert row.pick_place == wanted.pick_place
    assert (row.grasped, row.pick_outcome) == (True, PickOutcome.HELD)
    assert (row.split, row.background, row.seed, row.episode, row.step) == ("train", "oak", 7, 1, 0)
    assert (row.scene, row.time, row.writer) == (2, wanted.time, "w0")
    assert row.pick_xy.tolist() == wanted.pick_xy.tolist()
    assert row.place_xy.dtype == np.float32
    assert [view.to_dict() for view in row.views] == [view.to_dict() for view in wanted.views]


def test_pictures_come_back_bit_by_bit_in_rgb(tmp_path: Path) -> None:
    record(tmp_path, 1)
    (row,) = read_interactions(tmp_path)
    assert np.array_equal(row.before["view_1"], picture(1))
    assert np.array_equal(row.after["view_0"], picture(20))


def test_only_the_pictures_that_were_asked_for_are_read(tmp_path: Path) -> None:
    record(tmp_path, 1)
    (row,) = read_interactions(tmp_path, columns=["view_0_before", "view_0_held"])
    assert (list(row.before), list(row.held), list(row.after)) == (["view_0"], ["view_0"], [])
    with pytest.raises(KeyError, match="read are"):
        row.before["view_1"]
    with pytest.raises(InvalidConfiguration, match="view_0_before"):
        read_interactions(tmp_path, columns=["view_9_before"])


def test_a_table_gives_any_row_in_any_order(tmp_path: Path) -> None:
    written = record(tmp_path, 21, rows_per_shard=10)
    table = open_interactions(tmp_path)
    assert (len(table), count_interactions(tmp_path)) == (21, 21)
    order = random.Random(0).sample(range(21), 21)
    assert [table[number].interaction_id for number in order] == [written[number] for number in order]
    assert table[-1].step == 20
    with pytest.raises(IndexError):
        table[21]


def test_a_full_journal_becomes_a_shard_and_a_closed_folder_shows_nothing_else(tmp_path: Path) -> None:
    record(tmp_path, 5, rows_per_shard=2)
    assert shards(tmp_path) == [f"part-w0-0000{n}.parquet" for n in range(3)]
    assert sorted(os.listdir(tmp_path)) == [".lock", "README.md", "data", "meta.json"]


def test_rows_of_a_living_writer_can_be_read(tmp_path: Path) -> None:
    with writer(tmp_path, rows_per_shard=3) as out:
        for number in range(5):
            out.append(interaction(number))
            assert [row.step for row in read_interactions(tmp_path)] == list(range(number + 1))


def test_an_open_table_outlives_the_sealing_of_its_journal(tmp_path: Path) -> None:
    with writer(tmp_path) as out:
        out.append(interaction(3))
        table = open_interactions(tmp_path)
    assert np.array_equal(table[0].before["view_0"], picture(30))


def test_a_name_used_before_goes_on_and_no_id_repeats(tmp_path: Path) -> None:
    written = [row for _ in range(3) for row in record(tmp_path, 3, writer="robot-1", rows_per_shard=2)]
    assert len(set(written)) == 9
    assert ids(tmp_path) == written


def test_without_a_name_each_writer_takes_one_never_used(tmp_path: Path) -> None:
    record(tmp_path, 1)
    with writer(tmp_path) as one, writer(tmp_path) as two:
        assert (one.writer, two.writer) == ("w1", "w2")


def test_two_writers_share_a_folder(tmp_path: Path) -> None:
    with writer(tmp_path, rows_per_shard=2) as one, writer(tmp_path, rows_per_shard=3) as two:
        written = [out.append(interaction(n)).interaction_id for n in range(7) for out in (one, two)]
    assert sorted(ids(tmp_path)) == sorted(written)


def test_a_name_in_use_is_refused(tmp_path: Path) -> None:
    with writer(tmp_path, writer="w0"), pytest.raises(WriterInUse, match="another name"):
        writer(tmp_path, writer="w0")
    record(tmp_path, 1, writer="w0")


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(ForeignFolder, match=r"thesis\.tex"):
        writer(tmp_path)
    with pytest.raises(ForeignFolder, match=r"meta\.json"):
        read_interactions(tmp_path)
    assert os.listdir(tmp_path) == ["thesis.tex"]


@pytest.mark.parametrize(
    "options",
    [
        {"split": "val"},
        {"views": ("view_0",)},
        {"metadata": {"backend": "b"}},
        {"metadata": {"renderer": "s"}},
    ],
)
def test_rows_of_another_kind_are_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    metadata = {"backend": "a", "renderer": "r", "versions": {"numpy": "2.0"}}
    writer(tmp_path, metadata=metadata).close()
    writer(tmp_path, metadata={**metadata, "versions": {"numpy": "2.1"}}).close()
    with pytest.raises(ForeignFolder, match="give a new folder"):
        writer(tmp_path, **{"metadata": metadata, **options})


def test_a_row_that_does_not_fit_is_refused_and_the_writer_goes_on(tmp_path: Path) -> None:
    with writer(tmp_path) as out:
        for changes in (
            {"split": "val"},
            {"views": ()},
            {"held": PngPictures({})},
            {"pick_xy": np.zeros((1, 2))},
        ):
            with pytest.raises(InvalidConfiguration):
                out.append(interaction(0, **changes))
        out.append(interaction(0))
    assert count_interactions(tmp_path) == 1


@pytest.mark.parametrize("options", [{"split": "x"}, {"writer": "a/b"}, {"rows_per_shard": 0}])
def test_bad_arguments_write_nothing(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidConfiguration):
        writer(tmp_path / "rows", **options)
    assert not (tmp_path / "rows").exists()


def test_a_closed_writer_refuses_rows(tmp_path: Path) -> None:
    out = writer(tmp_path)
    out.close()
    out.close()
    with pytest.raises(ValueError, match="closed"):
        out.append(interaction(0))


# --- what a kill leaves behind


KILLED = """
import os, signal, sys
sys.path.insert(0, {tests!r})
from test_records import interaction, writer
out = writer({folder!r}, writer={name!r}, rows_per_shard=3)
{before}
for number in range(1_000_000):
    print(out.append(interaction(number)).interaction_id, flush=True)
"""


def start(folder: Path, before: str = "", name: str | None = None) -> subprocess.Popen[str]:
    code = KILLED.format(tests=str(Path(__file__).parent), folder=str(folder), before=before, name=name)
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)


def acknowledged(process: subprocess.Popen[str]) -> list[str]:
    """Whole lines that the process printed until it was killed."""
    assert process.stdout is not None
    with process.stdout as lines:
        printed = lines.read()
    assert process.wait() == -signal.SIGKILL
    return printed.split("\n")[:-1]


def assert_nothing_lost(folder: Path, written: list[str]) -> None:
    rows = list(read_interactions(folder))
    found = [row.interaction_id for row in rows]
    assert len(found) == len(set(found))
    assert set(written) <= set(found)
    for row in rows:
        wanted = interaction(row.step)
        assert (row.before, row.held, row.after) == (wanted.before, wanted.held, wanted.after)


def test_a_killed_writer_loses_no_acknowledged_row(tmp_path: Path) -> None:
    written: list[str] = []
    chance = random.Random(0)
    for _ in range(5):
        process = start(tmp_path, name="w0")
        assert process.stdout is not None
        written.append(process.stdout.readline().strip())
        time.sleep(chance.uniform(0, 0.05))
        process.kill()
        written += acknowledged(process)
        assert_nothing_lost(tmp_path, written)
    writer(tmp_path).close()
    assert_nothing_lost(tmp_path, written)
    assert sorted(os.listdir(tmp_path)) == [".lock", "README.md", "data", "meta.json"]


KILL_AT = """
from pathlib import Path
real, calls = {call}, []
def deadly(*args, **kwargs):
    calls.append(1)
    if len(calls) < {count}:
        return real(*args, **kwargs)
    {last_act}
    os.kill(os.getpid(), signal.SIGKILL)
{call} = deadly
"""


@pytest.mark.parametrize(
    ("call", "count", "last_act"),
    [
        ("os.write", 4, "pass"),
        ("os.write", 4, "real(args[0], args[1][: len(args[1]) // 2])"),
        ("os.write", 4, "real(*args)"),
        ("os.fsync", 5, "real(*args)"),
        ("Path.replace", 1, "pass"),
        ("Path.replace", 1, "real(*args)"),
        ("Path.unlink", 2, "pass"),
        ("Path.unlink", 2, "real(*args)"),
    ],
)
def test_a_kill_at_the_worst_moments_loses_nothing(tmp_path: Path, call: str, count: int, last_act: str) -> None:
    record(tmp_path, 1)
    written = acknowledged(start(tmp_path, KILL_AT.format(call=call, count=count, last_act=last_act)))
    assert 1 <= len(written) <= 3
    assert_nothing_lost(tmp_path, written)
    writer(tmp_path).close()
    assert_nothing_lost(tmp_path, written)
    assert all(name.startswith("part-") for name in shards(tmp_path))


def leave_a_journal(folder: Path, rows: int) -> Path:
    """What a writer that was killed leaves: its journal, and no shard."""
    with writer(folder) as out:
        for number in range(rows):
            out.append(interaction(number))
        (journal,) = folder.glob(".journal-*")
        copy = shutil.copy(journal, folder.with_name("journal"))
    (folder / "data" / "part-w0-00000.parquet").unlink()
    return Path(shutil.move(copy, journal))


@pytest.mark.parametrize("torn", [1, 9, 300, 2000])
def test_a_torn_journal_costs_only_its_last_row(tmp_path: Path, torn: int) -> None:
    journal = leave_a_journal(tmp_path / "rows", 4)
    os.truncate(journal, journal.stat().st_size - torn)
    assert [row.step for row in read_interactions(tmp_path / "rows")] == [0, 1, 2]
    written = record(tmp_path / "rows", 1, writer="w0")
    assert written == ["w0-00001-000"]
    assert [row.step for row in read_interactions(tmp_path / "rows")] == [0, 1, 2, 0]
    assert not journal.exists()


def test_a_journal_without_a_whole_row_goes_away(tmp_path: Path) -> None:
    journal = leave_a_journal(tmp_path / "rows", 1)
    os.truncate(journal, 20)
    assert count_interactions(tmp_path / "rows") == 0
    writer(tmp_path / "rows").close()
    assert shards(tmp_path / "rows") == []
    assert not journal.exists()


def test_rows_that_stand_in_a_shard_and_in_its_journal_are_read_once(tmp_path: Path) -> None:
    leave_a_journal(tmp_path / "rows", 3)
    (journal,) = (tmp_path / "rows").glob(".journal-*")
    kept = journal.read_bytes()
    writer(tmp_path / "rows").close()
    journal.write_bytes(kept)
    assert [row.step for row in read_interactions(tmp_path / "rows")] == [0, 1, 2]
    assert len(open_interactions(tmp_path / "rows")) == 3
    writer(tmp_path / "rows").close()
    assert not journal.exists()
    assert count_interactions(tmp_path / "rows") == 3


def test_a_shard_that_was_copied_is_read_once(tmp_path: Path) -> None:
    record(tmp_path, 3)
    shutil.copy(tmp_path / "data/part-w0-00000.parquet", tmp_path / "data/part-copy-00000.parquet")
    assert count_interactions(tmp_path) == 3


# --- damage and a full disk


def test_a_damaged_shard_is_named(tmp_path: Path) -> None:
    record(tmp_path, 4, rows_per_shard=2)
    os.truncate(tmp_path / "data/part-w0-00001.parquet", 1000)
    with pytest.raises(UnreadableRecords, match=r"part-w0-00001\.parquet is damaged .* restore it"):
        read_interactions(tmp_path)


def test_a_damaged_meta_is_named(tmp_path: Path) -> None:
    record(tmp_path, 1)
    (tmp_path / "meta.json").write_text('{"split":')
    with pytest.raises(UnreadableRecords, match=r"meta\.json is damaged"):
        read_interactions(tmp_path)


def test_a_folder_of_records_is_known_from_others(tmp_path: Path) -> None:
    writer(tmp_path / "rows").close()
    assert is_record_folder(tmp_path / "rows")
    assert not is_record_folder(tmp_path)
    assert not is_record_folder(tmp_path / "nowhere")


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableRecords, match="nowhere"):
        count_interactions(tmp_path / "nowhere")


@contextmanager
def no_file_above(size: int) -> Iterator[None]:
    """Writes that would make a file longer fail, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_costs_only_the_row_that_did_not_fit(tmp_path: Path) -> None:
    with writer(tmp_path) as out:
        written = [out.append(interaction(0)).interaction_id]
        (journal,) = tmp_path.glob(".journal-*")
        with no_file_above(journal.stat().st_size + 500), pytest.raises(DiskFull, match="free space"):
            out.append(interaction(1))
        assert [row.step for row in read_interactions(tmp_path)] == [0]
        written.append(out.append(interaction(2)).interaction_id)
    assert [row.step for row in read_interactions(tmp_path)] == [0, 2]
    assert ids(tmp_path) == written


def test_a_disk_too_full_for_the_shard_keeps_the_journal(tmp_path: Path) -> None:
    out = writer(tmp_path)
    for number in range(3):
        out.append(interaction(number))
    with no_file_above(2000), pytest.raises(DiskFull):
        out.close()
    assert shards(tmp_path) == []
    assert [row.step for row in read_interactions(tmp_path)] == [0, 1, 2]
    writer(tmp_path).close()
    assert shards(tmp_path) == ["part-w0-00000.parquet"]
    assert [row.step for row in read_interactions(tmp_path)] == [0, 1, 2]


def test_a_disk_that_fails_to_sync_acknowledges_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with writer(tmp_path) as out:
        out.append(interaction(0))
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(DiskFull):
                out.append(interaction(1))
    assert [row.step for row in read_interactions(tmp_path)] == [0]


# --- formats


def test_the_first_schema_is_read_for_ever(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    shutil.copy(GOLDEN / "records_v1.parquet", tmp_path / "data/part-w0-00000.parquet")
    shutil.copy(GOLDEN / "meta_v1.json", tmp_path / "meta.json")
    rows = list(read_interactions(tmp_path))
    assert [row.interaction_id for row in rows] == ["w0-00000-000", "w0-00000-001"]
    for number, row in enumerate(rows):
        wanted = interaction(number)
        assert np.array_equal(row.held["view_1"], wanted.held["view_1"])
        assert (row.pick_place, row.pick_outcome) == (wanted.pick_place, wanted.pick_outcome)
        assert row.place_xy.tolist() == wanted.place_xy.tolist()
        assert row.views[1].to_dict() == wanted.views[1].to_dict()


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    record(tmp_path, 1)
    path = tmp_path / "data/part-w0-00000.parquet"
    rows = pq.read_table(path)
    pq.write_table(rows.replace_schema_metadata({"schema_version": "9"}), path)
    with pytest.raises(UnreadableRecords, match="schema version 9"):
        read_interactions(tmp_path)
    meta = json.loads((tmp_path / "meta.json").read_text())
    (tmp_path / "meta.json").write_text(json.dumps({**meta, "schema_version": 9}))
    with pytest.raises(ForeignFolder, match="schema_version 9, not 1"):
        writer(tmp_path)


def test_load_dataset_opens_the_folder_with_its_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    folder = tmp_path / "sim_test"
    record(folder, 5, rows_per_shard=2, writer="sim_test_w0")
    with writer(folder) as living:
        living.append(interaction(5))
        loaded = datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))
    assert {name: len(rows) for name, rows in loaded.items()} == {"train": 5}
    row = loaded["train"][3]
    assert np.array_equal(np.asarray(row["view_1_after"]), picture(51))
    assert (row["step"], row["pick_xy"], row["grasped"]) == (3, [[1.5, 2.25], [3, 4]], False)
    assert json.loads(row["views"])[0]["name"] == "view_0"


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 7, 3), (350, 430, 3)])
def test_our_png_is_read_by_others_as_it_was(shape):
    picture = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    by_opencv = cv2.imdecode(np.frombuffer(encode_picture(picture), np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
    by_pillow = iio.imread(encode_picture(picture), extension=".png")
    np.testing.assert_array_equal(by_opencv, picture)
    np.testing.assert_array_equal(by_pillow, picture)
