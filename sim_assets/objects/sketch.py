"""A sketch of an object, as the families draw it: parts, and how each slot of them is painted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from tabletop_interaction.sim_assets.colours import Colour, Palette, contrast
from tabletop_interaction.sim_assets.objects.shapes import (
    LYING,
    Part,
    Points,
    bevelled,
    loft,
    oval,
    place,
    rounded_rectangle,
    spheroid,
    stack,
    yaw,
)
from tabletop_interaction.sim_assets.objects.textures import Skin


@dataclass(frozen=True, eq=False)
class Sketch:
    """Parts in their natural pose, anywhere in space, and their paint.

    Attributes:
        parts: overlapping closed pieces, metres, z up.
        skins: paint of every slot that the parts name.
        specular: 0 (matt) to 1 (glossy).
        friction: lateral friction of the surface.
    """

    parts: tuple[Part, ...]
    skins: Mapping[str, Skin]
    specular: float
    friction: float


Variant = Callable[[np.random.Generator], Sketch]
"""Draws one instance; all its variety comes from the generator."""

_PATTERNS = ("stripes", "checks", "dots", "zigzag", "confetti", "camouflage", "bands", "marble", "speckled")

ALONG_Y = yaw(np.pi / 2) @ LYING
"""Rotation that lays a standing part along y."""

Triple = tuple[float, float, float]


def pick(rng: np.random.Generator, *options: str) -> str:
    """One of the options."""
    return options[int(rng.integers(len(options)))]


def pattern(rng: np.random.Generator, palette: Palette) -> Skin:
    """A patterned skin of any kind."""
    return Skin(pick(rng, *_PATTERNS), palette)


def plain(palette: Palette) -> Skin:
    """A skin of the palette's base colour."""
    return Skin("plain", palette)


def plain_of(colour: Colour) -> Skin:
    """A skin of one colour."""
    return Skin("plain", Palette(colour, colour, colour, contrast(colour)))


def trimming(part: Part) -> Part:
    """The part as mere decoration: it collides with nothing, so let it rise 4 mm from another at most."""
    return replace(part, hulls=())


def ball(
    slot: str,
    size: Triple,
    at: Triple,
    density: float = 700.0,
    turn: Points | None = None,
    cut: float = 0.0,
) -> Part:
    """Ellipsoid of `size` metres about `at`, the lowest `cut` of its height taken off."""
    # Eyes and beaks are a few pixels in a picture.
    points, rows = (16, 8) if max(size) > 0.03 else (12, 7) if max(size) > 0.012 else (8, 5)
    rings = stack(oval(*size[:2], points=points), spheroid(size[2], rows, cut))
    return place(loft(rings, [(slot, rows - 1)], density), at, turn)


def sitting_ball(slot: str, size: Triple, x: float, cut: float, density: float) -> Part:
    """Ellipsoid of `size` metres at `x` that sits on z = 0 with the lowest `cut` of its height taken off."""
    return ball(slot, size, (x, 0.0, (0.5 - cut) * size[2]), density, cut=cut)


def block(
    slot: str, size: Triple, at: Triple, radius: float = 0.002, density: float = 600.0, top: str | None = None
) -> Part:
    """Box of `size` metres with round edges, bottom centre at `at`; `top` names the slot of both caps."""
    rings = stack(rounded_rectangle(size[0], size[1], 1.5 * radius), bevelled(size[2], size[0], size[1], radius))
    return place(loft(rings, [(slot, 5)], density, ends=(top, top) if top else None), at)


def rod(
    slot: str,
    diameter: float,
    length: float,
    at: Triple,
    turn: Points | None = None,
    density: float = 700.0,
    cap: str | None = None,
) -> Part:
    """Cylinder about `at`, standing unless turned; `cap` names the slot of both caps."""
    points = 16 if diameter > 0.018 else 10
    rings = stack(
        oval(diameter, diameter, points=points), bevelled(length, diameter, diameter, 0.1 * diameter, steps=1)
    )
    part = loft(rings, [(slot, 3)], density, ends=(cap, cap) if cap else None)
    return place(place(part, (0, 0, -length / 2)), at, turn)
