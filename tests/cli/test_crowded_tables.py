"""Options of the simulated table's objects and gripper, for the commands that act."""

import json

import pytest

from tabletop_interaction.cli.backends import BackendOptions
from tabletop_interaction.cli.main import main
from tabletop_interaction.cli.simulations import SimulationOptions
from tabletop_interaction.envs.records.folder import read_meta

CROWDED = ["--objects-min", "2", "--objects-max", "3", "--clutter", "--tray", "--gripper", "wide"]
SETTINGS = {"objects_min": 2, "objects_max": 3, "clutter": True, "tray": True, "gripper": "wide"}


def test_collect_records_on_the_table_that_was_asked_for_and_resumes_only_there(tmp_path, capsys):
    out = tmp_path / "records"
    assert main(["collect", "--out", str(out), "--interactions", "1", *CROWDED]) == 0
    assert SETTINGS.items() <= read_meta(out).metadata["config"].items()
    assert main(["collect", "--out", str(out), "--interactions", "2", "--objects-max", "3"]) == 1
    assert "config.clutter True, not None" in capsys.readouterr().err


def test_rearrange_plays_on_the_table_that_was_asked_for(tmp_path):
    out = tmp_path / "rearranged"
    command = ["rearrange", "--agent", "random", "--displaced", "1", "--out", str(out)]
    assert main([*command, "--tray", "--gripper", "wide", "--objects-min", "2", "--objects-max", "2"]) == 0
    assert (out / "film.mp4").exists()


def test_a_run_is_described_with_the_table_that_was_asked_for():
    options = SimulationOptions(objects_min=2, objects_max=3, clutter=True, tray=True, gripper="wide")
    described = BackendOptions(simulation=options).settings()
    assert SETTINGS.items() <= json.loads(json.dumps(described)).items()


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["collect", "--objects-min", "5", "--objects-max", "3"], "objects_min is 5 and objects_max 3"),
        (["collect", "--objects-max", "21"], "accepted is 1 to 20"),
        (["collect", "--objects-max", "20", "--split", "test"], "or use clutter"),
        (["benchmark", "rearrangement", "--objects-max", "20"], "or use clutter"),
        (["rearrange", "--objects-max", "20"], "or use clutter"),
        (["learn", "--objects-max", "20", "--split", "val"], "or use clutter"),
        (["collect", "--backend", "sawyer", "--config", "twin", "--clutter"], "--clutter"),
    ],
)
def test_a_table_that_cannot_be_laid_is_refused_in_a_line_and_nothing_is_written(command, message, tmp_path, capsys):
    out = tmp_path / "out"
    assert main([*command, "--out", str(out)]) != 0
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert message in error
    assert not out.exists()


@pytest.mark.parametrize(
    ("given", "bounds"), [((2, None), (2, 8)), ((12, None), (12, 12)), ((None, 3), (3, 3)), ((None, 12), (4, 12))]
)
def test_a_bound_that_is_not_given_makes_way(given, bounds):
    settings = SimulationOptions(objects_min=given[0], objects_max=given[1]).settings()
    assert (settings["objects_min"], settings["objects_max"]) == bounds
