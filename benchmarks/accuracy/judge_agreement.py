"""How often the judge by pictures says what the judge by truth says, on drawn goals; by how the table was left.

Run: python -m tabletop_interaction.benchmarks.accuracy.judge_agreement --scenes 50 --split test

Each scene with a drawn goal is judged at its start; half done, where it displaces two or more (the first displaced
object still stands at its start); and with all displaced objects set down at their goals, one of them beside it by so
many pixels of view_0, in a random direction. Objects that are set down are turned about the vertical as well, by
`turn_deg` one way or the other, as a grasp turns what it closes on. True is what the simulation says: within 15 px.

The picture judge's thresholds were chosen on 60 scenes of training objects (seeds 1000 to 1059): report another split.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import tyro
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.spatial.transform import Rotation

from tabletop_interaction.envs.backend import ObjectState
from tabletop_interaction.envs.goals import Arrangement, ArrangingBackend, lay_goal
from tabletop_interaction.envs.judges import judge_by_pictures, judge_by_truth
from tabletop_interaction.envs.views import View
from tabletop_interaction.simulation import open_simulation


@dataclass(frozen=True)
class Options:
    """Report how far the judge by pictures agrees with the judge by truth."""

    scenes: int = 50
    """Scenes, a goal each."""
    split: Literal["train", "val", "test"] = "test"
    """Which objects and backgrounds."""
    seed: int = 0
    """Seed of the first scene; each has the next one."""
    offsets_px: tuple[float, ...] = (0, 5, 10, 14, 16, 20, 40)
    """How far beside its goal one object is set down, pixels of view_0."""
    turn_deg: float = 10.0
    """How far objects that are set down are turned."""


@dataclass(frozen=True)
class Judged:
    """One table, judged twice: how it was left, what is true, what the pictures say, and the processor time of that."""

    state: str
    success: bool
    says: bool
    seconds: float


def main(options: Options) -> None:
    """Run and print the table."""
    judged = measure_agreement(options)
    Console().print(_table(judged, options))
    print(
        f"agree on {_share([j.says == j.success for j in judged])} of {len(judged)}; says success of "
        f"{_share([j.says for j in judged if not j.success])} of the failures, failure of "
        f"{_share([not j.says for j in judged if j.success])} of the successes; "
        f"{1e3 * np.mean([j.seconds for j in judged]):.0f} ms of processor time a verdict"
    )


def measure_agreement(options: Options) -> list[Judged]:
    """Lay the scenes, set the objects down, and ask both judges."""
    judged: list[Judged] = []
    with open_simulation(options.split, None) as backend:
        for number in track(range(options.scenes), description="scenes"):
            judged += _judge_scene(backend, np.random.default_rng(options.seed + number), options)
    return judged


def _judge_scene(backend: ArrangingBackend, rng: np.random.Generator, options: Options) -> Iterator[Judged]:
    goal = lay_goal(backend, rng)
    assert goal.arrangement is not None
    start = backend.observe()
    truth, by_pictures = judge_by_truth(backend, goal, start), judge_by_pictures(backend, goal, start)
    for state, objects in _states(goal.arrangement, backend.views[0], rng, options):
        backend.arrange(objects)
        pictures = backend.observe()
        began = time.process_time()
        says = by_pictures(pictures).success
        yield Judged(state, truth(pictures).success, says, time.process_time() - began)


def _states(
    wanted: Arrangement, view: View, rng: np.random.Generator, options: Options
) -> Iterator[tuple[str, list[ObjectState]]]:
    """The tables to judge, each with a name."""
    first = wanted.displaced[0]
    yield "start", list(wanted.start)
    if len(wanted.displaced) > 1:
        pairs = zip(wanted.start, _set_down(wanted, rng, options.turn_deg), strict=True)
        yield "half done", [start if start.id == first else goal for start, goal in pairs]
    for offset in options.offsets_px:
        done = _set_down(wanted, rng, options.turn_deg)
        yield f"{offset:g} px off", [_beside(s, offset, view, rng) if s.id == first else s for s in done]


def _set_down(wanted: Arrangement, rng: np.random.Generator, turn_deg: float) -> list[ObjectState]:
    """The goal, its displaced objects turned one way or the other."""
    turns = rng.choice([-turn_deg, turn_deg], len(wanted.goal))
    return [
        _turned(state, float(turn)) if state.id in wanted.displaced else state
        for state, turn in zip(wanted.goal, turns, strict=True)
    ]


def _turned(state: ObjectState, degrees: float) -> ObjectState:
    turn = Rotation.from_euler("z", degrees, degrees=True)
    return replace(state, quaternion_xyzw=(turn * Rotation.from_quat(state.quaternion_xyzw)).as_quat())


def _beside(state: ObjectState, offset_px: float, view: View, rng: np.random.Generator) -> ObjectState:
    """Moved by so many pixels in the view, at the same height."""
    direction = rng.uniform(0, 2 * np.pi)
    pixel = view.project(state.position[None]) + offset_px * np.array([np.cos(direction), np.sin(direction)])
    return replace(state, position=view.unproject(pixel, z=float(state.position[2]))[0])


def _table(judged: list[Judged], options: Options) -> Table:
    table = Table(title=f"judge by pictures, {options.split} objects, turned by {options.turn_deg:g} degrees")
    for heading in ("the table", "judged", "true success", "pictures say success", "agree"):
        table.add_column(heading, justify="left" if heading == "the table" else "right")
    for state in dict.fromkeys(j.state for j in judged):
        rows = [j for j in judged if j.state == state]
        table.add_row(
            state,
            str(len(rows)),
            _share([j.success for j in rows]),
            _share([j.says for j in rows]),
            _share([j.says == j.success for j in rows]),
        )
    return table


def _share(answers: list[bool]) -> str:
    return f"{np.mean(answers):.0%}" if answers else "none"


if __name__ == "__main__":
    main(tyro.cli(Options))
