"""Progress of long commands, on standard error: live bars at a terminal, and elsewhere a line every 30 seconds."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Protocol, TypeVar

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.table import Column
from rich.text import Text

LINE_INTERVAL_S = 30.0
"""Seconds between two lines without a terminal."""

_RATE_WINDOW_S = 600.0
_REFRESHES_PER_S = 4
_NAME_COLUMNS = 24

Item = TypeVar("Item")


class ShowProgress(Protocol):
    """Shows progress by name: how much of a total is done (None: the total is unknown), and a note."""

    def __call__(self, what: str, done: int, total: int | None, note: str = "") -> None: ...


class ProgressDisplay:
    """Progress by name, with rate, elapsed and remaining time, while the display is entered as a context.

    At a terminal it is live, with a bar for each name; without one, and where TERM is "dumb", a line for each name is
    printed every 30 seconds. A command shorter than that prints no line.
    """

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._is_live = sys.stderr.isatty() and console.is_interactive
        self._bars = _Bars(
            *_columns(),
            console=console,
            disable=not self._is_live,
            refresh_per_second=_REFRESHES_PER_S,
            speed_estimate_period=_RATE_WINDOW_S,
            # What goes to a file or a pipe must not go to the terminal of standard error.
            redirect_stdout=sys.stdout.isatty(),
        )
        self._tasks: dict[str, TaskID] = {}
        self._lines = _Lines(lambda: self._bars.tasks)

    def show(self, what: str, done: int, total: int | None, note: str = "") -> None:
        """Show how much of a total is done; an empty note keeps the one before."""
        if what not in self._tasks:
            self._tasks[what] = self._bars.add_task(what, total=total, completed=done, note=note, begun=done)
        if note:
            self._bars.update(self._tasks[what], completed=done, total=total, note=note)
        else:
            self._bars.update(self._tasks[what], completed=done, total=total)

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Hide the live display in this block, in which a person is asked."""
        if not self._is_live:
            yield
            return
        self._bars.stop()
        try:
            yield
        finally:
            self._bars.start()

    def __enter__(self) -> ProgressDisplay:
        shown: _Bars | _Lines = self._bars if self._is_live else self._lines
        shown.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        shown: _Bars | _Lines = self._bars if self._is_live else self._lines
        shown.stop()


def track(items: Iterable[Item], what: str, total: int | None = None) -> Iterator[Item]:
    """The items, with their progress shown while they are consumed.

    Args:
        what: name of the items.
        total: number of items, where they have no length.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    with ProgressDisplay() as display:
        display.show(what, 0, total)
        for number, item in enumerate(items, start=1):
            yield item
            display.show(what, number, total)


class _Bars(Progress):
    """Bars in one table, above their notes: so the times stay whole in a narrow terminal."""

    def get_renderables(self) -> Iterable[RenderableType]:
        tasks = self.tasks
        yield self.make_tasks_table(tasks)
        for task in tasks:
            if task.fields["note"]:
                before = f"{task.description}: " if len(tasks) > 1 else ""
                yield Text(f"  {before}{task.fields['note']}", no_wrap=True, overflow="ellipsis")


class _TaskText(ProgressColumn):
    """A column with a text about a task."""

    def __init__(self, text_of: Callable[[Task], str], style: str) -> None:
        super().__init__(Column(no_wrap=True, justify="right"))
        self._text_of = text_of
        self._style = style

    def render(self, task: Task) -> Text:
        return Text(self._text_of(task), style=self._style)


class _Lines:
    """Prints a line for each task in a thread, at regular intervals and at the end of what took longer than one."""

    def __init__(self, tasks: Callable[[], list[Task]]) -> None:
        self._tasks = tasks
        self._printed: dict[TaskID, tuple[float, str]] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._print_regularly, name="progress", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()
        self._print([task for task in self._changed() if task.id in self._printed])

    def _print_regularly(self) -> None:
        while not self._ended.wait(LINE_INTERVAL_S):
            self._print(self._changed() or [task for task in self._tasks() if not task.finished])

    def _changed(self) -> list[Task]:
        return [task for task in self._tasks() if self._printed.get(task.id) != _state(task)]

    def _print(self, tasks: list[Task]) -> None:
        for task in tasks:
            self._printed[task.id] = _state(task)
            # The reader of the log may have gone; the command still finishes its work.
            with suppress(OSError, ValueError):
                print(_line(task), file=sys.stderr, flush=True)


def _columns() -> tuple[ProgressColumn, ...]:
    return (
        TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, max_width=_NAME_COLUMNS)),
        # The only one that gets narrower.
        BarColumn(),
        MofNCompleteColumn(table_column=Column(no_wrap=True, justify="right")),
        _TaskText(_rate, "progress.data.speed"),
        _TaskText(lambda task: _clock(_elapsed(task)), "progress.elapsed"),
        _TaskText(lambda task: f"{_clock(_remaining(task))} left", "progress.remaining"),
    )


def _line(task: Task) -> str:
    done = f"{task.completed:g}" if task.total is None else f"{int(task.completed)}/{int(task.total)}"
    parts = [f"{task.description} {done}", _rate(task), f"elapsed {_clock(_elapsed(task))}"]
    if not task.finished:
        parts.append(f"remaining {_clock(_remaining(task))}")
    return ", ".join(part for part in (*parts, task.fields["note"]) if part)


def _state(task: Task) -> tuple[float, str]:
    return task.completed, task.fields["note"]


def _rate(task: Task) -> str:
    """The task's rate; empty before it is known."""
    if (speed := _speed(task)) is None:
        return ""
    return f"{speed:.1f}/s" if speed >= 1 else f"{60 * speed:.1f}/min"


def _speed(task: Task) -> float | None:
    """Items a second: of the last minutes, or of the whole time where items take longer."""
    elapsed, done = _elapsed(task), task.completed - task.fields["begun"]
    return task.speed or (done / elapsed if elapsed and done > 0 else None)


def _elapsed(task: Task) -> float | None:
    return task.finished_time if task.finished else task.elapsed


def _remaining(task: Task) -> float | None:
    if task.finished:
        return 0.0
    speed = _speed(task)
    return None if speed is None or task.total is None else (task.total - task.completed) / speed


def _clock(seconds: float | None) -> str:
    if seconds is None:
        return "-:--:--"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
