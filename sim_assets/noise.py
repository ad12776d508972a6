"""Fractal value noise, from which every painted surface is made."""

import math

import cv2
import numpy as np

from tabletop_interaction.arrays import FloatPicture

Rng = np.random.Generator
"""Source of all random variation; its state is changed."""


def fractal_noise(
    rng: Rng, height: int, width: int, cell: float | tuple[float, float], octaves: int = 4, persistence: float = 0.5
) -> FloatPicture:
    """Sum of random grids of increasing resolution, each smoothly enlarged to the picture.

    Args:
        cell: size of a grid cell of the coarsest octave, pixels; one number or (rows, columns). Each octave halves the
            cell; octaves finer than a pixel are omitted.
        octaves: largest number of grids.
        persistence: weight of an octave relative to the previous one.

    Returns:
        float32 (height, width), scaled to 0 to 1.

    Raises:
        ValueError: a size, cell or count is not positive.
    """
    cell_rows, cell_columns = cell if isinstance(cell, tuple) else (cell, cell)
    if min(height, width, octaves) < 1 or min(cell_rows, cell_columns) <= 0:
        raise ValueError(f"noise has {height} x {width} pixels, cell {cell}, {octaves} octaves; all must be positive")
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        rows, columns = cell_rows / 2**octave, cell_columns / 2**octave
        if octave > 0 and max(rows, columns) < 1:
            break
        layer = _octave(rng, height, width, max(rows, 1.0), max(columns, 1.0))
        total += np.float32(persistence**octave) * layer
    lowest, highest = float(total.min()), float(total.max())
    # A single pixel has no range.
    return (total - np.float32(lowest)) / np.float32(max(highest - lowest, 1e-6))


def _octave(rng: Rng, height: int, width: int, rows: float, columns: float) -> FloatPicture:
    """One random grid with cells of `rows` x `columns` pixels, enlarged to float32 (height, width)."""
    grid = rng.random((math.ceil(height / rows) + 3, math.ceil(width / columns) + 3), dtype=np.float32)
    row_shift, column_shift = -(1 + rng.random(2)) * (rows, columns)
    pixels_from_grid = np.array([[columns, 0, column_shift], [0, rows, row_shift]])
    enlarged = cv2.warpAffine(
        grid, pixels_from_grid, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )
    return np.asarray(enlarged, np.float32)
