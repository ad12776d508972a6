"""One texture per object: every painted slot gets a cell of a square picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tabletop_interaction.arrays import Floats, Picture
from tabletop_interaction.sim_assets.noise import Rng
from tabletop_interaction.sim_assets.objects.shapes import Panel
from tabletop_interaction.sim_assets.objects.textures import Skin, paint

MARGIN = 2  # painted pixels around each cell, so that filtering never reads a neighbour

_FINEST = 2400.0  # pixels per metre; finer than any camera resolves


@dataclass(frozen=True)
class Cell:
    """Place of a slot in the texture: first row and column inside its margin, and its size, pixels."""

    row: int
    column: int
    height: int
    width: int

    def texture_uv(self, uv: Floats, size: int) -> Floats:
        """Convert coordinates (..., 2) in the slot to coordinates in a size x size texture, v upwards."""
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
    """Place cells side by side on shelves, the tallest first; None if they do not fit."""
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
    rng: Rng, cells: Mapping[str, Cell], skins: Mapping[str, Skin], resolution: float, size: int
) -> Picture:
    """Paint the texture, uint8 (size, size, 3) RGB; each cell is painted with its margin.

    Raises:
        KeyError: a slot has no skin.
    """
    texture = np.full((size, size, 3), 128, np.uint8)
    for slot, cell in cells.items():
        height, width = cell.height + 2 * MARGIN, cell.width + 2 * MARGIN
        picture = paint(rng, height, width, resolution, skins[slot])
        row, column = cell.row - MARGIN, cell.column - MARGIN
        texture[row : row + height, column : column + width] = picture.round().astype(np.uint8)
    return texture
