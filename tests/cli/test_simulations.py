"""The options of the simulated cameras, from the command line to the pictures on disk."""

import json

import imageio.v3 as imageio
import pytest

from tabletop_interaction.cli.main import main
from tabletop_interaction.envs import open_interactions
from tabletop_interaction.envs.records.folder import read_meta
from tabletop_interaction.real import TWIN_LAB, lab_views
from tabletop_interaction.simulation import orbit, top_down

SMALL = ["--views", "top-down", "--picture-size", "64", "80"]


@pytest.fixture
def views_file(tmp_path):
    views = (top_down("above", picture_size=(64, 64)), orbit("side", 0, 40, picture_size=(96, 128)))
    path = tmp_path / "views.json"
    path.write_text(json.dumps([view.to_dict() for view in views]))
    return path


def test_records_have_the_size_and_the_cameras_that_were_asked_for_and_no_others(tmp_path, views_file, capsys):
    out = str(tmp_path / "records")
    main(["collect", "--interactions", "1", "--out", out, *SMALL])
    (row,) = open_interactions(out)
    assert {name: picture.shape for name, picture in row.before.items()} == {"view_0": (64, 80, 3)}
    assert row.views == (top_down("view_0", picture_size=(64, 80)),)
    assert main(["collect", "--interactions", "2", "--out", out, "--views", str(views_file)]) == 1
    said = capsys.readouterr().err
    assert "views ['view_0'], not ['above', 'side']" in said
    assert len(said) < 1000


def test_a_lab_s_cameras_see_the_simulation(tmp_path):
    main(["collect", "--interactions", "1", "--out", str(tmp_path / "records"), "--views", str(TWIN_LAB)])
    (row,) = open_interactions(tmp_path / "records")
    assert row.views == lab_views("twin")


def test_show_shows_the_first_view_of_whatever_name(tmp_path, views_file):
    records = tmp_path / "records"
    main(["collect", "--interactions", "1", "--out", str(records), "--views", str(views_file)])
    assert read_meta(records).views == ("above", "side")
    assert main(["show", str(records)]) == 0
    assert (tmp_path / "records-pictures" / "film.mp4").exists()


def test_rearrange_writes_pictures_of_the_first_camera(tmp_path):
    out = tmp_path / "out"
    main(["rearrange", "--agent", "oracle", "--displaced", "1", "--seed", "1", "--out", str(out), *SMALL])
    assert imageio.imread(out / "start.png").shape == (64, 80, 3)
    assert imageio.imread(out / "final.png").shape == (64, 80, 3)


def test_the_benchmark_keeps_its_cameras_and_refuses_others(tmp_path, capsys):
    command = ["benchmark", "rearrangement", "--agents", "random", "--out", str(tmp_path / "out"), "--displaced", "1"]
    assert main([*command, "--episodes", "1", *SMALL]) == 0
    assert json.loads((tmp_path / "out" / "settings.json").read_text())["simulation"]["picture_size"] == [64, 80]
    assert main([*command, "--episodes", "2"]) == 1
    assert "holds episodes with other settings: simulation is" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--picture-size", "8", "80"], "--picture-size is (8, 80); accepted is 16 to 4096 px"),
        (["--views", "nowhere.yaml"], "--views is nowhere.yaml, and there is no such file"),
        (["--backend", "sawyer", "--config", "twin", *SMALL], "has no effect with --backend sawyer"),
    ],
)
def test_cameras_that_cannot_be_used_are_refused_before_anything_is_written(options, message, tmp_path, capsys):
    assert main(["collect", "--out", str(tmp_path / "records"), *options]) == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "records").exists()
