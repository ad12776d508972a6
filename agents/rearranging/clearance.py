"""How far points of the table are from what stands on it, looked up in a raster of 4 mm.

Frame: the arena's, metres.
"""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from tabletop_interaction.envs import Arena

Points = NDArray[np.float64]

_CELL_M = 0.004
# Objects reach beyond the arena's border, their centres do not.
_BEYOND_M = 0.2


class Clearance:
    """Distances to footprints; points beyond the raster, 0.2 m outside the arena, are taken to lie on its border.

    Args:
        footprints: (N, 2) each, points a few millimetres apart that cover an object; none of them changes later.
        arena: what the raster lies around.
    """

    def __init__(self, footprints: Iterable[Points], arena: Arena) -> None:
        self._corner = np.array([arena.x_min - _BEYOND_M, arena.y_min - _BEYOND_M])
        span = 2 * np.array(arena.half_size) + 2 * _BEYOND_M
        self._last = np.ceil(span / _CELL_M).astype(np.int64)
        free = np.ones((self._last[1] + 1, self._last[0] + 1), np.uint8)
        for footprint in footprints:
            free[self._cells(footprint)] = 0
        # OpenCV's answer without any footprint is a large number of no meaning.
        distances = cv2.distanceTransform(free, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) * _CELL_M
        self._distances = np.full(free.shape, np.inf) if free.all() else distances.astype(np.float64)

    def at(self, points: Points) -> NDArray[np.float64]:
        """(N,) metres from points (N, 2) to the nearest footprint, to within a cell; infinite without footprints."""
        return np.asarray(self._distances[self._cells(points)])

    def around(self, footprint: Points) -> float:
        """The gap between a footprint (N, 2) and the nearest other, metres; 0 where they meet."""
        return float(self.at(footprint).min())

    def _cells(self, points: Points) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows and columns."""
        cells = np.clip(np.round((points - self._corner) / _CELL_M).astype(np.int64), 0, self._last)
        return cells[:, 1], cells[:, 0]
