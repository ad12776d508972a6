"""The results page of the rearrangement benchmark: figures, charts, causes of failure and examples, in one file."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby, zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from tabletop_interaction.arrays import Floats
from tabletop_interaction.benchmarks.figures import counted
from tabletop_interaction.benchmarks.rearrangement.agents import meaning_of
from tabletop_interaction.benchmarks.rearrangement.episode import PICTURE_HEIGHT_PX, PICTURE_WIDTH_PX, Episode
from tabletop_interaction.benchmarks.rearrangement.failure_causes import Cause
from tabletop_interaction.benchmarks.rearrangement.folder import picture_path
from tabletop_interaction.benchmarks.rearrangement.table import CAPTION, DISPLACED, Scores, Share, percent
from tabletop_interaction.envs.judges import WITHIN_PX
from tabletop_interaction.files import write_file
from tabletop_interaction.reports.bars import Bar, BarChart, Bars
from tabletop_interaction.reports.charts import Line, LineChart
from tabletop_interaction.reports.drawing import COLOURS
from tabletop_interaction.reports.page import Essential, jpeg_uri, render_page

_SHOWN_PX = 60.0
_SUCCESSES_AN_AGENT = 2
_FAILURES_A_CAUSE = 4
TERMS = (
    ("displaced object", "one that the goal's picture shows at another place than the table does at the start"),
    ("px", "pixels of the first view, resized to a longer side of 430 px"),
    ("Fixed Strict", "the share of the displaced objects that end within 15 px, 0 if another object was moved by more"),
    ("Wilson interval", "where the share of success lies with 95 % confidence, for this number of episodes"),
)
"""Terms of the figures, and their meanings."""

Examples = tuple[str, str, list[Episode]]
"""Title, meaning, and episodes of success or of one cause of failure."""


def write_page(out: Path, episodes: Sequence[Episode], scores: Scores, document: Mapping[str, Any]) -> None:
    """Write results.html into the benchmark's folder, which holds the pictures.

    Of `document`, the content of results.json, setting, scenes and seeds are used.
    """
    page = render_page(
        Path(__file__).with_name("page.html.j2"),
        title=f"{out.resolve().name}: rearrangement benchmark",
        essentials=[_essential(name, one.success) for name, one in scores.agents.items()],
        scenes=document["scenes"],
        seeds=document["seeds"],
        same_for_all=_same_for_all(episodes),
        agents=list(scores.agents),
        meanings=[(name, meaning_of(name)) for name in scores.agents],
        terms_of_figures=TERMS,
        rows=scores.rows(),
        caption=CAPTION,
        charts=[displaced_chart(scores), distance_chart(episodes)],
        scenes_chart=scenes_chart(scores) if len(scores.scenes) > 1 else None,
        causes=[
            (cause, cause.meaning, [one.causes.get(cause, 0) for one in scores.agents.values()])
            for cause in Cause
            if cause in scores.causes
        ],
        examples=[*_successes(episodes), *_failures(episodes)],
        note_of=_note,
        picture_of=lambda one: _picture(picture_path(out, one.key)),
        picture_size=(PICTURE_WIDTH_PX, PICTURE_HEIGHT_PX),
        settings=_settings(document),
    )
    write_file(out / "results.html", page)


def displaced_chart(scores: Scores) -> BarChart:
    """Success of every agent, in total and by number of displaced objects."""
    numbers = [n for n in DISPLACED if any(one.by_displaced[n].trials for one in scores.agents.values())]
    shares = {name: [one.success, *(one.by_displaced[n] for n in numbers)] for name, one in scores.agents.items()}
    groups = ("all", *(f"{n} displaced" for n in numbers))
    return BarChart("Success by number of displaced objects", "episodes with success, %", groups, _bars(shares))


def scenes_chart(scores: Scores) -> BarChart:
    """Success of every agent by kind of scene."""
    shares = {name: [one.by_scenes[scenes] for scenes in scores.scenes] for name, one in scores.agents.items()}
    title = "Success by objects and table tops"
    return BarChart(title, "episodes with success, %", scores.scenes, _bars(shares))


def distance_chart(episodes: Sequence[Episode]) -> LineChart:
    """For each agent the share of episodes whose displaced objects all end within a distance of their goals."""
    lines = [
        _distances(name, np.array([one.max_px for one in episodes if one.agent == name]), number)
        for number, name in enumerate(dict.fromkeys(one.agent for one in episodes))
    ]
    limit = Line("success", np.full(2, WITHIN_PX), np.array([0.0, 100.0]), 5, "dashed", f"{WITHIN_PX:.0f} px")
    x_label = "largest distance of a displaced object from its goal, px"
    title = "Distance at the end"
    return LineChart(title, x_label, "episodes within, %", (*lines, limit), (0.0, _SHOWN_PX), (0.0, 100.0))


def _successes(episodes: Sequence[Episode]) -> list[Examples]:
    """A few successes of each agent, each in another scene; no entry without a success."""
    chosen: list[Episode] = []
    for of_agent in _by_agent(one for one in episodes if one.success):
        shown = {(one.key.scenes, one.seed) for one in chosen}
        chosen += [one for one in of_agent if (one.key.scenes, one.seed) not in shown][:_SUCCESSES_AN_AGENT]
    meaning = f"The first {_SUCCESSES_AN_AGENT} of each agent, in different scenes."
    return [("Success", meaning, chosen)] if chosen else []


def _failures(episodes: Sequence[Episode]) -> list[Examples]:
    """A few failures of each cause, of as many agents as possible."""
    found = []
    for cause in Cause:
        failed = [one for one in episodes if one.cause == cause]
        agents_in_turn = [one for turn in zip_longest(*_by_agent(failed)) for one in turn if one is not None]
        if failed:
            name = f"Failed, cause {cause}" if cause == Cause.UNKNOWN else f"Failed by {cause}"
            found.append((f"{name}: {len(failed)}", cause.meaning, agents_in_turn[:_FAILURES_A_CAUSE]))
    return found


def _same_for_all(episodes: Sequence[Episode]) -> bool:
    """Whether every agent was run on every kind of scene with every seed."""
    of_agents = [{(one.key.scenes, one.seed) for one in of_agent} for of_agent in _by_agent(episodes)]
    scenes, seeds = ({one.key.scenes for one in episodes}, {one.seed for one in episodes})
    return all(len(played) == len(scenes) * len(seeds) for played in of_agents)


def _by_agent(episodes: Iterable[Episode]) -> list[list[Episode]]:
    return [list(of_agent) for _, of_agent in groupby(episodes, key=lambda one: one.agent)]


def _note(one: Episode) -> str:
    moved = f"{one.displaced} displaced" + (", one to the place of another" if one.occupied else "")
    after = counted(one.interactions, "interaction")
    return f"{moved}; after {after} {one.max_px:.0f} px left; others moved {one.others_px:.0f} px"


def _picture(path: Path) -> str:
    """The picture as a data URI; empty if there is none."""
    return jpeg_uri(path.read_bytes()) if path.is_file() else ""


def _essential(name: str, share: Share) -> Essential:
    interval = f"{100 * share.low:.0f} to {100 * share.high:.0f} %"
    return Essential(name, f"{percent(share.hits / share.trials)} %", f"{share.hits} of {share.trials}; {interval}")


def _bars(shares: Mapping[str, Sequence[Share]]) -> tuple[Bars, ...]:
    return tuple(
        Bars(name, tuple(_bar(share) if share.trials else None for share in of_agent), number % COLOURS)
        for number, (name, of_agent) in enumerate(shares.items())
    )


def _bar(share: Share) -> Bar:
    return Bar(100 * share.hits / share.trials, 100 * share.low, 100 * share.high)


def _distances(name: str, pixels: Floats, number: int) -> Line:
    """A step function that rises at the distance of each episode."""
    ends = np.append(np.sort(pixels[pixels <= _SHOWN_PX]), _SHOWN_PX)
    shares = 100 * np.arange(len(ends)) / len(pixels)
    x = np.concatenate([[0.0], np.repeat(ends, 2)[:-1]])
    y = np.repeat(shares, 2)
    return Line(name, x, y, number % COLOURS, value=f"median {np.median(pixels):.0f} px", dots=False)


def _settings(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    made_by = document["made_by"] or {"renderer": "unknown, from an earlier version", "versions": {}}
    versions = ", ".join(f"{name} {number}" for name, number in made_by["versions"].items())
    named = {name: str(value) for name, value in document["setting"].items() if value is not None}
    return [*named.items(), ("renderer", made_by["renderer"]), ("versions", versions or "unknown")]
