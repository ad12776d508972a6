"""Table tops of stone and its like: marble, granite, terrazzo, concrete, slate.

Lengths are millimetres; pictures are float32 (H, W, 3), 0 to 255.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from tabletop_interaction.sim_assets.tables.surfaces import (
    PX_PER_MM,
    SHAPE,
    FloatImage,
    blend,
    blur,
    displace,
    irregular_cells,
    noise,
    ramp,
    relief,
    rgb,
    shade,
    shifted,
    smooth_step,
)


def marble(rng: np.random.Generator, palette: Sequence[str], vein: str, strength: float = 0.8) -> FloatImage:
    """Clouded stone with broad and fine veins, all folded the same way."""
    clouds = displace(noise(rng, (170, 260), 5), rng, 140, 200)
    picture = ramp(clouds, palette)
    for cell_mm, width, weight in ((330, 0.035, 1.0), (190, 0.022, 0.7), (110, 0.014, 0.45)):
        field = displace(noise(rng, (cell_mm, 1.7 * cell_mm), 4, 0.45), rng, 130, 190)
        line = np.exp(-np.abs(field - 0.5) / np.float32(width)) * smooth_step(noise(rng, 220, 2), 0.25, 0.75)
        halo = 0.35 * np.exp(-np.abs(field - 0.5) / np.float32(5 * width))
        picture = blend(picture, vein, np.float32(strength * weight) * np.maximum(line, halo * line.mean() * 4))
    return picture


def granite(rng: np.random.Generator, codes: Sequence[str], grain_mm: float = 4.0) -> FloatImage:
    """Interlocked grains, coloured at random out of `codes`, in drifts."""
    cells = irregular_cells(rng, grain_mm)
    drift = noise(rng, 120, 3)
    lot = rng.random(cells.count).astype(np.float32)[cells.labels]
    grains = ramp(lot + 0.5 * (drift - 0.5), [code for code in codes for _ in range(2)])
    coarse = irregular_cells(rng, 2.6 * grain_mm)
    flake = (rng.random(coarse.count) < 0.12)[coarse.labels] & (coarse.border_mm > 0.9)
    picture = blend(grains, codes[0], 0.8 * flake.astype(np.float32))
    return displace(blur(picture, 0.5), rng, 3, 4) * (0.92 + 0.16 * noise(rng, 3, 2)[..., None])


def terrazzo(
    rng: np.random.Generator, code: str, chip_codes: Sequence[str], chip_mm: tuple[float, ...] = (42, 24, 13)
) -> FloatImage:
    """Chips of many sizes set in cement and polished flat."""
    picture = np.asarray(rgb(code) * (0.94 + 0.12 * noise(rng, 6, 3)[..., None]), np.float32)
    colours = np.stack([rgb(chip) for chip in chip_codes])
    for spacing_mm in reversed(chip_mm):
        cells = irregular_cells(rng, spacing_mm)
        inset = rng.uniform(0.06, 0.9, cells.count).astype(np.float32)[cells.labels] * spacing_mm * 0.5
        tint = rng.normal(1, 0.07, (cells.count, 1))
        chips = (colours[rng.integers(0, len(colours), cells.count)] * tint).astype(np.float32)[cells.labels]
        chips = chips * (0.92 + 0.16 * noise(rng, 9, 3)[..., None])
        picture = blend(picture, chips, smooth_step(cells.border_mm - inset, -0.4, 0.6))
    return picture


def concrete(rng: np.random.Generator, palette: Sequence[str], cracks: int = 2) -> FloatImage:
    """Trowelled concrete: clouds, sweeps, pinholes and hairline cracks."""
    sweeps = displace(noise(rng, (14, 180), 3), rng, 220, 260)
    picture = ramp(0.55 * noise(rng, 190, 6, 0.62) + 0.25 * sweeps + 0.2 * noise(rng, 3, 2), palette)
    holes = noise(rng, 7, 1)
    pits = smooth_step(holes, 0.84, 0.9) * smooth_step(noise(rng, 90, 2), 0.35, 0.6)
    picture = shade(picture, 1 - 0.45 * pits + 0.12 * shifted(pits, 1))
    for _ in range(cracks):
        field = displace(noise(rng, 420, 5, 0.45), rng, 10, 60)
        line = np.exp(-np.square((field - np.float32(rng.uniform(0.4, 0.6))) / 0.0022))
        picture = shade(picture, 1 - 0.4 * line * smooth_step(noise(rng, 260, 2), 0.45, 0.65))
    return picture


def slate(rng: np.random.Generator, palette: Sequence[str], rust: str, tile_mm: float = 0.0) -> FloatImage:
    """Split slate with flaked ledges and rust; cut into square tiles unless `tile_mm` is 0."""
    layers = displace(noise(rng, (70, 190), 6, 0.6), rng, 60, 120)
    ledges = np.asarray(layers + np.floor(7 * layers) / 28, np.float32)
    tone = 0.75 * noise(rng, (60, 240), 5, 0.6) + 0.25 * noise(rng, 2.5, 2)
    picture = blend(ramp(tone, palette), rust, 0.45 * smooth_step(noise(rng, (130, 180), 5, 0.6), 0.62, 0.85))
    picture = shade(picture, np.clip(relief(blur(ledges, 0.8), 0.09), 0.7, 1.35))
    return cut_into_tiles(rng, picture, tile_mm) if tile_mm else picture


def cut_into_tiles(rng: np.random.Generator, picture: FloatImage, tile_mm: float) -> FloatImage:
    """`picture` in square tiles of slightly different brightness, with dark joints."""
    rows, columns = (np.arange(length) / PX_PER_MM + 0.4 * tile_mm for length in SHAPE)
    tint = rng.normal(1, 0.1, (64, 64)).astype(np.float32)
    factor = tint[np.ix_((rows // tile_mm).astype(int), (columns // tile_mm).astype(int))]
    to_joint = [np.abs((place / tile_mm + 0.5) % 1 - 0.5) * tile_mm for place in (rows, columns)]
    distance = np.minimum(to_joint[0][:, None], to_joint[1][None]).astype(np.float32)
    grout = cv2.GaussianBlur((distance < 1.6).astype(np.float32), (0, 0), 0.8)
    return shade(picture, factor * (1 - 0.6 * grout))
