"""Attacks on the software, counted: a pytest plugin with the fixtures `attack` and `samples`.

An attack hands something wrong to a command or a function, or disturbs it, and ends in one of the outcomes below. The
last three are faults and fail the test. The counts of all tests are printed as a table at the end.
"""

import faulthandler
import os
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import Any, Self, TypeVar

import pytest

from tabletop_interaction.errors import TabletopError

ItemT = TypeVar("ItemT")

_PROPERTY = "attack"
_SHOWN_FAULTS = 5
_POLL_S = 0.01
_ORPHANS_END_S = 5.0


class Outcome(StrEnum):
    """How an attack ended; a crash of the process counts as a traceback."""

    RIGHT = "right result"
    CLEAR = "clear line"
    TRACEBACK = "traceback"
    HANG = "hang"
    WRONG = "silently wrong"


_CODES = {outcome: 50 + number for number, outcome in enumerate(Outcome)}


@dataclass(frozen=True)
class Ended:
    """How a forked process ended.

    Attributes:
        code: exit status; -n after signal n.
        out, err: what it and its children wrote.
        timed_out: it was killed because its time was over.
        left: processes of its group still ran seconds after its end; they were killed.
    """

    code: int
    out: str
    err: str
    timed_out: bool
    left: bool


class Attack:
    """A kind of attack; a context that fails when one of its attacks ended in a fault."""

    def __init__(self, name: str, record: Callable[[str, object], None]) -> None:
        self.name = name
        self.counts: Counter[Outcome] = Counter()
        self._record = record
        self._faults: list[str] = []

    def call(
        self,
        function: Callable[[], ItemT],
        right: Callable[[ItemT], bool] = lambda _: True,
        *,
        what: str = "",
        isolated: bool = False,
        timeout_s: float = 30.0,
    ) -> Outcome:
        """Call a function; its result must be right, or it must raise a TabletopError of one line.

        Args:
            right: whether a result is what the function would return without the attack.
            what: says which attack this is, in the message of a failure.
            isolated: in a forked process, so that a crash or a hang ends only that.
        """
        if not isolated:
            return self._count(*_judged(function, right), what)

        def judge() -> int:
            outcome, detail = _judged(function, right)
            sys.stderr.write(detail)
            return _CODES[outcome]

        ended = run_forked(judge, timeout_s)
        if ended.timed_out:
            return self._count(Outcome.HANG, ended.err, what)
        outcome = {code: outcome for outcome, code in _CODES.items()}.get(ended.code, Outcome.TRACEBACK)
        return self._count(outcome, f"exit {ended.code}: {ended.err}", what)

    def command(
        self,
        *arguments: str | os.PathLike[str],
        right: Callable[[Ended], bool] = lambda _: True,
        before: Callable[[], object] = lambda: None,
        what: str = "",
        timeout_s: float = 60.0,
    ) -> Outcome:
        """Run `tabletop` in a forked process; it must succeed with the right result, or end with one line.

        Args:
            right: whether the result on disk and the output are right, asked after exit status 0.
            before: called first in the forked process: sets limits, the environment, or patches functions.
        """
        ended = run_command(arguments, timeout_s, before)
        outcome = outcome_of(ended, right)
        return self._count(
            outcome, f"exit {ended.code}: {ended.err or ended.out}", what or " ".join(map(str, arguments))
        )

    def note(self, outcome: Outcome, what: str, detail: str = "") -> Outcome:
        """Count an attack that was judged elsewhere."""
        return self._count(outcome, detail, what)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._record(_PROPERTY, {"name": self.name, **{outcome.value: self.counts[outcome] for outcome in Outcome}})
        if kind is None:
            assert not self._faults, "\n".join([f"{self.name}: {len(self._faults)}", *self._faults[:_SHOWN_FAULTS]])
            assert self.counts, f"{self.name}: nothing was tried"

    def _count(self, outcome: Outcome, detail: str, what: str) -> Outcome:
        self.counts[outcome] += 1
        if outcome not in (Outcome.RIGHT, Outcome.CLEAR):
            self._faults.append(f"- {outcome.value}: {what}\n{detail[-2000:]}")
        return outcome


def run_command(
    arguments: Sequence[str | os.PathLike[str]], timeout_s: float = 60.0, before: Callable[[], object] = lambda: None
) -> Ended:
    """Run `tabletop` with these arguments in a forked process."""

    def run() -> int:
        from tabletop_interaction.cli.main import main
        from tabletop_interaction.starting import end_in_one_line_after_signals

        # As in a process of its own, before the command handles signals and after it has ended.
        end_in_one_line_after_signals()
        before()
        return main([os.fspath(argument) for argument in arguments])

    return run_forked(run, timeout_s)


def run_forked(function: Callable[[], int], timeout_s: float) -> Ended:
    """Run a function in a forked process, with one thread for each library; its result is the exit status."""
    with TemporaryFile() as out, TemporaryFile() as err:
        if (child := os.fork()) == 0:
            _be_child(function, out.fileno(), err.fileno())
        with suppress(OSError):
            os.setpgid(child, child)
        code = _wait(child, timeout_s)
        if code is None:
            with suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
        left = _end_group(child)
        texts = [os.pread(file.fileno(), 1 << 20, 0).decode(errors="replace") for file in (out, err)]
    return Ended(-signal.SIGKILL if code is None else code, *texts, timed_out=code is None, left=left)


def outcome_of(ended: Ended, right: Callable[[Ended], bool] = lambda _: True) -> Outcome:
    """Judge a command by its exit status and what it wrote."""
    if ended.timed_out:
        return Outcome.HANG
    if ended.code < 0 or "Traceback (most recent call last)" in ended.err + ended.out:
        return Outcome.TRACEBACK
    if ended.code == 0:
        return Outcome.RIGHT if right(ended) else Outcome.WRONG
    errors = [line for line in ended.err.splitlines() if line.startswith("error: ")]
    is_clear = len(errors) == 1 and ended.err.rstrip().splitlines()[-1] == errors[0]
    return Outcome.CLEAR if is_clear else Outcome.TRACEBACK


@pytest.fixture
def attack(record_property: Callable[[str, object], None]) -> Callable[[str], Attack]:
    """`with attack("journal: a flipped bit") as one: one.call(...)`."""
    return lambda name: Attack(name, record_property)


@pytest.fixture
def samples(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """`samples(items, short=n, full=m)`: n of them, evenly spread; with --all-faults m, or all without `full`."""

    def choose(items: Sequence[ItemT], short: int, full: int | None = None) -> list[ItemT]:
        wanted = full if request.config.getoption("--all-faults") else short
        if wanted is None or len(items) <= wanted:
            return list(items)
        return [items[number * len(items) // wanted] for number in range(wanted)]

    return choose


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --all-faults."""
    parser.addoption("--all-faults", action="store_true", help="try all attacks of tests/faults, not a few of each")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the table of all attacks."""
    rows: dict[str, Counter[str]] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()) if getattr(report, "when", "") == "call" else ():
                if name == _PROPERTY:
                    rows.setdefault(value["name"], Counter()).update({o.value: value[o.value] for o in Outcome})
    if rows:
        terminalreporter.section("attacks")
        terminalreporter.write_line("\n".join(_table(rows)))


def _table(rows: dict[str, Counter[str]]) -> list[str]:
    total = sum(rows.values(), Counter())
    width = max(map(len, [*rows, "all"]))
    lines = [f"{'attack':{width}}  {'tried':>6}" + "".join(f"  {outcome.value:>14}" for outcome in Outcome)]
    for name, counts in [*sorted(rows.items()), ("all", total)]:
        figures = "".join(f"  {counts[outcome.value]:14}" for outcome in Outcome)
        lines.append(f"{name:{width}}  {counts.total():6}{figures}")
    return lines


def _judged(function: Callable[[], ItemT], right: Callable[[ItemT], bool]) -> tuple[Outcome, str]:
    try:
        result = function()
    except TabletopError as error:
        is_one_line = str(error).strip() != "" and "\n" not in str(error)
        return (Outcome.CLEAR if is_one_line else Outcome.TRACEBACK), str(error)
    except Exception:
        return Outcome.TRACEBACK, traceback.format_exc()
    return (Outcome.RIGHT, "") if right(result) else (Outcome.WRONG, f"result: {str(result)[:500]}")


def _be_child(function: Callable[[], int], out: int, err: int) -> None:
    """Never returns."""
    code = 1
    try:
        os.setpgid(0, 0)
        os.dup2(out, 1)
        os.dup2(err, 2)
        # pytest has replaced Python's own streams.
        sys.stdout, sys.stderr = (open(number, "w", buffering=1, closefd=False) for number in (1, 2))  # noqa: SIM115
        sys.stdin = Path(os.devnull).open()  # noqa: SIM115
        # pytest's own reports of a crash would go to the terminal.
        faulthandler.disable()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _one_thread()
        code = function()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _one_thread() -> None:
    """Threads do not survive a fork, and a library that waits for them hangs."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    if "cv2" in sys.modules:
        sys.modules["cv2"].setNumThreads(0)


def _wait(child: int, timeout_s: float) -> int | None:
    """Exit status; None when the time is over, which is longer on a busy machine."""
    start = time.monotonic()
    while time.monotonic() < start + _patience(timeout_s):
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(_POLL_S)
    return None


def _patience(quiet_s: float) -> float:
    """Seconds to wait on a busy machine for what takes at most `quiet_s` on a quiet one: no hang for want of a core."""
    waiting = os.getloadavg()[0] / len(os.sched_getaffinity(0))
    return quiet_s * max(1.0, waiting)


def _end_group(group: int) -> bool:
    """Wait for the other processes of a group; whether some had to be killed."""
    start = time.monotonic()
    while time.monotonic() < start + _patience(_ORPHANS_END_S):
        try:
            os.killpg(group, 0)
        except OSError:
            return False
        time.sleep(_POLL_S)
    with suppress(OSError):
        os.killpg(group, signal.SIGKILL)
    return True
