"""One texture for a whole object: every painted slot gets a cell of a square picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tabletop_interaction.sim_assets.objects.shapes import Panel
from tabletop_interaction.sim_assets.objects.textures import Skin, paint

MARGIN = 2  # painted pixels around each cell, so that filtering never meets a neighbour

_FINEST = 2400.0  # pixels a metre; finer than any camera here sees


@dataclass(frozen=True)
class Cell:
    """Where a slot lies in the texture: the first row and column within its margin, and its size, pixels."""

    row: int
    column: int
    height: int
    width: int

    def texture_uv(self, uv: NDArray[np.float64], size: int) -> NDArray[np.float64]:
        """Coordinates (..., 2) in the slot to coordinates in the texture of size x size, v upwards."""
        x = self.column + uv[..., 0] * self.width
        y = self.row + (1 - uv[..., 1]) * self.height
        return np.stack([x / size, 1 - y / size], axis=-1)


def pack(panels: Sequence[Panel], size: int) -> tuple[dict[str, Cell], float]:
    """Cells of all slots in a size x size texture, and the largest resolution that fits, pixels per metre."""
    sizes: dict[str, tuple[float, float]] = {}
    for panel in panels:
        width, height = sizes.get(panel.slot, (0.0, 0.0))
        sizes[panel.slot] = (max(width, panel.width), max(height, panel.height))
    resolution = _FINEST
    while (cells := _shelves(sizes, size, resolution)) is None:
        resolution *= 0.95
    return cells, resolution


def _shelves(sizes: Mapping[str, tuple[float, float]], size: int, resolution: float) -> dict[str, Cell] | None:
    """Cells side by side on shelves, the tallest first; None when they do not fit."""
    cells: dict[str, Cell] = {}
    row = column = shelf = 0
    for slot, (metres_wide, metres_tall) in sorted(sizes.items(), key=lambda item: (-item[1][1], item[0])):
        width = max(2, round(metres_wide * resolution))
        height = max(2, round(metres_tall * resolution))
        if column + width + 2 * MARGIN > size:
            row, column, shelf = row + shelf, 0, 0
        if column + width + 2 * MARGIN > size or row + height + 2 * MARGIN > size:
            return None
        cells[slot] = Cell(row + MARGIN, column + MARGIN, height, width)
        column += width + 2 * MARGIN
        shelf = max(shelf, height + 2 * MARGIN)
    return cells


def paint_atlas(
    rng: np.random.Generator,
    cells: Mapping[str, Cell],
    skins: Mapping[str, Skin],
    resolution: float,
    size: int,
) -> NDArray[np.uint8]:
    """The texture, uint8 (size, size, 3) RGB; each cell is painted with its margin.

    Raises:
        KeyError: a slot without a skin.
    """
    texture = np.full((size, size, 3), 128, np.uint8)
    for slot, cell in cells.items():
        height, width = cell.height + 2 * MARGIN, cell.width + 2 * MARGIN
        picture = paint(rng, height, width, resolution, skins[slot])
        row, column = cell.row - MARGIN, cell.column - MARGIN
        texture[row : row + height, column : column + width] = picture.round().astype(np.uint8)
    return texture
