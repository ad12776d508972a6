"""Every command has help with an example, stands in the README, and costs only what it needs to start."""

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from tabletop_interaction.cli.main import COMMANDS, main, summary

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_help_with_an_example(name, capsys):
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert f"Example: tabletop {name}" in capsys.readouterr().out


def test_every_file_of_a_command_is_listed_and_opens_with_its_name():
    opened = [re.match(r'"""`tabletop ([\w-]+)`: ', path.read_text()) for path in (ROOT / "cli").glob("*.py")]
    assert sorted(found[1] for found in opened if found) == sorted(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_what_the_list_says_of_a_command_is_the_first_line_of_its_module(name):
    module = import_module(f"tabletop_interaction.cli.{name.replace('-', '_')}")
    assert module.__doc__.splitlines()[0] == f"`tabletop {name}`: {summary(name)}"


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_the_list_says_what_every_command_is(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 0
    said = " ".join(re.sub("[│•]", " ", capsys.readouterr().out).split())
    assert [name for name in COMMANDS if f"{name} {summary(name)}" not in said] == []


@pytest.mark.parametrize(
    ("name", "said"), [("colect", "'colect' (did you mean collect?); accepted are"), ("cook", "'cook'; accepted are")]
)
def test_a_command_that_is_none_is_told_which_there_are(name, said, capsys):
    assert main([name, "--out", "x"]) == 1
    error = capsys.readouterr().err
    assert said in error
    assert error.endswith(f"{', '.join(COMMANDS)}\n")


STARTED = """
import sys
from tabletop_interaction.cli.main import main
for arguments in {asked}:
    try:
        main(arguments)
    except SystemExit:
        pass
print([name for name in ("torch", "torchvision", "skimage") if name in sys.modules], file=sys.stderr)
"""


def test_commands_without_a_network_start_without_torch(tmp_path):
    light = ["collect", "show", "assets", "calibrate", "doctor"]
    asked = [["--help"], ["colect"], ["show", str(tmp_path / "nowhere")], *([name, "--help"] for name in light)]
    ended = subprocess.run([sys.executable, "-c", STARTED.format(asked=asked)], capture_output=True, text=True)
    assert ended.stderr.splitlines()[-1] == "[]"


def test_the_shell_completes_the_options_of_every_command(capsys):
    with pytest.raises(SystemExit):
        main(["--tyro-print-completion", "bash"])
    script = capsys.readouterr().out
    assert all(option in script for option in ("--interactions", "--paste-share", "--max-age-days"))


def test_every_file_that_the_readme_links_to_is_there():
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_stands_in_the_readme(name):
    assert f"tabletop {name}" in README
