"""The robot's base in the arena's frame from points that the gripper's tip touched (a rigid fit, after Kabsch)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from tabletop_interaction.errors import CalibrationRejected

FloatArray = NDArray[np.float64]

_MIN_SPREAD_M = 0.02


@dataclass(frozen=True, eq=False)
class RigidFit:
    """A rigid transform between two sets of points, and what it leaves over.

    Attributes:
        target_from_source: (4, 4) float64 rigid transform, applied to source points, metres.
        residuals: (N,) float64, distance of each moved source point from its target, metres.
    """

    target_from_source: FloatArray
    residuals: FloatArray

    @property
    def rms(self) -> float:
        """Root mean square of the residuals, metres."""
        return float(np.sqrt(np.mean(self.residuals**2)))


def fit_rigid(source: FloatArray, target: FloatArray) -> RigidFit:
    """The rotation R and translation t with the least sum of |R s + t - target|^2.

    Args:
        source: (N, 3) float64, three points or more that do not lie on one line, metres.
        target: (N, 3) float64, the same points in the other frame.

    Raises:
        CalibrationRejected: fewer than three points, or points within 2 cm of one line.
    """
    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    _check_points(source, target)
    source_centre, target_centre = source.mean(axis=0), target.mean(axis=0)
    rotation, _ = Rotation.align_vectors(target - target_centre, source - source_centre)
    transform = np.eye(4)
    transform[:3, :3] = rotation.as_matrix()
    transform[:3, 3] = target_centre - transform[:3, :3] @ source_centre
    moved = source @ transform[:3, :3].T + transform[:3, 3]
    return RigidFit(transform, np.linalg.norm(moved - target, axis=1))


def base_from_touched(arena_points: FloatArray, base_points: FloatArray, max_residual: float = 0.003) -> RigidFit:
    """`base_from_arena` from points touched with the gripper's tip; at most 3 mm off by default.

    Args:
        arena_points: (N, 3) float64, where the points are in the arena, metres.
        base_points: (N, 3) float64, where the robot says that its tip was, metres.
        max_residual: the largest accepted distance of any point, metres.

    Raises:
        CalibrationRejected: points that fix no pose, or a distance above the bound.
    """
    fit = fit_rigid(arena_points, base_points)
    worst = int(fit.residuals.argmax())
    if fit.residuals[worst] > max_residual:
        listed = ", ".join(f"{1000 * residual:.1f}" for residual in fit.residuals)
        raise CalibrationRejected(
            f"point {worst + 1} is {1000 * fit.residuals[worst]:.1f} mm off; at most {1000 * max_residual:.1f} mm is "
            f"accepted (all points: {listed} mm). Touch it again, and see that the points are in the same order and "
            "that the robot's active tip is the one that touched"
        )
    return fit


def _check_points(source: FloatArray, target: FloatArray) -> None:
    if source.shape != target.shape or source.ndim != 2 or source.shape[1] != 3 or len(source) < 3:
        raise CalibrationRejected(
            f"points of shapes {source.shape} and {target.shape} came; three or more in both frames are needed, (N, 3)"
        )
    if not (np.isfinite(source).all() and np.isfinite(target).all()):
        raise CalibrationRejected("a point is not a finite number; give all three coordinates in metres")
    for points in (source, target):
        # The second singular value: how far the points spread from the line that fits them best.
        spread = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)[1]
        if spread < _MIN_SPREAD_M:
            raise CalibrationRejected(
                f"the points lie within {1000 * spread:.1f} mm of one line, about which the robot could still turn; "
                "touch points that span the arena"
            )
