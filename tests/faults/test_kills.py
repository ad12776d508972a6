"""A command that is killed before any system call that writes succeeds when it is repeated, with the same result.

A kill before each call is tried once for each state of the folder: calls between which no file changes leave the same.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from attack import Attack, Outcome, outcome_of
from small_commands import COMMANDS, Workplace, differences
from tracing import Kill, SystemCall, can_trace, trace

pytestmark = [
    pytest.mark.skipif(not can_trace(), reason="system calls cannot be traced here"),
    pytest.mark.usefixtures("small_sets"),
]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "name" in metafunc.fixturenames:
        metafunc.parametrize("name", list(COMMANDS) if metafunc.config.getoption("--all-faults") else ["show"])


def test_a_killed_command_can_be_repeated(
    name: str, workplace: Workplace, attack: Callable[[str], Attack], samples: Callable[..., Any]
) -> None:
    moments = _moments(name, workplace)
    wanted = workplace.content()
    with attack(f"kill: {name}") as one:
        for number, call in samples(moments, short=3):
            workplace.begin(name)
            killed = workplace.run(name, lambda number=number: trace(_kill_at(number)))
            again = workplace.run(name)
            wrong = differences(workplace.content(), wanted) + workplace.left_behind()
            if killed.left:
                wrong.append("processes stayed alive")
            outcome = outcome_of(again, lambda _, wrong=wrong: not wrong)
            if outcome == Outcome.CLEAR:
                outcome = Outcome.WRONG
            detail = f"{call}; exit {killed.code}, then {again.code}: {again.err}\n" + "\n".join(wrong)
            one.note(outcome, f"{name}, killed before call {number}", detail)


def _moments(name: str, workplace: Workplace) -> Sequence[tuple[int, SystemCall]]:
    """Number, from 0, and call at which each state of the folder is first there; the result stays in the workplace."""
    log = workplace.folder.parent / "calls.txt"
    log.write_text("")
    states: set[object] = set()
    count = 0

    def see(call: SystemCall) -> None:
        nonlocal count
        if (state := _state(workplace.folder)) not in states:
            states.add(state)
            with log.open("a") as file:
                file.write(f"{count}\t{call.name}\t{call.path}\n")
        count += 1

    workplace.begin(name)
    ended = workplace.run(name, lambda: trace(see))
    assert ended.code == 0, ended.err
    lines = [line.split("\t") for line in log.read_text().splitlines()]
    found = [(int(number), SystemCall(*call)) for number, *call in lines]
    # Of the writes to one file in a row, the first two and the last one.
    calls = [call for _, call in found]
    return [
        one
        for place, one in enumerate(found)
        if not (calls[place] == calls[max(place - 2, 0)] and calls[place : place + 2] == [calls[place]] * 2)
    ]


def _kill_at(number: int) -> Callable[[SystemCall], type[Kill] | None]:
    count = 0

    def decide(_: SystemCall) -> type[Kill] | None:
        nonlocal count
        count += 1
        return Kill if count == number + 1 else None

    return decide


def _state(folder: Path) -> object:
    found = []
    for place, names, files in os.walk(folder):
        stats = [(name, os.stat(os.path.join(place, name), follow_symlinks=False)) for name in files]
        found.append((place, *names, *((name, stat.st_size, stat.st_mtime_ns, stat.st_nlink) for name, stat in stats)))
    return frozenset(found)
