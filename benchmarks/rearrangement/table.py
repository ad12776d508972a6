"""The figures of the rearrangement benchmark: shares with intervals, means, and causes of failure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from rich.table import Table

from tabletop_interaction.benchmarks.rearrangement.episode import Episode
from tabletop_interaction.benchmarks.rearrangement.failure_causes import Cause
from tabletop_interaction.benchmarks.results.result import Figure
from tabletop_interaction.benchmarks.results.shares import share_of, wilson_interval

DISPLACED = (1, 2, 3)
CAPTION = "an episode ends with its success: 2 cm and 1 cm show where it stopped, not the best that an agent can reach"
"""The note under the figures."""

_MEANS = ("fixed_strict", "mean_px", "interactions", "seconds", "processor_seconds")
_CLOSE_M = {"2 cm": 0.02, "1 cm": 0.01}


@dataclass(frozen=True)
class Share:
    """A share of episodes with its 95 % Wilson interval.

    Attributes:
        hits, trials: the share is hits of trials.
        low, high: the interval, within 0 to 1; 0 and 1 without trials.
    """

    hits: int
    trials: int
    low: float
    high: float

    @classmethod
    def of(cls, outcomes: Iterable[bool]) -> Share:
        """The share of true outcomes."""
        flags = list(outcomes)
        return cls(sum(flags), len(flags), *wilson_interval(sum(flags), len(flags)))

    def __str__(self) -> str:
        if not self.trials:
            return "-"
        return f"{percent(self.hits / self.trials)} ({100 * self.low:.0f}-{100 * self.high:.0f})"


def percent(share: float) -> str:
    """A share as per cent, with a decimal if it is not whole, so that one failure in 200 differs from none."""
    text = f"{100 * share:.1f}".removesuffix(".0")
    if text in ("0", "100") and share not in (0, 1):
        return "<0.1" if text == "0" else ">99.9"
    return text


@dataclass(frozen=True)
class AgentScore:
    """The figures of one agent.

    Attributes:
        success, by_displaced, by_scenes: episodes with success, in total, by number of displaced objects, and by the
            short name of the kind of scene.
        within: episodes that end with all displaced objects within a distance on the table, by its name.
        fixed_strict, mean_px, interactions, seconds, processor_seconds: means over episodes.
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
        kinds = dict.fromkeys(_scenes(one) for one in episodes)
        return cls(
            success=Share.of(one.success for one in episodes),
            within={name: Share.of(one.max_m <= metres for one in episodes) for name, metres in _CLOSE_M.items()},
            by_displaced={n: Share.of(one.success for one in episodes if one.displaced == n) for n in DISPLACED},
            by_scenes={name: Share.of(one.success for one in episodes if _scenes(one) == name) for name in kinds},
            **{name: float(np.mean([getattr(one, name) for one in episodes])) for name in _MEANS},
            causes=dict(sorted(Counter(one.cause for one in episodes if not one.success).items())),
        )


@dataclass(frozen=True)
class Scores:
    """The figures by agent."""

    agents: Mapping[str, AgentScore]

    @classmethod
    def of(cls, episodes: Sequence[Episode]) -> Scores:
        """The figures of each agent's episodes, in the agents' order of appearance."""
        names = dict.fromkeys(one.agent for one in episodes)
        return cls({name: AgentScore.of([one for one in episodes if one.agent == name]) for name in names})

    @property
    def scenes(self) -> tuple[str, ...]:
        """Short names of the kinds of scene."""
        return tuple(dict.fromkeys(name for one in self.agents.values() for name in one.by_scenes))

    @property
    def causes(self) -> tuple[str, ...]:
        """The causes that occur, in the order of `Cause`."""
        return tuple(str(cause) for cause in Cause if any(cause in one.causes for one in self.agents.values()))

    def figures(self) -> dict[str, dict[str, Figure]]:
        """The figures of a result file, by agent."""
        return {name: _of_agent(one, self.scenes) for name, one in self.agents.items()}

    def rows(self) -> list[tuple[str, list[str]]]:
        """Name and texts of each figure, one text for each agent; success by kind of scene if there are several."""
        scenes = self.scenes if len(self.scenes) > 1 else ()
        columns = [_figures(one, scenes) for one in self.agents.values()]
        return [(label, [column[label] for column in columns]) for label in columns[0]]

    def table(self, title: str) -> Table:
        """One row for each figure, one column for each agent."""
        table = Table(title=title, title_justify="left", caption=CAPTION, caption_justify="left")
        table.add_column("", no_wrap=True)
        for name in self.agents:
            table.add_column(name, justify="right", overflow="fold")
        for label, cells in self.rows():
            table.add_row(label, *cells)
        for cause in self.causes:
            table.add_row(f"failed by {cause}", *(str(one.causes.get(cause, 0)) for one in self.agents.values()))
        return table


def _of_agent(one: AgentScore, scenes: Sequence[str]) -> dict[str, Figure]:
    shares = {"success within 15 px": one.success}
    shares |= {f"{count} to move": one.by_displaced[count] for count in DISPLACED}
    shares |= {name: one.by_scenes[name] for name in scenes if len(scenes) > 1 and name in one.by_scenes}
    figures = {name: share_of(each.hits, each.trials) for name, each in shares.items() if each.trials}
    return {**figures, "interactions": Figure(one.interactions)}


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
