"""`tabletop benchmark` from the command line to the files."""

import json
from pathlib import Path

import pytest

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
    assert main(["benchmark", "make-sets", "--out", str(tmp_path / "sets"), "--sets", "val", "tset"]) == 1
    assert "no set is called 'tset'" in capsys.readouterr().err
    assert not (tmp_path / "sets").exists()


@pytest.mark.usefixtures("tiny_sets")
def test_generalisation_makes_its_sets_and_tells_the_drops(
    untrained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = ["--sets-dir", str(tmp_path / "sets"), "--out", str(tmp_path / "out")]
    assert main(["benchmark", "generalisation", "--model", str(untrained), *places, "--fast"]) == 0
    assert "drop from A" in " ".join(capsys.readouterr().out.split())  # the title may wrap
    sets = json.loads((tmp_path / "out" / "results.json").read_text())["sets"]
    assert [name[-1] for name in sets] == ["A", "B", "C", "D"]
    assert sets["generalisation-A"]["drop_from_a"] == {"0.3": 0, "0.5": 0, "0.75": 0}
