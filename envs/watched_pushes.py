"""What a passive observer sees: somebody pushes things about on the table at random; a short clip a push.

Pathak et al. 2018, section 4.2, begin with videos of a robot that pushes objects. Ours are stop motion: a push is a
straight line of short strokes, and since every Backend call leaves the arm out of every view, a clip is the pictures
before the first stroke and after each. Whoever pushes knows nothing of the objects: lines start anywhere in the arena
and point anywhere, as long as they stay inside.

Frame: the arena's, in metres.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tabletop_interaction.arrays import Floats
from tabletop_interaction.envs.backend import Arena, Backend, Pictures
from tabletop_interaction.errors import InvalidConfiguration, UnreachableTarget

_MOST_TRIES = 100


@dataclass(frozen=True)
class PushingConfig:
    """How things are pushed.

    Attributes:
        strokes: of a push; a clip has one picture more.
        stroke_m: length of a stroke. Half of a usual object: long enough to tell it from the table, short enough for
            optical flow to follow.
        pushes_per_scene: before the table is laid anew.
    """

    strokes: int = 5
    stroke_m: float = 0.05
    pushes_per_scene: int = 5

    def __post_init__(self) -> None:
        for name in ("strokes", "pushes_per_scene"):
            if getattr(self, name) < 1:
                raise InvalidConfiguration(f"{name} is {getattr(self, name)}; it must be 1 or more")
        if not self.stroke_m > 0:
            raise InvalidConfiguration(f"stroke_m is {self.stroke_m}; it must be above 0 metres")


@dataclass(frozen=True, eq=False)
class Clip:
    """One push, seen by every camera.

    Attributes:
        frames: uint8 (T, H, W, 3) RGB by view name, T = strokes + 1.
        path_xy: (T, 2) float64, metres; the stroke between frames t and t + 1 led from path_xy[t] to path_xy[t + 1].
    """

    frames: Pictures
    path_xy: Floats


def watch_pushes(
    backend: Backend, rng: np.random.Generator, pushes: int, config: PushingConfig | None = None
) -> Iterator[Clip]:
    """Push at random and hand out each push as a clip; the first one begins with a new scene.

    Args:
        backend: what moves and looks.
        rng: scenes and lines come from it.
        pushes: how many.
        config: see `PushingConfig`.

    Raises:
        InvalidConfiguration: the line of a push does not fit into the arena; nothing was moved.
        UnreachableTarget: the arm could follow none of many lines.
    """
    config = config or PushingConfig()
    check_fits(backend.arena, config)
    for number in range(pushes):
        backend.reset(rng, new_scene=number % config.pushes_per_scene == 0)
        yield _watched_push(backend, rng, config)


def random_line(arena: Arena, rng: np.random.Generator, config: PushingConfig) -> Floats:
    """(strokes + 1, 2) points, metres, evenly spaced on a line; its end inside the arena, place and direction uniform.

    The line must fit (`watch_pushes` checks that it does).
    """
    low, high = np.array([arena.x_min, arena.y_min]), np.array([arena.x_max, arena.y_max])
    steps = np.arange(config.strokes + 1)[:, None] * config.stroke_m
    while True:
        start, angle = rng.uniform(low, high), rng.uniform(-np.pi, np.pi)
        points = start + steps * [np.cos(angle), np.sin(angle)]
        if ((points[-1] >= low) & (points[-1] <= high)).all():
            return np.asarray(points, np.float64)


def check_fits(arena: Arena, config: PushingConfig) -> None:
    """Refuse pushes longer than the arena's shorter side.

    Raises:
        InvalidConfiguration: says both lengths.
    """
    length, room = config.strokes * config.stroke_m, 2 * min(arena.half_size)
    if length > room:
        raise InvalidConfiguration(
            f"a push of {config.strokes} strokes of {config.stroke_m} m is {length:.2f} m long, but the arena offers "
            f"{room:.2f} m; choose fewer or shorter strokes"
        )


def _watched_push(backend: Backend, rng: np.random.Generator, config: PushingConfig) -> Clip:
    """The first of many lines that the arm can follow to its end."""
    for _ in range(_MOST_TRIES):
        path = random_line(backend.arena, rng, config)
        frames = [backend.observe()]
        try:
            for start, end in zip(path[:-1].tolist(), path[1:].tolist(), strict=True):
                backend.sweep((start[0], start[1]), (end[0], end[1]))
                frames.append(backend.observe())
        except UnreachableTarget:
            continue
        return Clip({view.name: np.stack([frame[view.name] for frame in frames]) for view in backend.views}, path)
    raise UnreachableTarget(
        f"none of {_MOST_TRIES} random lines can be followed to its end; check the arena and the arm's reach"
    )
