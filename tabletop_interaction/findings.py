"""What a check of the laboratory or of the installation found, with a remedy."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from textwrap import shorten

from tabletop_interaction.errors import TabletopError

MAX_AGE_DAYS = 30.0
"""Age in days above which a calibration should be checked: cameras and tables get moved."""

_LONGEST = 300


@dataclass(frozen=True)
class Finding:
    """The result of a check.

    Attributes:
        name: of the checked part.
        ok: whether the check passed.
        said: the measured values.
        remedy: what to do; of a passed check, what to know; empty if there is nothing.
    """

    name: str
    ok: bool
    said: str
    remedy: str = ""


def refusal(name: str, error: TabletopError) -> Finding:
    """An error as a finding: its message up to the first semicolon is `said`, the rest is the remedy."""
    said, _, remedy = str(error).partition("; ")
    return Finding(name, False, said, remedy or "see docs/hardware.md")


def found_by(name: str, check: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """The findings of a check; an error of any kind is one of them."""
    try:
        yield from check()
    except TabletopError as error:
        yield refusal(name, error)
    except Exception as error:  # A broken package raises anything.
        said = shorten(" ".join(f"{type(error).__name__}: {error}".split()), _LONGEST, placeholder=" ...")
        yield Finding(name, False, said, "repair the other findings first, above all packages of a wrong version")
