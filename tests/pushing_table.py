"""The example backend with a square that the gripper pushes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from loading import load_module

PaintedTable: Any = load_module(Path(__file__).parent.parent / "docs" / "example_backend.py").PaintedTable

HALF_M = 0.04
_STEPS = 200


class PushingTable(PaintedTable):  # type: ignore[misc]
    """A square of 8 cm that moves along a sweep for as long as the gripper is in it."""

    def sweep(self, start_xy: Any, end_xy: Any) -> None:
        super().sweep(start_xy, end_xy)
        start, end = np.array(start_xy), np.array(end_xy)
        for share in np.linspace(0, 1, _STEPS):
            gripper = start + share * (end - start)
            while np.abs(gripper - self._square).max() < HALF_M and np.any(end != start):
                self._square = self._square + (end - start) / _STEPS
