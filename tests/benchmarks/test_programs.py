"""Each module that runs as `python -m` ends as the `tabletop` command does: in one line, with its exit statuses."""

import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tyro

from tabletop_interaction.cli.main import main
from tabletop_interaction.errors import FolderInUse, InvalidConfiguration

ROOT = Path(__file__).parents[2]
PROGRAMS = sorted(
    ".".join(["tabletop_interaction", *path.relative_to(ROOT).with_suffix("").parts]).removesuffix(".__main__")
    for path in (ROOT / "benchmarks").rglob("*.py")
    if '__name__ == "__main__"' in path.read_text()
)
STOPPED = "stopped; everything that was finished is on disk\n"


class Raising:
    """Options that raise an error as soon as the work reads one."""

    def __init__(self, raise_error: Callable[[], None]) -> None:
        self._raise_error = raise_error

    def __getattr__(self, name: str) -> Any:
        self._raise_error()
        raise AssertionError("the error has to be raised")


def status_of(program: str, *arguments: str, monkeypatch: pytest.MonkeyPatch) -> int | str | None:
    """Exit status of a module that runs as the main one, in this process."""
    monkeypatch.setattr(sys, "argv", [program, *arguments])
    # Another program may have imported it, and runpy would warn of that.
    monkeypatch.delitem(sys.modules, program, raising=False)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(program, run_name="__main__", alter_sys=True)
    # The program took this process for its own.
    signal.signal(signal.SIGINT, before)
    return ended.value.code


def test_no_program_is_imported_by_the_packages_that_hold_it() -> None:
    code = "import sys; from importlib import import_module\n" + "\n".join(
        f"import_module({program.rpartition('.')[0]!r}); assert {program!r} not in sys.modules, {program!r}"
        for program in PROGRAMS
    )
    # Python would import it a second time as the program, and warn of that.
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_measuring_module_is_among_the_programs() -> None:
    assert len(PROGRAMS) >= 18
    assert "tabletop_interaction.benchmarks.results" in PROGRAMS


def _raised(error: BaseException) -> Callable[[], None]:
    def raise_error() -> None:
        raise error

    return raise_error


ENDS = {
    "a failure": (_raised(FolderInUse("x is in use")), 1, "error: x is in use\n"),
    "a mistake": (_raised(InvalidConfiguration("x is 0")), 2, "error: x is 0\n"),
    "a file": (
        _raised(FileNotFoundError(2, "No such file", "x")),
        1,
        "error: x: No such file; check path and rights\n",
    ),
    "Ctrl-C": (lambda: os.kill(os.getpid(), signal.SIGINT), 130, STOPPED),
    "SIGTERM": (lambda: os.kill(os.getpid(), signal.SIGTERM), 143, STOPPED),
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_errors_and_signals_end_a_program_in_one_line(
    program: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = {}
    for name, (raise_error, _, _) in ENDS.items():
        with monkeypatch.context() as patched:
            patched.setattr(tyro, "cli", lambda *_, raise_error=raise_error, **__: Raising(raise_error))
            ended[name] = (status_of(program, monkeypatch=patched), capsys.readouterr().err)
    assert ended == {name: (status, said) for name, (_, status, said) in ENDS.items()}


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_mistake_on_the_command_line_is_one_line_that_points_at_the_help(
    program: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of(program, "--sed", "3", monkeypatch=monkeypatch) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert "Unrecognized options: --sed" in said
    assert said.endswith(f"; see `python -m {program} --help`\n")
    assert said.count("\n") == 1


def test_a_value_that_is_refused_is_said_without_the_name_of_a_class(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = "tabletop_interaction.benchmarks.accuracy.placing"
    assert status_of(program, "--trials", "0", monkeypatch=monkeypatch) == 2
    assert capsys.readouterr().err.startswith("error: trials is 0; accepted is 1 to 100,000,000; see `python -m ")
    with pytest.raises(SystemExit):
        main(["evaluate", "--result", "x.txt"])
    assert capsys.readouterr().err.startswith("error: the result file 'x.txt' does not end in .json; name one that")


@pytest.mark.parametrize(
    ("torch", "status", "said"),
    [
        ("import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(9)", 130, STOPPED),
        ("import os, signal, time; os.kill(os.getpid(), signal.SIGTERM); time.sleep(9)", 143, STOPPED),
        ("raise ModuleNotFoundError('none', name='torch')", 1, "error: this needs torch, which is not installed; "),
    ],
)
def test_the_imports_of_a_program_end_in_one_line_too(torch: str, status: int, said: str, tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text(torch)
    ended = subprocess.run(
        [sys.executable, "-m", "tabletop_interaction.benchmarks.speed.segmenter"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        # A test run in the background ignores Ctrl-C, and its children would too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert ended.returncode == status
    assert ended.stderr.startswith(said)
    assert ended.stderr.count("\n") == 1
