"""The physics: table, objects and arm in one PyBullet client, and the state that the backend reads from it.

World frame = arena frame, metres; 240 steps a second.
"""

from collections.abc import Callable, Collection, Mapping

import cv2
import numpy as np
import pybullet

from tabletop_interaction.arrays import Floats
from tabletop_interaction.envs.backend import Arena
from tabletop_interaction.envs.gripper import Gripper
from tabletop_interaction.rotations import inverse, product, quaternion_from_matrix, rotated
from tabletop_interaction.sim_assets import ObjectModel
from tabletop_interaction.simulation.arm import STEP_S, SimulatedArm
from tabletop_interaction.simulation.bodies import collision_shape
from tabletop_interaction.simulation.client import BulletClient
from tabletop_interaction.simulation.scene import Placement, Pose, Poses, Scene, object_radius
from tabletop_interaction.simulation.trays import Box

_TABLE_HALF_M = (0.42, 0.40)
_TABLE_THICKNESS_M = 0.04
_TABLE_FRICTION = 0.9
# Bullet's default of 20 mm also solves contacts of the pads with the table 10 mm below and doubles a step's cost.
_CONTACT_WITHIN_M = 0.003
_TOUCHING_M = 5e-4
_LOST_BELOW_M = -0.02
_OFF_ARENA_M = 0.01
_STILL_SPEED = 0.02
_STILL_TURN = 0.4
_MAX_SETTLING_S = 1.5
_MAX_FALLING_S = 0.25
_FALL_M = 0.005
_LYING_ON = 0.3
# Fields of PyBullet's contact points.
_BODY_B, _LINK_A, _NORMAL_ON_B, _DISTANCE, _FORCE = 2, 3, 7, 8, 9


class World:
    """All bodies with mass. `build` starts from an empty world, so that no state of an earlier scene is left."""

    def __init__(self, on_step: Callable[[], None] | None = None) -> None:
        self._on_step = on_step
        self.client = BulletClient()
        self.bodies: dict[int, int] = {}
        self.models: dict[int, ObjectModel] = {}
        self._axes: dict[int, Floats] = {}
        self._tray: frozenset[int] = frozenset()
        self.arm: SimulatedArm

    def build(self, scene: Scene, gripper: Gripper | None = None) -> None:
        """Empty the world, create table, tray, arm and the scene's objects, and let the objects come to rest.

        Objects that stand are created first, then those that are dropped, one after another.
        """
        self.client.resetSimulation()
        self.client.setPhysicsEngineParameter(
            fixedTimeStep=STEP_S,
            numSolverIterations=50,
            contactBreakingThreshold=_CONTACT_WITHIN_M,
            deterministicOverlappingPairs=1,
        )
        self.client.setGravity(0, 0, -9.81)
        self._create_table()
        self._tray = frozenset() if scene.tray is None else frozenset(map(self._create_wall, scene.tray.walls))
        self.arm = SimulatedArm(self.client, self._on_step, gripper)
        self.models = {id_: placement.model for id_, placement in enumerate(scene.placements, start=1)}
        self._axes = {
            id_: principal_axes(model.inertia) for id_, model in self.models.items() if model.inertia is not None
        }
        self.bodies = {
            id_: self._create_object(id_, _resting_pose(placement))
            for id_, placement in enumerate(scene.placements, start=1)
            if not placement.dropped
        }
        self.settle()
        self.drop({id_: each for id_, each in enumerate(scene.placements, start=1) if each.dropped})

    def drop(self, placements: Mapping[int, Placement]) -> None:
        """Let objects, by id, fall one after another from just above whatever lies there; then all come to rest."""
        for id_, placement in placements.items():
            pose = self._pose_above(id_, placement)
            if id_ in self.bodies:
                self.put(id_, pose)
            else:
                self.bodies[id_] = self._create_object(id_, pose)
            self._step_until_still(self.bodies.values(), _MAX_FALLING_S)
        if placements:
            self.settle()

    def set_down(self, id_: int, placement: Placement) -> None:
        """Put an object upright at another place, at rest."""
        self.put(id_, _resting_pose(placement))

    def put(self, id_: int, pose: Pose) -> None:
        """Put an object at a pose, at rest, and awake: a sleeping body would stay in the air."""
        body = self.bodies[id_]
        riders = self._riders(body)
        self._move(body, self._body_pose(id_, pose))
        for each in (body, *riders):
            self.client.changeDynamics(each, -1, activationState=pybullet.ACTIVATION_STATE_WAKE_UP)

    def settle(self, ignore: frozenset[int] = frozenset()) -> None:
        """Step until all objects but those in `ignore` are still, at most 1.5 s, then put those objects to sleep.

        Bullet skips sleeping bodies and wakes them at a touch, which saves most of the time of a step.
        """
        bodies = [body for id_, body in self.bodies.items() if id_ not in ignore]
        self._step_until_still(bodies, _MAX_SETTLING_S)
        for body in bodies:
            self.client.changeDynamics(body, -1, activationState=pybullet.ACTIVATION_STATE_SLEEP)

    def poses(self) -> Poses:
        """Position (3,) and quaternion xyzw (4,) of every object by id."""
        found = {}
        for id_, body in self.bodies.items():
            position, quaternion = self.client.getBasePositionAndOrientation(body)
            if id_ in self._axes:
                quaternion = product(quaternion, inverse(quaternion_from_matrix(self._axes[id_])))
            found[id_] = (np.array(position), np.array(quaternion))
        return found

    def outlines(self) -> dict[int, Floats]:
        """(N, 2) convex outline x, y of every object as seen from above, by id."""
        found = {}
        for id_, (position, quaternion) in self.poses().items():
            surface = rotated(self.models[id_].vertices, quaternion) + position
            hull = cv2.convexHull(surface[:, :2].astype(np.float32))
            found[id_] = np.asarray(hull, np.float64).reshape(-1, 2)
        return found

    def top(self) -> float:
        """Height of the highest point of all objects, metres; at least one object has to be there."""
        surfaces = (
            rotated(self.models[id_].vertices, quaternion)[:, 2] + position[2]
            for id_, (position, quaternion) in self.poses().items()
        )
        return max(float(heights.max()) for heights in surfaces)

    def strayed(self, arena: Arena) -> list[int]:
        """Ids of the objects that fell off the table or lie outside the arena."""
        return [
            id_
            for id_, pose in self.poses().items()
            if has_fallen(pose) or not arena.contains(pose[0][0], pose[0][1], margin=_OFF_ARENA_M)
        ]

    def touched_by_fingers(self) -> dict[int, set[int]]:
        """Object id -> the finger links (PyBullet indices) that touch the object now."""
        ids = {body: id_ for id_, body in self.bodies.items()}
        touched: dict[int, set[int]] = {}
        for contact in self._contacts(self.arm.body):
            is_finger = contact[_LINK_A] in self.arm.finger_links
            if contact[_BODY_B] in ids and is_finger and contact[_DISTANCE] <= _TOUCHING_M:
                touched.setdefault(ids[contact[_BODY_B]], set()).add(contact[_LINK_A])
        return touched

    def touches_tray(self) -> bool:
        """Whether the arm touches a wall of the tray."""
        return any(c[_BODY_B] in self._tray and c[_DISTANCE] <= _TOUCHING_M for c in self._contacts(self.arm.body))

    def pinched(self) -> list[int]:
        """Ids of the objects that both fingers touch."""
        left, right = self.arm.sides
        return [id_ for id_, links in self.touched_by_fingers().items() if links & left and links & right]

    def push_on_arm(self) -> Floats:
        """(3,) N by which table and objects push the arm and the objects it pinches, without friction and weight."""
        contacts = self._contacts(self.arm.body)
        if not contacts:
            return np.zeros(3)
        pinched = {self.bodies[id_] for id_ in self.pinched()}
        contacts = [contact for contact in contacts if contact[_BODY_B] not in pinched]
        for body in pinched:
            contacts += [c for c in self._contacts(body) if c[_BODY_B] not in (pinched | {self.arm.body})]
        # The normal points from B to A, which is the direction in which A is pushed.
        return sum((contact[_FORCE] * np.array(contact[_NORMAL_ON_B]) for contact in contacts), start=np.zeros(3))

    def carry(self, ids: frozenset[int], q: Floats) -> None:
        """Jump with the arm to joint angles `q` (7,) and move the held objects along, unchanged in the gripper."""
        world_from_tip = self._tip()
        self.arm.jump(q)
        moved = pybullet.multiplyTransforms(*self._tip(), *pybullet.invertTransform(*world_from_tip))
        for id_ in ids:
            body = self.bodies[id_]
            pose = self.client.getBasePositionAndOrientation(body)
            self._move(body, pybullet.multiplyTransforms(*moved, *pose))

    def close(self) -> None:
        """Disconnect from PyBullet; calling it again does nothing."""
        self.client.close()

    def _contacts(self, body: int) -> list[tuple]:
        return list(self.client.getContactPoints(bodyA=body) or ())

    def _move(self, body: int, pose: Pose) -> None:
        self.client.resetBasePositionAndOrientation(body, *pose)
        self.client.resetBaseVelocity(body, [0] * 3, [0] * 3)

    def _tip(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        state = self.client.getLinkState(self.arm.body, self.arm.fingers[0], computeForwardKinematics=1)
        return state[4], state[5]

    def _create_table(self) -> None:
        half = [*_TABLE_HALF_M, _TABLE_THICKNESS_M / 2]
        shape = self.client.createCollisionShape(pybullet.GEOM_BOX, halfExtents=half)
        body = self.client.createMultiBody(0, shape, -1, [0, 0, -_TABLE_THICKNESS_M / 2])
        self.client.changeDynamics(body, -1, lateralFriction=_TABLE_FRICTION)

    def _create_wall(self, wall: Box) -> int:
        shape = self.client.createCollisionShape(pybullet.GEOM_BOX, halfExtents=wall.half_size.tolist())
        body = self.client.createMultiBody(0, shape, -1, wall.centre.tolist())
        self.client.changeDynamics(body, -1, lateralFriction=_TABLE_FRICTION)
        return int(body)

    def _body_pose(self, id_: int, pose: Pose) -> Pose:
        """The pose of an object's PyBullet body, whose axes are the principal axes of the object's inertia."""
        if id_ not in self._axes:
            return pose
        return pose[0], product(pose[1], quaternion_from_matrix(self._axes[id_]))

    def _create_object(self, id_: int, pose: Pose) -> int:
        model, axes = self.models[id_], self._axes.get(id_)
        with collision_shape(self.client, model, axes) as shape:
            body = self.client.createMultiBody(
                model.mass,
                shape,
                -1,
                *self._body_pose(id_, pose),
                useMaximalCoordinates=1,
                flags=pybullet.URDF_ENABLE_SLEEPING,
            )
        self.client.changeDynamics(
            body,
            -1,
            lateralFriction=model.friction,
            spinningFriction=0.003,
            rollingFriction=0.0005,
            linearDamping=0.05,
            angularDamping=0.1,
        )
        if model.inertia is not None and axes is not None:
            # PyBullet takes its own from the bounding box of the shape; without the mass it would set that to 0.
            moments = np.diag(axes.T @ model.inertia @ axes)
            self.client.changeDynamics(body, -1, mass=model.mass, localInertiaDiagonal=moments.tolist())
        return int(body)

    def _step_until_still(self, bodies: Collection[int], most_s: float) -> None:
        for _ in range(round(most_s / STEP_S / 6)):
            for _ in range(6):
                self.arm.step()
            if all(self._is_still(body) for body in bodies):
                return

    def _riders(self, body: int) -> list[int]:
        """The objects that lie on a body: asleep, they would stay in the air when it is taken away."""
        objects = set(self.bodies.values())
        # The normal points from B to A: downwards where B lies on A.
        contacts = [c for c in self._contacts(body) if c[_BODY_B] in objects and c[_NORMAL_ON_B][2] < -_LYING_ON]
        return [contact[_BODY_B] for contact in contacts]

    def _pose_above(self, id_: int, placement: Placement) -> Pose:
        """The natural pose, clear of everything that the object's circle covers."""
        radius = object_radius(placement.model)
        low, high = np.array([placement.x, placement.y]) - radius, np.array([placement.x, placement.y]) + radius
        tops = [0.0]
        for body in [*(body for other, body in self.bodies.items() if other != id_), *self._tray]:
            body_low, body_high = map(np.array, self.client.getAABB(body))
            if (body_low[:2] < high).all() and (body_high[:2] > low).all():
                tops.append(float(body_high[2]))
        position, quaternion = _resting_pose(placement)
        return position + np.array([0, 0, max(tops) + _FALL_M]), quaternion

    def _is_still(self, body: int) -> bool:
        """Whether the body is at rest; a body that fell off the table counts as at rest."""
        linear, angular = self.client.getBaseVelocity(body)
        is_slow = max(map(abs, linear)) <= _STILL_SPEED and max(map(abs, angular)) <= _STILL_TURN
        return is_slow or self.client.getBasePositionAndOrientation(body)[0][2] <= _LOST_BELOW_M


def has_fallen(pose: Pose) -> bool:
    """Whether an object of this pose fell off the table."""
    return bool(pose[0][2] < _LOST_BELOW_M)


def principal_axes(inertia: Floats) -> Floats:
    """(3, 3) rotation whose columns are the principal axes of an inertia (3, 3), nearest to x, y and z."""
    axes = np.linalg.eigh(inertia)[1]
    # Of the same axes in other orders and directions, the rotation by the smallest angle.
    axes = axes[:, np.argmax(np.abs(axes), axis=1)] if len(set(np.argmax(np.abs(axes), axis=1))) == 3 else axes
    axes = axes * np.where(np.diag(axes) < 0, -1.0, 1.0)
    return axes if np.linalg.det(axes) > 0 else axes * np.array([1.0, 1.0, -1.0])


def _resting_pose(placement: Placement) -> Pose:
    """Just above the table, in the model's natural pose."""
    height = -float(placement.model.vertices[:, 2].min()) + 0.002
    quaternion = pybullet.getQuaternionFromEuler([0, 0, placement.yaw])
    return np.array([placement.x, placement.y, height]), np.array(quaternion)
