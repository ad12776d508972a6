"""What a release is made of agrees with itself, and `make` finds a Python."""

import configparser
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import tabletop_interaction

ROOT = Path(__file__).parents[1]
SETUP = configparser.ConfigParser()
SETUP.read(ROOT / "setup.cfg")
PYTHONS = ("3.11", "3.12", "3.13")
CORE = [
    Requirement(line) for line in SETUP["options"]["install_requires"].splitlines() if line.strip() and line[0] != "#"
]


def test_the_citation_names_the_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == tabletop_interaction.__version__
    assert citation["license"] == SETUP["metadata"]["license"]


def test_the_accepted_pythons_are_named_everywhere() -> None:
    accepted = SpecifierSet(SETUP["options"]["python_requires"])
    named = [f"3.{minor}" for minor in range(9, 20) if accepted.contains(f"3.{minor}.0")]
    assert tuple(named) == PYTHONS
    classifiers = SETUP["metadata"]["classifiers"]
    assert [each for each in PYTHONS if f"Python :: {each}\n" not in classifiers] == []


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize(("system", "expected"), [("linux", {"3.11": "pybullet"}), ("darwin", {})])
def test_each_python_gets_one_distribution_of_pybullet(python: str, system: str, expected: dict[str, str]) -> None:
    here = {"python_version": python, "sys_platform": system}
    found = [one.name for one in CORE if one.name.startswith("pybullet") and one.marker and one.marker.evaluate(here)]
    assert found == [expected.get(python, "pybullet-arm64")]


@pytest.mark.parametrize("extra", ["", *SETUP["options.extras_require"]])
def test_every_requirement_has_a_tested_version_that_it_accepts(extra: str) -> None:
    lines = SETUP["options.extras_require"][extra] if extra else SETUP["options"]["install_requires"]
    wanted = [Requirement(line) for line in lines.splitlines() if line.strip() and not line.startswith("#")]
    pinned = [Requirement(line) for line in (ROOT / "constraints.txt").read_text().splitlines() if line[:1] != "#"]
    tested = {_plain(one.name): str(one.specifier).removeprefix("==") for one in pinned}
    others = [one for one in wanted if one.name != "tabletop-interaction"]
    assert [one.name for one in others if not one.specifier.contains(tested.get(_plain(one.name), "0"))] == []


def _plain(name: str) -> str:
    return name.lower().replace("_", "-")


@pytest.fixture
def only(tmp_path: Path) -> Path:
    """A folder for the PATH with what `make` needs, and a python3.11 as pyenv leaves one that is not chosen."""
    for name in ("make", "sh", "echo"):
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    _program(tmp_path / "python3.11", "exit 127")
    return tmp_path


def _program(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


def _make(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = ["make", "--silent", "-C", str(ROOT), "python", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={"PATH": str(folder)})


@pytest.mark.parametrize("name", ["python3.12", "python3.13", "python3"])
def test_make_takes_the_first_python_that_runs(name: str, only: Path) -> None:
    _program(only / name, f'exec {sys.executable} "$@"')
    assert _make(only).stdout == f"{name}\n"


@pytest.mark.parametrize(
    ("arguments", "said"), [([], "there is no Python 3.11,"), (["PYTHON=python2"], "python2 is not Python 3.11,")]
)
def test_without_a_python_make_says_so_in_one_line(arguments: list[str], said: str, only: Path) -> None:
    ended = _make(only, *arguments)
    assert ended.returncode != 0
    assert ended.stdout.startswith(said)
    assert ended.stdout.count("\n") == 1
