"""The Makefile in odd folders, and with an environment that is there already."""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MARKS = ("installed", "installed-dev")

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the Makefile, the files that an environment depends on, and one that is up to date."""
    folder = tmp_path / "mein Ordner für Übungen"
    folder.mkdir()
    for name in ("Makefile", "setup.cfg", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    venv.create(folder / ".venv", symlinks=True, with_pip=False)
    # As pip writes it where the path holds spaces.
    pip = f'#!/bin/sh\n\'\'\'exec\' "{folder}/.venv/bin/python3" "$0" "$@"\n'
    (folder / ".venv" / "bin" / "pip").write_text(pip)
    for mark in MARKS:
        (folder / ".venv" / mark).touch()
    return folder


def make(folder: Path, *arguments: str) -> tuple[int, list[str]]:
    """Exit status, and the lines that are not make's own."""
    ran = subprocess.run(
        ["make", "--silent", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        env={name: value for name, value in os.environ.items() if name not in ("PYTHON", "VENV", "MAKEFLAGS")},
    )
    lines = (ran.stdout + ran.stderr).splitlines()
    return ran.returncode, [line for line in lines if not line.startswith("make")]


def test_an_environment_that_is_up_to_date_is_used(checkout: Path) -> None:
    assert make(checkout, ".venv/installed") == (0, [])


def test_the_python_of_the_environment_may_be_named(checkout: Path) -> None:
    assert make(checkout, ".venv/installed", f"PYTHON={sys.executable}") == (0, [])


@pytest.mark.parametrize("target", MARKS)
def test_another_python_than_that_of_the_environment_is_refused_in_one_line(target: str, checkout: Path) -> None:
    other = checkout / "an other python"
    other.write_text(
        f"#!/bin/sh\nexec '{sys.executable}' -c \"import sys; sys.base_prefix = '/other'; exec(sys.argv[1])\" \"$2\"\n"
    )
    other.chmod(0o755)
    status, lines = make(checkout, f".venv/{target}", f"PYTHON={other}")
    has = "{}.{}".format(*sys.version_info)
    remedy = "remove it with `rm -r .venv`, or name another folder with VENV"
    assert (status, lines) == (2, [f".venv has Python {has} of {sys.base_prefix}, not {other}; {remedy}"])


def test_a_name_that_is_no_python_is_refused_though_there_is_an_environment(checkout: Path) -> None:
    status, lines = make(checkout, ".venv/installed", "PYTHON=/nowhere/python3")
    assert (status, len(lines)) == (2, 1)
    assert lines[0].startswith("/nowhere/python3 is not Python 3.11, 3.12 or 3.13 with venv")


def test_a_checkout_that_was_moved_is_said_so(checkout: Path) -> None:
    moved = checkout.rename(checkout.with_name("elsewhere"))
    status, lines = make(moved, ".venv/installed")
    assert (status, len(lines)) == (2, 1)
    assert lines[0].startswith(f".venv was made in {checkout}; remove it with `rm -r .venv`")


def test_an_environment_whose_python_is_gone_is_said_so(checkout: Path) -> None:
    for path in (checkout / ".venv" / "bin").glob("python*"):
        path.unlink()
    assert make(checkout, ".venv/installed") == (
        2,
        [".venv has no Python that runs; remove it with `rm -r .venv`"],
    )


def test_an_environment_that_the_user_made_keeps_its_python(checkout: Path) -> None:
    (checkout / ".venv" / "installed").unlink()
    lines = make(checkout, "--dry-run", ".venv/installed")[1]
    made = next(line for line in lines if line.endswith("-m venv .venv"))
    assert "test -x .venv/bin/python && echo .venv/bin/python ||" in made


def test_types_are_checked_with_the_environment_of_a_folder_with_spaces(checkout: Path) -> None:
    (checkout / ".ci").mkdir()
    (checkout / ".ci" / "check_wheel").write_text('echo "$VENV"\n')
    assert make(checkout, "type") == (0, [f"{checkout}/.venv"])


def test_a_name_with_spaces_for_the_environment_is_refused(checkout: Path) -> None:
    ran = subprocess.run(["make", "VENV=a b", "help"], cwd=checkout, capture_output=True, text=True)
    assert ran.returncode == 2
    assert "VENV and ROS_VENV are one name each without spaces" in ran.stderr
