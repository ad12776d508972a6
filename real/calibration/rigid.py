"""Rigid transforms: (4, 4) float64 matrices `target_from_source`, metres."""

import numpy as np
from numpy.typing import ArrayLike

from tabletop_interaction.arrays import Floats


def rigid(rotation: ArrayLike, translation: ArrayLike) -> Floats:
    """The transform with a rotation matrix (3, 3) and a translation of 3 numbers."""
    transform = np.eye(4)
    transform[:3, :3] = rotation
    transform[:3, 3] = np.ravel(translation)
    return transform


def moved(target_from_source: Floats, points: Floats) -> Floats:
    """Points (..., 3) of the source frame in the target frame."""
    return points @ target_from_source[:3, :3].T + target_from_source[:3, 3]
