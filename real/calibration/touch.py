"""The robot's base from points that the gripper's tip touches, guided by hand (a rigid fit after Kabsch).

Joint angles are read from the driver and converted to poses by forward kinematics; nothing is commanded.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tabletop_interaction.arrays import Floats
from tabletop_interaction.errors import CalibrationRejected, RobotFault
from tabletop_interaction.real.arm.clock import MonotonicClock
from tabletop_interaction.real.arm.driver import SawyerDriver
from tabletop_interaction.real.calibration.rigid import moved, rigid
from tabletop_interaction.sawyer.kinematics import GRIPPER_TIP, forward

Prompt = Callable[[str], object]
"""Shows a sentence and returns after the operator has answered."""

HAND = "right_hand"

_MIN_SPREAD_M = 0.02
_STILL_RAD_S = 0.02
_MAX_AGE_S = 0.25


@dataclass(frozen=True, eq=False)
class RigidFit:
    """A rigid transform between two sets of points, with its residuals.

    Attributes:
        target_from_source: (4, 4) float64 rigid transform, applied to source points, metres.
        residuals: (N,) float64, distance of each transformed source point from its target, metres.
    """

    target_from_source: Floats
    residuals: Floats

    @property
    def rms(self) -> float:
        """Root mean square of the residuals, metres."""
        return float(np.sqrt(np.mean(self.residuals**2)))


def fit_rigid(source: Floats, target: Floats) -> RigidFit:
    """The rotation R and translation t that minimise the sum of |R s + t - target|^2 over points (N, 3), metres.

    Raises:
        CalibrationRejected: fewer than three points, or points within 2 cm of one line.
    """
    from scipy.spatial.transform import Rotation

    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    _check_points(source, target)
    source_centre, target_centre = source.mean(axis=0), target.mean(axis=0)
    rotation, _ = Rotation.align_vectors(target - target_centre, source - source_centre)
    turn = rotation.as_matrix()
    transform = rigid(turn, target_centre - turn @ source_centre)
    return RigidFit(transform, np.linalg.norm(moved(transform, source) - target, axis=1))


def base_from_touched(arena_points: Floats, base_points: Floats, max_residual: float = 0.003) -> RigidFit:
    """`base_from_arena` from points (N, 3) in the arena and positions (N, 3) of the gripper's tip on them, metres.

    Raises:
        CalibrationRejected: the points do not determine a pose, or one is more than `max_residual` metres off.
    """
    fit = fit_rigid(arena_points, base_points)
    worst = int(fit.residuals.argmax())
    if fit.residuals[worst] > max_residual:
        listed = ", ".join(f"{1000 * residual:.1f}" for residual in fit.residuals)
        raise CalibrationRejected(
            f"point {worst + 1} is {1000 * fit.residuals[worst]:.1f} mm off; at most {1000 * max_residual:.1f} mm is "
            f"accepted (all points: {listed} mm); touch it again, and check that the points are in the same order and "
            "that the robot's active tip is the one that touched"
        )
    return fit


def touch_points(driver: SawyerDriver, names: Sequence[str], prompt: Prompt) -> Floats:
    """(N, 3) float64: positions of the gripper's tip, which the operator guides to each point, base frame, metres."""
    points = []
    for name in names:
        prompt(f"guide the closed gripper's tip onto the {name}, let go of the arm, and press Enter")
        points.append(base_from_link(driver, GRIPPER_TIP, prompt)[:3, 3])
    return np.array(points).reshape(-1, 3)


def base_from_link(driver: SawyerDriver, link: str, prompt: Prompt) -> Floats:
    """(4, 4) float64: pose of a link of the arm at rest, metres; raises RobotFault if the robot's state is old."""
    while True:
        state = driver.state()
        if (age := MonotonicClock().now() - state.stamp) > _MAX_AGE_S:
            raise RobotFault(f"the joint states of {driver.name} are {age:.1f} s old; check the robot and its network")
        if np.abs(state.velocities).max() < _STILL_RAD_S:
            return forward(state.positions, link)
        prompt("the arm still moves: let go of it, and press Enter")


def _check_points(source: Floats, target: Floats) -> None:
    if source.shape != target.shape or source.ndim != 2 or source.shape[1] != 3 or len(source) < 3:
        raise CalibrationRejected(
            f"points of shapes {source.shape} and {target.shape} came; give three or more in both frames, (N, 3)"
        )
    if not (np.isfinite(source).all() and np.isfinite(target).all()):
        raise CalibrationRejected("a point is not finite; give all three coordinates in metres")
    for points in (source, target):
        # The second singular value: the spread of the points about the line that fits them best.
        spread = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)[1]
        if spread < _MIN_SPREAD_M:
            raise CalibrationRejected(
                f"the points lie within {1000 * spread:.1f} mm of one line, which leaves the rotation about it open; "
                "touch points all over the arena"
            )
