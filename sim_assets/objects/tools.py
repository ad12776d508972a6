"""Tools, lying flat and thick enough for a gripper.

Every object is 20 to 46 mm wide where a gripper grasps it, and at least 20 mm high there. Metres, z up, natural pose,
the long side along x.
"""

import numpy as np

from tabletop_interaction.sim_assets.colours import BLACK, mixed, natural, shade, tone
from tabletop_interaction.sim_assets.noise import Rng
from tabletop_interaction.sim_assets.objects.shapes import (
    LYING,
    Part,
    column,
    flat_below,
    oval,
    pitch,
    place,
    rounded_rectangle,
    yaw,
)
from tabletop_interaction.sim_assets.objects.sketch import (
    ALONG_Y,
    Sketch,
    Triple,
    bar,
    block,
    pick,
    plain,
    rod,
    trimming,
)
from tabletop_interaction.sim_assets.objects.textures import Skin, by_name


def _bar(slot: str, size: Triple, at: Triple, density: float) -> Part:
    """A smooth bar of `size` along x, with its bottom's centre at `at`."""
    length, width, height = size
    part = bar(slot, size, 0.4 * min(width, height), 0.004, density)
    return place(part, (at[0] - length / 2, at[1], at[2] + height / 2))


def _hammer(rng: Rng) -> Sketch:
    length = rng.uniform(0.105, 0.118)
    height, broad = rng.uniform((0.024, 0.056), (0.028, 0.066))
    x = length / 2 - 0.004
    parts = (
        _bar("handle", (length, 0.025, height), (0, 0, 0), 600),
        _bar("grip", (0.5 * length, 0.028, height + 0.002), (-0.27 * length, 0, -0.001), 600),
        place(_bar("head", (broad, 0.026, height), (0, 0, 0), 800), (x, 0, 0), yaw(np.pi / 2)),
        block("face", (0.029, 0.014, height + 0.002), (x, broad / 2 - 0.006, -0.001), 0.003, 800),
    )
    palette = mixed(rng, "vivid", "black")
    skins = {
        "handle": Skin("wood", natural(rng, "wood")),
        "grip": Skin(pick(rng, "plain", "bands", "stripes"), palette),
        "head": Skin("metal", natural(rng, pick(rng, "steel", "grey"))),
        "face": plain(tone(rng, "black", "steel")),
    }
    return Sketch(parts, skins, rng.uniform(0.3, 0.7), rng.uniform(0.5, 0.65))


def _mallet(rng: Rng) -> Sketch:
    length, diameter = rng.uniform((0.1, 0.034), (0.112, 0.038))
    x = length / 2
    head = place(rod("head", diameter, 0.066, (x, 0, diameter / 2), ALONG_Y, 350, cap="face"))
    parts = (_bar("handle", (length, 0.024, 0.024), (0, 0, 0), 700), flat_below(head, 0.0))
    skins = {
        "handle": Skin("wood", natural(rng, "wood")),
        "head": Skin(pick(rng, "wood", "plain", "bands"), natural(rng, "clay")),
        "face": Skin("rough", natural(rng, "wood")),
    }
    return Sketch(parts, skins, 0.1, rng.uniform(0.5, 0.65))


def _brush(rng: Rng) -> Sketch:
    """A scrubbing brush, bristles down."""
    length, width = rng.uniform((0.1, 0.042), (0.125, 0.046))
    bristles, back = rng.uniform((0.014, 0.014), (0.018, 0.02))
    parts = (
        block("bristles", (0.93 * length, width - 0.004, bristles), (0, 0, 0), 0.001, 350),
        block("back", (length, width, back), (0, 0, bristles - 0.001), 0.005, 600),
    )
    wooden = Skin("wood", natural(rng, "wood"))
    back_skin = wooden if rng.random() < 0.5 else plain(mixed(rng, "vivid"))
    skins = {"bristles": Skin("bristles", mixed(rng, "white", "card", "vivid", "black")), "back": back_skin}
    return Sketch(parts, skins, rng.uniform(0.1, 0.5), rng.uniform(0.5, 0.7))


def _screwdriver(rng: Rng) -> Sketch:
    """A stubby one with a fat handle."""
    width, length = rng.uniform((0.036, 0.084), (0.041, 0.094))
    shaft = rng.uniform(0.036, 0.048)
    neck = [[0.75 * length, 0.84], [0.9 * length, 0.98], [length, 0.7]]
    stations = [[0, 0.8], [0.004, 1], [0.6 * length, 1], *neck]
    octagon = rounded_rectangle(width, width, 0.36 * width, 3)
    bands = [("grip", 2), ("neck", 5)]
    handle = place(column(octagon, stations, bands, 650, breaks=(3,)), (-0.6 * length, 0, 0), LYING)
    x = 0.4 * length + shaft / 2 - 0.006
    parts = (
        handle,
        rod("steel", 0.011, shaft, (x, 0, 0), LYING, 2000),
        block("steel", (0.012, 0.014, 0.004), (x + shaft / 2, 0, -0.002), 0.001, 2000),
    )
    palette = mixed(rng, "vivid", "black")
    skins = {
        "grip": Skin(pick(rng, "ribbed", "stripes", "plain"), palette),
        "neck": plain(palette.swapped()),
        "steel": Skin("metal", natural(rng, "steel")),
    }
    return Sketch(parts, skins, rng.uniform(0.5, 0.9), rng.uniform(0.5, 0.65))


def _wrench(rng: Rng) -> Sketch:
    """A toy spanner with a jaw at one end and a ring at the other."""
    length, height = rng.uniform((0.085, 0.021), (0.1, 0.025))
    end = length / 2
    ring = rng.uniform(0.04, 0.046)
    jaw = [
        place(_bar("body", (0.034, 0.015, height), (0.012, side * 0.015, 0), 700), (end, 0, 0), yaw(side * 0.15))
        for side in (-1, 1)
    ]
    parts = (
        _bar("shaft", (length, 0.024, height), (0, 0, 0), 700),
        rod("body", ring, height, (-end, 0, height / 2), density=600, cap="cap"),
        trimming(rod("hole", 0.5 * ring, 0.003, (-end, 0, height))),
        *jaw,
    )
    metal = natural(rng, "steel") if rng.random() < 0.5 else mixed(rng, "vivid")
    skins = {
        "body": Skin("metal", metal),
        "cap": plain(metal),
        "shaft": Skin(pick(rng, "metal", "plain", "long_label"), metal),
        "hole": plain(shade(BLACK, 1.2)),
    }
    return Sketch(parts, skins, rng.uniform(0.5, 1.0), rng.uniform(0.45, 0.6))


def _torch(rng: Rng) -> Sketch:
    """A flashlight."""
    body, head = rng.uniform((0.075, 0.03), (0.085, 0.034))
    stations = [[0, 0.7], [0.003, 0.8], [0.3 * body, 0.8], [0.85 * body, 0.8], [body, 1], [body + head, 1.02]]
    stations += [[body + head + 0.002, 0.95]]
    bands = [("tail", 2), ("body", 3), ("head", 6)]
    part = column(oval(0.045, 0.045), stations, bands, 700, ends=("tail", "lens"), breaks=(3,))
    button = trimming(block("button", (0.014, 0.01, 0.006), (0.5 * body, 0, 0.015), 0.002))
    palette = mixed(rng, "vivid", "black", "deep")
    skins = {
        "tail": plain(palette),
        "body": Skin(pick(rng, "ribbed", "bands"), palette),
        "head": plain(palette.swapped()),
        "lens": plain((226.0, 230.0, 214.0)),
        "button": plain(tone(rng, "vivid")),
    }
    # Tail and head both touch the table.
    tilt = pitch(-np.arctan(0.0225 * 0.22 / body))
    parts = (place(part, turn=tilt @ LYING), place(button, turn=tilt))
    return Sketch(parts, skins, rng.uniform(0.5, 0.9), rng.uniform(0.45, 0.6))


def _paintbrush(rng: Rng) -> Sketch:
    handle, bristles = rng.uniform((0.05, 0.036), (0.058, 0.044))
    height = 0.024
    parts = (
        _bar("handle", (handle + 0.01, 0.026, height), (-handle / 2 - 0.01, 0, 0), 600),
        block("ferrule", (0.022, 0.044, height), (0.003, 0, 0), 0.002, 700),
        block("bristles", (bristles, 0.042, height - 0.004), (0.012 + bristles / 2, 0, 0.001), 0.002, 450),
        trimming(block("wet", (0.012, 0.043, height - 0.003), (0.008 + bristles, 0, 0.001), 0.002, 450)),
    )
    skins = {
        "handle": plain(mixed(rng, "vivid", "wood")),
        "ferrule": Skin("metal", natural(rng, pick(rng, "steel", "brass"))),
        "bristles": Skin("bristles", natural(rng, "card")),
        "wet": plain(tone(rng, "vivid")),
    }
    return Sketch(parts, skins, 0.3, rng.uniform(0.5, 0.65))


def _dumbbell(rng: Rng) -> Sketch:
    length, weight = rng.uniform((0.105, 0.03), (0.118, 0.036))
    ends = [
        block("weight", (weight, 0.045, 0.042), (side * (length - weight) / 2, 0, 0), 0.008, 700) for side in (-1, 1)
    ]
    parts = (rod("grip", rng.uniform(0.026, 0.03), length - weight, (0, 0, 0.021), LYING, 700), *ends)
    palette = mixed(rng, "vivid", "black", "deep")
    skins = {
        "grip": Skin(pick(rng, "ribbed", "metal"), natural(rng, "steel")),
        "weight": plain(palette),
    }
    return Sketch(parts, skins, rng.uniform(0.3, 0.8), rng.uniform(0.5, 0.65))


VARIANTS = by_name(_hammer, _mallet, _brush, _screwdriver, _wrench, _torch, _paintbrush, _dumbbell)
