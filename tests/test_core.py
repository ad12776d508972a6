"""The core works where no extra is installed: environments, records, and the commands that need no network."""

import json
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from tabletop_interaction.cli.main import COMMANDS
from tabletop_interaction.envs import count_interactions, read_interactions
from tabletop_interaction.extras import PURPOSES, extras, install_command, module_of, required

OF_EXTRAS = sorted({module_of(name) for extra in extras() for name in required(extra)})

# Not None in `sys.modules`: libraries look there for modules that somebody has imported.
WITHOUT = f"""
import sys
from importlib.machinery import PathFinder

class OfTheCore(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in {OF_EXTRAS!r} else PathFinder.find_spec(name, path, target)

sys.meta_path[:] = [OfTheCore if finder is PathFinder else finder for finder in sys.meta_path]
"""

ENVIRONMENTS = """
import gymnasium as gym
from tabletop_interaction.envs import RecordInteractions, read_interactions
for name in ("TabletopInteraction-v0", "TabletopPushing-v0", "TabletopRearrangement-v0"):
    env = gym.make(f"tabletop_interaction:{name}", observation="both")
    if name != "TabletopRearrangement-v0":
        env = RecordInteractions(env, name)
    env.reset(seed=0)
    env.step(env.action_space.sample())
    env.close()
print(sum(row.before["view_0"].size > 0 for row in read_interactions("TabletopInteraction-v0")))
"""

COMMANDS_RUN = """
import contextlib, io, json
from tabletop_interaction.cli.main import main
said = []
for arguments in json.loads(sys.argv[1]):
    out, error = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
        try:
            status = main(arguments)
        except SystemExit as end:
            status = end.code or 0
    said.append((status, out.getvalue(), error.getvalue()))
print(json.dumps(said))
"""


def _run(code: str, folder: Path, *arguments: str) -> str:
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT + code, *arguments], capture_output=True, text=True, cwd=folder
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()[-1]


def _commands(folder: Path, *arguments: list[str]) -> list[tuple[int, str, str]]:
    """Status, output and errors of commands in one process in which no module of an extra can be imported."""
    return [tuple(each) for each in json.loads(_run(COMMANDS_RUN, folder, json.dumps(arguments)))]


def test_the_extras_hold_what_is_large() -> None:
    assert {"torch", "torchvision", "scipy", "skimage", "matplotlib", "ray", "stable_baselines3"} <= set(OF_EXTRAS)
    assert not {"numpy", "pybullet", "cv2", "pyarrow"} & set(OF_EXTRAS)
    assert list(PURPOSES) == extras()


def test_environments_record_without_extras(tmp_path: Path) -> None:
    assert _run(ENVIRONMENTS, tmp_path) == "1"
    assert count_interactions(tmp_path / "TabletopPushing-v0") == 1


def test_commands_without_a_network_run_without_extras(tmp_path: Path) -> None:
    helps = [["--help"], *([name, "--help"] for name in COMMANDS)]
    collect = ["collect", "--interactions", "2", "--out", "records"]
    runs = [collect, ["show", "records"], ["doctor"]]
    said = _commands(tmp_path, *helps, *runs)
    assert [error for status, _, error in said if status] == []
    shown, checked = said[-2][1], said[-1][1]
    assert len(list(read_interactions(tmp_path / "records"))) == 2
    assert "sheet_00.jpg" in shown
    assert (tmp_path / "records-pictures" / "sheet_00.jpg").stat().st_size
    assert "pictures by composed-tinyrenderer" in checked


@pytest.fixture
def photo(tmp_path: Path) -> str:
    cv2.imwrite(str(tmp_path / "photo.png"), np.zeros((40, 50, 3), np.uint8))
    return "photo.png"


def test_commands_that_need_an_extra_name_it_in_one_line_and_write_nothing(tmp_path: Path, photo: str) -> None:
    (tmp_path / "meshes").mkdir()
    (tmp_path / "meshes" / "cube.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    _commands(tmp_path, ["collect", "--interactions", "1", "--out", "records"])
    asked = {
        ("learn", "--interactions", "2"): "learn",
        ("bootstrap",): "learn",
        ("train", "--data", "records"): "learn",
        ("train-inverse", "--data", "records"): "learn",
        ("segment", photo): "learn",
        ("evaluate", "--model", "default"): "learn",
        ("rearrange",): "learn",
        ("benchmark", "rearrangement"): "learn",
        ("collect", "--policy", "hypothesis"): "learn",
        ("collect", "--workers", "2"): "ray",
        ("collect", "--backend", "sawyer", "--config", "twin"): "sawyer",
        ("collect", "--objects", "meshes"): "meshes",
    }
    there = sorted(tmp_path.rglob("*"))
    said = _commands(tmp_path, *([*command, "--out", "new"] for command in asked))
    for (command, extra), (status, _, error) in zip(asked.items(), said, strict=True):
        assert status == 1, command
        assert re.search(rf"`.*pip install .*\[{extra}\]'`", error), (command, error)
        assert error.count("\n") == 1, (command, error)
    assert sorted(tmp_path.rglob("*")) == there


def test_the_shipped_segmenter_names_the_extra_that_it_needs(tmp_path: Path) -> None:
    code = "try: from tabletop_interaction.segmentation import Segmenter\nexcept ImportError as error: print(error)"
    assert _run(code, tmp_path).startswith("this needs torch, which is not installed; run `")
    assert "[learn]" in install_command("learn")
