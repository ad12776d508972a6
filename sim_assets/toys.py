"""Toys and tools: figures put together from balls, rods and blocks.

Every object here is 20 to 46 mm wide where a gripper takes it, and at least 20 mm high there. Metres, z up,
natural pose, the long side along x.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tabletop_interaction.sim_assets.colours import BLACK, WHITE, mixed, natural, shade, tone
from tabletop_interaction.sim_assets.shapes import (
    LYING,
    Part,
    bevelled,
    deform,
    flat_below,
    loft,
    oval,
    pitch,
    place,
    rounded_rectangle,
    stack,
    yaw,
)
from tabletop_interaction.sim_assets.sketch import (
    ALONG_Y,
    Sketch,
    Variant,
    ball,
    block,
    pattern,
    pick,
    plain,
    plain_of,
    rod,
    trimming,
)
from tabletop_interaction.sim_assets.textures import Skin

Rng = np.random.Generator


def _wheels(positions: tuple[float, ...], diameter: float, half_track: float) -> list[Part]:
    return [
        rod("tyre", diameter, 0.01, (x, side * half_track, diameter / 2), ALONG_Y, cap="hub")
        for x in positions
        for side in (-1, 1)
    ]


def _eyes(x: float, y: float, z: float, size: float = 0.006) -> list[Part]:
    return [trimming(ball("eye", (size, size, size), (x, side * y, z))) for side in (-1, 1)]


def _car(rng: Rng) -> Sketch:
    length = rng.uniform(0.095, 0.112)
    long_cabin, back = rng.uniform((0.045, -0.014), (0.062, 0.004))
    parts = [
        block("body", (length, 0.041, 0.021), (0, 0, 0.006), 0.005, 500),
        block("glass", (long_cabin, 0.036, 0.019), (back, 0, 0.025), 0.006, 300, top="roof"),
        *_wheels((-0.3 * length, 0.3 * length), rng.uniform(0.02, 0.024), 0.0175),
        *(trimming(ball("lamp", (0.005, 0.008, 0.007), (length / 2, y, 0.018))) for y in (-0.013, 0.013)),
    ]
    palette = mixed(rng, "vivid", "white", "deep", "black")
    skins = {
        "body": Skin(pick(rng, "plain", "plain", "bands"), palette),
        "glass": plain_of((52.0, 62.0, 74.0)),
        "roof": plain(palette),
        "tyre": plain_of(BLACK),
        "hub": plain(palette.swapped()),
        "lamp": plain_of((250.0, 225.0, 120.0)),
    }
    return Sketch(tuple(parts), skins, rng.uniform(0.6, 1.0), rng.uniform(0.45, 0.6))


def _locomotive(rng: Rng) -> Sketch:
    parts = [
        block("frame", (0.108, 0.04, 0.012), (0, 0, 0.008), 0.002, 700),
        rod("boiler", 0.034, 0.066, (0.016, 0, 0.033), LYING, 500, cap="front"),
        block("cab", (0.036, 0.04, 0.044), (-0.033, 0, 0.018), 0.002, 350),
        block("roof", (0.044, 0.044, 0.005), (-0.033, 0, 0.061), 0.002, 350),
        rod("funnel", 0.013, 0.022, (0.034, 0, 0.056)),
        *_wheels((-0.034, 0.0, 0.034), 0.02, 0.0175),
    ]
    palette = mixed(rng, "vivid")
    skins = {
        "frame": plain_of(BLACK),
        "boiler": Skin("stripes", palette),
        "front": plain_of(BLACK),
        "cab": plain(palette.swapped()),
        "roof": plain(palette),
        "funnel": Skin("metal", natural(rng, "brass")),
        "tyre": plain_of(tone(rng, "vivid")),
        "hub": plain_of(BLACK),
    }
    return Sketch(tuple(parts), skins, rng.uniform(0.4, 0.8), 0.5)


def _duck(rng: Rng) -> Sketch:
    length = rng.uniform(0.09, 0.1)
    body = flat_below(ball("body", (length, 0.046, 0.042), (0, 0, 0.016), 400), 0.0)
    x, z = 0.3 * length, rng.uniform(0.044, 0.05)
    parts = [
        body,
        ball("head", (0.034, 0.032, 0.032), (x, 0, z), 300),
        ball("beak", (0.022, 0.018, 0.008), (x + 0.018, 0, z - 0.003), 300),
        ball("body", (0.034, 0.024, 0.012), (-0.44 * length, 0, 0.028), 300, pitch(0.5)),
        *_eyes(x + 0.01, 0.012, z + 0.006),
    ]
    palette = mixed(rng, "vivid", "white", "pastel")
    skins = {
        "body": Skin(pick(rng, "plain", "two_tone", "dots"), palette),
        "head": plain(palette) if rng.random() < 0.5 else plain(palette.swapped()),
        "beak": plain_of((235.0, 130.0, 35.0)),
        "eye": plain_of(BLACK),
    }
    return Sketch(tuple(parts), skins, rng.uniform(0.5, 0.9), rng.uniform(0.5, 0.7))


def _dog(rng: Rng) -> Sketch:
    """Any four-legged animal; coat, ears and snout vary."""
    length, leg = rng.uniform((0.092, 0.014), (0.104, 0.018))
    snout, ear = rng.uniform((0.012, 0.01), (0.024, 0.02))
    head_x, head_z = 0.43 * length, leg + 0.04
    parts = [
        ball("coat", (length, 0.044, 0.036), (0, 0, leg + 0.012), 500),
        ball("coat", (0.036, 0.034, 0.032), (head_x, 0, head_z), 400),
        ball("snout", (2 * snout, 0.016, 0.014), (head_x + 0.014, 0, head_z - 0.005), 300),
        ball("coat", (0.034, 0.009, 0.009), (-0.5 * length, 0, leg + 0.022), 300, pitch(0.6)),
        *_eyes(head_x + 0.013, 0.009, head_z + 0.006),
        *(
            rod("leg", 0.017, leg + 0.01, (x * length, side * 0.0125, leg / 2 + 0.005))
            for x in (-0.29, 0.29)
            for side in (-1, 1)
        ),
    ]
    parts += [
        trimming(ball("ear", (0.008, 0.006, ear), (head_x - 0.004, side * 0.013, head_z + 0.01)))
        for side in (-1, 1)
    ]
    palette = natural(rng, pick(rng, "clay", "stone", "wood", "grey")) if rng.random() < 0.6 else mixed(rng)
    coat = Skin(pick(rng, "plain", "camouflage", "stripes", "rough", "mottled"), palette)
    skins = {
        "coat": coat,
        "snout": plain(palette.swapped()),
        "leg": plain(palette),
        "ear": plain(palette.swapped()),
        "eye": plain_of(BLACK),
    }
    return Sketch(tuple(parts), skins, rng.uniform(0.1, 0.5), rng.uniform(0.55, 0.75))


def _boat(rng: Rng) -> Sketch:
    length, rise = rng.uniform((0.112, 0.024), (0.125, 0.03))
    stations = [[0, 0.8, 0.74], [0.3 * rise, 0.9, 0.92], [rise, 1, 1], [rise + 0.004, 0.98, 0.95]]
    hull = loft(
        stack(oval(length, 0.046, 1.7), stations), [("hull", 2), ("rail", 3)], 350, ends=("hull", "deck")
    )
    parts = [
        hull,
        block("cabin", (0.04, 0.026, 0.018), (-0.012, 0, rise + 0.002), 0.003, 250, top="rail"),
        rod("funnel", 0.014, 0.018, (-0.018, 0, rise + 0.028), density=300),
        rod("rail", 0.012, 0.012, (0.03, 0, rise + 0.008), density=300),
    ]
    palette = mixed(rng, "vivid", "white", "deep")
    skins = {
        "hull": Skin(pick(rng, "bands", "plain", "two_tone"), palette),
        "deck": Skin("wood", natural(rng, "wood")),
        "rail": plain(palette.swapped()),
        "cabin": Skin(pick(rng, "plain", "dots"), mixed(rng, "white")),
        "funnel": Skin("bands", mixed(rng, "vivid")),
    }
    return Sketch(tuple(parts), skins, rng.uniform(0.3, 0.8), rng.uniform(0.45, 0.6))


def _caterpillar(rng: Rng) -> Sketch:
    """Balls in a row, a face on the first."""
    count, size = int(rng.integers(4, 6)), rng.uniform(0.038, 0.042)
    step = rng.uniform(0.55, 0.64) * size
    centres = [(index - (count - 1) / 2) * step for index in range(count)]
    parts = [
        flat_below(ball(f"ring_{index % 3}", (0.9 * size, size, size), (x, 0, 0.44 * size), 500), 0.0)
        for index, x in enumerate(centres[:-1])
    ]
    front = centres[-1] + 0.1 * size
    parts += [
        flat_below(ball("face", (size, 1.05 * size, 1.1 * size), (front, 0, 0.5 * size), 500), 0.0),
        trimming(ball("nose", (0.008, 0.009, 0.008), (front + 0.5 * size, 0, 0.5 * size))),
        *_eyes(front + 0.4 * size, 0.2 * size, 0.75 * size, 0.008),
    ]
    skins = {f"ring_{index}": Skin(pick(rng, "plain", "dots"), mixed(rng, "vivid")) for index in range(3)}
    skins |= {
        "face": plain(mixed(rng, "vivid", "pastel")),
        "nose": plain_of(tone(rng, "vivid")),
        "eye": plain_of(BLACK),
    }
    return Sketch(tuple(parts), skins, rng.uniform(0.2, 0.8), rng.uniform(0.5, 0.7))


def _figure(rng: Rng) -> Sketch:
    """A person or robot on its back."""
    height = 0.024
    parts = [
        block("torso", (0.044, 0.032, height), (0, 0, 0), 0.004, 500),
        ball("head", (0.03, 0.03, 0.03), (0.034, 0, 0.016), 400),
        trimming(ball("hat", (0.016, 0.032, 0.028), (0.043, 0, 0.016), 300)),
        *(block("leg", (0.046, 0.015, 0.02), (-0.042, y, 0), 0.004, 500) for y in (-0.0085, 0.0085)),
        *(block("arm", (0.042, 0.01, 0.016), (-0.002, y, 0.002), 0.004, 400) for y in (-0.018, 0.018)),
        *(trimming(ball("eye", (0.005, 0.004, 0.005), (0.036, y, 0.029))) for y in (-0.006, 0.006)),
    ]
    palette = mixed(rng, "vivid", "deep")
    skins = {
        "torso": pattern(rng, palette),
        "head": plain_of(tone(rng, "clay", "card", "brass")),
        "hat": plain_of(tone(rng, "vivid")),
        "leg": plain_of(tone(rng, "deep", "black", "muted")),
        "arm": plain(palette.swapped()),
        "eye": plain_of(BLACK),
    }
    return Sketch(tuple(parts), skins, rng.uniform(0.2, 0.7), rng.uniform(0.5, 0.65))


def _whale(rng: Rng) -> Sketch:
    length = rng.uniform(0.098, 0.106)
    body = flat_below(ball("skin", (length, 0.046, 0.044), (0, 0, 0.018), 500), 0.0)
    parts = [
        body,
        ball("fin", (0.02, 0.046, 0.008), (-0.53 * length, 0, 0.03), 300, pitch(0.3)),
        ball("skin", (0.036, 0.016, 0.014), (-0.45 * length, 0, 0.023), 300, pitch(0.3)),
        ball("fin", (0.03, 0.006, 0.02), (-0.004, 0, 0.04), 300, pitch(-0.5)),
        *_eyes(0.32 * length, 0.0165, 0.024, 0.006),
    ]
    palette = mixed(rng, "muted", "deep", "grey")
    skins = {"skin": Skin("two_tone", palette), "fin": plain(palette), "eye": plain_of(WHITE)}
    return Sketch(tuple(parts), skins, 0.6, rng.uniform(0.5, 0.6))


def _bar(slot: str, size: tuple[float, float, float], at: tuple[float, float, float], density: float) -> Part:
    """A smooth bar along x of `size`, its bottom's centre at `at`; the paint runs along it."""
    length, width, height = size
    rings = stack(
        rounded_rectangle(width, height, 0.4 * min(width, height)), bevelled(length, width, height, 0.004)
    )
    part = place(loft(rings, [(slot, 5)], density), turn=LYING)
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
        "face": plain_of(tone(rng, "black", "steel")),
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
    if rng.random() < 0.5:
        back_skin = Skin("wood", natural(rng, "wood"))
    else:
        back_skin = plain(mixed(rng, "vivid"))
    skins = {"bristles": Skin("bristles", mixed(rng, "white", "card", "vivid", "black")), "back": back_skin}
    return Sketch(parts, skins, rng.uniform(0.1, 0.5), rng.uniform(0.5, 0.7))


def _screwdriver(rng: Rng) -> Sketch:
    """A stubby one with a fat handle."""
    width, length = rng.uniform((0.036, 0.084), (0.041, 0.094))
    shaft = rng.uniform(0.036, 0.048)
    stations = [
        [0, 0.8],
        [0.004, 1],
        [0.6 * length, 1],
        [0.75 * length, 0.84],
        [0.9 * length, 0.98],
        [length, 0.7],
    ]
    octagon = rounded_rectangle(width, width, 0.36 * width, 3)
    bands = [("grip", 2), ("neck", 5)]
    handle = place(loft(stack(octagon, stations), bands, 650, breaks=(3,)), (-0.6 * length, 0, 0), LYING)
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
    """A toy spanner, open at one end, a ring at the other."""
    length, height = rng.uniform((0.085, 0.021), (0.1, 0.025))
    end = length / 2
    ring = rng.uniform(0.04, 0.046)
    jaw = [
        place(
            _bar("body", (0.034, 0.015, height), (0.012, side * 0.015, 0), 700), (end, 0, 0), yaw(side * 0.15)
        )
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
        "hole": plain_of(shade(BLACK, 1.2)),
    }
    return Sketch(parts, skins, rng.uniform(0.5, 1.0), rng.uniform(0.45, 0.6))


def _torch(rng: Rng) -> Sketch:
    """A flashlight."""
    body, head = rng.uniform((0.075, 0.03), (0.085, 0.034))
    stations = [[0, 0.7], [0.003, 0.8], [0.3 * body, 0.8], [0.85 * body, 0.8], [body, 1], [body + head, 1.02]]
    stations += [[body + head + 0.002, 0.95]]
    bands = [("tail", 2), ("body", 3), ("head", 6)]
    part = loft(stack(oval(0.045, 0.045), stations), bands, 700, ends=("tail", "lens"), breaks=(3,))
    button = trimming(block("button", (0.014, 0.01, 0.006), (0.5 * body, 0, 0.015), 0.002))
    palette = mixed(rng, "vivid", "black", "deep")
    skins = {
        "tail": plain(palette),
        "body": Skin(pick(rng, "ribbed", "bands"), palette),
        "head": plain(palette.swapped()),
        "lens": plain_of((226.0, 230.0, 214.0)),
        "button": plain_of(tone(rng, "vivid")),
    }
    return Sketch((place(part, turn=LYING), button), skins, rng.uniform(0.5, 0.9), rng.uniform(0.45, 0.6))


def _paintbrush(rng: Rng) -> Sketch:
    handle, bristles = rng.uniform((0.05, 0.036), (0.058, 0.044))
    height = 0.024

    def waist(points: np.ndarray) -> np.ndarray:
        return np.asarray(points * [1.0, 1.0, 1.0])

    parts = (
        deform(_bar("handle", (handle + 0.01, 0.026, height), (-handle / 2 - 0.01, 0, 0), 600), waist),
        block("ferrule", (0.022, 0.044, height), (0.003, 0, 0), 0.002, 700),
        block("bristles", (bristles, 0.042, height - 0.004), (0.012 + bristles / 2, 0, 0.001), 0.002, 450),
        trimming(block("wet", (0.012, 0.043, height - 0.003), (0.008 + bristles, 0, 0.001), 0.002, 450)),
    )
    skins = {
        "handle": plain(mixed(rng, "vivid", "wood")),
        "ferrule": Skin("metal", natural(rng, pick(rng, "steel", "brass"))),
        "bristles": Skin("bristles", natural(rng, "card")),
        "wet": plain_of(tone(rng, "vivid")),
    }
    return Sketch(parts, skins, 0.3, rng.uniform(0.5, 0.65))


VARIANTS: Mapping[str, Variant] = {
    "car": _car,
    "locomotive": _locomotive,
    "duck": _duck,
    "dog": _dog,
    "boat": _boat,
    "caterpillar": _caterpillar,
    "figure": _figure,
    "whale": _whale,
    "hammer": _hammer,
    "mallet": _mallet,
    "brush": _brush,
    "screwdriver": _screwdriver,
    "wrench": _wrench,
    "torch": _torch,
    "paintbrush": _paintbrush,
}
"""All of this module by name."""
