"""Boxes and cylinders.

All ranges make an object 20 to 46 mm wide where a gripper grasps it and large enough in a picture from above. Metres, z
up, natural pose.
"""

import numpy as np

from tabletop_interaction.sim_assets.colours import WHITE, mixed, natural, uniform
from tabletop_interaction.sim_assets.noise import Rng
from tabletop_interaction.sim_assets.objects.shapes import LYING, column, oval, regular, rounded_rectangle
from tabletop_interaction.sim_assets.objects.sketch import (
    Sketch,
    bar,
    block,
    pattern,
    pick,
    plain,
    rod,
    trimming,
)
from tabletop_interaction.sim_assets.objects.textures import Skin, by_name


def _folds(width: float, height: float) -> tuple[float, ...]:
    """Corner positions along the perimeter of a width x height section, 0 to 1: left, bottom, right, top side."""
    edges = np.cumsum([0.0, height, width, height, width])
    return tuple(float(edge) for edge in edges / edges[-1])


def _carton(rng: Rng) -> Sketch:
    width, height, length = rng.uniform((0.037, 0.026, 0.092), (0.046, 0.042, 0.125))
    part = bar("wrap", (length, width, height), 0.0015, 0.001, 350, steps=1, end="end")
    palette = mixed(rng)
    skins = {
        "wrap": Skin("long_label", palette, _folds(width, height)),
        "end": Skin(pick(rng, "plain", "bands"), palette),
    }
    return Sketch((part,), skins, rng.uniform(0.1, 0.5), rng.uniform(0.45, 0.65))


def _soap(rng: Rng) -> Sketch:
    width, height, length = rng.uniform((0.043, 0.026, 0.09), (0.046, 0.032, 0.1))
    radius = rng.uniform(0.007, 0.011)
    part = bar("body", (length, width, height), radius, radius, 900, steps=3)
    skin = Skin(pick(rng, "plain", "marble", "mottled"), mixed(rng, "pastel", "white"))
    return Sketch((part,), {"body": skin}, rng.uniform(0.4, 0.8), rng.uniform(0.4, 0.5))


def _sponge(rng: Rng) -> Sketch:
    width, length = rng.uniform((0.042, 0.092), (0.046, 0.11))
    foam, scourer = 0.024, 0.008
    parts = (
        block("foam", (length, width, foam), (0, 0, 0), 0.002, 250),
        block("scourer", (length, width, scourer), (0, 0, foam - 0.001), 0.001, 250),
    )
    skins = {"foam": Skin("speckled", mixed(rng, "vivid")), "scourer": Skin("rough", natural(rng, "deep"))}
    return Sketch(parts, skins, 0.0, rng.uniform(0.75, 0.9))


def _eraser(rng: Rng) -> Sketch:
    """Rubber in a cardboard sleeve."""
    length, bare = rng.uniform((0.094, 0.02), (0.108, 0.03))
    sleeve = length - bare
    parts = (
        block("rubber", (length, 0.042, 0.023), (0, 0, 0.001), 0.004, 800),
        block("sleeve", (sleeve, 0.0455, 0.026), (-bare / 2, 0, 0), 0.001, 500),
    )
    palette = mixed(rng, "vivid", "deep")
    skins = {
        "rubber": plain(mixed(rng, "white", "pastel")),
        "sleeve": Skin(pick(rng, "bands", "stripes", "two_tone"), palette),
    }
    return Sketch(parts, skins, rng.uniform(0.0, 0.3), rng.uniform(0.6, 0.8))


def _brick(rng: Rng) -> Sketch:
    """A building block with two rows of studs."""
    width, height, columns = 0.044, 0.03, int(rng.integers(4, 6))
    pitch = width / 2
    palette = mixed(rng, "vivid")
    base = block("body", (columns * pitch, width, height), (0, 0, 0), 0.001, 500)
    studs = [
        trimming(rod("body", 0.6 * pitch, 0.008, ((column - (columns - 1) / 2) * pitch, y, height)))
        for column in range(columns)
        for y in (-pitch / 2, pitch / 2)
    ]
    return Sketch((base, *studs), {"body": plain(palette)}, rng.uniform(0.5, 0.9), rng.uniform(0.4, 0.55))


def _wooden_block(rng: Rng) -> Sketch:
    width, height, length = rng.uniform((0.038, 0.03, 0.095), (0.045, 0.045, 0.12))
    part = bar("body", (length, width, height), 0.003, 0.003, 600)
    return Sketch((part,), {"body": Skin("wood", natural(rng, "wood"))}, 0.1, rng.uniform(0.5, 0.65))


def _octagon(rng: Rng) -> Sketch:
    """A gift box with eight sides and a lid."""
    width, length = rng.uniform((0.043, 0.095), (0.046, 0.115))
    section = regular(8, width / np.cos(np.pi / 8))
    lid = rng.uniform(0.2, 0.4) * length
    stations = [[0, 0.96], [0.001, 0.97], [length - lid, 0.97], [length - lid + 0.0005, 1], [length, 1]]
    part = column(section, stations, [("body", 3), ("lid", 4)], 300, ends=("body", "lid"), turn=LYING)
    palette = mixed(rng)
    skins = {"body": pattern(rng, palette), "lid": plain(palette.swapped())}
    return Sketch((part,), skins, rng.uniform(0.2, 0.6), rng.uniform(0.45, 0.6))


def _book(rng: Rng) -> Sketch:
    width, height, length = rng.uniform((0.043, 0.026, 0.09), (0.046, 0.036, 0.1))
    cover = 0.003
    parts = (
        block("pages", (length - 0.004, width - 0.004, height - cover), (0, 0, cover / 2), 0.0005, 600),
        block("back", (length, width, cover), (0, 0, 0), 0.0005),
        block("back", (length, cover, height), (0, 0.001 - width / 2, 0), 0.0005),
        block("back", (length, width, cover), (0, 0, height - cover), 0.0005, top="cover"),
    )
    palette = mixed(rng, "deep", "vivid", "black")
    skins = {
        "pages": Skin("pages", uniform(WHITE)),
        "back": plain(palette),
        "cover": Skin("label", palette, (0.0, 1.0)),
    }
    return Sketch(parts, skins, rng.uniform(0.1, 0.4), rng.uniform(0.5, 0.6))


def _can(rng: Rng) -> Sketch:
    """A food or drink can on its side."""
    diameter, length = rng.uniform((0.042, 0.088), (0.046, 0.112))
    rim = rng.uniform(0.003, 0.009)
    edge = [[0, 0.9], [0.001, 1.0], [rim, 1.0], [rim + 0.001, 0.96]]
    stations = np.array(edge + [[length - z, scale] for z, scale in edge[::-1]])
    bands = [("rim", 3), ("label", 4), ("rim", 7)]
    part = column(oval(diameter, diameter), stations, bands, 900, ends=("lid", "lid"), turn=LYING)
    metal = natural(rng, pick(rng, "steel", "steel", "brass"))
    skins = {
        "rim": Skin("metal", metal),
        "lid": Skin("metal", metal),
        "label": Skin(pick(rng, "label", "label", "label", "bands", "camouflage"), mixed(rng)),
    }
    return Sketch((part,), skins, rng.uniform(0.5, 1.0), rng.uniform(0.4, 0.55))


def _tin(rng: Rng) -> Sketch:
    """An oval or square tea tin, standing."""
    depth, width, height = rng.uniform((0.043, 0.066, 0.06), (0.046, 0.078, 0.074))
    section, folds = rounded_rectangle(width, depth, 0.006), _folds(width, depth)
    if rng.random() < 0.5:
        section, folds = oval(width, depth, 2.3), (0.0, 0.5, 1.0)
    lid = rng.uniform(0.72, 0.85) * height
    stations = [[0, 0.95], [0.001, 0.96], [lid, 0.96], [lid + 0.0005, 1], [height - 0.002, 1], [height, 0.96]]
    part = column(section, stations, [("body", 2), ("lid", 5)], 500, ends=("lid", "top"))
    palette = mixed(rng)
    skins = {
        "body": Skin(pick(rng, "label", "bands", "confetti", "two_tone"), palette, folds),
        "lid": Skin(pick(rng, "metal", "plain"), natural(rng, "brass") if rng.random() < 0.5 else palette.swapped()),
        "top": Skin(pick(rng, "label", "dots", "plain"), palette.swapped(), (0.0, 1.0)),
    }
    return Sketch((part,), skins, rng.uniform(0.4, 0.9), rng.uniform(0.4, 0.55))


def _jar(rng: Rng) -> Sketch:
    """A jam jar, oval, with a ribbed screw lid."""
    depth, width, height = rng.uniform((0.044, 0.068, 0.06), (0.046, 0.078, 0.072))
    body = height - 0.016
    stations = [[0, 0.88], [0.004, 1], [0.2 * body, 1], [0.75 * body, 1], [body - 0.006, 0.99], [body, 0.85]]
    stations += [[body + 0.0005, 0.9], [height - 0.002, 0.9], [height, 0.86]]
    bands = [("glass", 2), ("label", 3), ("glass", 5), ("lid", 8)]
    part = column(oval(width, depth, 2.4), stations, bands, 1000, ends=("glass", "top"))
    lid = mixed(rng, "vivid", "white", "deep")
    content = natural(rng, pick(rng, "clay", "vivid", "deep", "brass"))
    skins = {
        "glass": Skin("mottled", content),
        "label": Skin("label", mixed(rng, "white", "pastel")),
        "lid": Skin("ribbed", lid),
        "top": Skin(pick(rng, "checks", "plain", "dots"), lid),
    }
    return Sketch((part,), skins, rng.uniform(0.7, 1.0), rng.uniform(0.4, 0.5))


def _barrel(rng: Rng) -> Sketch:
    """A keg with hoops, lying."""
    diameter, length = rng.uniform((0.044, 0.092), (0.046, 0.105))
    share = np.linspace(0, 1, 9)
    bulge = np.maximum(np.abs(2 * share - 1) - 0.25, 0)  # the middle is straight, so that the keg rests on it
    stations = np.column_stack([share * length, 1 - 0.3 * bulge**2])
    bands = [("stave", 1), ("hoop", 2), ("stave", 6), ("hoop", 7), ("stave", 8)]
    part = column(oval(diameter, diameter), stations, bands, 700, ends=("head", "head"), turn=LYING)
    wood = natural(rng, "wood")
    skins = {"stave": Skin("wood", wood), "head": Skin("wood", wood), "hoop": plain(natural(rng, "black"))}
    return Sketch((part,), skins, rng.uniform(0.1, 0.4), rng.uniform(0.5, 0.65))


def _spool(rng: Rng) -> Sketch:
    """A reel of yarn, lying."""
    diameter, length, flange = 0.046, rng.uniform(0.09, 0.105), 0.009
    core = rng.uniform(0.76, 0.88)
    stations = [[0, 0.95], [0.001, 1], [flange, 1], [flange + 0.001, core], [length / 2, core + 0.05]]
    stations += [[length - z, scale] for z, scale in stations[3::-1]]
    bands = [("flange", 2), ("flange", 3), ("yarn", 5), ("flange", 6), ("flange", 8)]
    part = column(
        oval(diameter, diameter), stations, bands, 600, turn=LYING, ends=("flange", "flange"), breaks=(2, 3, 5, 6)
    )
    palette = mixed(rng, "vivid", "pastel", "deep")
    skins = {"flange": Skin("wood", natural(rng, "wood")), "yarn": Skin("bristles", palette)}
    return Sketch((part,), skins, 0.1, rng.uniform(0.6, 0.8))


VARIANTS = by_name(
    _carton, _soap, _sponge, _brick, _wooden_block, _octagon, _book, _can, _tin, _jar, _barrel, _spool, _eraser
)
