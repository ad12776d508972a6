"""`tabletop train-inverse`: a tiny run from records to a model that acts, and its refusals in one line."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tabletop_interaction.agents.inverse.agent import InverseAgent
from tabletop_interaction.agents.inverse.model import INVERSE_MODEL, load_inverse_model
from tabletop_interaction.cli.main import main
from tabletop_interaction.envs import PickPlace, RecordInteractions, TabletopInteraction
from tabletop_interaction.segmentation.checkpoints import checkpoint_metadata


@pytest.fixture(scope="module")
def recorded(painted_table: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two scenes of five interactions; each one carries the square to the other side."""
    backend, folder = painted_table(), tmp_path_factory.mktemp("recorded")
    env = RecordInteractions(TabletopInteraction(backend, episodes_per_scene=1), folder)
    for seed in (0, None):
        env.reset(seed=seed)
        for _ in range(5):
            env.step(PickPlace(*backend._square, 0.3, *-backend._square).to_action(backend.arena))
    env.close()
    return folder


@pytest.fixture
def records(recorded: Path, tmp_path: Path) -> Path:
    """A copy of the records, to be written to."""
    return Path(shutil.copytree(recorded, tmp_path / "rows"))


def test_records_become_a_model_that_acts(
    records: Path, tmp_path: Path, painted_table: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train-inverse", "--data", str(records), "--out", str(tmp_path / "run"), "--batch-size", "2"]
    assert main([*command, "--steps", "2"]) == 0
    said = capsys.readouterr().out.replace("\n", " ")
    assert "model.safetensors, on 10 held-out examples" in said
    assert "both within 2.1 cm" in said
    assert checkpoint_metadata(tmp_path / "run" / "model.safetensors", INVERSE_MODEL)["split"] == "train"
    model, table = load_inverse_model(tmp_path / "run" / "model.safetensors"), painted_table()
    table.reset(np.random.default_rng(0), new_scene=True)
    picture = table.observe()["view_0"]
    agent = InverseAgent(model, table.views, table.arena, np.random.default_rng(0))
    assert agent.act({"view_0": picture, "goal_0": picture}, {"pick_outcome": 0}).shape == (5,)

    stamp = (tmp_path / "run" / "model.safetensors").stat().st_mtime_ns
    assert main([*command, "--steps", "2"]) == 0
    assert (tmp_path / "run" / "model.safetensors").stat().st_mtime_ns == stamp
    assert main([*command, "--steps", "3"]) == 1
    assert "config.steps is 2 there and 3 now; repeat those, or give a new folder" in capsys.readouterr().err.replace(
        "\n", " "
    )


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--out", "run", "--data", "nowhere"], 1, "nowhere"),
        (["--out", "run", "--steps", "0"], 2, "steps is 0"),
        (["--out", "run", "--span", "0"], 2, "span is 0"),
        (["--out", "run", "--held-out", "1"], 2, "--held-out is 1"),
        (["--out", "/"], 2, "name a folder"),
        (["--out", "foreign"], 1, "thesis.txt"),
        (["--out", "run", "--device", "cuda"], 2, "--device cuda"),
    ],
)
def test_what_is_wrong_is_found_before_anything_is_written(
    records: Path,
    arguments: list[str],
    status: int,
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "thesis.txt").write_text("mine")
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    data = [] if "--data" in arguments else ["--data", str(records)]
    assert main(["train-inverse", *data, *arguments]) == status
    assert said in capsys.readouterr().err.replace("\n", " ")
    assert sorted(tmp_path.rglob("*")) == before


def test_records_in_which_nothing_moved_are_refused_in_one_line(
    painted_table: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    backend = painted_table()
    env = RecordInteractions(TabletopInteraction(backend), tmp_path / "rows")
    env.reset(seed=0)
    env.step(PickPlace(*-backend._square, 0.0, 0.0, 0.0).to_action(backend.arena))
    env.close()
    assert main(["train-inverse", "--data", str(tmp_path / "rows"), "--out", str(tmp_path / "run")]) == 1
    assert "0 interactions in" in capsys.readouterr().err.replace("\n", " ")
    assert not (tmp_path / "run").exists()
