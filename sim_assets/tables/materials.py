"""Stone, metal, lacquer, cork, leather and camouflage.

Lengths are millimetres; pictures are float32 (H, W, 3), 0 to 255.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from tabletop_interaction.arrays import FloatPicture
from tabletop_interaction.sim_assets.noise import Rng
from tabletop_interaction.sim_assets.tables.surfaces import (
    HEIGHT_MM,
    PX_PER_MM,
    SHAPE,
    WIDTH_MM,
    blend,
    blur,
    colours,
    displace,
    grid_mm,
    irregular_cells,
    noise,
    plain,
    ramp,
    relief,
    rgb,
    shade,
    shifted,
    smooth_step,
)


def marble(rng: Rng, palette: Sequence[str], vein: str, strength: float) -> FloatPicture:
    """Clouded stone with broad and fine veins."""
    clouds = displace(noise(rng, (170, 260), 5), rng, 140, 200)
    picture = ramp(clouds, palette)
    for cell_mm, width, weight in ((330, 0.035, 1.0), (190, 0.022, 0.7), (110, 0.014, 0.45)):
        field = displace(noise(rng, (cell_mm, 1.7 * cell_mm), 4, 0.45), rng, 130, 190)
        line = np.exp(-np.abs(field - 0.5) / np.float32(width)) * smooth_step(noise(rng, 220, 2), 0.25, 0.75)
        halo = 0.35 * np.exp(-np.abs(field - 0.5) / np.float32(5 * width))
        picture = blend(picture, vein, np.float32(strength * weight) * np.maximum(line, halo * line.mean() * 4))
    return picture


def granite(rng: Rng, codes: Sequence[str]) -> FloatPicture:
    """Interlocked grains in random colours of `codes`, in drifts."""
    cells = irregular_cells(rng, 4.0)
    drift = noise(rng, 120, 3)
    lot = cells.random(rng)
    grains = ramp(lot + 0.5 * (drift - 0.5), [code for code in codes for _ in range(2)])
    coarse = irregular_cells(rng, 2.6 * 4.0)
    picture = blend(grains, codes[0], 0.8 * coarse.chosen(rng, 0.12, 0.9))
    return displace(blur(picture, 0.5), rng, 3, 4) * (0.92 + 0.16 * noise(rng, 3, 2)[..., None])


def terrazzo(rng: Rng, code: str, chip_codes: Sequence[str]) -> FloatPicture:
    """Chips of several sizes in polished cement."""
    picture = np.asarray(rgb(code) * (0.94 + 0.12 * noise(rng, 6, 3)[..., None]), np.float32)
    chip_colours = colours(chip_codes)
    for spacing_mm in (13, 24, 42):
        cells = irregular_cells(rng, spacing_mm)
        inset = rng.uniform(0.06, 0.9, cells.count).astype(np.float32)[cells.labels] * spacing_mm * 0.5
        tint = rng.normal(1, 0.07, (cells.count, 1))
        chips = (chip_colours[rng.integers(0, len(chip_colours), cells.count)] * tint).astype(np.float32)[cells.labels]
        chips = chips * (0.92 + 0.16 * noise(rng, 9, 3)[..., None])
        picture = blend(picture, chips, smooth_step(cells.border_mm - inset, -0.4, 0.6))
    return picture


def pebbles(rng: Rng, codes: Sequence[str], bed: str, spacing_mm: float) -> FloatPicture:
    """Round stones of about `spacing_mm` in a bed of sand."""
    cells = irregular_cells(rng, spacing_mm)
    tint = rng.normal(1, 0.1, (cells.count, 1))
    stones = (colours(codes)[rng.integers(0, len(codes), cells.count)] * tint).astype(np.float32)[cells.labels]
    stones = stones * (0.88 + 0.24 * noise(rng, (5, 12), 4)[..., None])
    round_mm = np.minimum(blur(cells.border_mm, 2.5), 0.28 * spacing_mm)
    stones = shade(stones, np.clip(relief(blur(round_mm, 1.5), 0.16), 0.55, 1.3))
    sand = shade(plain(bed), 0.85 + 0.3 * noise(rng, 2.5, 2))
    return displace(blend(sand, stones, smooth_step(round_mm, 2.2, 3.4)), rng, 4, 25)


def concrete(rng: Rng, palette: Sequence[str]) -> FloatPicture:
    """Smoothed concrete: clouds, sweeps, pinholes and hairline cracks."""
    sweeps = displace(noise(rng, (14, 180), 3), rng, 220, 260)
    picture = ramp(0.55 * noise(rng, 190, 6, 0.62) + 0.25 * sweeps + 0.2 * noise(rng, 3, 2), palette)
    holes = noise(rng, 7, 1)
    pits = smooth_step(holes, 0.84, 0.9) * smooth_step(noise(rng, 90, 2), 0.35, 0.6)
    picture = shade(picture, 1 - 0.45 * pits + 0.12 * shifted(pits, 1))
    for _ in range(2):
        field = displace(noise(rng, 420, 5, 0.45), rng, 10, 60)
        line = np.exp(-np.square((field - np.float32(rng.uniform(0.4, 0.6))) / 0.0022))
        picture = shade(picture, 1 - 0.4 * line * smooth_step(noise(rng, 260, 2), 0.45, 0.65))
    return picture


def slate(rng: Rng, palette: Sequence[str], rust: str, tile_mm: float) -> FloatPicture:
    """Square tiles of split slate with ledges and rust."""
    layers = displace(noise(rng, (70, 190), 6, 0.6), rng, 60, 120)
    ledges = np.asarray(layers + np.floor(7 * layers) / 28, np.float32)
    tone = 0.75 * noise(rng, (60, 240), 5, 0.6) + 0.25 * noise(rng, 2.5, 2)
    picture = blend(ramp(tone, palette), rust, 0.45 * smooth_step(noise(rng, (130, 180), 5, 0.6), 0.62, 0.85))
    picture = shade(picture, np.clip(relief(blur(ledges, 0.8), 0.09), 0.7, 1.35))
    return _tiled(rng, picture, tile_mm)


def _tiled(rng: Rng, picture: FloatPicture, tile_mm: float) -> FloatPicture:
    """`picture` as square tiles of varied brightness, with dark joints."""
    rows, columns = (np.arange(length) / PX_PER_MM + 0.4 * tile_mm for length in SHAPE)
    tint = rng.normal(1, 0.1, (64, 64)).astype(np.float32)
    factor = tint[np.ix_((rows // tile_mm).astype(int), (columns // tile_mm).astype(int))]
    to_joint = [np.abs((place / tile_mm + 0.5) % 1 - 0.5) * tile_mm for place in (rows, columns)]
    distance = np.minimum(to_joint[0][:, None], to_joint[1][None]).astype(np.float32)
    grout = cv2.GaussianBlur((distance < 1.6).astype(np.float32), (0, 0), 0.8)
    return shade(picture, factor * (1 - 0.6 * grout))


def lacquer(rng: Rng, codes: Sequence[str], angle: float = 0.6, rings: int = 2) -> FloatPicture:
    """Smooth lacquer, a gradient of colours, with rings left by cups and a few scratches."""
    x, y = grid_mm()
    along = (x - WIDTH_MM / 2) * np.cos(angle) + (y - HEIGHT_MM / 2) * np.sin(angle)
    picture = ramp((along / 1000 + 0.5 + 0.25 * (noise(rng, 500, 2) - 0.5)).astype(np.float32), codes)
    for _ in range(rings):
        centre, radius = rng.uniform((50, 50), (WIDTH_MM - 50, HEIGHT_MM - 50)), rng.uniform(28, 42)
        distance = np.abs(np.hypot(x - np.float32(centre[0]), y - np.float32(centre[1])) - radius)
        ring = np.exp(-np.square(distance / 1.8)) * smooth_step(noise(rng, 45, 3), 0.3, 0.7)
        picture = shade(picture, 1 - 0.13 * ring)
    return shade(picture, 1 + 0.1 * _scratches(rng))


def brushed_metal(rng: Rng, palette: Sequence[str]) -> FloatPicture:
    """Metal brushed along x, with broad reflections."""
    _, y = grid_mm()
    bands = 0.5 + 0.5 * np.sin(y / 95 + 2.2 * noise(rng, (400, 700), 2))
    hair = 0.6 * noise(rng, (1.6, 260), 3, 0.7) + 0.4 * noise(rng, (7, 400), 2)
    picture = ramp((0.45 * bands + 0.55 * hair).astype(np.float32), palette)
    return shade(picture, 1 + 0.14 * _scratches(rng))


def cork(rng: Rng, palette: Sequence[str]) -> FloatPicture:
    """Pressed granules with dark pieces of bark."""
    granules = irregular_cells(rng, 5.0)
    tone = rng.normal(0.55, 0.2, granules.count).astype(np.float32)[granules.labels] + 0.5 * (noise(rng, 3, 2) - 0.5)
    picture = shade(ramp(tone, palette), 1 - 0.28 * np.exp(-granules.border_mm / 0.7))
    crumbs = irregular_cells(rng, 8)
    return displace(blur(blend(picture, palette[0], 0.7 * crumbs.chosen(rng, 0.09, 1.6)), 0.5), rng, 4, 7)


def leather(rng: Rng, palette: Sequence[str]) -> FloatPicture:
    """Grained leather with worn, lighter areas and creases."""
    grain = irregular_cells(rng, 5.0)
    bumps = blur(np.minimum(grain.border_mm, 1.6), 0.5)
    creases = np.exp(-np.abs(displace(noise(rng, 160, 4), rng, 40, 60) - 0.5) / 0.012)
    tone = 0.6 * noise(rng, 230, 5, 0.6) + 0.45 * bumps / 1.6 - 0.2 * creases * noise(rng, 120, 2)
    return shade(ramp(tone.astype(np.float32), palette), np.clip(relief(bumps - 1.2 * creases, 0.11), 0.65, 1.35))


def camouflage(rng: Rng, codes: Sequence[str]) -> FloatPicture:
    """Blots of each colour over the first, about the size of an object."""
    picture = plain(codes[0])
    for code in codes[1:]:
        blots = displace(noise(rng, (77.0, 110), 3, 0.45), rng, 30, 40)
        threshold = float(np.quantile(blots, 0.66))
        picture = blend(picture, code, smooth_step(blots, threshold - 0.006, threshold + 0.006))
    twill = noise(rng, (1.6, 12), 2) + noise(rng, (12, 1.6), 2)
    return shade(picture, (0.9 + 0.1 * twill) * relief(blur(noise(rng, 200, 3), 4), 0.03))


def _scratches(rng: Rng) -> FloatPicture:
    """A few thin bright lines (H, W), 0 to 1."""
    lines = np.exp(-np.abs(noise(rng, (60, 900), 2) - np.float32(rng.uniform(0.4, 0.6))) / 0.003)
    return np.asarray(lines * smooth_step(noise(rng, 90, 3), 0.6, 0.75), np.float32)
