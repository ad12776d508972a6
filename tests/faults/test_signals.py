"""SIGTERM, Ctrl-C and SIGHUP end a command within seconds and in one line; the same command then succeeds."""

import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from attack import Attack, Ended, Outcome, outcome_of
from small_commands import COMMANDS, Workplace, contents, differences
from terminals import lines_of, run_at_terminal

pytestmark = pytest.mark.usefixtures("small_sets")

_STATUS = {128 + number: number for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
_SAID = "stopped; everything that was finished is on disk"
_END_S = 10.0
_HIDE_CURSOR, _SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
_SECONDS = 3.0


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "name" in metafunc.fixturenames:
        metafunc.parametrize(
            "name", list(COMMANDS) if metafunc.config.getoption("--all-faults") else ["calibrate board"]
        )


def test_a_signal_ends_a_command_in_one_line(
    name: str, workplace: Workplace, attack: Callable[[str], Attack], samples: Callable[..., Any]
) -> None:
    workplace.begin(name)
    start = time.monotonic()
    assert workplace.run(name).code == 0
    seconds, wanted = min(time.monotonic() - start, _SECONDS), contents(workplace.folder)
    times = random.Random(name)
    with attack(f"signal: {name}") as one:
        for number in samples([*_STATUS.values()] * 5, short=2):
            after = times.uniform(0, seconds)
            workplace.begin(name)
            start = time.monotonic()
            ended = workplace.run(name, lambda number=number, after=after: _send_later(number, after))
            wrong = _faults(ended, time.monotonic() - start - after) + workplace.left_behind()
            again = workplace.run(name)
            wrong += differences(contents(workplace.folder), wanted)
            outcome = outcome_of(again, lambda _, wrong=wrong: not wrong)
            outcome = Outcome.WRONG if outcome == Outcome.CLEAR else outcome
            detail = f"exit {ended.code}: {ended.err}; then {again.code}: {again.err}\n" + "\n".join(wrong)
            one.note(outcome, f"{name}, signal {number} after {after:.2f} s", detail)


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_at_a_terminal_is_one_line_and_restores_the_cursor(
    times: int, workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    workplace.begin("collect")
    monkeypatch.chdir(workplace.folder)

    def press(terminal: int, process: int, output: str) -> bool:
        if not (has_begun := _HIDE_CURSOR in output):
            return False
        for _ in range(times):
            os.write(terminal, b"\x03")
            time.sleep(0.2)
        return has_begun

    arguments = ["collect", "--interactions", "500", "--out", "out"]
    command = [sys.executable, "-m", "tabletop_interaction.cli.main", *arguments]
    status, output = run_at_terminal(command, interrupt=press)
    assert status == 130
    assert output.rfind(_HIDE_CURSOR) < output.rfind(_SHOW_CURSOR)
    assert sum(_SAID in line for line in lines_of(output)) == 1
    assert "Traceback" not in output
    # The same command, with fewer interactions.
    assert workplace.run("collect").code == 0


def _send_later(number: int, after: float) -> None:
    """Send a signal as `kill` does, or a terminal, to the whole group of processes."""

    def send() -> None:
        time.sleep(after)
        if number == signal.SIGTERM:
            os.kill(os.getpid(), number)
        else:
            os.killpg(0, number)

    threading.Thread(target=send, daemon=True).start()


def _faults(ended: Ended, seconds: float) -> list[str]:
    found = []
    if ended.code and (ended.code not in _STATUS or ended.err.strip() != _SAID):
        found.append(f"exit {ended.code}, {ended.err[-2000:]!r}")
    if ended.left:
        found.append("processes stayed alive")
    if seconds > _END_S:
        found.append(f"ended after {seconds:.0f} s")
    return found
