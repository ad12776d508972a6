"""The figures of the rearrangement benchmark: shares with their intervals, means, and why episodes failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from rich.table import Table
from scipy.stats import binomtest

from tabletop_interaction.benchmarks.rearrangement.episode import Episode
from tabletop_interaction.benchmarks.rearrangement.failure_causes import Cause

DISPLACED = (1, 2, 3)
CAPTION = "an episode ends with its success: 2 cm and 1 cm tell where it was stopped, not the best that an agent can"
"""What belongs under the figures."""

_CONFIDENCE = 0.95
_CLOSE_M = {"2 cm": 0.02, "1 cm": 0.01}


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
        return f"{percent(self.hits / self.trials)} ({100 * self.low:.0f}-{100 * self.high:.0f})"


def percent(share: float) -> str:
    """A share of 0 to 1 in per cent, to a tenth where it is not whole: one failure in 200 is told from none."""
    text = f"{100 * share:.1f}".removesuffix(".0")
    if text in ("0", "100") and share not in (0, 1):
        return "<0.1" if text == "0" else ">99.9"
    return text


@dataclass(frozen=True)
class AgentScore:
    """The figures of one agent.

    Attributes:
        success: within 15 px, and nothing else moved by more.
        within: all displaced objects within a distance on the table when the episode ended, by its name.
        by_displaced: success by number of displaced objects.
        by_scenes: success by kind of scene, by its short name.
        fixed_strict: mean share of displaced objects at their goals, 0 for episodes in which others were moved.
        mean_px: mean distance to the goal at the end, over episodes.
        interactions: mean number used.
        seconds, processor_seconds: mean of an episode, rendering and physics included.
        causes: failures by cause.
    """

    success: Share
    within: Mapping[str, Share]
    by_displaced: Mapping[int, Share]
    by_scenes: Mapping[str, Share]
    fixed_strict: float
    mean_px: float
    interactions: float
    seconds: float
    processor_seconds: float
    causes: Mapping[str, int]

    @classmethod
    def of(cls, episodes: Sequence[Episode]) -> AgentScore:
        """The figures of one or more episodes."""

        def mean(value: Callable[[Episode], float]) -> float:
            return float(np.mean([value(one) for one in episodes]))

        kinds = dict.fromkeys(_scenes(one) for one in episodes)
        return cls(
            success=Share.of(one.success for one in episodes),
            within={name: Share.of(one.max_m <= metres for one in episodes) for name, metres in _CLOSE_M.items()},
            by_displaced={n: Share.of(one.success for one in episodes if one.displaced == n) for n in DISPLACED},
            by_scenes={name: Share.of(one.success for one in episodes if _scenes(one) == name) for name in kinds},
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
    def of(cls, episodes: Sequence[Episode]) -> Scores:
        """The figures of each agent's episodes, agents in the order in which they come."""
        names = dict.fromkeys(one.agent for one in episodes)
        return cls({name: AgentScore.of([one for one in episodes if one.agent == name]) for name in names})

    @property
    def scenes(self) -> tuple[str, ...]:
        """Short names of the kinds of scenes that were played."""
        return tuple(dict.fromkeys(name for one in self.agents.values() for name in one.by_scenes))

    @property
    def causes(self) -> tuple[str, ...]:
        """The causes that occur, in the order of the agent's parts."""
        return tuple(str(cause) for cause in Cause if any(cause in one.causes for one in self.agents.values()))

    def rows(self) -> list[tuple[str, list[str]]]:
        """Of each figure its name and a text for each agent; success by kind of scene only where there are several."""
        scenes = self.scenes if len(self.scenes) > 1 else ()
        columns = [_figures(one, scenes) for one in self.agents.values()]
        return [(label, [column[label] for column in columns]) for label in columns[0]]

    def table(self, title: str) -> Table:
        """A row a figure, a column an agent."""
        table = Table(title=title, title_justify="left", caption=CAPTION, caption_justify="left")
        table.add_column("", no_wrap=True)
        for name in self.agents:
            table.add_column(name, justify="right", overflow="fold")
        for label, cells in self.rows():
            table.add_row(label, *cells)
        for cause in self.causes:
            table.add_row(f"failed by {cause}", *(str(one.causes.get(cause, 0)) for one in self.agents.values()))
        return table

    def document(self) -> dict[str, Any]:
        """The figures as plain JSON."""
        return {name: asdict(one) for name, one in self.agents.items()}


def _figures(one: AgentScore, scenes: Sequence[str]) -> dict[str, str]:
    return {
        "episodes": str(one.success.trials),
        "success (15 px), %": str(one.success),
        **{f"  of {n} displaced, %": str(one.by_displaced[n]) for n in DISPLACED},
        **{f"  {name}, %": str(one.by_scenes[name]) for name in scenes},
        **{f"within {name}, %": str(share) for name, share in one.within.items()},
        "Fixed Strict, %": percent(one.fixed_strict),
        "distance left, px": f"{one.mean_px:.1f}",
        "interactions": f"{one.interactions:.1f}",
        "seconds an episode": f"{one.seconds:.1f}",
        "processor seconds": f"{one.processor_seconds:.1f}",
    }


def _scenes(one: Episode) -> str:
    return one.key.scenes.short_name
