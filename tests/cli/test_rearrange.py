"""`tabletop rearrange` and `tabletop benchmark rearrangement` from the command line to the files."""

import json
from pathlib import Path

import imageio.v2 as imageio
import numpy as np
import pytest

from tabletop_interaction.benchmarks.results.result import read_result
from tabletop_interaction.cli.main import main
from tabletop_interaction.files import claim_folder
from tabletop_interaction.seals import read_sealed, write_sealed


def test_an_episode_replaces_the_pictures_and_film_of_an_earlier_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    claim_folder(out, "rearrange")
    (out / "step_09.png").touch()
    assert main(["rearrange", "--out", str(out), "--agent", "oracle", "--seed", "201", "--displaced", "1"]) == 0
    assert "done after 1 interaction:" in capsys.readouterr().out
    names = sorted(path.name for path in out.iterdir() if not path.name.startswith("."))
    assert names == ["episode.json", "film.mp4", "final.png", "goal.png", "start.png", "step_01.png"]
    episode = json.loads((out / "episode.json").read_text())
    assert (episode["agent"], episode["seed"], episode["displaced"]) == ("oracle", 201, 1)
    assert episode["result"].startswith("done after 1 interaction:")
    start, goal, final = (imageio.imread(out / f"{name}.png").astype(int) for name in ("start", "goal", "final"))
    assert np.abs(final - goal).mean() < np.abs(start - goal).mean() / 2
    step = imageio.imread(out / "step_01.png")
    assert step.shape == (24 + 28 + 350, 860, 3)
    # A caption, then the headers "now" and "goal", stand in dark letters on white.
    for words in (step[:24], step[24:52, :430], step[24:52, 430:]):
        assert words.min() < 90 < np.median(words) == 255
    assert imageio.get_reader(out / "film.mp4").count_frames() == 3


def test_an_unknown_agent_is_named_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in (["rearrange", "--agent"], ["benchmark", "rearrangement", "--agents"]):
        assert main([*command, "oracel", "--out", str(tmp_path / "out")]) == 2
        assert "unknown agent 'oracel'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_benchmark_prints_a_table_and_resumes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["benchmark", "rearrangement", "--agents", "oracle", "--displaced", "1", "--out", str(tmp_path / "out")]
    result = ["--result", str(tmp_path / "x.json")]
    for episodes in ("1", "2"):
        assert main([*command, "--seed", "200", "--episodes", episodes, *result]) == 0
    kept = read_result(tmp_path / "x.json")
    assert (kept.figures["oracle"]["success within 15 px"].trials, kept.seeds) == (2, (200, 201))
    assert "success (15 px), %" in capsys.readouterr().out
    document = json.loads((tmp_path / "out" / "results.json").read_text())
    assert document["agents"]["oracle"]["success"]["trials"] == 2
    assert len((tmp_path / "out" / "episodes.jsonl").read_text().splitlines()) == 2
    # Earlier versions accepted and recorded settings of parts that no agent uses.
    settings, run = read_sealed(tmp_path / "out" / "settings.json")
    write_sealed(tmp_path / "out" / "settings.json", {**settings, "features": "trunk"}, run)
    assert main([*command, "--seed", "200", "--episodes", "2", "--features", "trunk"]) == 0
