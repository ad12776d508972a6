"""Forward and inverse kinematics of the Sawyer.

Everything is in the arm's base frame, metres and radians: x forward, y to the robot's left, z up. Joint angles are
float64 (7,) in the order of `ARM_JOINT_NAMES`; a pose is a (4, 4) float64 transform `base_from_tip`. The fingers
close along the tip's y axis and point along its z axis.
"""

import math
from functools import cache
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from tabletop_interaction.arrays import Floats
from tabletop_interaction.errors import UnreachableTarget
from tabletop_interaction.sawyer.model import ARM_JOINT_NAMES, JOINTS, LINKS, NEUTRAL, Vector

GRIPPER_TIP = "right_gripper_tip"

LIMIT_MARGIN = 0.02
"""Distance of solutions from the joint limits, radians."""


def _constant(values: ArrayLike) -> Floats:
    array = np.array(values, np.float64)
    array.setflags(write=False)
    return array


HOME = _constant([-0.2825, -1.1391, 0.0, 1.8472, 0.0, 0.8626, -0.1080])
"""Elbow up, gripper down over the table's centre: the posture that solutions stay close to, radians."""

# Joints 2 and 4 move the elbow sideways: a small weight, so that they move only if the others are not enough.
_WEIGHTS = _constant([1.0, 1.0, 0.02, 1.0, 0.02, 1.0, 1.0])
_EQUAL_WEIGHTS = _constant(np.ones(7))
_NO_WISH = _constant(np.zeros(7))

_BY_CHILD = {joint.child: joint for joint in JOINTS}
_LIMITS = [joint.limits for joint in JOINTS if joint.name in ARM_JOINT_NAMES and joint.limits is not None]
LOWEST = _constant([limits.lower for limits in _LIMITS])
HIGHEST = _constant([limits.upper for limits in _LIMITS])
"""Joint limits, (7,) radians."""
MAX_SPEED = _constant([limits.velocity for limits in _LIMITS])
"""Rated joint speeds, (7,) rad/s."""
MAX_ACCELERATION = _constant([limits.acceleration for limits in _LIMITS])
"""Rated joint accelerations, (7,) rad/s^2."""

_LOWER = _constant(LOWEST + LIMIT_MARGIN)
_UPPER = _constant(HIGHEST - LIMIT_MARGIN)

_POSITION_TOLERANCE = 5e-5
_ROTATION_TOLERANCE = 5e-4
_MAX_ITERATIONS = 40
_MAX_JOINT_STEP = 0.6
_STRAIGHTNESS = 1e-3
_MIN_WAYPOINTS = 4
_MAX_WAYPOINTS = 100

# Further starts of a search that its own seed did not solve, in this order.
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


def forward(q: Floats, tip: str = GRIPPER_TIP) -> Floats:
    """`base_from_tip` (4, 4) of the link `tip` at joint angles `q` (7,), fingers closed; KeyError if unknown."""
    chain = _chain(tip)
    return _joint_frames(chain, q)[-1] @ chain.tip_mount


def joint_frames(q: Floats) -> Floats:
    """`base_from_joint` (8, T, 4, 4) at joint angles `q` (T, 7): first the base, then each turned joint."""
    cosines, sines = np.cos(q.T)[:, :, None], np.sin(q.T)[:, :, None]
    frames = np.empty((8, len(q), 4, 4))
    frames[0] = np.eye(4)
    for number, mount in enumerate(_chain("right_l6").joint_mounts):
        turned = np.tile(mount, (len(q), 1, 1))
        turned[:, :, 0] = mount[:, 0] * cosines[number] + mount[:, 1] * sines[number]
        turned[:, :, 1] = mount[:, 1] * cosines[number] - mount[:, 0] * sines[number]
        frames[number + 1] = frames[number] @ turned
    return frames


def inverse(base_from_tip: Floats, seed: Floats, tip: str = GRIPPER_TIP) -> Floats:
    """Joint angles (7,) that bring `tip` to a pose, as close to `HOME` as the redundant joint allows.

    Damped least squares from `seed` (7,), then from a fixed list of other seeds. The tolerance is 0.05 mm and
    0.0005 rad; solutions stay `LIMIT_MARGIN` inside the joint limits. A seed that is a solution is returned as it is.

    Raises:
        UnreachableTarget: no seed leads to the pose.
    """
    # The pull towards HOME may lead into a joint limit; without it, a near seed may still succeed.
    attempts = [(seed, True), (seed, False), *((other, True) for other in _OTHER_SEEDS)]
    for start, homing in attempts:
        q = _search(base_from_tip, np.asarray(start, np.float64), _chain(tip), homing)
        if q is not None:
            return q
    x, y, z = base_from_tip[:3, 3]
    raise UnreachableTarget(
        f"{tip} cannot be brought to x {x:.3f}, y {y:.3f}, z {z:.3f} m (base frame) in this orientation "
        "within the joint limits; nothing was moved; choose a point nearer to the table's centre"
    )


def down_pose(x: float, y: float, z: float, angle: float) -> Floats:
    """`base_from_tip` (4, 4) of the gripper pointing straight down, its tip at x, y, z metres.

    The fingers close along the line at `angle` radians from the base's x axis, counter-clockwise from above.
    """
    cosine, sine = math.cos(angle), math.sin(angle)
    return np.array([[-sine, cosine, 0, x], [cosine, sine, 0, y], [0, 0, -1, z], [0, 0, 0, 1.0]])


def inverse_down(x: float, y: float, z: float, angle: float, seed: Floats) -> Floats:
    """Joint angles (7,) for `down_pose` at `angle` or half a turn more: both give the same grip.

    Of all such turns within the limits, the wrist joint j6 takes the one nearest to the seed.

    Raises:
        UnreachableTarget: as for `inverse`.
    """
    q = inverse(down_pose(x, y, z, _nearer_turn(angle, seed)), seed).copy()
    turns = q[6] + math.pi * np.arange(-2, 3)
    turns = turns[(turns >= _LOWER[6]) & (turns <= _UPPER[6])]
    q[6] = turns[np.argmin(np.abs(turns - seed[6]))]
    return q


def straight_down_path(x: float, y: float, z_from: float, z_to: float, angle: float, seed: Floats) -> Floats:
    """Joint angles (n, 7) that move the tip along a vertical line from `z_from` to `z_to` metres.

    Linear motion in joint space from row to row keeps the tip within 1 mm of the line; n is 4, or more if the tolerance
    needs more. The first row is `inverse_down` at `z_from`.

    Raises:
        UnreachableTarget: a point of the line is out of reach, or the arm's posture would change along it.
    """
    first = inverse_down(x, y, z_from, angle, seed)
    turn = _nearer_turn(angle, first)
    waypoints = _MIN_WAYPOINTS
    while waypoints <= _MAX_WAYPOINTS:
        path = [first]
        for z in np.linspace(z_from, z_to, waypoints)[1:]:
            path.append(inverse(down_pose(x, y, z, turn), path[-1]))
        if _sideways(path, x, y) < _STRAIGHTNESS:
            return np.array(path)
        waypoints = 2 * waypoints - 1
    raise UnreachableTarget(
        f"no straight path at x {x:.3f}, y {y:.3f} m (base frame) from z {z_from:.3f} to {z_to:.3f} m: the "
        "arm would change its posture; nothing was moved; choose a point nearer to the table's centre"
    )


def half_turn(q: Floats, angle: float) -> float:
    """0 or pi: what is added to `angle` for the direction of the tip's y axis at `q` (7,), a solution at `angle`."""
    closing = forward(q)[:2, 1]
    return 0.0 if math.cos(angle) * closing[0] + math.sin(angle) * closing[1] >= 0 else math.pi


def facing(path: Floats, angle: float) -> Floats:
    """The path (n, 7), solutions at `angle`, with the tip's y axis at `angle` itself and not half a turn more.

    The wrist joint j6 is turned by half a turn where needed, towards 0.
    """
    if not half_turn(path[-1], angle):
        return path
    turned = path.copy()
    turned[:, 6] -= math.copysign(math.pi, path[-1, 6])
    return turned


class Solid(NamedTuple):
    """A coarse shape around a part of the arm, from the manufacturer's URDF.

    Attributes:
        link: name of the link.
        joints: number of arm joints that move it.
        kind: shape.
        size: x, y, z of a box, radius and length (along z) of a cylinder, or radius of a sphere, metres.
        pose: (4, 4) from its own frame, the origin at its centre, to that of the last joint; see `joint_frames`.
    """

    link: str
    joints: int
    kind: Literal["box", "cylinder", "sphere"]
    size: tuple[float, ...]
    pose: Floats


def solids(*, opened: bool = True) -> tuple[Solid, ...]:
    """All shapes of the arm, its pedestal and its head, from the base outwards, with the fingers open or closed."""
    return tuple(
        Solid(
            link.name,
            len(_chain(link.name).joint_mounts),
            shape.kind,
            shape.size,
            _constant(mount @ _transform(shape.xyz, shape.rpy)),
        )
        for link in LINKS
        for mount in [(_opened(link.name) if opened else np.eye(4)) @ _chain(link.name).tip_mount]
        for shape in link.collisions
    )


class _Chain(NamedTuple):
    """The chain to a tip: (n, 4, 4) from each of the first n arm joints to the one before, then (4, 4) of the tip."""

    joint_mounts: Floats
    tip_mount: Floats


@cache
def _chain(tip: str) -> _Chain:
    mounts, link, mount = [], tip, np.eye(4)
    while link != "base":
        joint = _BY_CHILD[link]
        if joint.name in ARM_JOINT_NAMES:
            mounts.append(mount)
            mount = np.eye(4)
        mount = _transform(joint.xyz, joint.rpy) @ mount
        link = joint.parent
    mounts.append(mount)
    tip_mount, *joint_mounts = mounts
    return _Chain(_constant(joint_mounts[::-1]).reshape(-1, 4, 4), _constant(tip_mount))


def _opened(link: str) -> Floats:
    """(4, 4) from the closed to the open finger in the last arm joint's frame; identity for other links."""
    while link in _BY_CHILD and _BY_CHILD[link].kind != "prismatic":
        link = _BY_CHILD[link].parent
    moved = np.eye(4)
    if link in _BY_CHILD and (limits := _BY_CHILD[link].limits) is not None:
        axis = _chain(link).tip_mount[:3, :3] @ _BY_CHILD[link].axis
        moved[:3, 3] = axis * (limits.upper if limits.upper > 0 else limits.lower)
    return moved


def _transform(xyz: Vector, rpy: Vector) -> Floats:
    """(4, 4) with the URDF's rotation order: about the fixed x, then y, then z axis."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(rpy), np.sin(rpy)
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    transform = np.eye(4)
    transform[:3, :3] = about_z @ about_y @ about_x
    transform[:3, 3] = xyz
    return transform


def _joint_frames(chain: _Chain, q: Floats) -> list[Floats]:
    """(4, 4) each: the base, then `base_from_joint` of the chain's joints, turned by their angles."""
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


def _jacobian(frames: list[Floats], tip_position: Floats) -> Floats:
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


def _search(target: Floats, seed: Floats, chain: _Chain, homing: bool) -> Floats | None:
    q = np.clip(seed, _LOWER, _UPPER)
    for _ in range(_MAX_ITERATIONS):
        frames = _joint_frames(chain, q)
        base_from_tip = frames[-1].dot(chain.tip_mount)
        error = _pose_error(base_from_tip, target)
        if math.hypot(*error[:3]) < _POSITION_TOLERANCE and math.hypot(*error[3:]) < _ROTATION_TOLERANCE:
            return q
        columns = _jacobian(frames, base_from_tip[:3, 3])
        step = _step(columns, error, HOME - q, _WEIGHTS) if homing else _step(columns, error, _NO_WISH, _EQUAL_WEIGHTS)
        step *= min(1.0, _MAX_JOINT_STEP / max(np.abs(step).max(), 1e-12))
        q = np.clip(q + step, _LOWER, _UPPER)
    return None


def _step(columns: Floats, error: Floats, wish: Floats, weights: Floats) -> Floats:
    """Change of joint angles (7,) that cancels `error` (6,) and is as close to `wish` (7,) as possible.

    It minimises |step - wish|^2, each joint weighted by 1 / `weights`, under columns @ step = error. The damping
    vanishes with the error, so that the last steps are Newton steps.
    """
    weighted = columns * weights
    damping = 1e-2 * float(error @ error) + 1e-8
    square = weighted @ columns.T
    square.flat[::7] += damping
    return wish + weighted.T @ np.linalg.solve(square, error - columns @ wish)


def _pose_error(pose: Floats, target: Floats) -> Floats:
    """(6,): translation, then rotation vector, that take `pose` to `target`, in the base frame."""
    turn = target[:3, :3] @ pose[:3, :3].T
    axis = np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]]) / 2
    sine, cosine = math.hypot(*axis), (turn[0, 0] + turn[1, 1] + turn[2, 2] - 1) / 2
    if sine < 1e-9 and cosine < 0:
        # Half a turn: the axis is the longest column of turn + 1, in either direction.
        doubled = turn + np.eye(3)
        axis = doubled[:, np.argmax(np.diag(doubled))]
        sine = math.hypot(*axis)
    scale = math.atan2(sine, cosine) / sine if sine > 0 else 1.0
    return np.concatenate([target[:3, 3] - pose[:3, 3], axis * scale])


def _nearer_turn(angle: float, q: Floats) -> float:
    """`angle` or half a turn more, whichever is nearer to the gripper's closing direction at `q`."""
    closing = forward(q)[:2, 1]
    return angle if math.cos(angle) * closing[0] + math.sin(angle) * closing[1] >= 0 else angle + math.pi


def _sideways(path: list[Floats], x: float, y: float) -> float:
    """Largest distance of the tip from the vertical line at x, y between the waypoints, metres."""
    between = [start + fraction * (end - start) for start, end in pairwise(path) for fraction in (0.25, 0.5, 0.75)]
    return max(math.hypot(*(forward(q)[:2, 3] - (x, y))) for q in between)
