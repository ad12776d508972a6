"""Random pushes seen by a passive observer, one short clip per push.

Pathak et al. 2018, section 4.2, start from videos of a robot that pushes objects. Here the video is stop motion: a push
is a straight line of short strokes, and a clip holds the pictures before the first stroke and after each stroke, since
every Backend call leaves the arm out of every view. The pushes use no knowledge of the objects: a line starts anywhere
in the arena and points in any direction, as long as it stays inside.

Frame: the arena's, in metres.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from tabletop_interaction.arrays import Floats
from tabletop_interaction.envs.backend import Arena, Backend, Pictures
from tabletop_interaction.errors import InvalidConfiguration, UnreachableTarget
from tabletop_interaction.ranges import Count, Range, check_fields

_MAX_LINES = 100


@dataclass(frozen=True)
class PushingConfig:
    """How objects are pushed.

    Attributes:
        strokes: Strokes per push; a clip has one picture more.
        stroke_m: Length of a stroke, metres. Half an object is long enough to separate the object from the table, and
            short enough for optical flow.
        pushes_per_scene: Pushes before a new scene.
    """

    strokes: Annotated[int, Range(1, 1000)] = 5
    stroke_m: Annotated[float, Range(0, 10, above=True, unit="m")] = 0.05
    pushes_per_scene: Count = 5

    def __post_init__(self) -> None:
        check_fields(self)


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
    """Push at random and yield one clip per push; the first push has a new scene.

    Raises:
        InvalidConfiguration: the line of a push does not fit into the arena; nothing was moved.
        UnreachableTarget: the arm could follow none of 100 random lines.
    """
    config = config or PushingConfig()
    check_fits(backend.arena, config)
    for number in range(pushes):
        backend.reset(rng, new_scene=number % config.pushes_per_scene == 0)
        yield _watched_push(backend, rng, config)


def random_line(arena: Arena, rng: np.random.Generator, config: PushingConfig) -> Floats:
    """Draw a line inside the arena, uniform in start and direction: (strokes + 1, 2) evenly spaced points, metres.

    The line must fit (`check_fits`).
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
    length, side = config.strokes * config.stroke_m, 2 * min(arena.half_size)
    if length > side:
        raise InvalidConfiguration(
            f"a push of {config.strokes} strokes of {config.stroke_m} m is {length:.2f} m long, but the arena's "
            f"shorter side is {side:.2f} m; choose fewer or shorter strokes"
        )


def _watched_push(backend: Backend, rng: np.random.Generator, config: PushingConfig) -> Clip:
    """Push along the first random line that the arm can follow to its end."""
    for _ in range(_MAX_LINES):
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
        f"the arm can follow none of {_MAX_LINES} random lines to its end; check the arena and the arm's reach"
    )
