"""Progress of the commands: at a terminal where an operator may be asked, and of training steps."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tabletop_interaction.cli.backends import Terminal
from tabletop_interaction.progress import ProgressDisplay, ShowProgress

SPACE_REMEDY = "free space, name another disk with --out, or choose fewer --interactions or a smaller --picture-size"
"""What to do where a recording does not fit on the disk."""

_AVERAGED_STEPS = 20


@contextmanager
def shown_progress(terminal: Terminal | None = None) -> Iterator[ShowProgress]:
    """A function that shows progress by name, in this block; at a terminal where an operator may be asked."""
    with (terminal or Terminal()).showing(ProgressDisplay()) as display:
        yield display.show


class TrainingSteps:
    """Shows training steps with running means of figures.

    Args:
        show: of `shown_progress`.
        figures: format of each figure by its name, such as {"score loss": ".3f"}.
    """

    def __init__(self, show: ShowProgress, figures: Mapping[str, str]) -> None:
        self._show = show
        self._figures = figures
        self._means: list[float] = []

    def stepped(self, step: int, steps: int, *values: float) -> None:
        """Show a step, from 1, of all steps, with the figures' values in it."""
        means = self._means or values
        self._means = [mean + (new - mean) / _AVERAGED_STEPS for mean, new in zip(means, values, strict=True)]
        figures = (
            f"{name} {mean:{form}}" for (name, form), mean in zip(self._figures.items(), self._means, strict=True)
        )
        self._show("steps", step, steps, "  ".join(figures))
