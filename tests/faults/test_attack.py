"""The judge of attacks tells its outcomes apart."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest
from attack import Attack, Outcome, outcome_of, run_command, run_forked

from tabletop_interaction.errors import InvalidConfiguration


def _raise(error: Exception) -> None:
    raise error


@pytest.fixture
def judge() -> Attack:
    return Attack("judge", lambda *_: None)


@pytest.mark.parametrize("isolated", [False, True])
@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda: 3, Outcome.RIGHT),
        (lambda: 4, Outcome.WRONG),
        (lambda: _raise(InvalidConfiguration("x is 3; accepted is 4")), Outcome.CLEAR),
        (lambda: _raise(InvalidConfiguration("two\nlines")), Outcome.TRACEBACK),
        (lambda: _raise(KeyError("x")), Outcome.TRACEBACK),
    ],
)
def test_calls_are_judged(judge: Attack, function: Callable[[], object], expected: Outcome, isolated: bool) -> None:
    assert judge.call(function, lambda result: result == 3, isolated=isolated) == expected


def test_crashes_and_hangs_of_isolated_calls_are_told(judge: Attack) -> None:
    assert judge.call(lambda: os.kill(os.getpid(), signal.SIGSEGV), isolated=True) == Outcome.TRACEBACK
    assert judge.call(lambda: time.sleep(60), isolated=True, timeout_s=0.2) == Outcome.HANG


def test_a_slow_call_on_a_busy_machine_is_no_hang(judge: Attack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (200.0 * (os.cpu_count() or 1), 0.0, 0.0))
    assert judge.call(lambda: time.sleep(1), lambda _: True, isolated=True, timeout_s=0.2) == Outcome.RIGHT


def test_commands_are_judged(judge: Attack) -> None:
    assert judge.command("--version", right=lambda ended: ended.out.startswith("tabletop ")) == Outcome.RIGHT
    assert judge.command("--version", right=lambda ended: False) == Outcome.WRONG
    assert judge.command("colect") == Outcome.CLEAR
    assert judge.command("collect", "--interactions", "x") == Outcome.CLEAR
    assert judge.command("--version", before=lambda: _raise(KeyError("x"))) == Outcome.TRACEBACK


def test_processes_that_a_command_leaves_are_seen_and_ended() -> None:
    def leave() -> int:
        return 0 * subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"]).pid

    ended = run_forked(leave, 10)
    assert (ended.code, ended.left) == (0, True)


def test_a_failing_attack_fails_its_test(judge: Attack) -> None:
    with pytest.raises(AssertionError, match="silently wrong"), judge:
        judge.call(lambda: 4, lambda result: result == 3)


def test_an_error_line_is_the_last_line() -> None:
    ended = run_command(["colect"])
    assert outcome_of(ended) == Outcome.CLEAR
    assert ended.err.count("\n") == 1
