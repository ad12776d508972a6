"""Each script in docs/examples, and the one of the README's picture, does what its first line says, in small."""

import ast
from pathlib import Path

import pytest
from loading import load_module

from tabletop_interaction.cli.main import main
from tabletop_interaction.envs import read_interactions


def test_an_agent_of_ones_own_is_recorded(example, tmp_path):
    example("collect").collect(out=str(tmp_path / "mine"), interactions=3, seed=1)
    rows = list(read_interactions(tmp_path / "mine"))
    assert len(rows) == 3
    for row in rows:
        x, y = row.pick_place.pick_x, row.pick_place.pick_y
        assert x < 0
        assert (row.pick_place.place_x, row.pick_place.place_y) == pytest.approx((-x, y), abs=1e-6)


def test_our_agent_brings_an_object_to_its_goal(example, capsys):
    assert example("rearrange").rearrange(displaced=1, seed=3)["is_success"]
    assert capsys.readouterr().out.startswith("to its goal: reward ")


def test_the_swap_to_a_robot_runs_on_its_twin(example, tmp_path):
    example("robot").explore(out=str(tmp_path / "robot"), interactions=1)
    (row,) = read_interactions(tmp_path / "robot")
    assert sorted(row.after) == ["view_0", "view_1", "view_2", "view_3"]


def test_the_readmes_picture_shows_the_best_masks_and_the_worst_by_the_truth(tmp_path, capsys):
    collected = [
        "--policy",
        "hypothesis",
        "--record",
        "instances",
        "--interactions",
        "4",
        "--out",
        str(tmp_path / "records"),
    ]
    assert main(["collect", *collected]) == 0
    capsys.readouterr()
    script = load_module(Path(__file__).parents[2] / "docs" / "pictures" / "interactions.py")
    script.draw(tmp_path / "records", tmp_path / "picture", good=1)
    best, worst = ast.literal_eval(capsys.readouterr().out).values()
    assert 1 >= best >= worst >= 0
    assert (tmp_path / "picture" / "sheet_00.jpg").stat().st_size
