"""Toys, composed of balls, rods and blocks.

Every object is 20 to 46 mm wide where a gripper grasps it, and at least 20 mm high there. Metres, z up, natural pose,
the long side along x.
"""

from tabletop_interaction.sim_assets.colours import BLACK, WHITE, mixed, natural, tone
from tabletop_interaction.sim_assets.noise import Rng
from tabletop_interaction.sim_assets.objects.shapes import LYING, Part, column, oval, pitch
from tabletop_interaction.sim_assets.objects.sketch import (
    ALONG_Y,
    Sketch,
    ball,
    block,
    pattern,
    pick,
    plain,
    rod,
    sitting_ball,
    trimming,
)
from tabletop_interaction.sim_assets.objects.textures import Skin, by_name


def _axles(positions: tuple[float, ...], diameter: float, track: float) -> list[Part]:
    """Rollers through the whole width; their ends look like wheels."""
    return [rod("tyre", diameter, track, (x, 0, diameter / 2), ALONG_Y, cap="hub") for x in positions]


def _eyes(x: float, y: float, z: float, size: float = 0.006) -> list[Part]:
    return [trimming(ball("eye", (size, size, size), (x, side * y, z))) for side in (-1, 1)]


def _car(rng: Rng) -> Sketch:
    length = rng.uniform(0.095, 0.112)
    long_cabin, back = rng.uniform((0.045, -0.014), (0.062, 0.004))
    parts = [
        block("body", (length, 0.041, 0.021), (0, 0, 0.006), 0.005, 500),
        block("glass", (long_cabin, 0.036, 0.019), (back, 0, 0.025), 0.006, 300, top="roof"),
        *_axles((-0.3 * length, 0.3 * length), rng.uniform(0.02, 0.024), 0.045),
        *(trimming(ball("lamp", (0.005, 0.008, 0.007), (length / 2, y, 0.018))) for y in (-0.013, 0.013)),
    ]
    palette = mixed(rng, "vivid", "white", "deep", "black")
    skins = {
        "body": Skin(pick(rng, "plain", "plain", "bands"), palette),
        "glass": plain((52.0, 62.0, 74.0)),
        "roof": plain(palette),
        "tyre": plain(BLACK),
        "hub": plain(palette.swapped()),
        "lamp": plain((250.0, 225.0, 120.0)),
    }
    return Sketch(tuple(parts), skins, rng.uniform(0.6, 1.0), rng.uniform(0.45, 0.6))


def _locomotive(rng: Rng) -> Sketch:
    parts = [
        block("frame", (0.108, 0.04, 0.012), (0, 0, 0.008), 0.002, 700),
        rod("boiler", 0.034, 0.066, (0.016, 0, 0.033), LYING, 500, cap="front"),
        block("cab", (0.036, 0.04, 0.044), (-0.033, 0, 0.018), 0.002, 350),
        block("roof", (0.044, 0.044, 0.005), (-0.033, 0, 0.061), 0.002, 350),
        rod("funnel", 0.013, 0.022, (0.034, 0, 0.056)),
        *_axles((-0.034, 0.0, 0.034), 0.02, 0.045),
    ]
    palette = mixed(rng, "vivid")
    skins = {
        "frame": plain(BLACK),
        "boiler": Skin("stripes", palette),
        "front": plain(BLACK),
        "cab": plain(palette.swapped()),
        "roof": plain(palette),
        "funnel": Skin("metal", natural(rng, "brass")),
        "tyre": plain(tone(rng, "vivid")),
        "hub": plain(BLACK),
    }
    return Sketch(tuple(parts), skins, rng.uniform(0.4, 0.8), 0.5)


def _duck(rng: Rng) -> Sketch:
    length = rng.uniform(0.09, 0.1)
    body = sitting_ball("body", (length, 0.046, 0.042), 0.0, 0.12, 400)
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
        "beak": plain((235.0, 130.0, 35.0)),
        "eye": plain(BLACK),
    }
    return Sketch(tuple(parts), skins, rng.uniform(0.5, 0.9), rng.uniform(0.5, 0.7))


def _dog(rng: Rng) -> Sketch:
    """Any four-legged animal; coat, ears and snout vary."""
    length, leg = rng.uniform((0.092, 0.014), (0.104, 0.018))
    snout, ear = rng.uniform((0.008, 0.009), (0.012, 0.012))
    head_x, head_z = 0.43 * length, leg + 0.04
    parts = [
        ball("coat", (length, 0.044, 0.036), (0, 0, leg + 0.012), 500),
        ball("coat", (0.036, 0.034, 0.032), (head_x, 0, head_z), 400),
        ball("snout", (2 * snout, 0.018, 0.016), (head_x + 0.014, 0, head_z - 0.005), 300),
        ball("coat", (0.034, 0.009, 0.009), (-0.5 * length, 0, leg + 0.022), 300, pitch(0.6)),
        *_eyes(head_x + 0.013, 0.009, head_z + 0.006),
        *(
            rod("leg", 0.017, leg + 0.01, (x * length, side * 0.0125, leg / 2 + 0.005))
            for x in (-0.29, 0.29)
            for side in (-1, 1)
        ),
    ]
    parts += [
        trimming(ball("ear", (0.008, 0.006, ear), (head_x - 0.004, side * 0.013, head_z + 0.009))) for side in (-1, 1)
    ]
    palette = natural(rng, pick(rng, "clay", "stone", "wood", "grey")) if rng.random() < 0.6 else mixed(rng)
    coat = Skin(pick(rng, "plain", "camouflage", "stripes", "rough", "mottled"), palette)
    skins = {
        "coat": coat,
        "snout": plain(palette.swapped()),
        "leg": plain(palette),
        "ear": plain(palette.swapped()),
        "eye": plain(BLACK),
    }
    return Sketch(tuple(parts), skins, rng.uniform(0.1, 0.5), rng.uniform(0.55, 0.75))


def _boat(rng: Rng) -> Sketch:
    length, rise = rng.uniform((0.112, 0.024), (0.125, 0.03))
    stations = [[0, 0.8, 0.74], [0.3 * rise, 0.9, 0.92], [rise, 1, 1], [rise + 0.004, 0.98, 0.95]]
    hull = column(oval(length, 0.046, 1.7), stations, [("hull", 2), ("rail", 3)], 350, ends=("hull", "deck"))
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
        sitting_ball(f"ring_{index % 3}", (0.9 * size, size, size), x, 0.14, 500)
        for index, x in enumerate(centres[:-1])
    ]
    front = centres[-1] + 0.1 * size
    parts += [
        sitting_ball("face", (size, 1.05 * size, 1.1 * size), front, 0.14, 500),
        trimming(ball("nose", (0.008, 0.009, 0.008), (front + 0.5 * size, 0, 0.5 * size))),
        *_eyes(front + 0.37 * size, 0.2 * size, 0.67 * size, 0.007),
    ]
    skins = {f"ring_{index}": Skin(pick(rng, "plain", "dots"), mixed(rng, "vivid")) for index in range(3)}
    skins |= {"face": plain(mixed(rng, "vivid", "pastel")), "nose": plain(tone(rng, "vivid")), "eye": plain(BLACK)}
    return Sketch(tuple(parts), skins, rng.uniform(0.2, 0.8), rng.uniform(0.5, 0.7))


def _figure(rng: Rng) -> Sketch:
    """A person or robot on its back."""
    height = 0.024
    parts = [
        block("torso", (0.044, 0.032, height), (0, 0, 0), 0.004, 500),
        ball("head", (0.03, 0.03, 0.03), (0.034, 0, 0.016), 400),
        ball("hat", (0.016, 0.032, 0.028), (0.043, 0, 0.016), 300),
        *(block("leg", (0.046, 0.015, 0.02), (-0.042, y, 0), 0.004, 500) for y in (-0.0085, 0.0085)),
        *(block("arm", (0.042, 0.01, 0.016), (-0.002, y, 0.002), 0.004, 400) for y in (-0.018, 0.018)),
        *(trimming(ball("eye", (0.005, 0.004, 0.005), (0.036, y, 0.029))) for y in (-0.006, 0.006)),
    ]
    palette = mixed(rng, "vivid", "deep")
    skins = {
        "torso": pattern(rng, palette),
        "head": plain(tone(rng, "clay", "card", "brass")),
        "hat": plain(tone(rng, "vivid")),
        "leg": plain(tone(rng, "deep", "black", "muted")),
        "arm": plain(palette.swapped()),
        "eye": plain(BLACK),
    }
    return Sketch(tuple(parts), skins, rng.uniform(0.2, 0.7), rng.uniform(0.5, 0.65))


def _fish(rng: Rng) -> Sketch:
    length = rng.uniform(0.098, 0.106)
    body = sitting_ball("skin", (length, 0.046, 0.044), 0.0, 0.1, 500)
    parts = [
        body,
        ball("fin", (0.02, 0.046, 0.008), (-0.53 * length, 0, 0.03), 300, pitch(0.3)),
        ball("skin", (0.036, 0.016, 0.014), (-0.45 * length, 0, 0.023), 300, pitch(0.3)),
        ball("fin", (0.03, 0.006, 0.02), (-0.004, 0, 0.04), 300, pitch(-0.5)),
        *_eyes(0.32 * length, 0.0155, 0.024, 0.006),
    ]
    palette = mixed(rng, "muted", "deep", "grey")
    skins = {"skin": Skin("two_tone", palette), "fin": plain(palette), "eye": plain(WHITE)}
    return Sketch(tuple(parts), skins, 0.6, rng.uniform(0.5, 0.6))


def _snail(rng: Rng) -> Sketch:
    length, shell = rng.uniform((0.1, 0.05), (0.112, 0.056))
    x = 0.42 * length
    parts = [
        block("foot", (length, 0.03, 0.018), (0, 0, 0), 0.006, 500),
        ball("shell", (shell, 0.045, 0.046), (-0.06 * length, 0, 0.026), 400),
        ball("foot", (0.026, 0.024, 0.034), (x, 0, 0.021), 300),
        *_eyes(x + 0.004, 0.006, 0.033),
    ]
    palette = mixed(rng, "vivid", "pastel", "muted")
    skins = {
        "foot": plain(tone(rng, "clay", "card", "stone")),
        "shell": Skin(pick(rng, "bands", "stripes", "two_tone"), palette),
        "eye": plain(BLACK),
    }
    return Sketch(tuple(parts), skins, rng.uniform(0.3, 0.8), rng.uniform(0.5, 0.7))


VARIANTS = by_name(_car, _locomotive, _duck, _dog, _boat, _caterpillar, _figure, _fish, _snail)
