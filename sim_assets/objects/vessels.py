"""Bottles, mugs and bowls.

All ranges make an object 20 to 46 mm wide where a gripper grasps it and large enough in a picture from above. Metres, z
up, natural pose.
"""

import numpy as np

from tabletop_interaction.sim_assets.colours import WHITE, mixed, natural, uniform
from tabletop_interaction.sim_assets.noise import Rng
from tabletop_interaction.sim_assets.objects.shapes import (
    LYING,
    Part,
    Section,
    column,
    loft,
    oval,
    place,
    regular,
    rounded_rectangle,
    sweep,
)
from tabletop_interaction.sim_assets.objects.sketch import Sketch, block, pattern, pick, plain, rod
from tabletop_interaction.sim_assets.objects.textures import Skin, by_name


def _bottle(rng: Rng) -> Sketch:
    """A round bottle on its side."""
    diameter, body = rng.uniform((0.042, 0.068), (0.046, 0.084))
    shoulder, neck, cap = rng.uniform((0.012, 0.006, 0.012), (0.024, 0.014, 0.018))
    slim = rng.uniform(0.36, 0.5)
    stations = [[0, 0.88], [0.003, 1], [0.2 * body, 1], [0.8 * body, 1], [body, 1]]
    stations += [[body + 0.3 * shoulder, 0.92], [body + 0.7 * shoulder, slim + 0.15], [body + shoulder, slim]]
    top = body + shoulder + neck
    stations += [[top, slim], [top + 0.0005, slim + 0.06], [top + cap - 0.001, slim + 0.06], [top + cap, slim]]
    bands = [("body", 2), ("label", 3), ("body", 8), ("cap", 11)]
    part = column(oval(diameter, diameter), stations, bands, 800, ends=("body", "cap"), breaks=(4, 7))
    body_palette = mixed(rng, "vivid", "deep", "white", "pastel", "muted")
    skins = {
        "body": Skin(pick(rng, "plain", "plain", "mottled"), body_palette),
        "label": Skin(pick(rng, "label", "label", "bands", "stripes"), mixed(rng)),
        "cap": Skin(pick(rng, "ribbed", "plain"), body_palette.swapped()),
    }
    return Sketch((place(part, turn=LYING),), skins, rng.uniform(0.5, 1.0), rng.uniform(0.4, 0.55))


def _shampoo(rng: Rng) -> Sketch:
    """A flat bottle, standing."""
    depth, width, height = rng.uniform((0.044, 0.072, 0.05), (0.046, 0.08, 0.058))
    cap = rng.uniform(0.014, 0.018)
    stations = [[0, 0.92], [0.003, 1], [0.15 * height, 1], [0.8 * height, 1], [0.92 * height, 0.93], [height, 0.6]]
    stations += [[height + 0.001, 0.5], [height + cap - 0.001, 0.5], [height + cap, 0.46]]
    bands = [("body", 2), ("label", 3), ("body", 5), ("cap", 8)]
    part = column(oval(width, depth, 2.4), stations, bands, 700, ends=("body", "cap"), breaks=(5,))
    palette = mixed(rng, "vivid", "white", "pastel", "black")
    skins = {
        "body": plain(palette),
        "label": Skin(pick(rng, "label", "confetti", "two_tone"), mixed(rng)),
        "cap": Skin(pick(rng, "plain", "ribbed"), palette.swapped()),
    }
    return Sketch((part,), skins, rng.uniform(0.5, 0.9), rng.uniform(0.4, 0.5))


def _flask(rng: Rng) -> Sketch:
    """A flat bottle or tube lying on its broad side."""
    width, height, length = rng.uniform((0.043, 0.028, 0.085), (0.046, 0.036, 0.105))
    cap = rng.uniform(0.014, 0.022)
    stations = [[0, 0.9, 0.8], [0.003, 1, 1], [0.12 * length, 1, 1], [0.8 * length, 1, 1], [length, 0.6, 0.8]]
    stations += [[length + 0.001, 0.5, 0.7], [length + cap, 0.5, 0.7]]
    bands = [("body", 2), ("label", 3), ("body", 4), ("cap", 6)]
    part = column(oval(width, height, 3), stations, bands, 900, ends=("body", "cap"), breaks=(4,))
    palette = mixed(rng)
    skins = {"body": plain(palette), "label": Skin("long_label", palette), "cap": plain(palette.swapped())}
    return Sketch((place(part, turn=LYING),), skins, rng.uniform(0.4, 0.9), rng.uniform(0.4, 0.55))


def _sprayer(rng: Rng) -> Sketch:
    """A pump spray, standing."""
    depth, width, height = 0.045, rng.uniform(0.068, 0.076), rng.uniform(0.044, 0.05)
    stations = [[0, 0.92], [0.003, 1], [0.7 * height, 0.98], [height, 0.45], [height + 0.006, 0.3]]
    bands = [("base", 1), ("label", 2), ("base", 4)]
    body = column(oval(width, depth, 2.4), stations, bands, 900, breaks=(3,))
    head = block("head", (0.05, 0.02, 0.016), (0.008, 0, height + 0.005), 0.004, 400)
    nozzle = rod("nozzle", 0.009, 0.012, (0.037, 0, height + 0.013), LYING)
    palette = mixed(rng, "vivid", "white", "pastel")
    skins = {
        "base": plain(palette),
        "label": Skin("label", mixed(rng)),
        "head": plain(palette.swapped()),
        "nozzle": plain(palette.second),
    }
    return Sketch((body, head, nozzle), skins, rng.uniform(0.4, 0.8), rng.uniform(0.4, 0.55))


def _vessel(section: Section, profile: list[list[float]], wall: float, width: float, density: float) -> Part:
    """A hollow shell: up the profile outside, over the rim, down inside.

    Args:
        profile: stations (z, scale) outside, from the base to the rim.
        width: of the section, metres; converts the thickness of the wall, metres, to a scale.
    """
    thin = 2 * wall / width
    inside = [[max(z, wall), max(scale - thin, 0.2)] for z, scale in profile[::-1]]
    rim = profile[-1][0]
    stations = [*profile, [rim + 0.001, profile[-1][1] - 0.5 * thin], *inside]
    last = len(profile)
    bands = [("outside", last), ("inside", len(stations) - 1)]
    return column(section, stations, bands, density, ends=("outside", "inside"), hull_end=last - 1)


def _handle(slot: str, reach: float, low: float, high: float, start: float, square: float) -> Part:
    """A handle in the xz plane from (x = `start`, z = `low`) to (x = `start`, z = `high`)."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, 9)
    bend = np.column_stack([np.cos(angle), np.sin(angle)])
    bend = np.sign(bend) * np.abs(bend) ** square
    x, z = start + reach * bend[:, 0], (low + high) / 2 + (high - low) / 2 * bend[:, 1]
    spine = np.column_stack([x, np.zeros_like(x), z])
    rings = sweep(oval(0.007, 0.01, points=12), spine, (0.0, -1.0, 0.0))
    return loft(rings, [(slot, 8)], 1500, breaks=(2, 6))


def _mug(rng: Rng) -> Sketch:
    depth, width, height = rng.uniform((0.044, 0.064, 0.06), (0.046, 0.07, 0.074))
    foot, belly = rng.uniform((0.86, 0.95), (0.96, 1.0))
    profile = [[0, foot - 0.04], [0.002, foot], [0.2 * height, belly], [0.6 * height, 1], [height, belly]]
    body = _vessel(oval(width, depth), profile, 0.003, depth, 1500)
    start = 0.45 * width
    handle = _handle("handle", rng.uniform(0.018, 0.024), 0.2 * height, 0.85 * height, start, rng.uniform(0.5, 1))
    palette = mixed(rng)
    outside = Skin(pick(rng, "plain", "stripes", "dots", "two_tone", "label", "confetti", "bands"), palette)
    inside = uniform(WHITE) if rng.random() < 0.6 else palette
    skins = {"outside": outside, "inside": plain(inside), "handle": plain(palette)}
    return Sketch((body, handle), skins, rng.uniform(0.5, 1.0), rng.uniform(0.4, 0.55))


def _beaker(rng: Rng) -> Sketch:
    """A child's cup with two handles."""
    depth, width, height = 0.046, rng.uniform(0.064, 0.072), rng.uniform(0.056, 0.066)
    profile = [[0, 0.86], [0.002, 0.9], [0.5 * height, 0.97], [height, 1]]
    body = _vessel(oval(width, depth), profile, 0.0035, depth, 1100)
    grip = _handle("handle", 0.018, 0.25 * height, 0.8 * height, 0.45 * width, 0.8)
    palette = mixed(rng, "vivid", "pastel")
    other = place(grip, turn=np.diag([-1.0, -1.0, 1.0]))
    skins = {"outside": pattern(rng, palette), "inside": plain(palette), "handle": plain(palette.swapped())}
    return Sketch((body, grip, other), skins, rng.uniform(0.3, 0.7), rng.uniform(0.5, 0.65))


def _tankard(rng: Rng) -> Sketch:
    """An eight-sided stein with a lid."""
    depth, width, height = 0.048, 0.07, rng.uniform(0.056, 0.062)
    lid = [[height + 0.0005, 0.97], [height + 0.006, 0.9], [height + 0.01, 0.3]]
    stations = np.array([[0, 1], [0.005, 1], [0.0055, 0.95], [height, 0.9], *lid])
    octagon = regular(8, 1.0).outline * [width, depth]
    bands = [("metal", 1), ("body", 3), ("metal", 6)]
    body = column(Section(octagon, octagon), stations, bands, 900, breaks=(3,))
    handle = _handle("metal", 0.024, 0.012, 0.9 * height, 0.4 * width, 0.45)
    skins = {"body": Skin("rough", natural(rng, "clay")), "metal": Skin("metal", natural(rng, "steel"))}
    return Sketch((body, handle), skins, 0.6, rng.uniform(0.45, 0.55))


def _dish(rng: Rng) -> Sketch:
    depth, width, height = rng.uniform((0.044, 0.1, 0.028), (0.046, 0.12, 0.038))
    foot = rng.uniform(0.82, 0.92)
    profile = [[0, foot - 0.06], [0.003, foot], [0.3 * height, 0.95], [height, 1]]
    body = _vessel(oval(width, depth, rng.uniform(2, 2.6)), profile, 0.004, depth, 1800)
    glaze = mixed(rng, "white", "pastel", "deep", "vivid")
    skins = {
        "outside": Skin(pick(rng, "two_tone", "speckled", "bands", "plain"), glaze),
        "inside": Skin(pick(rng, "plain", "marble", "speckled"), glaze if rng.random() < 0.5 else glaze.swapped()),
    }
    return Sketch((body,), skins, rng.uniform(0.5, 1.0), rng.uniform(0.4, 0.55))


def _tray(rng: Rng) -> Sketch:
    """A rectangular tin or loaf form."""
    depth, width, height = rng.uniform((0.044, 0.092, 0.026), (0.046, 0.115, 0.036))
    profile = [[0, 0.86], [0.002, 0.9], [height, 1]]
    body = _vessel(rounded_rectangle(width, depth, 0.007), profile, 0.003, depth, 1800)
    palette = natural(rng, "steel") if rng.random() < 0.4 else mixed(rng, "vivid", "deep")
    paint = pick(rng, "metal", "plain") if palette.base[0] < 200 else "plain"
    skins = {"outside": Skin(paint, palette), "inside": Skin(pick(rng, "plain", "woven"), palette.swapped())}
    return Sketch((body,), skins, rng.uniform(0.3, 0.9), rng.uniform(0.4, 0.6))


def _basket(rng: Rng) -> Sketch:
    depth, width, height = rng.uniform((0.044, 0.095, 0.032), (0.046, 0.11, 0.04))
    profile = [[0, 0.88], [0.003, 0.92], [0.8 * height, 0.96], [0.82 * height, 1], [height, 1]]
    body = _vessel(oval(width, depth, 3), profile, 0.005, depth, 700)
    palette = natural(rng, pick(rng, "wood", "card"))
    skins = {"outside": Skin("woven", palette), "inside": Skin("woven", palette.swapped())}
    return Sketch((body,), skins, 0.05, rng.uniform(0.6, 0.8))


def _gondola(rng: Rng) -> Sketch:
    """A pointed olive dish."""
    depth, width, height = 0.046, rng.uniform(0.125, 0.138), rng.uniform(0.028, 0.034)
    profile = [[0, 0.84], [0.003, 0.9], [0.5 * height, 0.97], [height, 1]]
    body = _vessel(oval(width, depth, 1.6), profile, 0.004, depth, 1800)
    glaze = mixed(rng, "deep", "vivid")
    skins = {"outside": plain(glaze), "inside": Skin(pick(rng, "zigzag", "two_tone", "dots"), glaze.swapped())}
    return Sketch((body,), skins, rng.uniform(0.5, 1.0), rng.uniform(0.4, 0.55))


VARIANTS = by_name(_bottle, _shampoo, _flask, _sprayer, _mug, _beaker, _tankard, _dish, _tray, _basket, _gondola)
