"""A segmenter of one's own, and detections in a file, in every command that segments."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from tabletop_interaction.cli.main import main
from tabletop_interaction.envs import read_interactions
from tabletop_interaction.envs.records.folder import read_meta

MINE = """
import numpy as np
from tabletop_interaction.segmentation import Segments

class Middle:
    '''Takes the middle of every picture for an object.'''
    def segment(self, picture):
        height, width = picture.shape[:2]
        masks = np.zeros((1, height, width), bool)
        masks[0, height // 2 - 9 : height // 2 + 9, width // 2 - 9 : width // 2 + 9] = True
        return Segments.of(masks, [0.9])
"""


@pytest.fixture(autouse=True)
def own(tmp_path, monkeypatch):
    """The current folder, with the module `middle_of`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "middle_of.py").write_text(MINE)
    yield
    sys.modules.pop("middle_of", None)


def read(path):
    return json.loads(Path(path).read_text())


@pytest.fixture
def data(labelled_picture):
    labels, images = labelled_picture
    return ["--data", str(labels), "--images", str(images)]


def test_columns_of_an_evaluation_may_be_of_any_segmenter(untrained, data, labelled_picture, capsys):
    assert main(["evaluate", "--model", str(untrained), "middle_of:Middle", *data, "--out", "first", "--fast"]) == 0
    assert "Middle" in capsys.readouterr().out
    detections = "first/Middle.detections.json"
    assert main(["evaluate", "--model", detections, "middle_of:Middle", *data, "--out", "again"]) == 0
    from_file, again = read("again/results.json")["models"]
    assert from_file["checkpoint"] == detections
    assert from_file["seconds_per_picture"] is None
    for figure in ("ap", "ap_interval", "proposals"):
        assert from_file[figure] == again[figure]


def test_detections_of_true_masks_have_an_ap_of_one(data, labelled_picture):
    labels = json.loads(labelled_picture[0].read_text())
    found = [
        {"image_id": one["image_id"], "segmentation": one["segmentation"], "score": 1.0}
        for one in labels["annotations"]
        if not one["iscrowd"]
    ]
    Path("perfect.json").write_text(json.dumps(found))
    assert main(["evaluate", "--model", "perfect.json", *data, "--out", "out"]) == 0
    (figures,) = read("out/results.json")["models"]
    assert set(figures["ap"].values()) == {1.0}


@pytest.mark.parametrize("image_id", [12345, "000000"])
def test_detections_of_other_pictures_are_refused_before_anything_is_written(image_id, data, tmp_path, capsys):
    entry = {"image_id": image_id, "segmentation": [[0, 0, 9, 0, 9, 9]], "score": 1.0}
    (tmp_path / "other.json").write_text(json.dumps([entry]))
    assert main(["evaluate", "--model", "other.json", *data, "--out", "out"]) == 1
    assert "other.json has no detection in any picture of" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_photos_are_segmented_and_what_was_found_is_drawn_again(labelled_picture, tmp_path):
    photo = str(labelled_picture[1] / "000000.png")
    assert main(["segment", photo, "--model", "middle_of:Middle", "--out", "first"]) == 0
    assert main(["segment", photo, "--model", "first/segments.json", "--out", "again"]) == 0
    first, again = (json.loads((tmp_path / name / "segments.json").read_text()) for name in ("first", "again"))
    assert first == again
    assert [entry["bbox"] for entry in first] == [[206.0, 166.0, 18.0, 18.0]]
    overlays = [(tmp_path / name / "000000.png").read_bytes() for name in ("first", "again")]
    assert overlays[0] == overlays[1]


def test_the_simple_baseline_segments_without_a_file(labelled_picture):
    photo = str(labelled_picture[1] / "000000.png")
    assert main(["segment", photo, "--model", "table-colour", "--min-score", "0", "--out", "out"]) == 0
    assert read("out/segments.json")


def test_limits_of_score_and_size_hold_for_any_segmenter(labelled_picture, capsys):
    photo = str(labelled_picture[1] / "000000.png")
    for limit in (["--min-score", "0.95"], ["--max-area-share", "0.002"]):
        assert main(["segment", photo, "--model", "middle_of:Middle", "--out", "out", *limit]) == 0
        assert "0 objects" in capsys.readouterr().out


def test_an_agent_picks_what_it_finds(tmp_path):
    arguments = ["--policy", "hypothesis", "--model", "middle_of:Middle", "--interactions", "1"]
    assert main(["collect", *arguments, "--out", "records"]) == 0
    (row,) = read_interactions(tmp_path / "records")
    assert read_meta(tmp_path / "records").metadata["model"] == "middle_of:Middle"
    picked = row.pick_xy
    middle = np.array([[(view.width - 1) / 2, (view.height - 1) / 2] for view in row.views])
    assert np.abs(picked - middle).max(axis=1).min() < 9


def test_the_rearranging_agent_sees_by_it():
    arguments = ["--displaced", "1", "--seed", "3", "--model", "middle_of:Middle"]
    assert (
        main(["benchmark", "rearrangement", "--episodes", "1", "--agents", "full", *arguments, "--out", "bench"]) == 0
    )
    assert main(["rearrange", *arguments, "--out", "one"]) == 0
    assert read("bench/results.json")["agents"]["full"]["success"]["trials"] == 1


@pytest.mark.parametrize("command", ["segment x.png", "evaluate", "collect --policy hypothesis", "rearrange"])
@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("mask-rcnn", "unknown segmenter 'mask-rcnn'; accepted are default, a checkpoint (NAME.safetensors), an ONNX"),
        ("maskrcnn", "the segmenter maskrcnn came without weights; give maskrcnn=PATH, the weights of torchvision's"),
        ("middle_of:Gone", "the segmenter 'middle_of:Gone' cannot be imported"),
        (
            "middle_of.py:Middle",
            "the segmenter 'middle_of.py:Middle' cannot be imported (No module named 'middle_of.py'; "
            "'middle_of' is not a package); name the module without .py, as middle_of:Middle",
        ),
    ],
)
def test_other_names_are_refused_in_one_line(command, model, said, labelled_picture, tmp_path, capsys):
    shutil.copy(labelled_picture[1] / "000000.png", "x.png")
    assert main([*command.split(), "--model", model, "--out", "out"]) == 2
    assert capsys.readouterr().err.startswith(f"error: {said}")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["collect --policy hypothesis", "rearrange", "benchmark rearrangement"])
def test_live_pictures_have_no_detections_in_a_file(command, tmp_path, capsys):
    (tmp_path / "found.json").write_text("[]")
    assert main([*command.split(), "--model", "found.json", "--out", "out"]) == 2
    error = capsys.readouterr().err
    assert "found.json holds detections of given pictures, for `tabletop segment` and `tabletop evaluate`; for" in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (
            ["segment", "x.png", "--model", "middle_of:Middle", "--fast"],
            2,
            "--fast has no effect with --model middle_of:Mi",
        ),
        (
            ["evaluate", "--model", "middle_of:Middle", "--fast"],
            2,
            "--fast has no effect with --model middle_of:Middle",
        ),
        (["export", "--out", "model.pt"], 2, "--out is model.pt; give a name that ends in .onnx"),
        (["export", "--out", "there.onnx"], 1, "there.onnx was made by something else; name another file with --out"),
        (["export", "--model", "gone.safetensors"], 1, "there is no gone.safetensors"),
    ],
)
def test_options_without_effect_and_files_that_exist_are_refused(arguments, status, said, labelled_picture, capsys):
    shutil.copy(labelled_picture[1] / "000000.png", "x.png")
    Path("there.onnx").touch()
    assert main(arguments) == status
    assert capsys.readouterr().err.startswith(f"error: {said}")
