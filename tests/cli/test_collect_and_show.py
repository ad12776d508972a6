"""`tabletop collect` and `tabletop show`, end to end: resume, kills, workers, bad input."""

import os
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections import namedtuple

import cv2
import imageio.v2 as imageio
import numpy as np
import pytest

from tabletop_interaction import disk_space
from tabletop_interaction.agents.labelling.label_table import read_labels
from tabletop_interaction.cli.collect import masks_line
from tabletop_interaction.cli.main import main
from tabletop_interaction.envs import count_interactions, read_interactions
from tabletop_interaction.envs.records.folder import read_meta, record_run_id, written_bytes
from tabletop_interaction.reports.sheets import interaction_panels

COMMAND = [sys.executable, "-m", "tabletop_interaction.cli.main"]


def _collect(out, *arguments):
    return main(["collect", "--out", str(out), *arguments])


@pytest.fixture(scope="module")
def one_interaction(tmp_path_factory):
    """Records of one interaction in which nothing is held, of split train."""
    records = tmp_path_factory.mktemp("one") / "records"
    assert _collect(records, "--interactions", "1") == 0
    return records


@pytest.fixture
def records(one_interaction, tmp_path):
    """A copy of these records."""
    return shutil.copytree(one_interaction, tmp_path / "records")


def test_collect_resumes_and_show_makes_pictures_and_a_film(tmp_path, capsys):
    records = tmp_path / "records"
    assert _collect(records, "--interactions", "3") == 0
    assert _collect(records, "--interactions", "5") == 0
    rows = list(read_interactions(records))
    assert len({row.interaction_id for row in rows}) == len(rows) == 5
    assert len({row.seed for row in rows}) == 2
    assert _collect(records, "--interactions", "5") == 0
    assert "holds 5 interactions already" in capsys.readouterr().out
    assert main(["show", str(records), "--rows", "2"]) == 0
    pictures = tmp_path / "records-pictures"
    assert imageio.imread(pictures / "sheet_00.jpg").shape[1] > 4 * 430
    frames = imageio.get_reader(pictures / "film.mp4").count_frames()
    assert frames == 4 * 5


def test_show_draws_depths_and_true_masks_that_were_recorded(tmp_path):
    """Yellow is near and blue is far; the pixels of objects are tinted, those of the table are not."""
    records = tmp_path / "records"
    assert _collect(records, "--interactions", "1", "--record", "depth", "instances") == 0
    assert main(["show", str(records)]) == 0
    (row,) = read_interactions(records)
    depth, ids = row.before.depth["view_0"], row.before.instances["view_0"]
    *_, depths, objects = (panel.picture.astype(int) for panel in interaction_panels(row, "view_0"))
    yellowness = depths[..., 0] - depths[..., 2]
    assert yellowness[depth < np.quantile(depth, 0.1)].min() > yellowness[depth > np.quantile(depth, 0.9)].max()
    inside, outside = (cv2.erode(mask.astype(np.uint8), np.ones((15, 15))) > 0 for mask in (ids > 0, ids == 0))
    changed = np.abs(objects - row.before["view_0"]).max(axis=2)
    assert not changed[outside].any()
    assert changed[inside].mean() > 20
    assert imageio.imread(tmp_path / "records-pictures" / "sheet_00.jpg").shape[1] > 6 * 430


def test_the_same_seed_collects_the_same_interactions(tmp_path):
    for name in ("one", "two"):
        assert _collect(tmp_path / name, "--interactions", "2", "--seed", "7") == 0
    one, two = (list(read_interactions(tmp_path / name)) for name in ("one", "two"))
    for first, second in zip(one, two, strict=True):
        assert first.pick_place == second.pick_place
        assert first.after.encoded == second.after.encoded


def test_the_seed_that_is_given_stands_in_the_metadata(tmp_path):
    assert _collect(tmp_path / "records", "--interactions", "1", "--seed", "7") == 0
    assert _collect(tmp_path / "records", "--interactions", "2", "--seed", "7") == 0
    assert read_meta(tmp_path / "records").metadata["seed"] == 7


def test_collect_ends_with_the_masks_and_what_to_do_if_there_are_few(records, capsys):
    assert _collect(records, "--interactions", "2") == 0
    said = capsys.readouterr().out
    masks = [label for label in read_labels(records / "labels", record_run_id(records)) if label.label == "object"]
    moved = len({mask.interaction_id for mask in masks})
    assert masks_line(len(masks), moved, 2) in said
    assert ("--policy hypothesis" in said) == (moved == 0)
    assert masks_line(8, 1, 2) == "8 masks of objects, from 1 of 2 interactions (50%)"
    assert masks_line(0, 0, 2).startswith("no masks of objects: none of 2 interactions")


def test_the_command_for_pictures_can_be_copied_where_the_path_has_spaces(one_interaction, tmp_path, capsys):
    records = shutil.copytree(one_interaction, tmp_path / "die Läufe")
    assert _collect(records, "--interactions", "2") == 0
    said = capsys.readouterr().out
    command = re.search("pictures of them: (.*)", said)[1]
    assert shlex.split(command) == ["tabletop", "show", str(records)]


def test_a_long_collection_says_what_it_needs_on_disk_and_warns_if_it_does_not_fit(records, monkeypatch, capsys):
    each = written_bytes(records)
    assert each == sum(path.stat().st_size for path in (records / "data").iterdir())
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9, each // 2))
    assert _collect(records, "--interactions", "2") == 0
    error = capsys.readouterr().err
    assert f"warning: 1 more interactions need about 0.0 GB in {records} ({each / 1e6:.2g} MB each" in error
    assert "which is too little: free space" in error


def test_two_workers_share_the_work(tmp_path):
    pytest.importorskip("ray")
    assert _collect(tmp_path / "records", "--interactions", "12", "--workers", "2") == 0
    rows = list(read_interactions(tmp_path / "records"))
    assert len(rows) == 12
    assert len({row.writer for row in rows}) == 2
    assert len({row.seed for row in rows}) == 2


def test_a_killed_collector_loses_no_finished_interaction(tmp_path):
    """Every interaction that was on disk before a kill at a random moment is there after it, and whole."""
    records = tmp_path / "records"
    rng = random.Random(3)
    finished = 0
    for _ in range(3):
        process = subprocess.Popen(
            [*COMMAND, "collect", "--out", str(records), "--interactions", "100000"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _wait_until(lambda least=finished + 1: _count(records) >= least, process)
        time.sleep(rng.uniform(0, 0.8))
        before_kill = _count(records)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        finished = _count(records)
        assert finished >= before_kill
    assert all(picture.shape == (350, 430, 3) for row in read_interactions(records) for picture in row.after.values())
    assert _collect(records, "--interactions", str(finished + 1)) == 0
    assert not list(records.rglob(".journal*"))


def test_ctrl_c_stops_cleanly_and_seals_what_was_made(tmp_path):
    records = tmp_path / "records"
    process = subprocess.Popen(
        [*COMMAND, "collect", "--out", str(records), "--interactions", "100000"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # A test run in the background ignores Ctrl-C, and its children would too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    _wait_until(lambda: _count(records) >= 2, process)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert "everything that was finished is on disk" in errors
    assert list((records / "data").glob("part-*.parquet"))


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--interactions", "0"], 2, "--interactions is 0; accepted is 1 to 100,000,000"),
        (["--workers", "-1"], 2, "--workers is -1; accepted is 0 to 1024"),
        (["--backend", "gazebo"], 2, "unknown backend 'gazebo'"),
        (["--policy", "hypothesis", "--model", "nowhere.safetensors"], 1, "nowhere.safetensors"),
    ],
)
def test_bad_options_end_in_one_line_and_write_nothing(tmp_path, capsys, arguments, status, message):
    assert _collect(tmp_path / "records", *arguments) == status
    assert message in capsys.readouterr().err
    assert not (tmp_path / "records").exists()


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_foreign_folder_gives_one_line_with_and_without_workers(tmp_path, capsys, workers):
    (tmp_path / "notes.txt").write_text("mine")
    assert _collect(tmp_path, "--interactions", "4", "--workers", workers) == 1
    errors = capsys.readouterr().err
    assert "error:" in errors
    assert "Traceback" not in errors


def test_pushes_are_collected_shown_and_learned_from(tmp_path, capsys, untrained):
    records = tmp_path / "pushes"
    pushes = ["--primitive", "push", "--seed", "3"]
    assert _collect(records, "--interactions", "3", *pushes) == 0
    hypotheses = ["--policy", "hypothesis", "--model", str(untrained)]
    assert _collect(records, "--interactions", "4", *pushes, *hypotheses) == 0
    rows = list(read_interactions(records))
    assert [row.primitive for row in rows] == ["push"] * 4
    assert main(["show", str(records)]) == 0
    pictures = tmp_path / "pushes-pictures"
    assert 3 * 430 < imageio.imread(pictures / "sheet_00.jpg").shape[1] < 4 * 430
    assert imageio.get_reader(pictures / "film.mp4").count_frames() == 3 * 4
    capsys.readouterr()


def test_picks_and_pushes_are_not_mixed_and_readers_of_picks_refuse_pushes(records, tmp_path, capsys):
    pushes = tmp_path / "pushes"
    assert _collect(pushes, "--primitive", "push", "--interactions", "1") == 0
    for arguments, status, message in (
        (["collect", "--out", str(pushes), "--interactions", "1"], 1, "holds primitive push, not pick"),
        (["collect", "--out", str(records), "--primitive", "push"], 1, "holds primitive pick, not push"),
        (["show", str(pushes), "--grasped-only"], 2, "--grasped-only has no effect with records of pushes"),
        (["train-inverse", "--data", str(pushes), "--out", str(tmp_path / "x")], 1, "an inverse model needs 'pick'"),
    ):
        before = sorted(tmp_path.rglob("*"))
        assert main(arguments) == status
        errors = capsys.readouterr().err
        assert message in errors.replace("\n", " ")
        assert "Traceback" not in errors
        assert sorted(tmp_path.rglob("*")) == before


def test_depths_and_instance_masks_are_recorded_on_request(tmp_path, capsys):
    records = tmp_path / "records"
    asked = ["--record", "instances", "depth"]
    assert _collect(records, "--interactions", "1", *asked) == 0
    (row,) = read_interactions(records)
    assert 0.6 < row.before.depth["view_3"].min() < row.before.depth["view_3"].max() < 1.1
    assert row.after.instances["view_0"].max() >= 4
    before = sorted(records.rglob("*"))
    for arguments, message in (
        ([], "holds interactions with depth and instances; repeat --record depth instances, or name another folder"),
        (["--record", "depth"], "holds interactions with depth and instances"),
    ):
        assert _collect(records, "--interactions", "2", *arguments) == 1
        assert message in capsys.readouterr().err
    assert sorted(records.rglob("*")) == before
    assert _collect(records, "--interactions", "2", *asked) == 0
    assert len(list(read_interactions(records))) == 2


def test_a_robot_records_no_ground_truth(tmp_path, capsys, monkeypatch):
    lab = type("Lab", (), {"driver": "intera"})
    monkeypatch.setattr("tabletop_interaction.real.opening.lab_of", lambda config: lab)
    arguments = ["--backend", "sawyer", "--config", "lab.yaml", "--record", "depth"]
    assert _collect(tmp_path / "records", *arguments) == 2
    assert "--record depth came with --backend sawyer, but a robot has no ground truth" in capsys.readouterr().err
    assert not (tmp_path / "records").exists()


def test_pictures_alone_are_not_mixed_with_depths(records, capsys):
    assert _collect(records, "--interactions", "2", "--record", "depth") == 1
    assert "holds interactions with pictures alone; leave out --record" in capsys.readouterr().err


def test_pictures_are_jpeg_by_default_and_png_on_request(records, tmp_path, capsys):
    """The same seed gives the same pictures in both formats; both are shown and labelled."""
    exact = tmp_path / "exact"
    assert _collect(exact, "--interactions", "1", "--picture-format", "png") == 0
    (lossy,), (lossless,) = read_interactions(records), read_interactions(exact)
    assert lossy.before.encoded["view_0"].startswith(b"\xff\xd8\xff")
    assert lossless.before.encoded["view_0"].startswith(b"\x89PNG")
    error = lossy.before["view_0"].astype(float) - lossless.before["view_0"]
    assert 0 < np.sqrt((error**2).mean()) < 4
    assert written_bytes(records) < 0.6e6 < 3 * written_bytes(records) < written_bytes(exact)
    for each in (records, exact):
        assert main(["show", str(each)]) == 0
        assert imageio.imread(each.with_name(f"{each.name}-pictures") / "sheet_00.jpg").shape[1] > 4 * 430


def test_a_folder_keeps_the_format_it_was_begun_with(records, tmp_path, capsys):
    assert _collect(records, "--interactions", "2", "--picture-format", "png") == 1
    remedy = "was begun with --picture-format jpeg --jpeg-step 8; repeat that, or name another folder"
    assert remedy in capsys.readouterr().err
    assert _collect(tmp_path / "new", "--interactions", "1", "--picture-format", "png", "--jpeg-step", "4") == 2
    assert "--jpeg-step 4 has no effect with --picture-format png" in capsys.readouterr().err
    assert _collect(tmp_path / "new", "--interactions", "1", "--jpeg-step", "0") == 2
    assert "--jpeg-step is 0; accepted is 1 to 255" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_a_folder_of_another_split_is_refused_even_when_it_is_full(records, capsys):
    assert _collect(records, "--interactions", "1", "--split", "test") == 1
    assert "holds split train, not test" in capsys.readouterr().err


def test_a_path_with_brackets_is_named_as_it_is(tmp_path, capsys):
    assert main(["show", str(tmp_path / "a[red]b")]) == 1
    assert "a[red]b" in capsys.readouterr().err


def test_show_writes_nothing_into_a_folder_it_did_not_make_and_says_when_there_is_nothing(records, tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "film.mp4").write_text("holidays")
    assert main(["show", str(records), "--out", str(tmp_path / "mine")]) == 1
    assert (tmp_path / "mine" / "film.mp4").read_text() == "holidays"
    assert main(["show", str(records), "--grasped-only"]) == 2
    assert "something was held" in capsys.readouterr().err


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path, capsys):
    (tmp_path / "thesis.tex").write_text("chapter one")
    assert _collect(tmp_path, "--interactions", "1") == 1
    assert "error:" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_show_names_the_views_there_are(records, capsys):
    assert main(["show", str(records), "--view", "view_9"]) == 2
    assert "view_0" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--rows", "--sheets"])
def test_show_blames_only_the_option_that_is_wrong(records, option, capsys):
    assert main(["show", str(records), option, "0"]) == 2
    assert f"error: {option} is 0; accepted is 1 to " in capsys.readouterr().err


def test_show_of_nothing_is_an_error(tmp_path, capsys):
    assert main(["show", str(tmp_path / "nowhere")]) == 1
    assert "nowhere" in capsys.readouterr().err


def _count(records):
    return count_interactions(records) if (records / "meta.json").exists() else 0


def _wait_until(condition, process, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, "the collector ended by itself"
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_damaged_journal_is_one_line_and_the_rest_is_shown(sample, tmp_path, capsys):
    out = sample.writer(tmp_path / "records")
    for number in range(3):
        out.append(sample.interaction(number))
    (journal,) = (tmp_path / "records").glob(".journal-*")
    content = bytearray(journal.read_bytes())
    content[2000] ^= 1
    journal.write_bytes(content)
    assert main(["show", str(tmp_path / "records"), "--rows", "1"]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: ")
    assert "rows read: 2, rows lost: 1;" in line


def test_the_estimate_before_the_first_interaction_is_near_what_is_measured(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(disk_space, "_REPORTED_BYTES", 0)
    assert _collect(tmp_path / "records", "--interactions", "2", "--picture-size", "200", "250") == 0
    estimate, measured = (float(mb) for mb in re.findall(r"\(([\d.]+) MB each", capsys.readouterr().err)[:2])
    assert 0.5 < estimate / measured < 2
