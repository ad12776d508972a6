"""The width at which a gripper that comes from above can hold an object."""

import cv2
import numpy as np

from tabletop_interaction.sim_assets.objects.model import ObjectModel

_PX_PER_M = 1000.0
_PAD_HALF_M = 0.008
# A simulated hand comes to rest on an object whose top is 61 mm above the pads' ends.
_FINGERS_M = 0.06
_DIRECTIONS = 36


def graspable_width(model: ObjectModel) -> float:
    """Metres between two pads that close about the centre of mass in the object's narrowest direction.

    Seen from above, the outline counts in a strip as wide as a pad: the pads come down past all parts of the object
    above the grasp, of a tall one as far as the fingers are long. The object lies as its file says.
    """
    points, heights = model.vertices[:, :2].astype(np.float64), model.vertices[:, 2]
    faces = model.faces[heights[model.faces].max(axis=1) > heights.max() - _FINGERS_M]
    origin = np.floor(points.min(axis=0) * _PX_PER_M) - 1
    size = np.ceil(points.max(axis=0) * _PX_PER_M) - origin + 2
    filled = np.zeros((int(size[1]), int(size[0])), np.uint8)
    for triangle in np.rint(points * _PX_PER_M - origin).astype(np.int32)[faces]:
        cv2.fillConvexPoly(filled, triangle, 1)
    rows, columns = np.nonzero(filled)
    inside = (np.column_stack([columns, rows]) + origin) / _PX_PER_M
    widths = []
    for angle in np.arange(_DIRECTIONS) * np.pi / _DIRECTIONS:
        along = np.array([np.cos(angle), np.sin(angle)])
        strip = inside[np.abs(inside @ (-along[1], along[0])) <= _PAD_HALF_M] @ along
        widths.append(float(np.ptp(strip)) if len(strip) else np.inf)
    narrowest = min(widths)
    # Nothing lies below the centre of mass of a ring; its outline as a whole is what a pad meets.
    return narrowest if np.isfinite(narrowest) else float(np.ptp(points, axis=0).min())
