"""Lacquer, metal, cork, leather and camouflage.

Lengths are millimetres; pictures are float32 (H, W, 3), 0 to 255.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tabletop_interaction.sim_assets.tables.surfaces import (
    HEIGHT_MM,
    WIDTH_MM,
    FloatImage,
    blend,
    blur,
    displace,
    grid_mm,
    irregular_cells,
    noise,
    plain,
    ramp,
    relief,
    shade,
    smooth_step,
)


def lacquer(rng: np.random.Generator, codes: Sequence[str], angle: float = 0.6, rings: int = 2) -> FloatImage:
    """Smooth lacquer, one colour or running through several, with rings left by cups and a few scratches."""
    x, y = grid_mm()
    along = (x - WIDTH_MM / 2) * np.cos(angle) + (y - HEIGHT_MM / 2) * np.sin(angle)
    picture = ramp((along / 1000 + 0.5 + 0.25 * (noise(rng, 500, 2) - 0.5)).astype(np.float32), codes)
    for _ in range(rings):
        centre, radius = rng.uniform((50, 50), (WIDTH_MM - 50, HEIGHT_MM - 50)), rng.uniform(28, 42)
        distance = np.abs(np.hypot(x - np.float32(centre[0]), y - np.float32(centre[1])) - radius)
        ring = np.exp(-np.square(distance / 1.8)) * smooth_step(noise(rng, 45, 3), 0.3, 0.7)
        picture = shade(picture, 1 - 0.13 * ring)
    return shade(picture, 1 + 0.1 * _scratches(rng))


def brushed_metal(rng: np.random.Generator, palette: Sequence[str]) -> FloatImage:
    """Metal brushed along x, with the broad bands of light that it throws back."""
    _, y = grid_mm()
    bands = 0.5 + 0.5 * np.sin(y / 95 + 2.2 * noise(rng, (400, 700), 2))
    hair = 0.6 * noise(rng, (1.6, 260), 3, 0.7) + 0.4 * noise(rng, (7, 400), 2)
    picture = ramp((0.45 * bands + 0.55 * hair).astype(np.float32), palette)
    return shade(picture, 1 + 0.14 * _scratches(rng))


def cork(rng: np.random.Generator, palette: Sequence[str], granule_mm: float = 5.0) -> FloatImage:
    """Pressed granules with dark crumbs of bark."""
    granules = irregular_cells(rng, granule_mm)
    tone = rng.normal(0.55, 0.2, granules.count).astype(np.float32)[granules.labels] + 0.5 * (noise(rng, 3, 2) - 0.5)
    picture = shade(ramp(tone, palette), 1 - 0.28 * np.exp(-granules.border_mm / 0.7))
    crumbs = irregular_cells(rng, 8)
    dark = (rng.random(crumbs.count) < 0.09)[crumbs.labels] & (crumbs.border_mm > 1.6)
    return displace(blur(blend(picture, palette[0], 0.7 * dark.astype(np.float32)), 0.5), rng, 4, 7)


def leather(rng: np.random.Generator, palette: Sequence[str], grain_mm: float = 5.0) -> FloatImage:
    """Grained hide, lighter where it was rubbed, with creases."""
    grain = irregular_cells(rng, grain_mm)
    bumps = blur(np.minimum(grain.border_mm, 1.6), 0.5)
    creases = np.exp(-np.abs(displace(noise(rng, 160, 4), rng, 40, 60) - 0.5) / 0.012)
    tone = 0.6 * noise(rng, 230, 5, 0.6) + 0.45 * bumps / 1.6 - 0.2 * creases * noise(rng, 120, 2)
    return shade(ramp(tone.astype(np.float32), palette), np.clip(relief(bumps - 1.2 * creases, 0.11), 0.65, 1.35))


def camouflage(rng: np.random.Generator, codes: Sequence[str], cell_mm: float = 110) -> FloatImage:
    """Blots of each colour in turn over the first; about the size of an object."""
    picture = plain(codes[0])
    for code in codes[1:]:
        blots = displace(noise(rng, (cell_mm * 0.7, cell_mm), 3, 0.45), rng, 30, 40)
        threshold = float(np.quantile(blots, 0.66))
        picture = blend(picture, code, smooth_step(blots, threshold - 0.006, threshold + 0.006))
    twill = noise(rng, (1.6, 12), 2) + noise(rng, (12, 1.6), 2)
    return shade(picture, (0.9 + 0.1 * twill) * relief(blur(noise(rng, 200, 3), 4), 0.03))


def _scratches(rng: np.random.Generator) -> FloatImage:
    """Thin bright lines (H, W), 0 to 1, here and there."""
    lines = np.exp(-np.abs(noise(rng, (60, 900), 2) - np.float32(rng.uniform(0.4, 0.6))) / 0.003)
    return np.asarray(lines * smooth_step(noise(rng, 90, 3), 0.6, 0.75), np.float32)
