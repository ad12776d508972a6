"""`tabletop bootstrap` from pushes to a network, and its refusals in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tabletop_interaction.cli.main import main
from tabletop_interaction.segmentation import Segmenter

COMMAND = ["bootstrap", "--pushes", "2"]


def test_pushes_become_a_network_and_the_same_command_finds_it_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], killed_at: Callable[..., bool]
) -> None:
    out = tmp_path / "run"
    # A command that is killed right after it claimed its folder can be repeated.
    assert killed_at("os.link", 1, lambda: main([*COMMAND, "--steps", "1", "--out", str(out)]))
    assert main([*COMMAND, "--steps", "1", "--out", str(out)]) == 0
    said = capsys.readouterr().out.replace("\n", "")
    assert f"{out / 'model.safetensors'} learned from" in said
    assert (out / "masks.jpg").exists()
    assert not list(out.rglob(".tmp-*"))
    segments = Segmenter.load(out / "model.safetensors").segment(np.zeros((96, 128, 3), np.uint8))
    assert segments.masks.shape[1:] == (96, 128)

    stamp = (out / "training" / "model.safetensors").stat().st_mtime_ns
    assert main([*COMMAND, "--steps", "1", "--out", str(out)]) == 0
    assert (out / "training" / "model.safetensors").stat().st_mtime_ns == stamp
    assert main([*COMMAND, "--steps", "1", "--seed", "5", "--out", str(out)]) == 1
    assert "seed is 0 there and 5 now" in capsys.readouterr().err.replace("\n", " ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--pushes", "0"], "pushes is 0"),
        (["--minutes", "0"], "--minutes is 0.0; accepted is above 0"),
        (["--steps", "0"], "steps is 0"),
        (["--seed", "-1"], "seed is -1"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line_and_writes_nothing(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bootstrap", *arguments, "--out", str(tmp_path / "run")]) == 2
    assert said in capsys.readouterr().err.replace("\n", " ")
    assert not (tmp_path / "run").exists()


def test_a_foreign_folder_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    assert main([*COMMAND, "--out", str(tmp_path)]) == 1
    assert "not empty" in capsys.readouterr().err.replace("\n", " ")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
