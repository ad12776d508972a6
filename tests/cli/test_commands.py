"""Every command has help with an example and costs only what it needs to start."""

import re
import subprocess
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import pytest

from tabletop_interaction.cli.main import COMMANDS, main, summary
from tabletop_interaction.envs import RecordInteractions, TabletopInteraction

ROOT = Path(__file__).parents[2]
MEASURED = ("make-sets", "generalisation", "learning", "active-passive", "rearrangement")


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_help_with_an_example(name, capsys):
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert f"Example: tabletop {name}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "command", [[name] for name in COMMANDS if name != "benchmark"] + [["benchmark", name] for name in MEASURED]
)
def test_an_option_without_a_value_shows_no_empty_default(command, capsys):
    with pytest.raises(SystemExit):
        main([*command, "--help"])
    printed = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert not re.findall(r"\(default: (?:None)?\)", printed)


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
def test_an_unknown_command_is_answered_with_the_list(name, said, capsys):
    assert main([name, "--out", "x"]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.endswith(f"{', '.join(COMMANDS)}\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["collect", "--seed", "x", "--out", "new"], "Error parsing --seed: invalid literal for int()"),
        (["collect", "--split", "all", "--out", "new"], "Expected one of ('train', 'val', 'test', 'dev')"),
        (["collect", "--sed", "3", "--out", "new"], "Unrecognized options: --sed, 3; Perhaps you meant: --seed INT"),
        (["collect"], "Missing from tabletop collect: --out PATH"),
        (["benchmark"], "Expected one of {make-sets, generalisation, learning, active-passive, rearrangement}"),
        (["--seed", "x"], "Unrecognized options: --seed, x"),
    ],
)
def test_a_mistake_that_the_parser_finds_is_one_line(arguments, said, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    printed, error = capsys.readouterr()
    assert (printed, error.count("\n"), error.startswith("error: ")) == ("", 1, True)
    assert said in error
    assert "│" not in error


@pytest.mark.parametrize(
    ("arguments", "page"),
    [
        (["--sed", "3"], "tabletop"),
        (["collect", "--sed", "3", "--out", "new"], "tabletop collect"),
        (["collect", "--seed", "x", "--out", "new"], "tabletop collect"),
        (["learn"], "tabletop learn"),
        (["rearrange", "--agent"], "tabletop rearrange"),
        (["benchmark"], "tabletop benchmark"),
        (["benchmark", "rearrangment"], "tabletop benchmark"),
        (["benchmark", "rearrangement", "--episode", "3"], "tabletop benchmark rearrangement"),
        (["benchmark", "rearrangement", "--episodes", "x"], "tabletop benchmark rearrangement"),
        (["benchmark", "active-passive", "--runs"], "tabletop benchmark active-passive"),
        (["calibrate", "robot", "--sed", "3"], "tabletop calibrate robot"),
    ],
)
def test_a_mistake_points_at_the_help_of_what_was_called(arguments, page, capsys):
    with pytest.raises(SystemExit):
        main(arguments)
    error = capsys.readouterr().err
    assert error.endswith(f"; see `{page} --help`\n")
    assert "full helptext" not in error


@pytest.mark.parametrize("arguments", [["help"], ["help", "collect"], ["help", "benchmark", "make-sets"]])
def test_the_word_help_prints_help(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 0
    assert f"usage: {' '.join(['tabletop', *arguments[1:]])} [-h]" in capsys.readouterr().out


def test_the_exit_status_tells_a_mistake_from_a_failure(tmp_path, capsys):
    """0: success; 1: a failure; 2: a mistake on the command line, found by the parser or by the command."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    assert main(["collect", "--out", str(tmp_path / "other")]) == 1
    assert main(["show", str(tmp_path / "nowhere")]) == 1
    assert main(["collect", "--interactions", "0", "--out", str(tmp_path / "new")]) == 2
    assert main(["train", "--out", str(tmp_path / "new")]) == 2
    assert main(["colect"]) == 2
    assert "Exit status: 0 after success, 1 after a failure, 2 after a mistake" in _printed_help(capsys)


def _printed_help(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    return " ".join(capsys.readouterr().out.split())


STARTED = """
import contextlib, sys
from tabletop_interaction.cli.main import main
for arguments in {asked}:
    with contextlib.suppress(SystemExit):
        main(arguments)
print([name for name in {heavy} if name in sys.modules], file=sys.stderr)
"""


def loaded(asked: list[list[str]], *heavy: str) -> str:
    """Which of the heavy modules a fresh process has loaded after these commands."""
    code = STARTED.format(asked=asked, heavy=heavy)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stderr.splitlines()[-1]


def test_no_help_loads_torch_or_pybullet():
    asked = [[], ["--help"], ["--version"], *([name, "--help"] for name in COMMANDS)]
    assert loaded(asked, "torch", "torchvision", "pybullet", "rospy") == "[]"


def test_commands_without_a_network_start_without_torch(tmp_path):
    light = ["collect", "show", "assets", "calibrate", "doctor"]
    asked = [["colect"], ["show", str(tmp_path / "nowhere")], *([name, "--help"] for name in light)]
    assert loaded(asked, "torch", "torchvision", "skimage") == "[]"


def test_show_draws_without_torch(tmp_path, painted_table):
    env = RecordInteractions(TabletopInteraction(painted_table()), tmp_path / "records")
    env.reset(seed=0)
    env.step(env.action_space.sample())
    env.close()
    assert loaded([["show", str(tmp_path / "records"), "--sheets", "1"]], "torch", "pybullet") == "[]"
    assert (tmp_path / "records-pictures" / "film.mp4").stat().st_size


def test_the_version_is_that_of_the_package(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert not ended.value.code
    assert capsys.readouterr().out == f"tabletop {version('tabletop-interaction')}\n"


def test_the_shell_completes_the_options_of_every_command(capsys):
    with pytest.raises(SystemExit):
        main(["--tyro-print-completion", "bash"])
    script = capsys.readouterr().out
    assert all(option in script for option in ("--interactions", "--paste-share", "--max-age-days"))
