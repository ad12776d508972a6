"""What training looks like: crops with their score positions, labels and the network's masks drawn in."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from tabletop_interaction.segmentation.config import STRIDE
from tabletop_interaction.segmentation.network import MaskGrid
from tabletop_interaction.segmentation.training.crops import NEGATIVE, POSITIVE, Batch

_ZOOM = 2
_COLUMNS = 6
_LABEL, _FOUND = (0, 230, 80), (240, 60, 220)
_POSITIVE, _NEGATIVE = (0, 255, 0), (255, 50, 50)


def drawn_batch(batch: Batch, grid: MaskGrid, found: NDArray[np.bool_] | None = None) -> NDArray[np.uint8]:
    """A sheet uint8 (H, W, 3), six crops a row: labels green, the network's masks pink, positions as dots.

    Args:
        batch: what is drawn.
        grid: of its masks.
        found: (N, M, M) bool, the network's masks for `batch.positions`; None draws none.
    """
    tiles = []
    for number, image in enumerate(batch.images.permute(0, 2, 3, 1).numpy()):
        tile = cv2.resize(image, None, fx=_ZOOM, fy=_ZOOM, interpolation=cv2.INTER_LINEAR)
        for row in np.flatnonzero(batch.positions[:, 0].numpy() == number):
            centre_xy = batch.positions[row, [2, 1]].numpy() * STRIDE
            _outline(tile, batch.masks[row].numpy(), centre_xy, grid, _LABEL)
            if found is not None:
                _outline(tile, found[row], centre_xy, grid, _FOUND)
        _dots(tile, batch.scores[number].numpy())
        tiles.append(cv2.copyMakeBorder(tile, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=(255, 255, 255)))
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % _COLUMNS)
    return np.vstack([np.hstack(tiles[start : start + _COLUMNS]) for start in range(0, len(tiles), _COLUMNS)])


def _outline(
    tile: NDArray[np.uint8],
    mask: NDArray[np.bool_],
    centre_xy: NDArray[np.int64],
    grid: MaskGrid,
    colour: tuple[int, int, int],
) -> None:
    corner = centre_xy - (grid.size - 1) / 2 * grid.spacing
    x, y = (corner + 0.5) * _ZOOM - 0.5
    spacing = grid.spacing * _ZOOM
    to_tile = np.array([[spacing, 0, x], [0, spacing, y]])
    drawn = cv2.warpAffine(mask.astype(np.uint8) * 255, to_tile, tile.shape[1::-1], flags=cv2.INTER_LINEAR)
    outlines, _ = cv2.findContours((drawn >= 128).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(tile, outlines, -1, colour, 1)


def _dots(tile: NDArray[np.uint8], scores: NDArray[np.int8]) -> None:
    for kind, colour, radius in ((NEGATIVE, _NEGATIVE, 1), (POSITIVE, _POSITIVE, 3)):
        for row, column in np.argwhere(scores == kind):
            centre = (int((STRIDE * column + 0.5) * _ZOOM), int((STRIDE * row + 0.5) * _ZOOM))
            cv2.circle(tile, centre, radius, colour, -1)
