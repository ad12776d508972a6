"""Files are whole or as before, folders have one maker, locks one holder, and a full disk is one typed error."""

import errno
import json
import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from enum import Enum, IntEnum
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabletop_interaction import files
from tabletop_interaction.errors import DiskFull, FolderInUse, ForeignFolder, TabletopError, UnreadableRecords
from tabletop_interaction.files import (
    append_json_line,
    atomic_path,
    check_new_folder,
    check_request,
    checksum,
    claim_folder,
    disk_full_named,
    keep_json_lines,
    lock_file,
    move_aside,
    plain,
    read_json,
    read_json_lines,
    repair_json_lines,
    write_file,
    write_json,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


class Colour(Enum):
    RED = "red"


class Number(IntEnum):
    TWO = 2


@dataclass(frozen=True)
class Inner:
    points: tuple[float, ...]


@dataclass(frozen=True)
class Outer:
    inner: Inner
    path: Path


def _broken_off(error):
    yield b"n"
    raise error


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_replaces_the_old_one_when_it_is_whole(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(b"old")
    with atomic_path(path) as temporary:
        temporary.write_bytes(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["a.json"]


@pytest.mark.parametrize("error", [TypeError, KeyboardInterrupt])
def test_writing_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "a.json"
    path.write_bytes(b"old")
    with pytest.raises(error), atomic_path(path) as temporary, open(temporary, "wb") as file:
        file.writelines(_broken_off(error))
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a.json"]


def test_the_temporary_path_is_a_hidden_sibling_with_the_same_suffix(tmp_path):
    with atomic_path(tmp_path / "new" / "film.mp4") as temporary:
        assert (temporary.parent, temporary.suffix) == (tmp_path / "new", ".mp4")
        assert temporary.name.startswith(".tmp-")


def test_the_mode_follows_the_umask_even_if_a_library_sets_another(tmp_path):
    before = os.umask(0o027)
    try:
        with atomic_path(tmp_path / "weights") as temporary:
            temporary.unlink()
            os.close(os.open(temporary, os.O_CREAT | os.O_WRONLY, 0o600))
    finally:
        os.umask(before)
    assert (tmp_path / "weights").stat().st_mode & 0o777 == 0o640


def test_the_temporary_file_of_a_killed_writer_is_replaced(tmp_path):
    (tmp_path / ".tmp-a.txt").write_text("torn")
    (tmp_path / ".tmp-a.txt").chmod(0o400)
    write_file(tmp_path / "a.txt", "whole")
    assert (tmp_path / "a.txt").read_text() == "whole"
    assert names(tmp_path) == ["a.txt"]


@settings(deadline=None, max_examples=50)
@given(JSON)
def test_plain_gives_what_json_reads_back(value):
    with tempfile.TemporaryDirectory() as folder:
        write_json(Path(folder) / "a.json", value)
        assert read_json(Path(folder) / "a.json") == plain(value) == value


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (Outer(Inner((1.0, 2.0)), Path("a/b")), {"inner": {"points": [1.0, 2.0]}, "path": "a/b"}),
        (np.float32(0.5), 0.5),
        (np.float64(0.1), 0.1),
        (np.bool_(True), True),
        (np.array([[1, 2]], np.uint8), [[1, 2]]),
        ((Colour.RED, Number.TWO), ["red", 2]),
        ({1: {"a": (None,)}}, {"1": {"a": [None]}}),
    ],
)
def test_dataclasses_arrays_paths_and_enums_become_plain(value, wanted):
    assert plain(value) == wanted


def test_a_value_that_json_cannot_hold_is_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(TypeError, match="type set cannot be written as JSON"):
        write_json(tmp_path / "a.json", {"a": {1}})
    assert names(tmp_path) == []


def test_a_damaged_json_file_is_named(tmp_path):
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(UnreadableRecords, match=r"a\.json is damaged"):
        read_json(tmp_path / "a.json")


def test_checksums_differ_with_the_content(tmp_path):
    write_file(tmp_path / "a", b"1")
    write_file(tmp_path / "b", b"2")
    assert len(checksum(tmp_path / "a")) == 32
    assert checksum(tmp_path / "a") != checksum(tmp_path / "b")


# JSON lines.


@settings(deadline=None, max_examples=25)
@given(st.lists(st.dictionaries(st.text(), JSON, max_size=3), max_size=4), st.data())
def test_a_torn_tail_costs_the_last_line_only(lines, data):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lines.jsonl"
        for line in lines:
            append_json_line(path, line)
        if lines:
            last = len(json.dumps(lines[-1]))
            os.truncate(path, path.stat().st_size - data.draw(st.integers(1, last)))
        assert read_json_lines(path) == lines[:-1]
        repair_json_lines(path)
        append_json_line(path, {"next": 1})
        assert read_json_lines(path) == [*lines[:-1], {"next": 1}]


def test_lines_are_replaced_at_once(tmp_path):
    append_json_line(tmp_path / "a.jsonl", {"n": 1})
    keep_json_lines(tmp_path / "a.jsonl", [{"n": 2}, {"n": 3}])
    assert read_json_lines(tmp_path / "a.jsonl") == [{"n": 2}, {"n": 3}]


@pytest.mark.parametrize("content", [b"{\n{}\n", b"[1]\n", b"1\n"])
def test_a_damaged_line_is_an_error(tmp_path, content):
    (tmp_path / "a.jsonl").write_bytes(content)
    with pytest.raises(UnreadableRecords, match=r"a\.jsonl(, line 1,)? is damaged"):
        read_json_lines(tmp_path / "a.jsonl")


# Claims.


def test_a_folder_is_claimed_by_one_command(tmp_path):
    folder = tmp_path / "new" / "folder"
    claim_folder(folder, "evaluate")
    claim_folder(folder, "evaluate")
    assert (folder / ".tabletop").read_text() == "evaluate\n"
    assert names(folder) == [".tabletop"]
    with pytest.raises(ForeignFolder, match="is not empty and was made by evaluate; name a new folder"):
        claim_folder(folder, "segment")


@pytest.mark.parametrize("name", ["thesis.tex", ".hidden"])
def test_a_folder_with_other_content_is_not_claimed(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(ForeignFolder, match="was made by something else"):
        claim_folder(tmp_path, "evaluate")
    assert names(tmp_path) == [name]


def test_a_file_is_no_folder_to_claim(tmp_path):
    (tmp_path / "a").touch()
    with pytest.raises(ForeignFolder, match="a is a file; give a new or empty folder"):
        claim_folder(tmp_path / "a", "evaluate")
    with pytest.raises(ForeignFolder, match="a is a file; give a new or empty folder"):
        check_new_folder(tmp_path / "a", "records")


@pytest.mark.parametrize("left", [".tmp-.tabletop-7", ".tabletop", ".tabletop-7", ".lock", "scenes"])
def test_leftovers_of_a_killed_or_failed_claim_do_not_stop_the_next(tmp_path, left):
    (tmp_path / left).mkdir() if left == "scenes" else (tmp_path / left).touch()
    claim_folder(tmp_path, "evaluate")
    assert (tmp_path / ".tabletop").read_text() == "evaluate\n"


def test_the_first_of_two_claims_at_once_wins(tmp_path, monkeypatch):
    link = os.link

    def slow_link(source, target):
        write_file(target, "faster\n")
        link(source, target)

    monkeypatch.setattr(os, "link", slow_link)
    with pytest.raises(ForeignFolder, match="made by faster"):
        claim_folder(tmp_path, "slower")
    assert names(tmp_path) == [".tabletop"]


def test_folders_are_claimed_without_hard_links(tmp_path, monkeypatch):
    def refuse(source, target):
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)
    claim_folder(tmp_path, "evaluate")
    assert (tmp_path / ".tabletop").read_text() == "evaluate\n"
    assert names(tmp_path) == [".tabletop"]


def test_the_first_of_two_claims_at_once_wins_without_hard_links(tmp_path, monkeypatch):
    def refuse_late(source, target):
        write_file(target, "faster\n")
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse_late)
    with pytest.raises(ForeignFolder, match="made by faster"):
        claim_folder(tmp_path, "slower")
    assert (tmp_path / ".tabletop").read_text() == "faster\n"


def test_a_mark_without_a_maker_may_be_removed_by_another_claim_at_once(tmp_path, monkeypatch):
    (tmp_path / ".tabletop").touch()
    unlink = Path.unlink

    def unlink_removed(path, missing_ok=False):
        unlink(path, missing_ok=True)
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", unlink_removed)
    claim_folder(tmp_path, "evaluate")
    assert (tmp_path / ".tabletop").read_text() == "evaluate\n"


def test_a_symbolic_link_is_replaced_and_its_target_unchanged(tmp_path):
    (tmp_path / "target").write_text("kept")
    for name in ("a.json", ".tmp-a.json"):
        (tmp_path / name).symlink_to(tmp_path / "target")
    write_json(tmp_path / "a.json", 1)
    assert ((tmp_path / "target").read_text(), (tmp_path / "a.json").read_text()) == ("kept", "1\n")


KILLS = [("pathlib.Path.mkdir", 1), *((call, n) for call in ("os.fsync", "pathlib.Path.replace") for n in (1, 2))]


@pytest.mark.parametrize(("call", "count"), [*KILLS, ("os.link", 1), ("pathlib.Path.unlink", 1)])
def test_a_killed_claim_can_be_repeated_and_made_by_others_only_without_a_mark(tmp_path, killed_at, call, count):
    folder = tmp_path / "run"
    killed_at(call, count, lambda: claim_folder(folder, "evaluate"))
    claimed = (folder / ".tabletop").exists()
    with pytest.raises(ForeignFolder) if claimed else nullcontext():
        claim_folder(folder, "segment")
    claim_folder(folder, "evaluate" if claimed else "segment")
    assert (folder / ".tabletop").read_text() == ("evaluate\n" if claimed else "segment\n")


# Requests.


def test_only_the_request_that_began_a_folder_resumes_it(tmp_path):
    path, request = tmp_path / "run" / "learn.json", {"seed": 1, "config": {"steps": 3, "sizes": (1, 2)}}
    assert check_request(path, request, "a run") is None
    write_json(path, {**request, "more": 1})
    assert check_request(path, request, "a run") == plain({**request, "more": 1})
    with pytest.raises(
        ForeignFolder,
        match=r"holds a run with other settings: config\.steps is 3 there and 4 now; repeat those, or give",
    ):
        check_request(path, {"config": {"steps": 4}}, "a run")
    assert check_request(path, {"config": {"steps": 4}}, "a run", ignoring=["config.steps"])


@pytest.mark.parametrize(("call", "count"), KILLS)
def test_a_folder_whose_start_was_killed_is_begun_or_resumed(tmp_path, killed_at, call, count):
    path = tmp_path / "run" / "learn.json"

    def begin():
        if check_request(path, {"seed": 1}, "a run") is None:
            write_json(path, {"seed": 1})

    killed_at(call, count, begin)
    begin()
    assert check_request(path, {"seed": 1}, "a run") == {"seed": 1}


@pytest.mark.parametrize("content", ["{", "[1]", ""])
def test_a_damaged_request_is_foreign(tmp_path, content):
    (tmp_path / "learn.json").write_text(content)
    with pytest.raises(ForeignFolder, match="does not describe a run"):
        check_request(tmp_path / "learn.json", {}, "a run")


def test_folders_without_files_and_hidden_files_do_not_count(tmp_path):
    (tmp_path / "scenes" / "inner").mkdir(parents=True)
    (tmp_path / ".hidden").touch()
    check_new_folder(tmp_path, "a run")
    (tmp_path / "scenes" / "inner" / "a.txt").touch()
    with pytest.raises(ForeignFolder, match=r"something else than a run \(scenes\)"):
        check_new_folder(tmp_path, "a run")


# Locks.


def test_a_lock_has_one_holder(tmp_path):
    path = tmp_path / "run" / ".lock"
    refused = pytest.raises(FolderInUse, match=r"another process works in .*run")
    with lock_file(path), refused, lock_file(path, blocking=False):
        pass
    with lock_file(path, blocking=False):
        assert path.exists()


def test_a_lock_is_free_when_its_process_was_killed_and_excludes_flock(tmp_path):
    code = f"""
import fcntl, os
file = open({str(tmp_path / ".lock")!r}, "w"); fcntl.flock(file, fcntl.LOCK_EX); print("locked", flush=True); input()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        with pytest.raises(FolderInUse), lock_file(tmp_path / ".lock", blocking=False):
            pass
        other.kill()
    with lock_file(tmp_path / ".lock", blocking=False):
        pass


# Full disks.


def write_with_torch(path):
    torch = pytest.importorskip("torch")
    torch.save({"weights": torch.zeros(100_000)}, path)


def write_with_torch_stream(path):
    torch = pytest.importorskip("torch")
    with open(path, "wb") as file:
        torch.save({"weights": torch.zeros(100_000)}, file)


def write_with_safetensors(path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    save_file({"weights": torch.zeros(100_000)}, path)


def write_with_parquet(path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"a": np.random.default_rng(0).random(100_000)}), path)


def write_with_ffmpeg(path):
    import imageio.v3

    noise = np.random.default_rng(0).integers(0, 256, (30, 256, 256, 3), np.uint8)
    imageio.v3.imwrite(path, noise, plugin="FFMPEG", fps=30)


def write_with_matplotlib(path):
    from matplotlib.image import imsave

    imsave(path, np.random.default_rng(0).random((400, 400)))


WRITERS = {
    "weights.pt": write_with_torch,
    "state.pt": write_with_torch_stream,
    "model.safetensors": write_with_safetensors,
    "rows.parquet": write_with_parquet,
    "film.mp4": write_with_ffmpeg,
    "chart.png": write_with_matplotlib,
    "plain.bin": lambda path: path.write_bytes(bytes(200_000)),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_is_one_typed_error_and_nothing_is_left(small_disk, name):
    path = small_disk.folder / name
    path.write_bytes(b"old")
    with pytest.raises(DiskFull) as raised, atomic_path(path) as temporary:
        WRITERS[name](temporary)
    assert "\n" not in str(raised.value)
    assert str(path) in str(raised.value)
    assert names(small_disk.folder) == [name]
    assert path.read_bytes() == b"old"


def test_a_claim_on_a_full_disk_leaves_no_mark(small_disk):
    folder = small_disk.folder / "run"
    folder.mkdir()
    small_disk.fill()
    with pytest.raises(DiskFull, match=r"run/\.tabletop \(No space left on device\); the folder is not claimed;"):
        claim_folder(folder, "evaluate")
    assert names(folder) == []
    small_disk.free()
    claim_folder(folder, "evaluate")


def test_a_line_on_a_full_disk_keeps_the_earlier_lines(small_disk):
    path = small_disk.folder / "a.jsonl"
    append_json_line(path, {"n": 1})
    small_disk.fill()
    with pytest.raises(DiskFull):
        append_json_line(path, {"text": "x" * 10_000})
    assert read_json_lines(path) == [{"n": 1}]
    small_disk.free()
    append_json_line(path, {"n": 2})
    assert read_json_lines(path) == [{"n": 1}, {"n": 2}]


@pytest.mark.parametrize("write", [write_json, append_json_line])
def test_a_disk_that_is_full_for_the_name_only_is_said_not_to_cost_the_file(tmp_path, monkeypatch, write):
    def full(folder):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files, "sync_folder", full)
    with pytest.raises(DiskFull, match="it is written, but a power cut may undo this"):
        write(tmp_path / "value.json", 5)
    assert json.loads((tmp_path / "value.json").read_text()) == 5


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_below_another_error_is_found(tmp_path, number):
    @contextmanager
    def library():
        try:
            yield
        except OSError:
            raise RuntimeError("unexpected pos 64 vs 0")  # noqa: B904

    with pytest.raises(DiskFull, match="no space is left"), disk_full_named(tmp_path / "a"), library():
        raise OSError(number, os.strerror(number))


@pytest.mark.parametrize("error", [OSError(errno.EIO, "I/O error"), RuntimeError("other"), TabletopError("other")])
def test_other_errors_stay_as_they_are(tmp_path, error):
    with pytest.raises(type(error)) as raised, disk_full_named(tmp_path / "a"):
        raise error
    assert raised.value is error


def test_a_file_that_is_moved_aside_replaces_no_other(tmp_path):
    for number in range(3):
        (tmp_path / "journal").write_text(str(number))
        move_aside(tmp_path / "journal", "kept")
    found = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert found == {"kept": "0", "kept-2": "1", "kept-3": "2"}
