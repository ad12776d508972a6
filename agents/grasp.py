"""From a mask to a grasp: pick at the centroid, close across the principal axis (Pathak et al. 2018, section 3).

The mask's pixels are projected onto a horizontal plane of the arena first, so that a slanted view cannot turn the axis.
"""

from dataclasses import dataclass

import numpy as np

from tabletop_interaction.arrays import Floats, Mask, Points
from tabletop_interaction.envs.views import View

TYPICAL_HALF_HEIGHT_M = 0.02
"""Height of the plane for masks, metres: half of a typical object, so that a slanted view does not shift masks."""


@dataclass(frozen=True)
class GraspPoint:
    """Where to pick: metres in the arena frame, and the closing axis in radians within [-pi/2, pi/2)."""

    x: float
    y: float
    angle: float


def grasp_from_mask(mask: Mask, view: View) -> GraspPoint:
    """The grasp of the object at a mask.

    Args:
        mask: bool (H, W).

    Raises:
        ValueError: the mask is empty or has another size than the view's pictures.
    """
    points, weights = table_points(mask, view)
    x, y = np.average(points, axis=0, weights=weights)
    return GraspPoint(float(x), float(y), minor_axis_angle(points, weights))


def table_points(mask: Mask, view: View) -> tuple[Points, Floats]:
    """The pixels of a mask on a plane of the arena: (N, 2) x, y in metres, and (N,) weights as their areas.

    Raises:
        ValueError: as `grasp_from_mask`.
    """
    if mask.shape != (view.height, view.width):
        raise ValueError(
            f"the mask is {mask.shape}; pictures of {view.name} are {(view.height, view.width)} (rows, columns)"
        )
    rows, columns = np.nonzero(mask)
    if len(rows) == 0:
        raise ValueError("the mask is empty; give a mask with at least one pixel")
    pixels = np.column_stack([columns, rows]).astype(np.float64)
    points = view.unproject(pixels, TYPICAL_HALF_HEIGHT_M)
    return points[:, :2], _pixel_areas(points, view)


def minor_axis_angle(points: Points, weights: Floats | None = None) -> float:
    """Angle in [-pi/2, pi/2) of the direction in which points (N, 2) spread least, radians from the x axis."""
    centred = points - np.average(points, axis=0, weights=weights)
    spread = centred.T @ (centred if weights is None else centred * weights[:, None])
    minor = np.linalg.eigh(spread)[1][:, 0]
    angle = float(np.arctan2(minor[1], minor[0]))
    return (angle + np.pi / 2) % np.pi - np.pi / 2


def _pixel_areas(points: Points, view: View) -> Floats:
    """(N,) proportional to the plane's area in each point's pixel: the cube of its depth."""
    depth = points @ view.camera_from_arena[2, :3] + view.camera_from_arena[2, 3]
    return np.asarray(depth**3)
