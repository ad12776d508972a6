"""From a mask to a grasp: pick at the centroid, close across the principal axis (paper, section 3).

The mask's pixels are laid on a horizontal plane of the arena first, so that a slanted camera does not bend the axis.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tabletop_interaction.envs.views import View

TYPICAL_HALF_HEIGHT_M = 0.02
"""The plane on which masks are laid: half the height of a typical object, so that a slanted view does not shift it."""


@dataclass(frozen=True)
class GraspPoint:
    """Where to pick: metres in the arena frame, and the closing axis in radians within [-pi/2, pi/2)."""

    x: float
    y: float
    angle: float


def grasp_from_mask(mask: NDArray[np.bool_], view: View, plane_height: float = TYPICAL_HALF_HEIGHT_M) -> GraspPoint:
    """The grasp for an object that is seen as `mask`.

    Args:
        mask: bool (H, W).
        view: the camera that saw it.
        plane_height: height of the horizontal plane on which the pixels are taken to lie, metres.

    Raises:
        ValueError: the mask is empty or has another size than the view's pictures.
    """
    if mask.shape != (view.height, view.width):
        raise ValueError(
            f"the mask is {mask.shape}; {view.name} has pictures of {(view.height, view.width)} (rows, columns)"
        )
    rows, columns = np.nonzero(mask)
    if len(rows) == 0:
        raise ValueError("the mask is empty; there is nothing to grasp")
    pixels = np.column_stack([columns, rows]).astype(np.float64)
    points = view.unproject(pixels, plane_height)
    weights = _pixel_areas(points, view)
    x, y = np.average(points[:, :2], axis=0, weights=weights)
    return GraspPoint(float(x), float(y), minor_axis_angle(points[:, :2], weights))


def minor_axis_angle(points: NDArray[np.float64], weights: NDArray[np.float64] | None = None) -> float:
    """Angle in [-pi/2, pi/2) of the direction in which points (N, 2) spread least, radians from the x axis."""
    centred = points - np.average(points, axis=0, weights=weights)
    spread = centred.T @ (centred if weights is None else centred * weights[:, None])
    minor = np.linalg.eigh(spread)[1][:, 0]
    angle = float(np.arctan2(minor[1], minor[0]))
    return (angle + np.pi / 2) % np.pi - np.pi / 2


def _pixel_areas(points: NDArray[np.float64], view: View) -> NDArray[np.float64]:
    """(N,) proportional to the area of the plane that each point's pixel covers: the cube of its depth."""
    depth = points @ view.camera_from_arena[2, :3] + view.camera_from_arena[2, 3]
    return np.asarray(depth**3)
