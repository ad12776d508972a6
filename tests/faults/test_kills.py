"""A command that is killed before any system call that writes succeeds when it is repeated, with the same result.

Calls between which no file changes leave the same folder, so that a kill before one of them is enough; of a command
with more than 12 such states, 12 are tried, evenly spread.
"""

from collections.abc import Callable
from typing import Any

import pytest
from attack import Attack, Outcome, outcome_of
from small_commands import COMMANDS, Workplace, contents, differences
from tracing import Kill, SystemCall, can_trace, trace, undisturbed

pytestmark = [
    pytest.mark.skipif(not can_trace(), reason="system calls cannot be traced here"),
    pytest.mark.usefixtures("small_sets"),
]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "name" in metafunc.fixturenames:
        metafunc.parametrize(
            "name", list(COMMANDS) if metafunc.config.getoption("--all-faults") else ["calibrate board"]
        )


def test_a_killed_command_can_be_repeated(
    name: str, workplace: Workplace, attack: Callable[[str], Attack], samples: Callable[..., Any]
) -> None:
    moments, wanted = undisturbed(name, workplace)
    with attack(f"kill: {name}") as one:
        for number, call in samples(moments, short=2, full=12):
            workplace.begin(name)
            killed = workplace.run(name, lambda number=number: trace(_kill_at(number)))
            again = workplace.run(name)
            wrong = differences(contents(workplace.folder), wanted) + workplace.left_behind()
            if killed.left:
                wrong.append("processes stayed alive")
            outcome = outcome_of(again, lambda _, wrong=wrong: not wrong)
            if outcome == Outcome.CLEAR:
                outcome = Outcome.WRONG
            detail = f"{call}; exit {killed.code}, then {again.code}: {again.err}\n" + "\n".join(wrong)
            one.note(outcome, f"{name}, killed before call {number}", detail)


def _kill_at(number: int) -> Callable[[SystemCall], type[Kill] | None]:
    count = 0

    def decide(_: SystemCall) -> type[Kill] | None:
        nonlocal count
        count += 1
        return Kill if count == number + 1 else None

    return decide
