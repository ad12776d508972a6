"""A signal during the imports of a program ends it in one line; other processes that import the package keep theirs."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

STOPPED = "stopped; everything that was finished is on disk\n"
# The first package that ours imports.
_GYMNASIUM = "import os, signal, time; os.kill(os.getpid(), signal.{name}); time.sleep(9)"
_SCRIPT = "import sys; from tabletop_interaction.cli.main import main; sys.exit(main())"


def _started(command: list[str], tmp_path: Path, name: str, handler: signal.Handlers) -> tuple[int, str]:
    """Exit status and standard error of a program whose first foreign import sends it a signal."""
    (tmp_path / "gymnasium.py").write_text(_GYMNASIUM.format(name=name))
    ended = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        # A test run in the background ignores Ctrl-C, and its children would too.
        preexec_fn=lambda: signal.signal(getattr(signal, name), handler),
        timeout=60,
    )
    return ended.returncode, ended.stderr


@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
@pytest.mark.parametrize(
    "words",
    [
        ["tabletop", "--version"],
        ["-m", "tabletop_interaction.cli.main"],
        ["-m", "tabletop_interaction.benchmarks.results"],
    ],
    ids=lambda words: words[-1],
)
def test_a_signal_during_the_first_import_is_one_line(words: list[str], name: str, status: int, tmp_path: Path) -> None:
    (tmp_path / "tabletop").write_text(_SCRIPT)
    command = [str(tmp_path / word) if word == "tabletop" else word for word in words]
    assert _started([sys.executable, *command], tmp_path, name, signal.SIG_DFL) == (status, STOPPED)


def test_an_ignored_signal_stays_ignored(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tabletop_interaction.cli.main"]
    (tmp_path / "gymnasium.py").write_text("")
    status, said = _started(command, tmp_path, "SIGHUP", signal.SIG_IGN)
    assert status == 1
    assert STOPPED not in said


@pytest.mark.parametrize("words", [["-c", "import tabletop_interaction"], ["-m", "mine"]], ids=["command", "module"])
def test_another_program_that_imports_the_package_ends_as_python_does(words: list[str], tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("import tabletop_interaction")
    status, said = _started([sys.executable, *words], tmp_path, "SIGINT", signal.SIG_DFL)
    assert (status, said.splitlines()[-1]) == (-signal.SIGINT, "KeyboardInterrupt")
