"""Commands show objects and table tops of the user, and refuse what cannot be used before they write."""

import cv2
import numpy as np
import pytest
import trimesh

from tabletop_interaction.cli.main import main
from tabletop_interaction.envs import read_interactions
from tabletop_interaction.envs.records.folder import read_meta


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """The options for a folder of two objects, one of them too wide, and one of table tops."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for folder in ("meshes", "photos"):
        (tmp_path / folder).mkdir()
    trimesh.creation.box((0.08, 0.03, 0.02)).export(tmp_path / "meshes" / "block.stl")
    trimesh.creation.box((0.08, 0.07, 0.04)).export(tmp_path / "meshes" / "brick.stl")
    cv2.imwrite(str(tmp_path / "photos" / "desk.png"), np.full((70, 80, 3), 120, np.uint8))
    return ["--objects", str(tmp_path / "meshes"), "--tables", str(tmp_path / "photos")]


def test_collect_records_own_objects_and_refuses_their_rows_once_they_change(folders, tmp_path, capsys):
    command = ["collect", *folders, "--out", str(tmp_path / "out"), "--interactions"]
    assert main([*command, "1"]) == 0
    assert "1 of 2 objects are wider than the gripper opens, 57 mm, as they lie: brick (7" in capsys.readouterr().out
    (row,) = read_interactions(tmp_path / "out")
    assert row.background == "desk"
    assert set(read_meta(tmp_path / "out").metadata["assets"]["objects"]) == {"block", "brick"}
    trimesh.creation.box((0.08, 0.03, 0.03)).export(tmp_path / "meshes" / "block.stl")
    assert main([*command, "2"]) == 1
    assert "holds interactions of assets" in capsys.readouterr().err


def test_assets_draws_own_objects_with_their_grasp_success(folders, tmp_path, capsys):
    assert main(["assets", *folders, "--picks", "1", "--out", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert "block" in printed
    assert "100%" in printed
    sheet = cv2.imread(str(tmp_path / "out" / "objects.jpg"))
    # Two objects in a row, each in a tile of 158 pixels.
    assert sheet.shape[1] == pytest.approx(2 * 158, abs=8)


def test_assets_picks_each_object_as_often_as_asked_whatever_its_split(folders, tmp_path, capsys):
    for number in range(4):
        trimesh.creation.box((0.06, 0.03, 0.02)).export(tmp_path / "meshes" / f"toy{number}.stl")
    (tmp_path / "meshes" / "objects.yaml").write_text("defaults: {split: test}")
    (tmp_path / "photos" / "tables.yaml").write_text("defaults: {split: val}")
    assert main(["assets", *folders, "--picks", "2", "--out", str(tmp_path / "out")]) == 0
    rows = [line.split("│") for line in capsys.readouterr().out.splitlines() if " x " in line]
    assert [row[6].strip() for row in rows if row[1].strip()] == ["2"] * 6


def test_objects_that_the_gripper_hardly_holds_are_named_with_the_reason(folders, tmp_path, capsys):
    trimesh.creation.box((0.08, 0.008, 0.02)).export(tmp_path / "meshes" / "pen.stl")
    trimesh.creation.box((0.08, 0.05, 0.002)).export(tmp_path / "meshes" / "card.stl")
    assert main(["collect", *folders, "--interactions", "1", "--out", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert "1 of 4 objects are no wider than the gripper closes, 16 mm, as they lie: pen (" in printed
    assert "1 of 4 objects are lower than 7 mm as they lie: card (2 mm); the gripper passes over them" in printed


@pytest.mark.parametrize("command", ["collect", "learn", "bootstrap", "rearrange", "benchmark rearrangement", "assets"])
def test_files_that_cannot_be_used_are_refused_before_anything_is_written(folders, tmp_path, capsys, command):
    (tmp_path / "meshes" / "torn.stl").write_bytes(b"")
    assert main([*command.split(), *folders, "--out", str(tmp_path / "out")]) == 2
    assert "1 of 3 objects cannot be used: torn: " in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
