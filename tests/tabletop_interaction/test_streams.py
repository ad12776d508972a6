"""Standard streams never end a command: closed, narrow, full, without a reader; SIGTERM ends what a block holds."""

import os
import signal
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import pytest

from tabletop_interaction import streams
from tabletop_interaction.streams import READER_GONE, Stopped, terminating_cleanly

_MAIN = "import sys; from tabletop_interaction.cli.main import main; sys.exit(main(sys.argv[1:]))"
# Opens a file first, as a library does, and writes to it through libc's standard output.
_WRITE_TO_ONE = """
import os, sys
from tabletop_interaction.streams import open_standard_streams
open_standard_streams()
file = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY)
os.write(1, b"a library's chatter")
os.write(file, b"data")
print("chatter", file=sys.stdout)
"""


def _closing(*numbers):
    return lambda: [os.close(number) for number in numbers]


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
def test_a_file_does_not_take_the_number_of_a_closed_stream(closed: tuple[int, ...], tmp_path: Path) -> None:
    command = [sys.executable, "-c", _WRITE_TO_ONE, str(tmp_path / "data")]
    assert subprocess.run(command, preexec_fn=_closing(*closed), stdout=subprocess.DEVNULL).returncode == 0
    assert (tmp_path / "data").read_bytes() == b"data"


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", [["--version"], ["--help"]])
def test_a_reader_that_has_gone_ends_a_command_quietly(arguments: list[str], unbuffered: str) -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-c", _MAIN, *arguments]
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    ended = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, env=environment)
    os.close(write)
    assert (ended.returncode, ended.stderr) == (READER_GONE, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_under_the_output_is_one_line(unbuffered: str) -> None:
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            [sys.executable, "-c", _MAIN, "--version"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        )
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: ")
    assert "No space left on device" in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_a_character_that_the_output_lacks_is_escaped() -> None:
    code = "from tabletop_interaction.streams import open_standard_streams; open_standard_streams(); print('\\xb1 1')"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment)
    assert (ended.returncode, ended.stdout) == (0, b"\\xb1 1\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_leaves_a_block_as_an_exception_does(number: int) -> None:
    before = signal.getsignal(number)
    with pytest.raises(Stopped) as ended, terminating_cleanly():
        os.kill(os.getpid(), number)
    assert ended.value.status == 128 + number
    assert signal.getsignal(number) == before


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with terminating_cleanly():
        os.kill(os.getpid(), signal.SIGHUP)
    signal.signal(signal.SIGHUP, before)


def test_a_signal_during_a_destructor_is_not_lost() -> None:
    class Owner:
        def __del__(self) -> None:
            os.kill(os.getpid(), signal.SIGTERM)

    def drop_and_wait() -> None:
        Owner()
        time.sleep(10)

    with pytest.raises(Stopped), terminating_cleanly():
        drop_and_wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_error_that_a_library_makes_of_a_signal_is_no_error(number: int) -> None:
    def interrupted() -> None:
        try:
            os.kill(os.getpid(), number)
        except KeyboardInterrupt:
            raise ValueError("Invalid affine transformation matrix") from None

    with pytest.raises(Stopped) as ended, terminating_cleanly():
        interrupted()
    assert ended.value.status == 128 + number


def test_an_error_without_a_signal_stays_what_it_is() -> None:
    with pytest.raises(ValueError, match="one"), terminating_cleanly():
        raise ValueError("one")


_MODULE = """
import os, signal, time
os.kill(os.getpid(), signal.{signal})
time.sleep({seconds})
whole = True
"""


@pytest.mark.parametrize("number", ["SIGTERM", "SIGINT"])
def test_a_signal_during_an_import_waits_for_its_end(
    number: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Compiled modules may abort the process when they meet an error while they are imported, as torch's did.
    name = f"imported_with_{number.lower()}"
    (tmp_path / f"{name}.py").write_text(_MODULE.format(signal=number, seconds=0.2))
    monkeypatch.syspath_prepend(tmp_path)

    def import_and_wait() -> None:
        import_module(name)
        time.sleep(10)

    with pytest.raises(Stopped), terminating_cleanly():
        import_and_wait()
    assert sys.modules[name].whole


def test_a_signal_at_the_end_of_a_block_is_not_lost_when_it_came_during_an_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "imported_last.py").write_text(_MODULE.format(signal="SIGTERM", seconds=0))
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(Stopped), terminating_cleanly():
        import_module("imported_last")


def test_an_import_that_does_not_end_is_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_IMPORT_S", 0.2)
    (tmp_path / "imported_for_ever.py").write_text(_MODULE.format(signal="SIGTERM", seconds=30))
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(Stopped), terminating_cleanly():
        import_module("imported_for_ever")


def test_a_reader_that_has_gone_ends_what_rich_prints_in_the_same_way() -> None:
    code = """
import sys
from rich.console import Console
from tabletop_interaction.program import exit_status
sys.exit(exit_status(lambda: Console().print("a line")))
"""
    read, write = os.pipe()
    os.close(read)
    ended = subprocess.run([sys.executable, "-c", code], stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert (ended.returncode, ended.stderr) == (READER_GONE, b"")
