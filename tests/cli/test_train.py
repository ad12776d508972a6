"""`tabletop train` from records and from a label set: a tiny run from end to end, and its refusals in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest
import torch
from PIL import Image as PilImage

from tabletop_interaction.cli.main import main
from tabletop_interaction.envs import PickPlace, RecordInteractions, TabletopInteraction
from tabletop_interaction.seals import read_sealed, write_sealed
from tabletop_interaction.segmentation import Segmenter, write_label_set
from tests.picture_zoo import exif


def record(backend: Any, folder: Path, *, hit: bool) -> None:
    env = RecordInteractions(TabletopInteraction(backend), folder)
    env.reset(seed=0)
    x, y = backend._square if hit else -np.sign(backend._square) * 0.2
    env.step(np.clip(PickPlace(x, y, 0.0, -0.1, 0.1).to_action(backend.arena), -1, 1).astype(np.float32))
    env.close()


def test_records_become_a_network_that_segments(
    painted_table: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record(painted_table(), tmp_path / "rows", hit=True)
    command = [
        "train",
        "--data",
        str(tmp_path / "rows"),
        "--out",
        str(tmp_path / "run"),
        "--steps",
        "2",
        "--batch-size",
        "2",
    ]
    assert main([*command, "--loss", "robust-set"]) == 0
    model = tmp_path / "run" / "model.safetensors"
    assert f"{model} learned from" in capsys.readouterr().out.replace("\n", "")
    segments = Segmenter.load(model).segment(np.zeros((96, 128, 3), np.uint8))
    assert segments.masks.shape[1:] == (96, 128)
    stamp = model.stat().st_mtime_ns
    assert main([*command, "--loss", "robust-set"]) == 0
    assert model.stat().st_mtime_ns == stamp
    assert main([*command, "--loss", "cross-entropy"]) == 1
    assert "give a new folder" in capsys.readouterr().err


def labelled_box(folder: Path) -> list[str]:
    """One picture with one labelled box; the options that name it."""
    picture, mask = np.full((200, 240, 3), 60, np.uint8), np.zeros((1, 200, 240), bool)
    mask[0, 80:140, 90:150] = True
    picture[mask[0]] = 200
    (folder / "pictures").mkdir()
    iio.imwrite(folder / "pictures" / "a.png", picture)
    write_label_set(folder / "labels.json", ["a.png"], [mask])
    return ["--coco", str(folder / "labels.json"), "--images", str(folder / "pictures")]


def test_a_label_set_becomes_a_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = labelled_box(tmp_path)
    short = ["--steps", "1", "--batch-size", "2"]
    assert main(["train", *source, "--out", str(tmp_path / "run"), *short]) == 0
    assert main(["train", *source, "--out", str(tmp_path / "half"), *short, "--half"]) == 0
    whole, half = ((tmp_path / run / "model.safetensors").stat().st_size for run in ("run", "half"))
    assert half < 0.51 * whole
    assert [path.name for path in (tmp_path / "pictures").iterdir()] == ["a.png"]
    capsys.readouterr()
    assert main(["train", *source, "--out", str(tmp_path / "run"), *short, "--half"]) == 0
    said = capsys.readouterr().out.replace("\n", " ")
    assert "was finished before" in said
    assert "--half had no effect" in said
    assert "learned from" not in said
    assert (tmp_path / "run" / "model.safetensors").stat().st_size == whole


def test_a_run_begun_with_settings_that_are_refused_today_resumes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train", *labelled_box(tmp_path), "--out", str(tmp_path / "run"), "--steps", "1", "--batch-size", "2"]
    assert main(command) == 0
    # Earlier versions accepted and recorded the bound also without the robust set loss.
    request, run = read_sealed(tmp_path / "run" / "training.json")
    request["config"]["iou_bound"] = 0.5
    write_sealed(tmp_path / "run" / "training.json", request, run)
    capsys.readouterr()
    assert main([*command, "--iou-bound", "0.5"]) == 0
    assert "was finished before" in capsys.readouterr().out.replace("\n", " ")


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--out", "foreign"], 1, "thesis.txt"),
        (["--out", "."], 1, "holds something else"),
        (["--out", "/"], 2, "name a folder"),
        (["--out", "run", "--minutes", "nan"], 2, "--minutes is nan"),
        (["--out", "run", "--minutes", "inf"], 2, "--minutes is inf"),
        (["--out", "run", "--seed", str(2**63)], 2, "accepted is 0 to 2**63 - 1"),
        (["--out", "run", "--device", "cuda"], 2, "--device cuda"),
    ],
)
def test_what_is_wrong_is_found_before_pictures_are_decoded(
    arguments: list[str],
    status: int,
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    (tmp_path / "here" / "foreign").mkdir(parents=True)
    (tmp_path / "here" / "foreign" / "thesis.txt").write_text("mine")
    source = labelled_box(tmp_path)
    monkeypatch.chdir(tmp_path / "here")
    before = sorted(tmp_path.rglob("*"))
    assert main(["train", *source, *arguments, "--steps", "1"]) == status
    assert said in capsys.readouterr().err.replace("\n", " ")
    assert sorted(tmp_path.rglob("*")) == before


def test_one_line_says_how_pictures_that_fit_both_ways_are_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = labelled_box(tmp_path)
    picture = tmp_path / "pictures" / "a.png"
    PilImage.open(picture).save(picture, exif=exif(2))
    assert main(["train", *source, "--out", str(tmp_path / "run"), "--steps", "1", "--batch-size", "2"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "both as stored and upright" in line]
    assert "1; read upright;" in line


def test_a_truncated_picture_is_named_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = labelled_box(tmp_path)
    picture = tmp_path / "pictures" / "a.png"
    picture.write_bytes(picture.read_bytes()[:200])
    assert main(["train", *source, "--out", str(tmp_path / "run"), "--steps", "1"]) == 1
    said = capsys.readouterr().err.replace("\n", "")
    assert said.startswith("error: ")
    assert "a.png cannot be read as a picture" in said
    assert not (tmp_path / "run").exists()


def test_an_unknown_device_is_a_wrong_option(tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        main(["train", "--data", "x", "--out", str(tmp_path / "run"), "--device", "gpu"])


def test_a_run_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = labelled_box(tmp_path)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert main(["train", *source, "--out", ".", "--steps", "1", "--batch-size", "2"]) == 0
    assert (tmp_path / "here" / "model.safetensors").is_file()
    assert (tmp_path / "here-pictures").is_dir()


def test_records_without_a_grasp_are_refused(
    painted_table: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record(painted_table(), tmp_path / "rows", hit=False)
    assert main(["train", "--data", str(tmp_path / "rows"), "--out", str(tmp_path / "run"), "--steps", "1"]) == 1
    assert "collect interactions that grasp" in capsys.readouterr().err.replace("\n", " ")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ([], 2, "give either --data"),
        (["--coco", "x.json"], 2, "give either --data"),
        (["--data", "nowhere"], 1, "nowhere"),
        (["--data", "nowhere", "--steps", "0"], 2, "--steps is 0; accepted is 1 to 100,000,000"),
        (["--data", "nowhere", "--paste-share", "2"], 2, "--paste-share is 2.0; accepted is 0 to 1"),
        (["--coco", "nowhere.json", "--images", "."], 1, "nowhere.json does not exist"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    arguments: list[str], status: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", *arguments, "--out", str(tmp_path / "run")]) == status
    assert said in capsys.readouterr().err.replace("\n", " ")
    assert not (tmp_path / "run").exists()


def test_a_foreign_folder_is_left_alone(
    painted_table: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record(painted_table(), tmp_path / "rows", hit=True)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("mine")
    assert main(["train", "--data", str(tmp_path / "rows"), "--out", str(tmp_path / "run"), "--steps", "1"]) == 1
    assert "thesis.txt" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["thesis.txt"]
