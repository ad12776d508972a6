"""Irregular blobs (stones, fruit) and composites of a few primitives.

Every object is 20 to 46 mm wide where a gripper grasps it. Metres, z up, natural pose, the long side along x.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from tabletop_interaction.arrays import Points
from tabletop_interaction.sim_assets.colours import BLACK, Colour, Palette, mixed, natural, shade, tone
from tabletop_interaction.sim_assets.noise import Rng
from tabletop_interaction.sim_assets.objects.shapes import LYING, Part, column, deform, flat_below, oval, place
from tabletop_interaction.sim_assets.objects.sketch import (
    Sketch,
    Triple,
    ball,
    block,
    pattern,
    pick,
    plain,
    rod,
    sitting_ball,
)
from tabletop_interaction.sim_assets.objects.textures import Skin, by_name

_STATIONS = 15
_SKIN = (("skin", _STATIONS - 1),)
_BENT = (5, 9)  # breaks of a body too bent for two convex pieces


def _blob(
    size: Triple,
    profile: ArrayLike,
    density: float,
    bands: Sequence[tuple[str, int]] = _SKIN,
    breaks: Sequence[int] = (_STATIONS // 2,),
) -> Part:
    """A closed body along x with blunt ends, whose girth follows `profile` from end to end."""
    length, width, height = size
    girths = np.asarray(profile, np.float64)
    angle = np.linspace(-0.475 * np.pi, 0.475 * np.pi, _STATIONS)
    girth = np.cos(angle) ** 0.6 * np.interp(np.sin(angle), np.linspace(-1, 1, len(girths)), girths)
    stations = np.column_stack([length / 2 * np.sin(angle), girth])
    return column(oval(width, height), stations, bands, density, turn=LYING, breaks=breaks)


def _lumpy(rng: Rng, part: Part, size: float, depth: float) -> Part:
    """The part with smooth random bumps of `size` metres, up to about `depth` metres deep."""
    waves = rng.normal(0, 1 / size, (5, 3))
    phases = rng.uniform(0, 2 * np.pi, 5)

    def move(points: Points) -> Points:
        bump = np.sin(points @ waves.T + phases).mean(axis=1, keepdims=True)
        return points + depth * bump * np.sign(points) * np.minimum(np.abs(points) / 0.02, 1)

    return deform(part, move)


def _bent(part: Part, radius: float) -> Part:
    """The part with its x axis bent onto a circle of `radius` metres in the xy plane."""

    def move(points: Points) -> Points:
        angle, reach = points[:, 0] / radius, radius + points[:, 1]
        return np.column_stack([reach * np.sin(angle), reach * np.cos(angle) - radius, points[:, 2]])

    return deform(part, move)


def _settled(part: Part, share: float) -> Part:
    """The part with the lowest `share` of its height flattened."""
    low, high = part.vertices[:, 2].min(), part.vertices[:, 2].max()
    return flat_below(part, low + share * (high - low))


def _fruit_palette(base: Colour, ripe: Colour) -> Palette:
    return Palette(base, ripe, shade(ripe, 0.5), BLACK)


def _stone(rng: Rng) -> Sketch:
    size = rng.uniform((0.096, 0.043, 0.036), (0.11, 0.046, 0.042))
    part = _blob((size[0], size[1], size[2]), rng.uniform((0.75, 0.9, 0.9, 0.75), 1.0), 1500)
    part = _settled(_lumpy(rng, part, 0.025, 0.005), 0.15)
    material = natural(rng, pick(rng, "stone", "grey", "clay"))
    skin = Skin(pick(rng, "speckled", "marble", "rough", "mottled"), material)
    return Sketch((part,), {"skin": skin}, rng.uniform(0.0, 0.3), rng.uniform(0.55, 0.75))


def _potato(rng: Rng) -> Sketch:
    length, width = rng.uniform((0.1, 0.042), (0.112, 0.045))
    part = _blob((length, width, 0.043), rng.uniform(0.85, 1.0, 5), 800)
    part = _settled(_lumpy(rng, part, 0.02, 0.004), 0.12)
    skin = Skin(pick(rng, "rough", "speckled"), natural(rng, pick(rng, "card", "clay")))
    return Sketch((part,), {"skin": skin}, rng.uniform(0.0, 0.2), rng.uniform(0.6, 0.8))


def _banana(rng: Rng) -> Sketch:
    length, width = rng.uniform((0.134, 0.034), (0.146, 0.037))
    bands = [("tip", 2), ("skin", _STATIONS - 4), ("tip", _STATIONS - 1)]
    part = _blob((length, width, 0.036), (0.3, 0.8, 0.95, 1.0, 0.95, 0.75, 0.3), 700, bands, _BENT)
    part = _settled(_bent(part, rng.uniform(0.1, 0.13)), 0.12)
    base = (rng.uniform(215, 245), rng.uniform(180, 210), rng.uniform(40, 80))
    skins = {
        "skin": Skin(pick(rng, "speckled", "plain"), _fruit_palette(base, shade(base, 0.7))),
        "tip": Skin("mottled", _fruit_palette(shade(base, 0.8), (96.0, 84.0, 40.0))),
    }
    return Sketch((part,), skins, 0.3, rng.uniform(0.5, 0.7))


def _pear(rng: Rng) -> Sketch:
    length = rng.uniform(0.104, 0.112)
    part = _settled(_blob((length, 0.0455, 0.045), (0.95, 1.0, 0.9, 0.66, 0.55), 800), 0.12)
    stem = rod("stem", 0.005, 0.02, (length / 2 + 0.004, 0, 0.003), LYING)
    base = (rng.uniform(150, 220), rng.uniform(180, 210), rng.uniform(60, 90))
    skins = {"skin": Skin("rind", _fruit_palette(base, tone(rng, "clay", "brass"))), "stem": plain((84.0, 60.0, 36.0))}
    return Sketch((part, stem), skins, rng.uniform(0.3, 0.6), rng.uniform(0.5, 0.65))


def _avocado(rng: Rng) -> Sketch:
    part = _blob((0.1, 0.045, 0.044), (0.95, 1.0, 0.9, 0.72), 800)
    part = _settled(_lumpy(rng, part, 0.008, 0.0015), 0.18)
    dark = (rng.uniform(40, 70), rng.uniform(70, 100), rng.uniform(30, 45))
    return Sketch((part,), {"skin": Skin("rough", _fruit_palette(dark, shade(dark, 0.6)))}, 0.3, 0.65)


def _aubergine(rng: Rng) -> Sketch:
    length = rng.uniform(0.114, 0.122)
    bands = [("skin", _STATIONS - 4), ("collar", _STATIONS - 1)]
    part = _blob((length, 0.045, 0.044), (0.95, 1.0, 0.85, 0.65, 0.6), 600, bands)
    part = _settled(_bent(part, 0.3), 0.12)
    stem = rod("collar", 0.009, 0.022, (0.52 * length, -0.006, 0), LYING)
    skins = {
        "skin": Skin("mottled", _fruit_palette((58.0, 28.0, 72.0), (40.0, 18.0, 46.0))),
        "collar": plain((86.0, 128.0, 60.0)),
    }
    return Sketch((part, stem), skins, 0.9, 0.5)


def _croissant(rng: Rng) -> Sketch:
    """Rolled dough with dark ridges and light furrows."""
    edges = (2, 3, 5, 6, 8, 9, 11, 12, _STATIONS - 1)
    bands = [("dough" if number % 2 else "crust", edge) for number, edge in enumerate(edges)]
    part = _blob((rng.uniform(0.13, 0.14), 0.044, 0.04), (0.45, 0.8, 1.0, 0.8, 0.45), 300, bands, _BENT)
    part = _settled(_bent(part, rng.uniform(0.085, 0.1)), 0.2)
    crust = (rng.uniform(180, 205), rng.uniform(115, 135), rng.uniform(50, 65))
    skins = {
        "crust": Skin("mottled", _fruit_palette(crust, shade(crust, 0.7))),
        "dough": Skin("mottled", _fruit_palette((228.0, 188.0, 120.0), crust)),
    }
    return Sketch((part,), skins, 0.3, rng.uniform(0.6, 0.75))


def _loaf(rng: Rng) -> Sketch:
    """Bread with light cuts across a dark crust."""
    edges = (3, 4, 7, 8, 10, 11, _STATIONS - 1)
    bands = [("cut" if number % 2 else "crust", edge) for number, edge in enumerate(edges)]
    part = _blob((rng.uniform(0.108, 0.118), 0.045, 0.044), (0.8, 0.95, 1.0, 0.95, 0.8), 350, bands)
    crust = (rng.uniform(150, 185), rng.uniform(95, 120), rng.uniform(48, 66))
    skins = {
        "crust": Skin("mottled", _fruit_palette(crust, shade(crust, 0.7))),
        "cut": Skin("rough", _fruit_palette((224.0, 196.0, 146.0), crust)),
    }
    return Sketch((_settled(part, 0.2),), skins, 0.1, rng.uniform(0.6, 0.75))


def _piece(rng: Rng, slot: str, x: float, length: float) -> Part:
    """A random primitive of the given `length` about x, on z = 0."""
    width, height = rng.uniform((0.028, 0.024), (0.045, 0.042))
    kind = pick(rng, "block", "ball", "log", "disc", "prism")
    if kind == "ball":
        return sitting_ball(slot, (1.15 * length, max(width, 0.034), height), x, 0.12, 600)
    if kind == "log":
        part = rod(slot, width, length, (x, 0, 0.5 * width), LYING, 600)
        return _settled(part, 0.04)
    if kind == "disc":
        stations = [[0, 0.97], [0.002, 1], [height - 0.002, 1], [height, 0.97]]
        return place(column(oval(length, width, points=20), stations, [(slot, 3)], 600), (x, 0, 0))
    radius = 0.002 if kind == "block" else 0.006
    return block(slot, (length, width, height), (x, 0, 0), radius, 600)


def _composite(rng: Rng) -> Sketch:
    """Two or three primitives in a row, sometimes one more on top."""
    count = int(rng.integers(2, 4))
    total = rng.uniform(0.1, 0.125)
    shares = rng.uniform(0.7, 1.3, count)
    lengths = shares / shares.sum() * total
    starts = np.concatenate([[0.0], np.cumsum(lengths)[:-1]])
    parts = [
        _piece(rng, f"piece_{index}", float(start + length / 2), float(length + 0.012))
        for index, (start, length) in enumerate(zip(starts, lengths, strict=True))
    ]
    if rng.random() < 0.6:
        parts.append(_topping(rng, parts))
    skins = {panel.slot: _any_skin(rng) for part in parts for panel in part.panels}
    return Sketch(tuple(parts), skins, rng.uniform(0.0, 0.9), rng.uniform(0.45, 0.75))


def _topping(rng: Rng, parts: Sequence[Part]) -> Part:
    """A small part on top of the tallest of `parts`."""
    under = max(parts, key=lambda part: float(part.vertices[:, 2].max()))
    x, top = float(under.vertices[:, 0].mean()), float(under.vertices[:, 2].max())
    if rng.random() < 0.5:
        return ball("top", (0.024, 0.024, 0.022), (x, 0, top + 0.006), 400)
    return rod("top", rng.uniform(0.016, 0.026), 0.018, (x, 0, top + 0.006), density=400)


def _any_skin(rng: Rng) -> Skin:
    chance = rng.random()
    if chance < 0.3:
        return plain(mixed(rng))
    if chance < 0.45:
        return Skin("wood", natural(rng, "wood"))
    if chance < 0.55:
        return Skin("metal", natural(rng, pick(rng, "steel", "brass")))
    return pattern(rng, mixed(rng))


VARIANTS = by_name(_stone, _potato, _banana, _pear, _avocado, _aubergine, _croissant, _composite, _loaf)
