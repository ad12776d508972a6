"""Progress bars of the commands."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from tabletop_interaction.cli.backends import Terminal

_AVERAGED_STEPS = 20


class ShowBar(Protocol):
    """Shows a bar by its name, how much of a total is done, and a text beside it."""

    def __call__(self, what: str, done: int, total: int, beside: str = "") -> None: ...


@contextmanager
def progress_bars(terminal: Terminal | None = None) -> Iterator[ShowBar]:
    """Progress bars by name, each begun when it is first shown; at a terminal where an operator may be asked."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[beside]}"),
        TimeRemainingColumn(),
    )
    tasks: dict[str, TaskID] = {}
    with (terminal or Terminal()).showing(Progress(*columns)) as progress:

        def show(what: str, done: int, total: int, beside: str = "") -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=total, completed=done, beside="")
            progress.update(tasks[what], completed=done, total=total, beside=beside)

        yield show


class StepBar:
    """A bar of training steps with their rate and running means of figures.

    Args:
        show: of `progress_bars`.
        figures: format of each figure by its name, such as {"score loss": ".3f"}.
    """

    def __init__(self, show: ShowBar, figures: Mapping[str, str]) -> None:
        self._show = show
        self._figures = figures
        self._start: tuple[float, int] | None = None
        self._means: list[float] = []

    def stepped(self, step: int, steps: int, *values: float) -> None:
        """Show a step, from 1, of all steps, with the figures' values in it."""
        now = time.monotonic()
        if self._start is None:
            self._start, self._means = (now, step), list(values)
            return
        self._means = [mean + (new - mean) / _AVERAGED_STEPS for mean, new in zip(self._means, values, strict=True)]
        rate = (step - self._start[1]) / max(now - self._start[0], 1e-9)
        figures = (
            f"  {name} {mean:{form}}" for (name, form), mean in zip(self._figures.items(), self._means, strict=True)
        )
        self._show("steps", step, steps, f"{rate:.2f} steps/s{''.join(figures)}")
