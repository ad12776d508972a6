"""What an inverse model is taught to say of a point and of an angle, and what is read off what it says.

Both are discretised, a point into square cells of the picture, an angle into bins over half a circle, and shared by the
nearest of them, so that reading off is finer than a cell or a bin.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from tabletop_interaction.agents.inverse.config import CELL_PX


def shares_of_cells(points_xy: NDArray[np.float64], cells: tuple[int, int]) -> NDArray[np.float32]:
    """float32 (N, rows, columns): each point's 1, shared by the cells whose centres are nearest (bilinearly).

    Args:
        points_xy: (N, 2), pixels of the network's picture; those beyond the outermost centres count as on them.
        cells: rows and columns.
    """
    at = np.clip((points_xy + 0.5) / CELL_PX - 0.5, 0, np.array(cells)[::-1] - 1)
    rows, columns = (
        np.maximum(0, 1 - np.abs(at[:, axis, None] - np.arange(count)))
        for axis, count in ((1, cells[0]), (0, cells[1]))
    )
    return np.asarray(rows[:, :, None] * columns[:, None, :], np.float32)


def point_of(shares: NDArray[np.float64], cell: int) -> tuple[float, float]:
    """Pixel x, y of what a cell and its neighbours hold: the inverse of `shares_of_cells` at its largest cell.

    Args:
        shares: (rows, columns), not negative, positive at the cell.
        cell: its number, row by row.
    """
    row, column = divmod(cell, shares.shape[1])
    rows, columns = (slice(max(0, at - 1), at + 2) for at in (row, column))
    window = shares[rows, columns]
    centres = np.mgrid[rows.start : rows.start + window.shape[0], columns.start : columns.start + window.shape[1]]
    y, x = ((centres * window).sum((1, 2)) / window.sum() + 0.5) * CELL_PX - 0.5
    return float(x), float(y)


def shares_of_angles(angles: NDArray[np.float64], bins: int) -> NDArray[np.float32]:
    """float32 (N, bins): each angle's 1, shared by the two bins whose centres are nearest, around the half circle.

    Args:
        angles: (N,) radians, of lines; bin k is centred at k pi / bins.
        bins: how many.
    """
    apart = (angles[:, None] / (math.pi / bins) - np.arange(bins) + bins / 2) % bins - bins / 2
    return np.asarray(np.maximum(0, 1 - np.abs(apart)), np.float32)


def angle_of(shares: NDArray[np.float64]) -> float:
    """Radians in [-pi/2, pi/2) of what the largest bin and its neighbours hold: the inverse of `shares_of_angles`."""
    bins = len(shares)
    around = np.arange(-1, 2) if bins > 2 else np.zeros(1, np.int64)
    best = int(shares.argmax())
    window = shares[(best + around) % bins]
    angle = (best + (around * window).sum() / window.sum()) * math.pi / bins
    return float((angle + math.pi / 2) % math.pi - math.pi / 2)
