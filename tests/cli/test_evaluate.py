"""`tabletop evaluate` from the command line to the files."""

import json
import os
import shutil
from pathlib import Path

import pytest
from PIL import Image as PilImage

from tabletop_interaction.benchmarks.results.result import read_result
from tabletop_interaction.cli.main import main
from tests.picture_zoo import exif


def test_evaluating_two_models_writes_a_report(
    untrained: Path, labelled_picture: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels, images = labelled_picture
    models = ["--model", str(untrained), str(untrained)]
    data = ["--data", str(labels), "--images", str(images)]
    assert main(["evaluate", *models, *data, "--out", str(tmp_path / "out"), "--fast"]) == 0
    shown = capsys.readouterr().out
    assert "AP at IoU 0.3" in shown
    assert "COCO 101-point AP" in shown
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert [model["training"] for model in results["models"]] == [{"steps": 0}, {"steps": 0}]
    assert len(results["models"][0]["proposal_settings"]["scales"]) == 3
    assert len(list((tmp_path / "out").glob("*.jpg"))) == 2
    assert "simple baseline (--model table-colour) on the same pictures: AP at IoU 0.3 / 0.5 / 0.75" in " ".join(
        shown.split()
    )
    assert results["simple_baseline"]["model"] == "table-colour"
    assert "simple baseline, table-colour: AP" in (tmp_path / "out" / "pr_curves.svg").read_text()


def test_the_simple_baseline_can_be_left_out_or_be_the_model_itself(
    labelled_picture: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels, images = labelled_picture
    data = ["--model", "table-colour", "--data", str(labels), "--images", str(images)]
    written = []
    for name, arguments in (("itself", []), ("without", ["--no-baseline"])):
        assert main(["evaluate", *data, *arguments, "--out", str(tmp_path / name)]) == 0
        assert "simple baseline" not in capsys.readouterr().out
        written.append(json.loads((tmp_path / name / "results.json").read_text()))
    assert [one["simple_baseline"] for one in written] == [None, None]
    assert written[0]["models"][0]["ap"] == written[1]["models"][0]["ap"]


def test_one_line_says_how_pictures_that_fit_both_ways_are_read(
    untrained: Path, labelled_picture: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels, images = labelled_picture
    (picture,) = images.iterdir()
    PilImage.open(picture).save(tmp_path / picture.name, exif=exif(3))
    data = ["--data", str(labels), "--images", str(tmp_path), "--orientation", "stored", "--out", str(tmp_path / "out")]
    assert main(["evaluate", "--model", str(untrained), *data, "--fast"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "--orientation" in line]
    assert "both as stored and upright: 1; read as stored;" in line


@pytest.mark.usefixtures("tiny_sets")
def test_a_missing_set_is_made_and_announced(
    untrained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = ["--sets-dir", str(tmp_path / "sets"), "--out", str(tmp_path / "out")]
    result = ["--result", str(tmp_path / "x.json"), "--after", "make demo"]
    assert main(["evaluate", "--model", str(untrained), *places, "--fast", *result]) == 0
    assert [path.name for path in (tmp_path / "sets").iterdir()] == ["dev"]
    shown = capsys.readouterr().out
    assert "final figures" not in shown
    assert "rendering it" in shown
    assert "renderer: composed" in shown
    assert "differs from the published set" in shown or "no checksum is published" in shown
    kept = read_result(tmp_path / "x.json")
    ((name, figures),) = kept.figures.items()
    assert name.endswith(", 1 dev pictures")
    assert list(figures) == ["AP at IoU 0.3", "AP at IoU 0.5", "AP at IoU 0.75"]
    assert figures["AP at IoU 0.3"].low is not None
    assert (kept.commands[0], kept.seeds) == ("make demo", None)


@pytest.mark.usefixtures("tiny_sets")
def test_a_result_file_that_would_replace_another_file_is_refused_before_anything_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "mine.json"
    mine.write_text("{}")
    with pytest.raises(SystemExit):
        main(["evaluate", "--sets-dir", str(tmp_path / "sets"), "--result", str(mine)])
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "exists and is no result file" in error
    assert list(tmp_path.iterdir()) == [mine]


@pytest.mark.usefixtures("tiny_sets")
def test_choosing_the_test_set_says_what_it_is_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    places = ["--sets-dir", str(tmp_path / "sets"), "--out", str(tmp_path / "out")]
    assert main(["evaluate", "--model", "table-colour", "--set", "test", *places]) == 0
    assert "the test set is for final figures only: choose between methods and settings on" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--model", "nowhere.safetensors"], 1, "there is no nowhere.safetensors"),
        (["--model"], 2, "name at least one"),
        (["--data", "x.json", "--images", ".", "--set", "test"], 2, "--data x.json and --set test came"),
        (["--data", "x.json"], 2, "--data and --images come together"),
        (["--orientation", "stored"], 2, "--orientation stored has no effect without --data"),
        (["--longer-side", "3"], 2, "--longer-side is 3; accepted is 64 to 4096 px"),
    ],
)
def test_mistakes_end_in_one_line(
    arguments: list[str], status: int, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", *arguments, "--out", str(tmp_path / "out")]) == status
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("name", "status"), [("gone.json", 1), (".", 2), ("broken.json", 1)])
def test_labels_that_cannot_be_read_claim_no_folder(
    untrained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, status: int
) -> None:
    (tmp_path / "broken.json").write_text("{")
    data = ["--data", str(tmp_path / name), "--images", str(tmp_path)]
    assert main(["evaluate", "--model", str(untrained), *data, "--out", str(tmp_path / "out")]) == status
    error = capsys.readouterr().err
    assert str(tmp_path / name) in error
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_picture_that_cannot_be_decoded_is_named_before_the_first_is_segmented(
    untrained: Path, labelled_picture: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels, images = labelled_picture
    copies = Path(shutil.copytree(images, tmp_path / "images"))
    (picture,) = copies.iterdir()
    # The header stays whole, and with it the size that the labels are compared with.
    os.truncate(picture, picture.stat().st_size // 2)
    data = ["--data", str(labels), "--images", str(copies)]
    assert main(["evaluate", "--model", str(untrained), *data, "--out", str(tmp_path / "out")]) == 1
    assert f"{picture} cannot be read as a picture" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_folder_of_something_else_is_not_written_to(
    untrained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.tex").write_text("")
    assert main(["evaluate", "--model", str(untrained), "--out", str(tmp_path)]) == 1
    assert "made by something else" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
