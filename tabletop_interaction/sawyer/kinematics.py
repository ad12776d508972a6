"""Where the Sawyer's tip is for given joint angles, and which joint angles bring it somewhere.

All is told in the arm's base frame, metres and radians: x forward, y to the robot's left, z up. Joint angles
are float64 (7,) in the order of `ARM_JOINT_NAMES`; a pose is a (4, 4) float64 transform `base_from_tip`. The
gripper's fingers close along its y axis and point along its z axis.
"""

from __future__ import annotations

import math
from functools import cache
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tabletop_interaction.errors import UnreachableTarget
from tabletop_interaction.sawyer.model import ARM_JOINT_NAMES, JOINTS, LINKS, NEUTRAL, Vector

FloatArray = NDArray[np.float64]

GRIPPER_TIP = "right_gripper_tip"

LIMIT_MARGIN = 0.02
"""How far solutions keep from the joint limits, radians."""


def _constant(values: ArrayLike) -> FloatArray:
    array = np.array(values, np.float64)
    array.setflags(write=False)
    return array


HOME = _constant([-0.2825, -1.1391, 0.0, 1.8472, 0.0, 0.8626, -0.1080])
"""Elbow up, gripper down over the table's middle: the posture that solutions stay close to, radians."""

# Joints 2 and 4 swing the elbow out sideways: they move only where the others cannot do without.
_EASE = _constant([1.0, 1.0, 0.02, 1.0, 0.02, 1.0, 1.0])
_ALIKE = _constant(np.ones(7))
_NOWHERE = _constant(np.zeros(7))

JOINT_NAMES = ARM_JOINT_NAMES
"""The arm's joints in the order of all joint angles."""

_LIMITS = [joint.limits for joint in JOINTS if joint.name in ARM_JOINT_NAMES and joint.limits is not None]
LOWEST = _constant([limits.lower for limits in _LIMITS])
HIGHEST = _constant([limits.upper for limits in _LIMITS])
"""Where the joints end, (7,) radians."""
MOST_SPEED = _constant([limits.velocity for limits in _LIMITS])
"""(7,) rad/s that the joints are rated for."""
MOST_ACCELERATION = _constant([limits.acceleration for limits in _LIMITS])
"""(7,) rad/s^2 that the joints are rated for."""

_LOWER = _constant(LOWEST + LIMIT_MARGIN)
_UPPER = _constant(HIGHEST - LIMIT_MARGIN)

_POSITION_TOLERANCE = 5e-5
_ROTATION_TOLERANCE = 5e-4
_MAX_ITERATIONS = 40
_MAX_JOINT_STEP = 0.6
_STRAIGHTNESS = 1e-3
_MAX_WAYPOINTS = 100

# Where a search starts again when its own seed led nowhere, in this order.
_OTHER_SEEDS = (
    tuple(HOME),
    NEUTRAL,
    (0.6, -0.9, 0.0, 1.8, 0.0, 0.65, 0.8),
    (-1.0, -0.9, 0.0, 1.8, 0.0, 0.65, -0.8),
    (0.0, -0.4, 0.0, 1.2, 0.0, 0.8, 0.2),
    (0.0, -1.3, 0.0, 2.5, 0.0, -1.2, 0.2),
    (1.5, -0.6, 0.5, 1.2, 0.5, 0.5, 0.0),
    (-1.8, -0.6, -0.5, 1.2, -0.5, 0.5, 0.0),
)


def forward(q: FloatArray, tip: str = GRIPPER_TIP) -> FloatArray:
    """`base_from_tip` (4, 4) of the link `tip` at joint angles `q` (7,), fingers closed.

    Raises:
        KeyError: the arm has no link of that name.
    """
    chain = _chain(tip)
    return _joint_frames(chain, q)[-1] @ chain.tip_mount


def joint_frames(q: FloatArray) -> FloatArray:
    """`base_from_joint` (8, T, 4, 4) at joint angles `q` (T, 7): the base itself, then each joint, turned."""
    cosines, sines = np.cos(q.T)[:, :, None], np.sin(q.T)[:, :, None]
    frames = np.empty((8, len(q), 4, 4))
    frames[0] = np.eye(4)
    for number, mount in enumerate(_chain("right_l6").joint_mounts):
        turned = np.tile(mount, (len(q), 1, 1))
        turned[:, :, 0] = mount[:, 0] * cosines[number] + mount[:, 1] * sines[number]
        turned[:, :, 1] = mount[:, 1] * cosines[number] - mount[:, 0] * sines[number]
        frames[number + 1] = frames[number] @ turned
    return frames


def jacobian(q: FloatArray, tip: str = GRIPPER_TIP) -> FloatArray:
    """(6, 7): the tip's velocity (m/s, three rows) and its rotation (rad/s, three rows) per rad/s of a joint.

    Raises:
        KeyError: the arm has no link of that name.
    """
    chain = _chain(tip)
    frames = _joint_frames(chain, q)
    return _jacobian(frames, (frames[-1] @ chain.tip_mount)[:3, 3])


def inverse(base_from_tip: FloatArray, seed: FloatArray, tip: str = GRIPPER_TIP) -> FloatArray:
    """Joint angles (7,) that bring `tip` to a pose, as close to `HOME` as the spare joint allows.

    Found by damped least squares from `seed` (7,), then from a fixed list of others; the pose is met to
    0.05 mm and 0.0005 rad, and joint limits are kept by `LIMIT_MARGIN`. A seed that meets them comes back.

    Raises:
        UnreachableTarget: no seed leads to the pose.
        KeyError: the arm has no link of that name.
    """
    # The way home may lead through a joint limit; without it, a near seed arrives all the same.
    attempts = [(seed, True), (seed, False), *((other, True) for other in _OTHER_SEEDS)]
    for start, homing in attempts:
        q = _search(base_from_tip, np.asarray(start, np.float64), _chain(tip), homing)
        if q is not None:
            return q
    x, y, z = base_from_tip[:3, 3]
    raise UnreachableTarget(
        f"{tip} cannot be brought to x {x:.3f}, y {y:.3f}, z {z:.3f} m (base frame) in the asked orientation "
        "within the joint limits; nothing was moved; choose a point nearer the table's middle"
    )


def down_pose(x: float, y: float, z: float, angle: float) -> FloatArray:
    """`base_from_tip` (4, 4) of the gripper pointing straight down, its tip at x, y, z metres.

    The fingers close along the line at `angle` radians from the base's x axis, counter-clockwise from above.
    """
    cosine, sine = math.cos(angle), math.sin(angle)
    return np.array([[-sine, cosine, 0, x], [cosine, sine, 0, y], [0, 0, -1, z], [0, 0, 0, 1.0]])


def inverse_down(x: float, y: float, z: float, angle: float, seed: FloatArray) -> FloatArray:
    """Joint angles (7,) for `down_pose` at `angle` or half a turn more: both grip alike.

    Of all such turns within the limits, the wrist joint j6 takes the one nearest to the seed's.

    Raises:
        UnreachableTarget: as for `inverse`.
    """
    q = inverse(down_pose(x, y, z, _nearer_turn(angle, seed)), seed).copy()
    turns = q[6] + math.pi * np.arange(-2, 3)
    turns = turns[(turns >= _LOWER[6]) & (turns <= _UPPER[6])]
    q[6] = turns[np.argmin(np.abs(turns - seed[6]))]
    return q


def straight_down_path(
    x: float, y: float, z_from: float, z_to: float, angle: float, seed: FloatArray, waypoints: int = 4
) -> FloatArray:
    """Joint angles (n, 7) that move the tip along a vertical line from `z_from` to `z_to` metres.

    Moving linearly in joint space from row to row keeps the tip within 1 mm of the line; n is `waypoints`, at
    least 2, and more where they are needed. The first row is `inverse_down` at `z_from`.

    Raises:
        UnreachableTarget: a point of the line is out of reach, or the arm's posture would change on the way.
    """
    first = inverse_down(x, y, z_from, angle, seed)
    turn = _nearer_turn(angle, first)
    waypoints = max(waypoints, 2)
    while waypoints <= _MAX_WAYPOINTS:
        path = [first]
        for z in np.linspace(z_from, z_to, waypoints)[1:]:
            path.append(inverse(down_pose(x, y, z, turn), path[-1]))
        if _sideways(path, x, y) < _STRAIGHTNESS:
            return np.array(path)
        waypoints = 2 * waypoints - 1
    raise UnreachableTarget(
        f"no straight way at x {x:.3f}, y {y:.3f} m (base frame) from z {z_from:.3f} to {z_to:.3f} m: the "
        "arm would change its posture; nothing was moved; choose a point nearer the table's middle"
    )


class Solid(NamedTuple):
    """A rough shape around a part of the arm, as in the maker's description.

    `joints` is how many of the arm's joints move it, and `pose` (4, 4) brings its own frame, the centre as origin, to
    that of the last of them, see `joint_frames`. `size` is x, y, z of a box, radius and length (along z) of a cylinder,
    or radius of a sphere, metres.
    """

    link: str
    joints: int
    kind: Literal["box", "cylinder", "sphere"]
    size: tuple[float, ...]
    pose: FloatArray


def solids() -> tuple[Solid, ...]:
    """All of the arm, its pedestal and its head, from the base on; the fingers are open."""
    return tuple(
        Solid(
            link.name,
            len(_chain(link.name).joint_mounts),
            shape.kind,
            shape.size,
            _constant(_opened(link.name) @ _chain(link.name).tip_mount @ _transform(shape.xyz, shape.rpy)),
        )
        for link in LINKS
        for shape in link.collisions
    )


class _Chain(NamedTuple):
    """The way to a tip: (n, 4, 4) to each of the first n arm joints from the one before, then (4, 4)."""

    joint_mounts: FloatArray
    tip_mount: FloatArray


@cache
def _chain(tip: str) -> _Chain:
    by_child = {joint.child: joint for joint in JOINTS}
    mounts, link, mount = [], tip, np.eye(4)
    while link != "base":
        joint = by_child[link]
        if joint.name in ARM_JOINT_NAMES:
            mounts.append(mount)
            mount = np.eye(4)
        mount = _transform(joint.xyz, joint.rpy) @ mount
        link = joint.parent
    mounts.append(mount)
    tip_mount, *joint_mounts = mounts
    return _Chain(_constant(joint_mounts[::-1]).reshape(-1, 4, 4), _constant(tip_mount))


def _opened(link: str) -> FloatArray:
    """(4, 4) that moves a part of a finger from closed to open, in the last arm joint's frame; else nothing."""
    by_child = {joint.child: joint for joint in JOINTS}
    while link in by_child and by_child[link].kind != "prismatic":
        link = by_child[link].parent
    moved = np.eye(4)
    if link in by_child and (limits := by_child[link].limits) is not None:
        axis = _chain(link).tip_mount[:3, :3] @ by_child[link].axis
        moved[:3, 3] = axis * (limits.upper if limits.upper > 0 else limits.lower)
    return moved


def _transform(xyz: Vector, rpy: Vector) -> FloatArray:
    """(4, 4) with the URDF's turn order: about the fixed x, then y, then z axis."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(rpy), np.sin(rpy)
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    transform = np.eye(4)
    transform[:3, :3] = about_z @ about_y @ about_x
    transform[:3, 3] = xyz
    return transform


def _joint_frames(chain: _Chain, q: FloatArray) -> list[FloatArray]:
    """(4, 4) each: the base itself, then `base_from_joint` of the chain's joints, turned by their angles."""
    mounts = chain.joint_mounts
    angles = q[: len(mounts), None]
    cosines, sines = np.cos(angles), np.sin(angles)
    turned = mounts.copy()
    turned[:, :, 0] = mounts[:, :, 0] * cosines + mounts[:, :, 1] * sines
    turned[:, :, 1] = mounts[:, :, 1] * cosines - mounts[:, :, 0] * sines
    frames = [np.eye(4)]
    for joint_from_next in turned:
        frames.append(frames[-1].dot(joint_from_next))
    return frames


def _jacobian(frames: list[FloatArray], tip_position: FloatArray) -> FloatArray:
    joints = np.array(frames)[1:]
    axes = joints[:, :3, 2].T
    arms = tip_position[:, None] - joints[:, :3, 3].T
    columns = np.zeros((6, 7))
    # np.cross takes five times as long on arrays this small.
    columns[0, : len(joints)] = axes[1] * arms[2] - axes[2] * arms[1]
    columns[1, : len(joints)] = axes[2] * arms[0] - axes[0] * arms[2]
    columns[2, : len(joints)] = axes[0] * arms[1] - axes[1] * arms[0]
    columns[3:, : len(joints)] = axes
    return columns


def _search(target: FloatArray, seed: FloatArray, chain: _Chain, homing: bool) -> FloatArray | None:
    q = np.clip(seed, _LOWER, _UPPER)
    for _ in range(_MAX_ITERATIONS):
        frames = _joint_frames(chain, q)
        base_from_tip = frames[-1].dot(chain.tip_mount)
        error = _pose_error(base_from_tip, target)
        if math.hypot(*error[:3]) < _POSITION_TOLERANCE and math.hypot(*error[3:]) < _ROTATION_TOLERANCE:
            return q
        columns = _jacobian(frames, base_from_tip[:3, 3])
        step = _step(columns, error, HOME - q, _EASE) if homing else _step(columns, error, _NOWHERE, _ALIKE)
        step *= min(1.0, _MAX_JOINT_STEP / max(np.abs(step).max(), 1e-12))
        q = np.clip(q + step, _LOWER, _UPPER)
    return None


def _step(columns: FloatArray, error: FloatArray, wish: FloatArray, ease: FloatArray) -> FloatArray:
    """Change of joint angles (7,) that cancels `error` (6,) and comes closest to `wish` (7,) beside.

    It minimises |step - wish|^2, each joint weighted by 1 / `ease`, under columns @ step = error. The damping
    vanishes with the error, so that the last steps are Newton's.
    """
    eased = columns * ease
    damping = 1e-2 * float(error @ error) + 1e-8
    square = eased @ columns.T
    square.flat[::7] += damping
    return wish + eased.T @ np.linalg.solve(square, error - columns @ wish)


def _pose_error(pose: FloatArray, target: FloatArray) -> FloatArray:
    """(6,): translation, then rotation vector, that take `pose` to `target`, in the base frame."""
    turn = target[:3, :3] @ pose[:3, :3].T
    axis = np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]]) / 2
    sine, cosine = math.hypot(*axis), (turn[0, 0] + turn[1, 1] + turn[2, 2] - 1) / 2
    if sine < 1e-9 and cosine < 0:
        # Half a turn: the axis is the longest column of turn + 1, either way round.
        doubled = turn + np.eye(3)
        axis = doubled[:, np.argmax(np.diag(doubled))]
        sine = math.hypot(*axis)
    scale = math.atan2(sine, cosine) / sine if sine > 0 else 1.0
    return np.concatenate([target[:3, 3] - pose[:3, 3], axis * scale])


def _nearer_turn(angle: float, q: FloatArray) -> float:
    """`angle` or half a turn more, whichever the gripper's closing direction at `q` is nearer to."""
    closing = forward(q)[:2, 1]
    return angle if math.cos(angle) * closing[0] + math.sin(angle) * closing[1] >= 0 else angle + math.pi


def _sideways(path: list[FloatArray], x: float, y: float) -> float:
    """How far the tip strays from the vertical line at x, y between the waypoints, metres."""
    between = [start + fraction * (end - start) for start, end in pairwise(path) for fraction in (0.25, 0.5, 0.75)]
    return max(math.hypot(*(forward(q)[:2, 3] - (x, y))) for q in between)
