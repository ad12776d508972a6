"""Kills and full disks: no acknowledged row is lost, and none is read twice."""

from __future__ import annotations

import errno
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

import pytest

from tabletop_interaction.envs.records.reading import count_interactions, open_interactions, read_interactions
from tabletop_interaction.errors import DiskFull

KILLED = """
import os, signal, sys
sys.path.insert(0, {tests!r})
from sample_rows import interaction, writer
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


def assert_nothing_lost(sample: Any, folder: Path, written: list[str]) -> None:
    rows = list(read_interactions(folder))
    found = [row.interaction_id for row in rows]
    assert len(found) == len(set(found))
    assert set(written) <= set(found)
    for row in rows:
        wanted = sample.interaction(row.step)
        assert (row.before, row.held, row.after) == (wanted.before, wanted.held, wanted.after)


def test_a_killed_writer_loses_no_acknowledged_row(sample: Any, tmp_path: Path) -> None:
    written: list[str] = []
    chance = random.Random(0)
    for _ in range(3):
        process = start(tmp_path, name="w0")
        assert process.stdout is not None
        written.append(process.stdout.readline().strip())
        time.sleep(chance.uniform(0, 0.05))
        process.kill()
        written += acknowledged(process)
        assert_nothing_lost(sample, tmp_path, written)
    sample.writer(tmp_path).close()
    assert_nothing_lost(sample, tmp_path, written)
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
        *(("Path.replace", count, last_act) for count in (1, 2, 3) for last_act in ("pass", "real(*args)")),
        ("Path.unlink", 4, "pass"),
        ("Path.unlink", 4, "real(*args)"),
    ],
)
def test_a_kill_between_the_steps_of_sealing_loses_no_row(
    sample: Any, tmp_path: Path, call: str, count: int, last_act: str
) -> None:
    sample.record(tmp_path, 1)
    written = acknowledged(start(tmp_path, KILL_AT.format(call=call, count=count, last_act=last_act)))
    assert 1 <= len(written) <= 3
    assert_nothing_lost(sample, tmp_path, written)
    sample.writer(tmp_path).close()
    assert_nothing_lost(sample, tmp_path, written)
    assert all(name.startswith("part-") for name in sample.shards(tmp_path))


FORKED = """
import os, sys
sys.path.insert(0, {tests!r})
from sample_rows import interaction, writer
from tabletop_interaction.errors import FolderInUse
out = writer({folder!r}, writer="w0")
out.append(interaction(0))
if (child := os.fork()) == 0:
    del out
    sys.exit()
assert os.waitpid(child, 0)[1] == 0
try:
    writer({folder!r}, writer="w0")
except FolderInUse:
    out.append(interaction(1))
    out.close()
"""


def test_a_forked_child_that_ends_keeps_its_parents_lock(sample: Any, tmp_path: Path) -> None:
    code = FORKED.format(tests=str(Path(__file__).parent), folder=str(tmp_path))
    subprocess.run([sys.executable, "-c", code], check=True)
    assert [row.step for row in read_interactions(tmp_path)] == [0, 1]
    assert sorted(os.listdir(tmp_path)) == [".lock", "README.md", "data", "meta.json"]


def leave_a_journal(sample: Any, folder: Path, rows: int) -> Path:
    """What a writer that was killed leaves: its journal, and no shard."""
    with sample.writer(folder) as out:
        for number in range(rows):
            out.append(sample.interaction(number))
        (journal,) = folder.glob(".journal-*")
        copy = shutil.copy(journal, folder.with_name("journal"))
    (folder / "data" / "part-w0-00000.parquet").unlink()
    return Path(shutil.move(copy, journal))


@pytest.mark.parametrize("torn", [1, 9, 300, 2000])
def test_a_torn_journal_costs_only_its_last_row(sample: Any, tmp_path: Path, torn: int) -> None:
    journal = leave_a_journal(sample, tmp_path / "rows", 4)
    os.truncate(journal, journal.stat().st_size - torn)
    assert [row.step for row in read_interactions(tmp_path / "rows")] == [0, 1, 2]
    written = sample.record(tmp_path / "rows", 1, writer="w0")
    assert written == ["w0-00001-000"]
    assert [row.step for row in read_interactions(tmp_path / "rows")] == [0, 1, 2, 0]
    assert not journal.exists()


def test_a_journal_without_a_whole_row_is_removed(sample: Any, tmp_path: Path) -> None:
    journal = leave_a_journal(sample, tmp_path / "rows", 1)
    os.truncate(journal, 20)
    assert count_interactions(tmp_path / "rows") == 0
    sample.writer(tmp_path / "rows").close()
    assert sample.shards(tmp_path / "rows") == []
    assert not journal.exists()


def test_rows_both_in_a_shard_and_in_its_journal_are_read_once(sample: Any, tmp_path: Path) -> None:
    leave_a_journal(sample, tmp_path / "rows", 3)
    (journal,) = (tmp_path / "rows").glob(".journal-*")
    kept = journal.read_bytes()
    sample.writer(tmp_path / "rows").close()
    journal.write_bytes(kept)
    assert [row.step for row in read_interactions(tmp_path / "rows")] == [0, 1, 2]
    assert len(open_interactions(tmp_path / "rows")) == 3
    sample.writer(tmp_path / "rows").close()
    assert not journal.exists()
    assert count_interactions(tmp_path / "rows") == 3


@contextmanager
def no_file_above(size: int) -> Iterator[None]:
    """Writes that would make a file longer fail, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_costs_only_the_row_that_did_not_fit(sample: Any, tmp_path: Path) -> None:
    with sample.writer(tmp_path) as out:
        written = [out.append(sample.interaction(0)).interaction_id]
        (journal,) = tmp_path.glob(".journal-*")
        with no_file_above(journal.stat().st_size + 500), pytest.raises(DiskFull, match="free space"):
            out.append(sample.interaction(1))
        assert [row.step for row in read_interactions(tmp_path)] == [0]
        written.append(out.append(sample.interaction(2)).interaction_id)
    assert [row.step for row in read_interactions(tmp_path)] == [0, 2]
    assert sample.ids(tmp_path) == written


def test_a_disk_too_full_for_the_shard_keeps_the_journal(sample: Any, tmp_path: Path) -> None:
    out = sample.writer(tmp_path)
    for number in range(3):
        out.append(sample.interaction(number))
    with no_file_above(2000), pytest.raises(DiskFull):
        out.close()
    assert sample.shards(tmp_path) == []
    assert [row.step for row in read_interactions(tmp_path)] == [0, 1, 2]
    sample.writer(tmp_path).close()
    assert sample.shards(tmp_path) == ["part-w0-00000.parquet"]
    assert [row.step for row in read_interactions(tmp_path)] == [0, 1, 2]


def test_a_disk_that_fails_to_sync_acknowledges_nothing(
    sample: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with sample.writer(tmp_path) as out:
        out.append(sample.interaction(0))
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(DiskFull):
                out.append(sample.interaction(1))
    assert [row.step for row in read_interactions(tmp_path)] == [0]


def test_a_disk_that_is_full_from_the_start_leaves_no_rows_and_no_claim(sample: Any, small_disk: Any) -> None:
    folder = small_disk.folder / "rows"
    small_disk.fill()
    with pytest.raises(DiskFull, match="every interaction that was acknowledged before is whole and readable"):
        sample.writer(folder)
    assert not folder.exists() or set(os.listdir(folder)) <= {".lock"}
    small_disk.free()
    sample.record(folder, 1)
    assert count_interactions(folder) == 1


def test_a_disk_that_fills_up_keeps_all_acknowledged_rows(sample: Any, small_disk: Any) -> None:
    folder = small_disk.folder / "rows"
    written: list[str] = []

    def record_without_end() -> None:
        with sample.writer(folder, rows_per_shard=2) as out:
            while True:
                written.append(out.append(sample.interaction(len(written))).interaction_id)

    with pytest.raises(DiskFull):
        record_without_end()
    assert len(written) > 2
    assert sample.ids(folder) == written
    assert not list(folder.rglob(".tmp-*"))


KILLED_WHILE_OPENING = """
import os, signal, sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from sample_rows import writer
from tabletop_interaction import files
{before}
writer({folder!r})
"""


@pytest.mark.parametrize("call", ["Path.replace", "os.fsync", "Path.mkdir"])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_folder_whose_opening_was_killed_can_be_opened(sample: Any, tmp_path: Path, call: str, count: int) -> None:
    before = KILL_AT.format(call=call, count=count, last_act="real(*args, **kwargs)")
    code = KILLED_WHILE_OPENING.format(tests=str(Path(__file__).parent), folder=str(tmp_path / "rows"), before=before)
    ended = subprocess.run([sys.executable, "-c", code])
    assert ended.returncode in (0, -signal.SIGKILL)
    sample.record(tmp_path / "rows", 1)
    assert count_interactions(tmp_path / "rows") == 1
