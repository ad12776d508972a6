"""`tabletop benchmark` from the command line to the files."""

import json
from pathlib import Path

import pytest

from tabletop_interaction.benchmarks.results.result import read_result
from tabletop_interaction.cli.main import main


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
    assert "drop from A" in " ".join(capsys.readouterr().out.split())  # the title may wrap
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
