"""A sketch of an object, as drawn by the families: parts, and a skin for each of their slots."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from tabletop_interaction.arrays import Points
from tabletop_interaction.sim_assets.colours import Colour, Palette, uniform
from tabletop_interaction.sim_assets.noise import Rng
from tabletop_interaction.sim_assets.objects.shapes import (
    LYING,
    Part,
    bevelled,
    column,
    oval,
    place,
    rounded_rectangle,
    spheroid,
    yaw,
)
from tabletop_interaction.sim_assets.objects.textures import Skin


@dataclass(frozen=True, eq=False)
class Sketch:
    """Parts in their natural pose, at any position, and their skins.

    Attributes:
        parts: overlapping closed pieces, metres, z up.
        skins: skin of every slot of the parts.
        specular: 0 (matt) to 1 (glossy).
        friction: lateral friction of the surface.
    """

    parts: tuple[Part, ...]
    skins: Mapping[str, Skin]
    specular: float
    friction: float


_PATTERNS = ("stripes", "checks", "dots", "zigzag", "confetti", "camouflage", "bands", "marble", "speckled")

ALONG_Y = yaw(np.pi / 2) @ LYING
"""Rotation of a standing part to lie along y."""

Triple = tuple[float, float, float]


def pick(rng: Rng, *options: str) -> str:
    """One of the options."""
    return options[int(rng.integers(len(options)))]


def pattern(rng: Rng, palette: Palette) -> Skin:
    """A random patterned skin."""
    return Skin(pick(rng, *_PATTERNS), palette)


def plain(palette: Palette | Colour) -> Skin:
    """A skin of one colour, or of a palette's base colour."""
    return Skin("plain", palette if isinstance(palette, Palette) else uniform(palette))


def trimming(part: Part) -> Part:
    """The part as decoration without collision shape; it may protrude from other parts by 4 mm at most."""
    return replace(part, hulls=())


def ball(
    slot: str, size: Triple, at: Triple, density: float = 700.0, turn: Points | None = None, cut: float = 0.0
) -> Part:
    """Ellipsoid of `size` metres about `at`, without the lowest share `cut` of its height."""
    # Eyes and beaks cover only a few pixels.
    points, rows = (16, 8) if max(size) > 0.03 else (12, 7) if max(size) > 0.012 else (8, 5)
    section = oval(*size[:2], points=points)
    return place(column(section, spheroid(size[2], rows, cut), [(slot, rows - 1)], density), at, turn)


def sitting_ball(slot: str, size: Triple, x: float, cut: float, density: float) -> Part:
    """Ellipsoid of `size` metres at `x` on z = 0, without the lowest share `cut` of its height."""
    return ball(slot, size, (x, 0.0, (0.5 - cut) * size[2]), density, cut=cut)


def block(
    slot: str, size: Triple, at: Triple, radius: float = 0.002, density: float = 600.0, top: str | None = None
) -> Part:
    """Box of `size` metres with round edges, bottom centre at `at`; `top` names the slot of both caps."""
    section, stations = rounded_rectangle(size[0], size[1], 1.5 * radius), bevelled(size[2], size[0], size[1], radius)
    return place(column(section, stations, [(slot, 5)], density, ends=(top, top) if top else None), at)


def bar(
    slot: str, size: Triple, radius: float, bevel: float, density: float, steps: int = 2, end: str | None = None
) -> Part:
    """Rounded bar of `size` metres (length, width, height) along x, its axis on x from 0; paint runs along it.

    Args:
        radius: of the long edges, metres.
        bevel: of the ends, metres.
        steps: edges of a bevel; a round corner has as many, but at least 2.
        end: slot of both ends, else `slot`.
    """
    length, width, height = size
    section = rounded_rectangle(width, height, radius, max(steps, 2))
    stations = bevelled(length, width, height, bevel, steps)
    return column(section, stations, [(slot, 2 * steps + 1)], density, turn=LYING, ends=(end, end) if end else None)


def rod(
    slot: str,
    diameter: float,
    length: float,
    at: Triple,
    turn: Points | None = None,
    density: float = 700.0,
    cap: str | None = None,
) -> Part:
    """Cylinder about `at`, upright unless turned; `cap` names the slot of both caps."""
    points = 16 if diameter > 0.018 else 10
    section = oval(diameter, diameter, points=points)
    stations = bevelled(length, diameter, diameter, 0.1 * diameter, steps=1)
    part = column(section, stations, [(slot, 3)], density, ends=(cap, cap) if cap else None)
    return place(place(part, (0, 0, -length / 2)), at, turn)
