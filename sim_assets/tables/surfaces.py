"""What every painted table top is made of: colour ramps, blending, cells, relief and wear.

A picture spans the whole table top at `PX_PER_MM` pixels per millimetre, x to the right and y down. Values
are float32, 0 to 255 in colour and 0 to 1 in masks; lengths are millimetres. Nothing changes its arguments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tabletop_interaction.sim_assets.noise import fractal_noise

WIDTH_MM, HEIGHT_MM = 800, 700
PX_PER_MM = 1.2
SHAPE = (round(HEIGHT_MM * PX_PER_MM), round(WIDTH_MM * PX_PER_MM))

FloatImage = NDArray[np.float32]
LabelImage = NDArray[np.int32]


def rgb(code: str) -> FloatImage:
    """float32 (3,) red, green, blue, 0 to 255, of a colour such as "#c89f6b"."""
    return np.array([int(code[i : i + 2], 16) for i in (1, 3, 5)], np.float32)


def plain(code: str) -> FloatImage:
    """float32 (H, W, 3), one colour all over."""
    return np.full((*SHAPE, 3), rgb(code), np.float32)


def grid_mm() -> tuple[FloatImage, FloatImage]:
    """x and y of each pixel, float32 (H, W), millimetres from the top left corner."""
    y, x = np.indices(SHAPE, dtype=np.float32)
    return x / np.float32(PX_PER_MM), y / np.float32(PX_PER_MM)


def wobbly_grid_mm(
    rng: np.random.Generator, amount_mm: float, cell_mm: float, angle: float = 0.0
) -> tuple[FloatImage, FloatImage]:
    """`grid_mm`, turned by `angle` radians and shifted by up to half of `amount_mm`, as a laid cloth is."""
    x, y = grid_mm()
    cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    shift_x, shift_y = (np.float32(amount_mm) * (noise(rng, cell_mm, 2) - 0.5) for _ in range(2))
    return cosine * x + sine * y + shift_x, cosine * y - sine * x + shift_y


def noise(
    rng: np.random.Generator,
    cell_mm: float | tuple[float, float],
    octaves: int = 4,
    persistence: float = 0.5,
) -> FloatImage:
    """`fractal_noise` over the table top, float32 (H, W) from 0 to 1; a pair of cells is (down, across)."""
    cells = np.array(cell_mm if isinstance(cell_mm, tuple) else (cell_mm, cell_mm)) * PX_PER_MM
    # Drawn no finer than its finest octave needs: that is quick, and broad slopes show no steps.
    step = np.maximum(1.0, cells / 2 ** (octaves - 1) / 4)
    height, width = np.ceil(SHAPE / step).astype(int)
    down, across = cells / step
    drawn = fractal_noise(rng, int(height), int(width), (float(down), float(across)), octaves, persistence)
    return np.asarray(cv2.resize(drawn, SHAPE[::-1], interpolation=cv2.INTER_CUBIC).clip(0, 1), np.float32)


def smooth_step(values: FloatImage, low: float, high: float) -> FloatImage:
    """0 below `low`, 1 above `high`, a smooth rise between; `low` above `high` makes it fall."""
    t = np.clip((values - np.float32(low)) / np.float32(high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def ramp(values: FloatImage, codes: Sequence[str]) -> FloatImage:
    """Colours (..., 3) that run through `codes` as `values` (...) go from 0 to 1."""
    stops = np.stack([rgb(code) for code in codes])
    positions = np.linspace(0, 1, 1024)
    table = np.stack([np.interp(positions, np.linspace(0, 1, len(stops)), stops[:, c]) for c in range(3)], axis=1)
    return table.astype(np.float32)[(np.clip(values, 0, 1) * 1023).astype(np.int32)]


def blend(below: FloatImage, above: FloatImage | str, alpha: FloatImage) -> FloatImage:
    """`above`, a picture or a colour's code, laid over `below` with opacity `alpha` (H, W), 0 to 1."""
    colour = rgb(above) if isinstance(above, str) else above
    return np.asarray(below + (colour - below) * alpha[..., None], np.float32)


def shade(picture: FloatImage, factor: FloatImage) -> FloatImage:
    """`picture` (H, W, 3) times `factor` (H, W)."""
    return np.asarray(picture * factor[..., None], np.float32)


def relief(height: FloatImage, strength: float) -> FloatImage:
    """How a lamp at the top left lights a height field: a factor (H, W) about 1, of deviation `strength`."""
    slope = cv2.Sobel(height, cv2.CV_32F, 1, 0) + cv2.Sobel(height, cv2.CV_32F, 0, 1)
    return np.asarray(1 + slope * np.float32(strength / max(float(slope.std()), 1e-6)), np.float32)


def blur(image: FloatImage, radius_mm: float) -> FloatImage:
    """Gaussian blur of the given deviation."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), radius_mm * PX_PER_MM), np.float32)


def shifted(mask: FloatImage, pixels: int) -> FloatImage:
    """A mask (H, W) moved to the right and down, away from the lamp; its border is repeated."""
    height, width = mask.shape
    return np.pad(mask, ((pixels, 0), (pixels, 0)), mode="edge")[:height, :width]


def displace(image: FloatImage, rng: np.random.Generator, amount_mm: float, cell_mm: float) -> FloatImage:
    """`image` pulled about by a smooth noise of the given amplitude and cell."""
    x, y = wobbly_grid_mm(rng, amount_mm, cell_mm)
    scale = np.float32(PX_PER_MM)
    return np.asarray(cv2.remap(image, x * scale, y * scale, cv2.INTER_LINEAR, None, cv2.BORDER_REFLECT), np.float32)


@dataclass(frozen=True, eq=False)
class Cells:
    """A plane cut into irregular cells around random points (a Voronoi diagram).

    Attributes:
        labels: int32 (H, W), the cell of each pixel.
        border_mm: float32 (H, W), distance to the nearest border between cells.
        count: labels run from 0 to count - 1.
    """

    labels: LabelImage
    border_mm: FloatImage
    count: int


def irregular_cells(rng: np.random.Generator, spacing_mm: float) -> Cells:
    """Cells of about `spacing_mm` across."""
    rows, columns = (max(1, round(length / spacing_mm)) for length in (HEIGHT_MM, WIDTH_MM))
    centres = (np.moveaxis(np.indices((rows, columns)), 0, -1) + rng.random((rows, columns, 2))).reshape(-1, 2)
    pixels = (centres / (rows, columns) * SHAPE).astype(int)
    holes = np.full(SHAPE, 255, np.uint8)
    holes[pixels[:, 0], pixels[:, 1]] = 0
    _, labels = cv2.distanceTransformWithLabels(holes, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    labels = np.asarray(labels, np.int32) - 1
    return Cells(labels, border_distance_mm(labels), int(labels.max()) + 1)


def border_distance_mm(labels: LabelImage) -> FloatImage:
    """Distance (H, W) of each pixel to the nearest place where `labels` change."""
    inside = np.full(labels.shape, 255, np.uint8)
    inside[:, 1:][labels[:, 1:] != labels[:, :-1]] = 0
    inside[1:][labels[1:] != labels[:-1]] = 0
    distance = cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(distance, np.float32) / np.float32(PX_PER_MM)


def worn(rng: np.random.Generator, picture: FloatImage, unevenness: float = 0.08, grain: float = 3.0) -> FloatImage:
    """`picture` with the broad unevenness, smudges and fine grain that no real table lacks.

    Args:
        rng: consumed.
        picture: (H, W, 3).
        unevenness: relative change of brightness over decimetres.
        grain: deviation of the finest speckle, of 255.
    """
    broad = 1 + np.float32(2 * unevenness) * (noise(rng, 350, 3) - 0.5)
    smudges = 1 - np.float32(0.35 * unevenness) * smooth_step(noise(rng, 60, 4), 0.55, 0.8)
    # A pixel's speckle is smoothed, lest it shimmer when the table is seen from farther away.
    speckle = cv2.GaussianBlur(rng.standard_normal(SHAPE, dtype=np.float32), (0, 0), 0.7) * np.float32(2.5 * grain)
    return np.asarray(shade(picture, broad * smudges) + speckle[..., None], np.float32)
