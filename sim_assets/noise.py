"""Fractal value noise, from which every painted surface is made."""

from __future__ import annotations

import math

import cv2
import numpy as np

from tabletop_interaction.arrays import FloatPicture, Floats

_WRAPPED_CELLS = 3  # cells copied beyond each border, so that cubic interpolation is continuous at the seam


def fractal_noise(
    rng: np.random.Generator,
    height: int,
    width: int,
    cell: float | tuple[float, float],
    octaves: int = 4,
    persistence: float = 0.5,
    tileable: bool = False,
) -> FloatPicture:
    """Sum of random grids of increasing resolution, each smoothly enlarged to the picture.

    Args:
        rng: source of the noise; the same state gives the same noise.
        height: rows, pixels.
        width: columns, pixels.
        cell: size of a grid cell of the coarsest octave, pixels; one number or (rows, columns). Each octave halves the
            cell; octaves finer than a pixel are omitted.
        octaves: largest number of grids.
        persistence: weight of an octave relative to the previous one.
        tileable: whether opposite borders match. Cells are then rounded to divide the picture evenly.

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
        layer = _octave(rng, height, width, max(rows, 1.0), max(columns, 1.0), tileable)
        total += np.float32(persistence**octave) * layer
    lowest, highest = float(total.min()), float(total.max())
    # A single pixel has no range.
    return (total - np.float32(lowest)) / np.float32(max(highest - lowest, 1e-6))


def _octave(
    rng: np.random.Generator, height: int, width: int, rows: float, columns: float, tileable: bool
) -> FloatPicture:
    """One random grid with cells of `rows` x `columns` pixels, enlarged to float32 (height, width)."""
    if tileable:
        return _tileable_octave(rng, height, width, rows, columns)
    grid_shape = (math.ceil(height / rows) + 3, math.ceil(width / columns) + 3)
    grid = rng.random(grid_shape, dtype=np.float32)
    row_shift, column_shift = -(1 + rng.random(2)) * (rows, columns)
    return _warp(grid, np.array([[columns, 0, column_shift], [0, rows, row_shift]]), height, width)


def _tileable_octave(rng: np.random.Generator, height: int, width: int, rows: float, columns: float) -> FloatPicture:
    grid_shape = (max(1, round(height / rows)), max(1, round(width / columns)))
    grid = rng.random(grid_shape, dtype=np.float32)
    padded = np.pad(grid, _WRAPPED_CELLS, mode="wrap")
    rows, columns = height / grid_shape[0], width / grid_shape[1]
    shifts = -_WRAPPED_CELLS * np.array([rows, columns])
    return _warp(padded, np.array([[columns, 0, shifts[1]], [0, rows, shifts[0]]]), height, width)


def _warp(grid: FloatPicture, pixels_from_grid: Floats, height: int, width: int) -> FloatPicture:
    warped = cv2.warpAffine(
        grid, pixels_from_grid, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )
    return np.asarray(warped, np.float32)
