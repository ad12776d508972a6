"""How far the gripper can move before it may touch something.

Frame: the gripper's tip, metres; y is the axis along which the fingers close, z points along the fingers, downwards.
Boxes along these axes bound everything: each convex piece of an object, each shape of the gripper, the wrist by a
column and the forearm by a slab without sides. A distance is therefore a lower bound.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pybullet

from tabletop_interaction.arrays import Floats, Floats32, Ints
from tabletop_interaction.envs.gripper import Gripper
from tabletop_interaction.rotations import rotated
from tabletop_interaction.sawyer.kinematics import GRIPPER_TIP
from tabletop_interaction.sawyer.model import Shape
from tabletop_interaction.simulation.grippers import fitted
from tabletop_interaction.simulation.scene import Pose

# Paths are straight within 1 mm, and Bullet rounds edges by about as much.
_MARGIN_M = 0.004
_WRIST_M = 0.07
_FOREARM_ABOVE_M = 0.2
_X, _Y, _Z = 0, 1, 2


@dataclass(frozen=True, eq=False)
class Boxes:
    """Boxes along the axes: their lowest and highest corners, (N, 3) each, metres."""

    low: Floats
    high: Floats

    def moved(self, by: Floats) -> "Boxes":
        """The boxes moved by (3,) metres."""
        return Boxes(self.low + by, self.high + by)

    def mirrored(self) -> "Boxes":
        """The boxes mirrored at the origin."""
        return Boxes(-self.high, -self.low)


@dataclass(frozen=True, eq=False)
class Pieces:
    """Convex pieces of something: their points (N, 3), metres, and the index of the first point of each piece."""

    points: Floats
    starts: Ints

    def boxes(self, pose: Pose, tip: Floats) -> Boxes:
        """The box around each piece in the frame of a tip, `arena_from_tip` (4, 4), with the object at a pose."""
        position, quaternion = pose
        points = (rotated(self.points, quaternion) + (position - tip[:3, 3])) @ tip[:3, :3]
        return Boxes(np.minimum.reduceat(points, self.starts), np.maximum.reduceat(points, self.starts))


def pieces_of(hulls: Sequence[Floats | Floats32]) -> Pieces:
    """Convex pieces from the points (n, 3) of each, metres."""
    return Pieces(np.concatenate(hulls).astype(np.float64), np.cumsum([0, *map(len, hulls[:-1])]))


def joined(boxes: Iterable[Boxes]) -> Boxes:
    """All boxes together."""
    boxes = (Boxes(np.zeros((0, 3)), np.zeros((0, 3))), *boxes)
    return Boxes(np.concatenate([each.low for each in boxes]), np.concatenate([each.high for each in boxes]))


def table_below(tip: Floats) -> Boxes:
    """The table, z = 0 in the arena's frame, in the frame of a tip, `arena_from_tip` (4, 4)."""
    return Boxes(np.array([[-np.inf, -np.inf, tip[2, 3]]]), np.full((1, 3), np.inf))


def room_below(gripper: Gripper, travel: float, still: Boxes) -> float:
    """Metres by which the empty gripper can surely be lowered without touching anything."""
    return _free_distance(_gripper(gripper, travel), still, _Z)


def room_between(gripper: Gripper, travel: float, still: Boxes) -> float:
    """Metres by which each finger can surely close without touching anything but the other finger."""
    left, right = _fingers(gripper, travel)
    return min(_free_distance(left.mirrored(), still.mirrored(), _Y), _free_distance(right, still, _Y), travel)


def is_way_up_free(gripper: Gripper, travel: float, still: Boxes) -> bool:
    """Whether the gripper can surely be raised without touching anything."""
    return bool(np.isinf(_free_distance(_gripper(gripper, travel).mirrored(), still.mirrored(), _Z)))


def _free_distance(moving: Boxes, still: Boxes, axis: int) -> float:
    """Metres that boxes can move towards higher values of an axis until one is within the margin of a still box.

    0 where one is within it already, infinite where nothing is in the way.
    """
    beside = [other for other in (_X, _Y, _Z) if other != axis]
    low, high = moving.low[:, None] - _MARGIN_M, moving.high[:, None] + _MARGIN_M
    in_line = ((low < still.high) & (still.low < high))[:, :, beside].all(axis=2)
    ahead = still.high[:, axis] > moving.low[:, None, axis]
    gaps = still.low[:, axis] - high[:, :, axis]
    return max(0.0, float(np.min(gaps, where=in_line & ahead, initial=np.inf)))


def _gripper(gripper: Gripper, travel: float) -> Boxes:
    left, right = _fingers(gripper, travel)
    return joined((left, right, _closed_parts(gripper).arm))


def _fingers(gripper: Gripper, travel: float) -> tuple[Boxes, Boxes]:
    """The parts of the left finger, which opens towards higher y, and those of the right one."""
    closed, by = _closed_parts(gripper), np.array([0.0, travel, 0.0])
    return closed.left.moved(by), closed.right.moved(-by)


@dataclass(frozen=True, eq=False)
class _Parts:
    """The closed gripper: shapes of the left finger, of the right one, and of the hand with wrist and forearm."""

    left: Boxes
    right: Boxes
    arm: Boxes


@lru_cache(maxsize=8)
def _closed_parts(gripper: Gripper) -> _Parts:
    links, joints = fitted(gripper)
    hand, fingers = "right_hand", ("right_gripper_l_finger", "right_gripper_r_finger")
    place = {joint.child: np.array(joint.xyz) for joint in joints if joint.parent in (hand, *fingers)}
    tip = place[GRIPPER_TIP]
    origins = {hand: -tip}
    for finger in fingers:
        origins |= {finger: place[finger] - tip, f"{finger}_tip": place[finger] + place[f"{finger}_tip"] - tip}
    boxes = {link.name: _around(link.collisions, origins[link.name]) for link in links if link.name in origins}
    left, right = (joined((boxes[finger], boxes[f"{finger}_tip"])) for finger in fingers)
    wrist = _endless_above(_WRIST_M, float(boxes[hand].high[:, _Z].max()))
    return _Parts(left, right, joined((boxes[hand], wrist, _endless_above(np.inf, -_FOREARM_ABOVE_M))))


def _endless_above(beside: float, lowest: float) -> Boxes:
    """A box without an upper end around the tip's axis, from z `lowest`."""
    return Boxes(np.array([[-beside, -beside, -np.inf]]), np.array([[beside, beside, lowest]]))


def _around(shapes: Sequence[Shape], origin: Floats) -> Boxes:
    """The boxes around shapes of a link whose frame lies at an origin (3,) and is not turned."""
    centres = np.array([shape.xyz for shape in shapes]) + origin
    halves = np.array([_half_size(shape) for shape in shapes])
    return Boxes(centres - halves, centres + halves)


def _half_size(shape: Shape) -> Floats:
    if shape.kind == "box":
        half = np.array(shape.size) / 2
    else:
        radius, length = shape.size[0], shape.size[-1]
        half = np.array([radius, radius, length / 2 if shape.kind == "cylinder" else radius])
    turn = pybullet.getMatrixFromQuaternion(pybullet.getQuaternionFromEuler(shape.rpy))
    return np.abs(np.array(turn).reshape(3, 3)) @ half
