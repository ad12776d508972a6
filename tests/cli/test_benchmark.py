"""`tabletop benchmark` from the command line to the files."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tabletop_interaction.benchmarks.results.result import read_result
from tabletop_interaction.cli.main import main

_NEEDS_POLICY = """
from tabletop_interaction.errors import InvalidConfiguration

class Agent:
    def __init__(self, views, arena, rng):
        raise InvalidConfiguration("there is no policy policy.zip; train one")

class Broken:
    def __init__(self):
        pass
"""
_OWN_AGENT = """
import numpy as np

class Still:
    def __init__(self, views, arena, rng):
        pass

    def act(self, observation, info):
        return np.zeros(5, np.float32)
"""


@pytest.mark.usefixtures("tiny_sets")
def test_make_sets_writes_labels_and_checksums(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = tmp_path / "checksums.json"
    arguments = ["--out", str(tmp_path / "sets"), "--sets", "val", "generalisation-B", "--record", str(record)]
    assert main(["benchmark", "make-sets", *arguments]) == 0
    assert sorted(path.name for path in (tmp_path / "sets").iterdir()) == ["generalisation-B", "val"]
    assert (tmp_path / "sets" / "val" / "labels.json").is_file()
    assert json.loads(record.read_text())["sets"]["val"]["pictures"] == 1
    assert "rendered by composed-tinyrenderer" in capsys.readouterr().out


def test_an_unknown_set_is_named_before_anything_is_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "make-sets", "--out", str(tmp_path / "sets"), "--sets", "val", "tset"]) == 2
    assert "no set is called 'tset'" in capsys.readouterr().err
    assert not (tmp_path / "sets").exists()


@pytest.mark.usefixtures("tiny_sets")
def test_generalisation_makes_its_sets_and_reports_the_drops(
    untrained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = ["--sets-dir", str(tmp_path / "sets"), "--out", str(tmp_path / "out")]
    result = ["--result", str(tmp_path / "x.json")]
    assert main(["benchmark", "generalisation", "--model", str(untrained), *places, "--fast", *result]) == 0
    assert "drop A to B, points" in " ".join(capsys.readouterr().out.split())  # the title may wrap
    sets = json.loads((tmp_path / "out" / "results.json").read_text())["sets"]
    assert [name[-1] for name in sets] == ["A", "B", "C", "D"]
    assert sets["generalisation-A"]["drop_from_a"] == {"0.3": 0, "0.5": 0, "0.75": 0}
    rows = read_result(tmp_path / "x.json").figures
    assert list(rows)[1] == "B: train objects on test tables"
    assert ["drop at 0.5" in row for row in rows.values()] == [False, True, True, True]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--workers", "-1"], "--workers is -1; accepted is 0 to 1024"),
        (["--episodes", "0"], "--episodes is 0; accepted is 1 to 1,000,000"),
        (["--features", "smell"], "unknown features 'smell'"),
        (["--agents", "random", "random"], "each once"),
    ],
)
def test_rearrangement_names_what_it_cannot_play_before_anything_is_written(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["benchmark", "rearrangement", "--out", str(tmp_path / "out"), *arguments]) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()


def test_rearrangement_plays_objects_on_every_table_that_is_named_and_writes_a_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    where = ["--split", "test", "--tables-split", "train", "test", "--out", str(out)]
    assert main(["benchmark", "rearrangement", "--agents", "oracle", "--episodes", "1", "--seed", "300", *where]) == 0
    assert "test on train (C), %" in capsys.readouterr().out
    document = json.loads((out / "results.json").read_text())
    assert list(document["agents"]["oracle"]["by_scenes"]) == ["test on train (C)", "test on test (D)"]
    assert "Success by objects and table tops" in (out / "results.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--agents", "random", "inverse", "--inverse-model", "gone.safetensors"], 1, "gone.safetensors"),
        (["--agents", "random", "full", "--model", "damaged.safetensors"], 1, "damaged."),
        (["--agents", "random", "needs_policy:Agent"], 2, "there is no policy policy.zip"),
        (["--agents", "random", "needs_policy:Broken"], 2, "'needs_policy:Broken' cannot be made (TypeError"),
    ],
)
def test_what_an_agent_lacks_is_reported_before_any_agent_plays(
    arguments: list[str],
    status: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "damaged.safetensors").write_bytes(b"no weights")
    (tmp_path / "damaged.json").write_text("{}")
    (tmp_path / "needs_policy.py").write_text(_NEEDS_POLICY)
    assert main(["benchmark", "rearrangement", "--out", "out", "--episodes", "1", *arguments]) == status
    assert said in " ".join(capsys.readouterr().err.split())
    if "needs_policy" in arguments[-1]:
        assert main(["rearrange", "--out", "out", "--agent", arguments[-1]]) == 2
        assert said in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()


def test_agents_in_the_current_folder_are_found_by_workers_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_agents.py").write_text(_OWN_AGENT)
    monkeypatch.chdir(tmp_path)
    # As the installed script starts: its own folder is on the path, the current one is not.
    script = [
        sys.executable,
        "-P",
        "-c",
        "import sys; from tabletop_interaction.cli.main import main; sys.exit(main())",
    ]
    where = ["--episodes", "2", "--workers", "2", "--displaced", "1", "--out", "out"]
    command = [*script, "benchmark", "rearrangement", "--agents", "own_agents:Still", *where]
    subprocess.run(command, check=True, capture_output=True)
    assert (
        json.loads((tmp_path / "out" / "results.json").read_text())["agents"]["own_agents:Still"]["success"]["trials"]
        == 2
    )
