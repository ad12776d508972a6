"""A disk that is full, or fails otherwise, ends a command in one line; the same command succeeds once that is mended.

Errors are given to the command's system calls from a certain one on, so that they meet each stage of it and each
library. Small disks, small limits of the process and a folder that is removed meanwhile are real.
"""

import errno
import re
import resource
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from attack import Attack, Outcome, outcome_of
from small_commands import COMMANDS, Workplace, contents, differences
from tracing import Decide, Kill, SystemCall, can_trace, trace, undisturbed

pytestmark = pytest.mark.usefixtures("small_sets")
traced = pytest.mark.skipif(not can_trace(), reason="system calls cannot be traced here")

_NAMED = re.compile(r"\b(out|rows|sets|tmp|lab|new|record)\b|scratch")
_OPENING = {"open", "openat", "creat", "mkdir", "mkdirat", "link", "linkat", "symlink", "symlinkat"}
_WRITING = {"write", "pwrite64", "writev", "pwritev", "pwritev2", "fallocate"}
_REMOVING = {"unlink", "unlinkat", "rmdir", "rename", "renameat", "renameat2"}
_SYNCING = {"fsync", "fdatasync"}
_KIB = 1 << 10
_LARGE = 1 << 30


@dataclass(frozen=True)
class Cause:
    """An error of the system, the calls that it meets, and whether it stays."""

    number: int
    calls: set[str]
    stays: bool = True

    @property
    def leaves_nothing(self) -> bool:
        """Whether files can be removed in spite of it."""
        return not self.calls & _REMOVING

    def from_call(self, first: int) -> Decide:
        """Let the calls fail from the one with this number on, or that one only."""
        count = -1

        def decide(call: SystemCall) -> type[Kill] | int | None:
            nonlocal count
            count += 1
            meets = count >= first if self.stays else count == first
            return self.number if meets and call.name in self.calls else None

        return decide


CAUSES = {
    "disk full": Cause(errno.ENOSPC, _OPENING | _WRITING | _SYNCING),
    "quota": Cause(errno.EDQUOT, _OPENING | _WRITING | _SYNCING),
    "file too large": Cause(errno.EFBIG, _WRITING),
    "input/output": Cause(errno.EIO, _OPENING | _WRITING | _SYNCING | _REMOVING, stays=False),
    "read-only": Cause(errno.EROFS, _OPENING | _WRITING | _SYNCING | _REMOVING),
    "no rights": Cause(errno.EACCES, _OPENING | _REMOVING),
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "name" in metafunc.fixturenames:
        metafunc.parametrize(
            "name", list(COMMANDS) if metafunc.config.getoption("--all-faults") else ["calibrate board"]
        )


@traced
def test_an_error_of_the_system_is_one_line(
    name: str, workplace: Workplace, attack: Callable[[str], Attack], samples: Callable[..., Any]
) -> None:
    moments, wanted = undisturbed(name, workplace)
    for number, (kind, cause) in samples(list(enumerate(CAUSES.items())), short=2):
        # The causes meet different moments; a full disk, the commonest one, meets most.
        chosen = moments if kind == "disk full" else moments[number :: len(CAUSES)]
        with attack(f"{kind}: {name}") as one:
            for first, call in samples(chosen, short=1, full=10 if kind == "disk full" else 2):
                workplace.begin(name)
                _try(
                    one,
                    workplace,
                    name,
                    lambda cause=cause, first=first: trace(cause.from_call(first)),
                    wanted,
                    f"from {call.name} {call.path} on",
                    cleaned=cause.leaves_nothing,
                )


def test_a_small_disk_is_one_line(
    name: str, workplace: Workplace, small_disk: Any, attack: Callable[[str], Attack], samples: Callable[..., Any]
) -> None:
    place = replace(workplace, folder=small_disk.folder / "work")
    _, wanted = undisturbed(name, workplace)
    with attack(f"small disk: {name}") as one:
        for free in samples([number * _KIB for number in (4, 64, 256, 1024, 16384)], short=1):
            small_disk.resize(_LARGE)
            place.begin(name)
            small_disk.resize(small_disk.used() + free)
            _try(one, place, name, lambda: None, wanted, f"{free} bytes", mend=lambda: small_disk.resize(_LARGE))


@pytest.mark.parametrize(
    ("limit", "values"),
    [
        (resource.RLIMIT_FSIZE, [number * _KIB for number in (4, 64, 1024)]),
        (resource.RLIMIT_NOFILE, range(12, 40, 6)),
    ],
    ids=["file size", "open files"],
)
def test_a_small_limit_is_one_line(
    name: str,
    limit: int,
    values: Sequence[int],
    workplace: Workplace,
    attack: Callable[[str], Attack],
    samples: Callable[..., Any],
) -> None:
    _, wanted = undisturbed(name, workplace)
    kind = "file size" if limit == resource.RLIMIT_FSIZE else "open files"
    with attack(f"limit of {kind}: {name}") as one:
        for value in samples(values, short=1):
            workplace.begin(name)
            _try(
                one,
                workplace,
                name,
                lambda value=value: resource.setrlimit(limit, (value, value)),
                wanted,
                f"{value}",
                named=limit == resource.RLIMIT_FSIZE,
            )


@traced
def test_a_folder_that_is_removed_meanwhile_is_one_line(
    name: str, workplace: Workplace, attack: Callable[[str], Attack], samples: Callable[..., Any]
) -> None:
    moments, wanted = undisturbed(name, workplace)
    found = [(number, call) for number, call in moments if "/out" in call.path]

    def remove_at(wanted_number: int) -> Decide:
        count = -1

        def decide(_: SystemCall) -> None:
            nonlocal count
            count += 1
            if count == wanted_number:
                shutil.rmtree(workplace.folder / "out", ignore_errors=True)

        return decide

    if not found:
        pytest.skip(f"{name} makes no folder")
    with attack(f"folder removed: {name}") as one:
        for number, call in samples(found, short=1, full=3):
            workplace.begin(name)
            what = f"before {call.name} {call.path}"
            _try(one, workplace, name, lambda number=number: trace(remove_at(number)), wanted, what, whole=False)


def _try(
    one: Attack,
    workplace: Workplace,
    name: str,
    before: Callable[[], object],
    wanted: dict[str, str],
    what: str,
    *,
    mend: Callable[[], object] = lambda: None,
    cleaned: bool = True,
    named: bool = True,
    whole: bool = True,
) -> None:
    """Count a disturbed command, and what it leaves to the same command without the disturbance.

    `cleaned`: temporary files can be removed; `named`: the line names a file; `whole`: success means the whole result.
    """
    ended = workplace.run(name, before)
    outcome = outcome_of(ended, lambda _: not whole or not differences(contents(workplace.folder), wanted))
    wrong = workplace.left_behind() if cleaned else []
    mend()
    # The last line of `doctor` counts the checks that failed; what each says stands above it.
    said = ended.out if name == "doctor" else (ended.err.splitlines() or [""])[-1]
    if outcome == Outcome.CLEAR and named and not _NAMED.search(said):
        wrong.append("the line names no file")
    if ended.left:
        wrong.append("processes stayed alive")
    again = workplace.run(name)
    wrong += differences(contents(workplace.folder), wanted) + workplace.left_behind()
    if outcome in (Outcome.CLEAR, Outcome.RIGHT) and (again.code or wrong):
        outcome = Outcome.WRONG
    detail = f"exit {ended.code}: {ended.err[-1200:]}\nthen {again.code}: {again.err[-300:]}\n" + "\n".join(wrong)
    one.note(outcome, f"{name}, {what}", detail)
