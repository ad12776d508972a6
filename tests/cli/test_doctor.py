"""`tabletop doctor` ends with 0 where all is well and 1 otherwise, and says what to mend."""

import os
from contextlib import nullcontext
from importlib.metadata import PackageNotFoundError
from types import SimpleNamespace

import numpy as np
import pytest
from imageio.v3 import imread

from tabletop_interaction import installation
from tabletop_interaction.cli.main import main
from tabletop_interaction.extras import PURPOSES, install_command, required
from tabletop_interaction.real import TWIN_LAB
from tabletop_interaction.real.lab.file import read_lab_file, update_lab_file


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    """The drawing goes to a folder of the test."""
    monkeypatch.chdir(tmp_path)


def test_the_packaged_laboratory_passes_every_check(capsys):
    assert main(["doctor", "--config", "twin"]) == 0
    out = capsys.readouterr().out
    assert "all 23 checks passed" in out
    assert "FAIL" not in out
    for name in ("lab file", "camera poses", "reach", "camera view_3", "robot", "gripper"):
        assert f"ok    {name}: " in out
    assert "ok    obstacles: the table and no box; clear of the arm away" in out
    assert "runs/doctor/laboratory.png: arm, obstacles and arena" in out
    height, width, _ = imread("runs/doctor/laboratory.png").shape
    assert (height, width) == (800, 1500)


def test_a_box_around_the_arm_away_is_named(tmp_path, capsys):
    lab = tmp_path / "lab.yaml"
    box = {"rear wall": {"corners": [[-0.4, -1.2, 0.3], [-0.2, -1.0, 0.9]]}}
    update_lab_file(lab, {**read_lab_file(TWIN_LAB).plain, "obstacles": box})
    assert main(["doctor", "--config", str(lab), "--out", str(tmp_path / "drawn")]) == 1
    shown = capsys.readouterr()
    assert "from rear wall in command 0 of 1" in shown.out
    assert "2 of 23 checks failed: reach, obstacles" in shown.err
    assert (tmp_path / "drawn" / "laboratory.png").exists()


def test_each_failed_check_is_named_with_a_remedy(tmp_path, capsys):
    lab = tmp_path / "lab.yaml"
    update_lab_file(
        lab, {**read_lab_file(TWIN_LAB).plain, "arena": {"x_min": 0.0, "x_max": 0.1, "y_min": 0.5, "y_max": 0.6}}
    )
    assert main(["doctor", "--config", str(lab), "--move"]) == 1
    shown = capsys.readouterr()
    assert "FAIL  reach: " in shown.out
    assert "      -> make the section arena" in shown.out
    assert "1 of 23 checks failed: reach" in shown.err


def test_a_laboratory_where_nothing_is_plugged_in_is_reported_part_by_part(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ROS_MASTER_URI", "http://localhost:1")
    text = TWIN_LAB.read_text().replace("driver: twin", "driver: intera").replace("'2026-", "'2020-")
    lab = tmp_path / "lab.yaml"
    lab.write_text(text.replace("source: view_", f"source: {tmp_path}/no_camera_"))
    assert main(["doctor", "--config", str(lab), "--max-age-days", "1e6"]) == 1
    shown = capsys.readouterr()
    wrong = ["camera view_0", "camera view_1", "camera view_2", "camera view_3", "ROS master", "robot", "gripper"]
    assert f"7 of 16 checks failed: {', '.join(wrong)};" in shown.err
    assert "cannot be opened\n      -> run `v4l2-ctl --list-devices`" in shown.out
    assert main(["doctor", "--config", str(lab)]) == 1
    assert "FAIL  robot base: " in capsys.readouterr().out


def test_without_a_lab_file_there_is_one_finding(tmp_path, capsys):
    assert main(["doctor", "--config", str(tmp_path / "[lab].yaml")]) == 1
    shown = capsys.readouterr()
    assert "[lab].yaml" in shown.out
    assert "-> make one with `tabletop calibrate start" in shown.out
    assert "1 of 1 checks failed: lab file" in shown.err


@pytest.mark.parametrize(
    ("answer", "status", "shown"),
    [("move", 0, "was away already; nothing was moved"), ("yes", 1, "nothing was moved"), (None, 1, "'' came")],
)
def test_the_arm_moves_only_after_the_typed_word(answer, status, shown, monkeypatch, capsys):
    def ask(prompt):
        if answer is None:
            raise EOFError
        return answer

    monkeypatch.setattr("builtins.input", ask)
    monkeypatch.setattr("tabletop_interaction.real.checks.examination.examine", lambda *arguments: iter(()))
    assert main(["doctor", "--config", "twin", "--move"]) == status
    printed = capsys.readouterr()
    assert shown in printed.out + printed.err


def test_nothing_is_moved_without_a_lab_file(capsys):
    assert main(["doctor", "--move"]) == 2
    assert "--move came without --config" in capsys.readouterr().err


def test_without_a_lab_file_the_installation_is_checked(capsys):
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "pictures by composed-tinyrenderer" in out
    assert f"ok    numpy: {np.__version__}" in out
    for extra in PURPOSES:
        assert f"ok    extra {extra}: " in out
    for module in installation.OF_THE_ROBOT:
        assert f"NOTE  {module}: not installed\n      -> for a real Sawyer" in out


@pytest.fixture
def quick_render(monkeypatch):
    """A simulation that shows the pictures in the list."""
    shown = [np.arange(12, dtype=np.uint8).reshape(2, 2, 3)]
    backend = SimpleNamespace(
        reset=lambda rng, new_scene: 0,
        observe=lambda: {f"view_{i}": picture for i, picture in enumerate(shown)},
        metadata={"renderer": "painted"},
    )
    monkeypatch.setattr("tabletop_interaction.simulation.open_simulation", lambda split, config: nullcontext(backend))
    return shown


def test_blank_pictures_are_reported(quick_render, capsys):
    quick_render.append(np.full((2, 2, 3), 7, np.uint8))
    assert main(["doctor"]) == 1
    assert "of one colour: view_1" in capsys.readouterr().out


def test_a_missing_dependency_is_reported_with_its_command(quick_render, monkeypatch, capsys):
    real = installation.version

    def version(name):
        if name == "pyarrow":
            raise PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(installation, "version", version)
    assert main(["doctor"]) == 1
    shown = capsys.readouterr()
    assert "FAIL  pyarrow: not installed\n      -> `pip install 'pyarrow>=17'`" in shown.out
    assert "checks failed: pyarrow;" in shown.err


def test_what_is_not_installed_of_an_extra_is_a_note_with_its_command(quick_render, monkeypatch, capsys):
    real = installation.version

    def version(name):
        if name in ("torch", "tensorboard"):
            raise PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(installation, "version", version)
    assert main(["doctor"]) == 0
    said = "NOTE  extra learn: not installed: torch, tensorboard; for learning"
    out = capsys.readouterr().out
    assert said in out
    assert f"      -> `{install_command('learn')}`" in out


def test_dependencies_are_those_of_the_package_without_its_extras():
    names = required()
    assert {"numpy", "opencv-python-headless", "imageio", "tyro"} <= set(names)
    assert not {"ray", "ruckig", "pytest", "torch"} & set(names)


def test_nothing_is_written_without_a_lab_file_so_that_the_folder_may_be_read_only(tmp_path, monkeypatch, capsys):
    # As os.access answers a user without rights here; root has them all.
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    assert main(["doctor", "--config", "twin"]) == 2
    assert f"--out is runs/doctor, but {tmp_path} cannot be written" in capsys.readouterr().err
    main(["doctor"])
    assert "cannot be written" not in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
