"""The figures of the rearrangement benchmark: shares with their intervals, means, and why episodes failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from rich.table import Table
from scipy.stats import binomtest

DISPLACED = (1, 2, 3)
_CONFIDENCE = 0.95
_CAPTION = "an episode ends with its success: 2 cm and 1 cm tell where it was stopped, not the best that an agent can"
_CLOSE_M = {"2 cm": 0.02, "1 cm": 0.01}


class Scored(Protocol):
    """What is read of an episode; see `rearrangement.Episode`."""

    @property
    def displaced(self) -> int: ...
    @property
    def success(self) -> bool: ...
    @property
    def fixed_strict(self) -> float: ...
    @property
    def mean_px(self) -> float: ...
    @property
    def max_m(self) -> float: ...
    @property
    def interactions(self) -> int: ...
    @property
    def seconds(self) -> float: ...
    @property
    def processor_seconds(self) -> float: ...
    @property
    def cause(self) -> str: ...


@dataclass(frozen=True)
class Share:
    """A share of episodes with its 95 % Wilson interval, all in 0 to 1.

    Attributes:
        hits, trials: how many of how many.
        low, high: the interval; 0 and 1 without trials.
    """

    hits: int
    trials: int
    low: float
    high: float

    @classmethod
    def of(cls, outcomes: Iterable[bool]) -> Share:
        """The share of outcomes that are true."""
        told = list(outcomes)
        if not told:
            return cls(0, 0, 0.0, 1.0)
        interval = binomtest(sum(told), len(told)).proportion_ci(_CONFIDENCE, method="wilson")
        return cls(sum(told), len(told), float(interval.low), float(interval.high))

    def __str__(self) -> str:
        if not self.trials:
            return "-"
        return f"{100 * self.hits / self.trials:.0f} ({100 * self.low:.0f}-{100 * self.high:.0f})"


@dataclass(frozen=True)
class AgentScore:
    """The figures of one agent.

    Attributes:
        success: within 15 px, and nothing else moved by more.
        within: all displaced objects within a distance on the table when the episode ended, by its name.
        by_displaced: success by number of displaced objects.
        fixed_strict: mean share of displaced objects at their goals, 0 for episodes in which others were moved.
        mean_px: mean distance to the goal at the end, over episodes.
        interactions: mean number used.
        seconds, processor_seconds: mean of an episode, rendering and physics included.
        causes: failures by cause.
    """

    success: Share
    within: Mapping[str, Share]
    by_displaced: Mapping[int, Share]
    fixed_strict: float
    mean_px: float
    interactions: float
    seconds: float
    processor_seconds: float
    causes: Mapping[str, int]

    @classmethod
    def of(cls, episodes: Sequence[Scored]) -> AgentScore:
        """The figures of one or more episodes."""

        def mean(value: Callable[[Scored], float]) -> float:
            return float(np.mean([value(one) for one in episodes]))

        return cls(
            success=Share.of(one.success for one in episodes),
            within={name: Share.of(one.max_m <= metres for one in episodes) for name, metres in _CLOSE_M.items()},
            by_displaced={n: Share.of(one.success for one in episodes if one.displaced == n) for n in DISPLACED},
            fixed_strict=mean(lambda one: one.fixed_strict),
            mean_px=mean(lambda one: one.mean_px),
            interactions=mean(lambda one: one.interactions),
            seconds=mean(lambda one: one.seconds),
            processor_seconds=mean(lambda one: one.processor_seconds),
            causes=dict(sorted(Counter(one.cause for one in episodes if not one.success).items())),
        )


@dataclass(frozen=True)
class Scores:
    """The figures by agent."""

    agents: Mapping[str, AgentScore]

    @classmethod
    def of(cls, episodes: Mapping[str, Sequence[Scored]]) -> Scores:
        """The figures of each agent's episodes."""
        return cls({name: AgentScore.of(played) for name, played in episodes.items()})

    def table(self, title: str) -> Table:
        """A row a figure, a column an agent."""
        table = Table(title=title, title_justify="left", caption=_CAPTION, caption_justify="left")
        table.add_column("", no_wrap=True)
        for name in self.agents:
            table.add_column(name, justify="right", no_wrap=True)
        for label, tell in _ROWS.items():
            table.add_row(label, *(tell(one) for one in self.agents.values()))
        for cause in sorted({cause for one in self.agents.values() for cause in one.causes}):
            table.add_row(f"failed by {cause}", *(str(one.causes.get(cause, 0)) for one in self.agents.values()))
        return table

    def document(self) -> dict[str, Any]:
        """The figures as plain JSON."""
        return {name: asdict(one) for name, one in self.agents.items()}


_ROWS: Mapping[str, Callable[[AgentScore], str]] = {
    "episodes": lambda one: str(one.success.trials),
    "success (15 px), %": lambda one: str(one.success),
    **{f"  of {n} displaced, %": lambda one, n=n: str(one.by_displaced[n]) for n in DISPLACED},  # type: ignore[misc]
    **{
        f"within {name}, %": lambda one, name=name: str(one.within[name])  # type: ignore[misc]
        for name in _CLOSE_M
    },
    "Fixed Strict, %": lambda one: f"{100 * one.fixed_strict:.0f}",
    "distance left, px": lambda one: f"{one.mean_px:.1f}",
    "interactions": lambda one: f"{one.interactions:.1f}",
    "seconds an episode": lambda one: f"{one.seconds:.1f}",
    "processor seconds": lambda one: f"{one.processor_seconds:.1f}",
}
