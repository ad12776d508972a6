"""Commands under odd encodings, terminals, homes, temporary folders and streams: the same result, or one line."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice, pairwise
from pathlib import Path

import pytest
from attack import Attack, Ended, outcome_of
from small_commands import COMMANDS, Workplace, contents, differences

pytestmark = pytest.mark.usefixtures("small_sets")

_MAIN = "import sys; from tabletop_interaction.cli.main import main; sys.exit(main(sys.argv[1:]))"
_COMMANDS_EACH = 2


def _variables(**values: str | None) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    # Python keeps the folder for temporary files that it found first.
    tempfile.tempdir = None


def _encoded(encoding: str) -> None:
    sys.stdout, sys.stderr = (
        open(number, "w", encoding=encoding, errors="strict", closefd=False)  # noqa: SIM115
        for number in (1, 2)
    )


def _closed(*numbers: int) -> None:
    for number in numbers:
        with suppress(OSError):
            os.close(number)
        setattr(sys, ("stdin", "stdout", "stderr")[number], None)


def _full(number: int) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, number)
    os.close(full)


SURROUNDINGS: Mapping[str, Callable[[], None]] = {
    "output in ASCII": partial(_encoded, "ascii"),
    "output in cp1252": partial(_encoded, "cp1252"),
    "output in UTF-16": partial(_encoded, "utf-16"),
    "TERM=dumb": partial(_variables, TERM="dumb"),
    "no TERM": partial(_variables, TERM=None),
    "a terminal by force": partial(_variables, FORCE_COLOR="1", TERM="xterm-256color"),
    "COLUMNS=1": partial(_variables, COLUMNS="1", LINES="1"),
    "COLUMNS=0": partial(_variables, COLUMNS="0", LINES="0"),
    "COLUMNS=x": partial(_variables, COLUMNS="x"),
    "COLUMNS=-5": partial(_variables, COLUMNS="-5"),
    "no HOME": partial(_variables, HOME=None, XDG_CACHE_HOME=None, XDG_CONFIG_HOME=None),
    "a HOME that is a file": partial(_variables, HOME="/dev/null", XDG_CACHE_HOME=None, XDG_CONFIG_HOME=None),
    "a HOME that cannot be written": partial(_variables, HOME="/proc"),
    "no USER": partial(_variables, USER=None, LOGNAME=None),
    "no PATH": partial(_variables, PATH=None),
    "TMPDIR is missing": partial(_variables, TMPDIR="/nowhere/tmp"),
    "TMPDIR cannot be written": partial(_variables, TMPDIR="/proc"),
    "TMPDIR is a file": partial(_variables, TMPDIR="/dev/null"),
    "TMPDIR is empty": partial(_variables, TMPDIR=""),
    "stdin closed": partial(_closed, 0),
    "stdout closed": partial(_closed, 1),
    "stderr closed": partial(_closed, 2),
    "all streams closed": partial(_closed, 0, 1, 2),
    "umask 077": lambda: os.umask(0o077) and None,
    "ONEDNN_MAX_CPU_ISA=SSE41": partial(_variables, ONEDNN_MAX_CPU_ISA="SSE41"),
}
"""What is changed in the process before the command starts."""

_OF_EVERY_COMMAND = ("output in ASCII", "all streams closed")


def _pairs() -> list[tuple[str, str]]:
    """Each change with two commands in turn, and two of them with all."""
    # Assets are drawn for up to a minute.
    names = [name for name in COMMANDS if name != "assets"]
    turns = islice((name for _ in SURROUNDINGS for name in names), _COMMANDS_EACH * len(SURROUNDINGS))
    some = zip((name for name in SURROUNDINGS for _ in range(_COMMANDS_EACH)), turns, strict=True)
    return sorted({*some, *((change, name) for change in _OF_EVERY_COMMAND for name in names)}, key=lambda one: one[1])


def test_a_command_gives_the_same_result_in_odd_surroundings(
    attack: Callable[[str], Attack], samples: Callable[..., Sequence[tuple[str, str]]], workplace: Workplace
) -> None:
    quick = [("show", change) for change in ("output in ASCII", "stdout closed", "COLUMNS=1")]
    pairs = samples(_pairs(), short=0) or [(change, name) for name, change in quick]
    wanted: dict[str, str] = {}
    with attack("surroundings: streams, terminal, folders") as one:
        for (_, before), (change, name) in pairwise([("", ""), *pairs]):
            if name != before:
                workplace.begin(name)
                assert workplace.run(name).code == 0
                wanted = contents(workplace.folder)
            workplace.begin(name)
            ended = workplace.run(name, SURROUNDINGS[change])
            wrong = differences(contents(workplace.folder), wanted) if ended.code == 0 else []
            detail = f"exit {ended.code}: {ended.err or ended.out}\n" + "\n".join(wrong)
            one.note(outcome_of(ended, lambda _, wrong=wrong: not wrong), f"{name}, {change}", detail)


@pytest.mark.parametrize("arguments", [["--help"], ["collect", "--help"], ["colect"], ["doctor", "--config", "\u2603"]])
def test_python_itself_may_start_without_unicode(
    arguments: list[str], attack: Callable[[str], Attack], samples: Callable[..., Sequence[dict[str, str]]]
) -> None:
    plain = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    changes = [plain, {"PYTHONIOENCODING": "ascii"}, {**plain, "PYTHONIOENCODING": "cp1252:strict"}, {"LC_ALL": "xx"}]
    with attack("surroundings: Python without Unicode") as one:
        for change in samples(changes, short=1 if arguments == ["--help"] else 0) or changes[:1]:
            ran = subprocess.run(
                [sys.executable, "-c", _MAIN, *arguments],
                env={**os.environ, **change},
                capture_output=True,
                timeout=60,
            )
            out, err = (text.decode("ascii", "replace") for text in (ran.stdout, ran.stderr))
            ended = Ended(ran.returncode, out, err, timed_out=False, left=False)
            one.note(outcome_of(ended, lambda each: each.out.startswith("usage: ")), f"{arguments} {change}", err)


def test_a_folder_whose_name_is_not_text(attack: Callable[[str], Attack], tmp_path: Path) -> None:
    strange = tmp_path / os.fsdecode(b"b\xff\xfe")
    strange.mkdir()
    with attack("surroundings: a name that is not text") as one:
        for arguments in (["calibrate", "board"], ["benchmark", "make-sets", "--sets", "val"]):
            out = strange / arguments[1]
            one.command(*arguments, "--out", str(out), right=lambda _, out=out: any(out.iterdir()))
