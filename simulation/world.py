"""The physics: table, objects and arm in one PyBullet client, and the few facts that others ask of it.

World frame = arena frame, metres; 240 steps a second.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pybullet
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from tabletop_interaction.envs.backend import Arena
from tabletop_interaction.sim_assets import ObjectModel, load_object
from tabletop_interaction.simulation.arm import STEP_S, Arm
from tabletop_interaction.simulation.bodies import collision_shape
from tabletop_interaction.simulation.renderer import Pose, Poses
from tabletop_interaction.simulation.scene import Placement, Scene

TABLE_HALF_M = (0.42, 0.40)
_TABLE_THICKNESS_M = 0.04
_TABLE_FRICTION = 0.9
# Bullet's 20 mm would solve contacts between the pads and the table 10 mm below them; that doubles the cost of a step.
_CONTACT_WITHIN_M = 0.003
_LOST_BELOW_M = -0.02
_OFF_ARENA_M = 0.01
_STILL_SPEED = 0.02
_STILL_TURN = 0.4
_MOST_SETTLING_S = 1.5

FloatArray = NDArray[np.float64]


class World:
    """Everything that has mass. `build` starts it anew, so that no trace of an earlier scene is left.

    Args:
        on_step: called after every simulation step.
    """

    def __init__(self, on_step: Callable[[], None] | None = None) -> None:
        self._on_step = on_step
        self.client = pybullet.connect(pybullet.DIRECT)
        self.bodies: dict[int, int] = {}
        self.models: dict[int, ObjectModel] = {}
        self.arm: Arm

    def build(self, scene: Scene) -> None:
        """Empty the world, then put up table, arm and the scene's objects, and let them come to rest."""
        pybullet.resetSimulation(physicsClientId=self.client)
        pybullet.setPhysicsEngineParameter(
            fixedTimeStep=STEP_S,
            numSolverIterations=50,
            contactBreakingThreshold=_CONTACT_WITHIN_M,
            deterministicOverlappingPairs=1,
            physicsClientId=self.client,
        )
        pybullet.setGravity(0, 0, -9.81, physicsClientId=self.client)
        _create_table(self.client)
        self.arm = Arm(self.client, self._on_step)
        self.bodies, self.models = {}, {}
        for id_, placement in enumerate(scene.placements, start=1):
            self.models[id_] = load_object(placement.name)
            self.bodies[id_] = self._create_object(self.models[id_], placement)
        self.settle()

    def set_down(self, id_: int, placement: Placement) -> None:
        """Put an object upright at another place, at rest."""
        position, quaternion = _resting_pose(self.models[id_], placement)
        self.put(id_, (np.array(position), np.array(quaternion)))

    def put(self, id_: int, pose: Pose) -> None:
        """Put an object at a pose, at rest, and awake: a body asleep would stay in the air."""
        body = self.bodies[id_]
        pybullet.resetBasePositionAndOrientation(body, *pose, physicsClientId=self.client)
        pybullet.resetBaseVelocity(body, [0] * 3, [0] * 3, physicsClientId=self.client)
        pybullet.changeDynamics(
            body, -1, activationState=pybullet.ACTIVATION_STATE_WAKE_UP, physicsClientId=self.client
        )

    def settle(self, ignore: frozenset[int] = frozenset()) -> None:
        """Let time pass until all objects but those in `ignore` stand still, at most 1.5 s, and put those to sleep.

        Bullet skips sleeping bodies and wakes them at a touch: most of the time goes into objects that nobody moves.
        """
        watched = [body for id_, body in self.bodies.items() if id_ not in ignore]
        for _ in range(round(_MOST_SETTLING_S / STEP_S / 6)):
            for _ in range(6):
                self.arm.step()
            if self._still(watched):
                break
        for body in watched:
            pybullet.changeDynamics(
                body, -1, activationState=pybullet.ACTIVATION_STATE_SLEEP, physicsClientId=self.client
            )

    def poses(self) -> Poses:
        """Position (3,) and quaternion xyzw (4,) of every object by id."""
        found = {}
        for id_, body in self.bodies.items():
            position, quaternion = pybullet.getBasePositionAndOrientation(body, physicsClientId=self.client)
            found[id_] = (np.array(position), np.array(quaternion))
        return found

    def outlines(self) -> dict[int, FloatArray]:
        """(N, 2) convex outline, x, y, of every object as seen from above, by id."""
        found = {}
        for id_, (position, quaternion) in self.poses().items():
            surface = Rotation.from_quat(quaternion).apply(self.models[id_].vertices) + position
            hull = cv2.convexHull(surface[:, :2].astype(np.float32))
            found[id_] = np.asarray(hull, np.float64).reshape(-1, 2)
        return found

    def strayed(self, arena: Arena) -> list[int]:
        """Ids of the objects that fell off the table or lie outside the arena."""
        return [
            id_
            for id_, (position, _) in self.poses().items()
            if position[2] < _LOST_BELOW_M or not _inside(arena, position)
        ]

    def touched_by_fingers(self) -> dict[int, set[int]]:
        """Object id -> the finger links (PyBullet indices) that touch it now."""
        ids = {body: id_ for id_, body in self.bodies.items()}
        touched: dict[int, set[int]] = {}
        for contact in pybullet.getContactPoints(bodyA=self.arm.body, physicsClientId=self.client) or ():
            if contact[2] in ids and contact[3] in self.arm.finger_links and contact[8] <= 5e-4:
                touched.setdefault(ids[contact[2]], set()).add(contact[3])
        return touched

    def pressed_down(self, most_newton: float) -> bool:
        """Whether the arm, with what it pinches, pushes downwards on anything with more than that force."""
        return bool(self.push_on_arm()[2] > most_newton)

    def push_on_arm(self) -> FloatArray:
        """(3,) N with which table and objects push on the arm and on what it pinches, friction and weight left out."""
        contacts = pybullet.getContactPoints(bodyA=self.arm.body, physicsClientId=self.client) or ()
        if not contacts:
            return np.zeros(3)
        left, right = self.arm.sides
        pinched = {
            self.bodies[id_] for id_, links in self.touched_by_fingers().items() if links & left and links & right
        }
        contacts = [contact for contact in contacts if contact[2] not in pinched]
        for body in pinched:
            around = pybullet.getContactPoints(bodyA=body, physicsClientId=self.client) or ()
            contacts += [contact for contact in around if contact[2] not in (pinched | {self.arm.body})]
        # The normal points from B to A: it says where A is pushed to.
        return sum((contact[9] * np.array(contact[7]) for contact in contacts), start=np.zeros(3))

    def carry(self, ids: frozenset[int], q: FloatArray) -> None:
        """Jump with the arm to joint angles `q`, what the gripper holds along with it, unchanged in the gripper."""
        world_from_tip = self._tip()
        self.arm.jump(q)
        moved = pybullet.multiplyTransforms(*self._tip(), *pybullet.invertTransform(*world_from_tip))
        for id_ in ids:
            body = self.bodies[id_]
            pose = pybullet.getBasePositionAndOrientation(body, physicsClientId=self.client)
            pybullet.resetBasePositionAndOrientation(
                body, *pybullet.multiplyTransforms(*moved, *pose), physicsClientId=self.client
            )
            pybullet.resetBaseVelocity(body, [0] * 3, [0] * 3, physicsClientId=self.client)

    def close(self) -> None:
        """Disconnect from PyBullet; calling it again does nothing."""
        if self.client >= 0:
            pybullet.disconnect(physicsClientId=self.client)
            self.client = -1

    def _tip(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        state = pybullet.getLinkState(
            self.arm.body, self.arm.fingers[0], computeForwardKinematics=1, physicsClientId=self.client
        )
        return state[4], state[5]

    def _create_object(self, model: ObjectModel, placement: Placement) -> int:
        position, quaternion = _resting_pose(model, placement)
        body = pybullet.createMultiBody(
            model.mass,
            collision_shape(model, self.client),
            -1,
            position,
            quaternion,
            useMaximalCoordinates=1,
            flags=pybullet.URDF_ENABLE_SLEEPING,
            physicsClientId=self.client,
        )
        pybullet.changeDynamics(
            body,
            -1,
            lateralFriction=model.friction,
            spinningFriction=0.003,
            rollingFriction=0.0005,
            linearDamping=0.05,
            angularDamping=0.1,
            physicsClientId=self.client,
        )
        return int(body)

    def _still(self, bodies: list[int]) -> bool:
        for body in bodies:
            linear, angular = pybullet.getBaseVelocity(body, physicsClientId=self.client)
            on_table = pybullet.getBasePositionAndOrientation(body, physicsClientId=self.client)[0][2] > _LOST_BELOW_M
            if on_table and (max(map(abs, linear)) > _STILL_SPEED or max(map(abs, angular)) > _STILL_TURN):
                return False
        return True


def _create_table(client: int) -> None:
    half = [*TABLE_HALF_M, _TABLE_THICKNESS_M / 2]
    shape = pybullet.createCollisionShape(pybullet.GEOM_BOX, halfExtents=half, physicsClientId=client)
    body = pybullet.createMultiBody(0, shape, -1, [0, 0, -_TABLE_THICKNESS_M / 2], physicsClientId=client)
    pybullet.changeDynamics(body, -1, lateralFriction=_TABLE_FRICTION, physicsClientId=client)


def _resting_pose(model: ObjectModel, placement: Placement) -> tuple[list[float], tuple[float, ...]]:
    """Just above the table in the model's natural pose."""
    height = -float(model.vertices[:, 2].min()) + 0.002
    quaternion = pybullet.getQuaternionFromEuler([0, 0, placement.yaw])
    return [placement.x, placement.y, height], quaternion


def _inside(arena: Arena, position: FloatArray) -> bool:
    x, y = position[:2]
    return (
        arena.x_min - _OFF_ARENA_M <= x <= arena.x_max + _OFF_ARENA_M
        and arena.y_min - _OFF_ARENA_M <= y <= arena.y_max + _OFF_ARENA_M
    )
