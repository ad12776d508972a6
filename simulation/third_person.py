"""The picture that `render()` shows: table, objects and arm from the side, by plain TinyRenderer."""

from collections.abc import Sequence

import numpy as np
import pybullet

from tabletop_interaction.arrays import Picture
from tabletop_interaction.envs.gripper import Gripper
from tabletop_interaction.simulation.arm import load_arm
from tabletop_interaction.simulation.bodies import VisualBodies
from tabletop_interaction.simulation.client import BulletClient
from tabletop_interaction.simulation.scene import Poses, Scene

WIDTH_PX, HEIGHT_PX = 480, 360
TABLE_SIZE_M = (0.84, 0.80)
_THICKNESS_M = 0.04
_EYE, _TARGET = (1.15, 0.85, 0.85), (-0.02, -0.3, 0.22)
_FIELD_OF_VIEW_DEG = 50.0


class ThirdPersonCamera:
    """A separate PyBullet client with every visible body; it copies poses and simulates nothing."""

    def __init__(self, gripper: Gripper | None = None) -> None:
        self._client = BulletClient()
        self._looks = VisualBodies(self._client)
        self._arm = load_arm(self._client, gripper)
        half = [TABLE_SIZE_M[0] / 2, TABLE_SIZE_M[1] / 2, _THICKNESS_M / 2]
        slab = self._client.createVisualShape(pybullet.GEOM_BOX, halfExtents=half, rgbaColor=[0.55, 0.5, 0.45, 1])
        self._client.createMultiBody(0, -1, slab, [0, 0, -_THICKNESS_M / 2 - 1e-3])
        self._bodies: dict[int, int] = {}

    def show_scene(self, scene: Scene) -> None:
        """Replace the scene."""
        self._looks.clear()
        self._looks.add_table_top(scene.table, TABLE_SIZE_M)
        if scene.tray is not None:
            self._looks.add_tray(scene.tray)
        self._bodies = {
            id_: self._looks.add_object(placement.model) for id_, placement in enumerate(scene.placements, start=1)
        }

    def render(self, poses: Poses, joint_positions: Sequence[float]) -> Picture:
        """uint8 (360, 480, 3) RGB picture with the objects at `poses` and the arm's joints at `joint_positions`."""
        for id_, pose in poses.items():
            self._client.resetBasePositionAndOrientation(self._bodies[id_], *pose)
        for joint, value in enumerate(joint_positions):
            self._client.resetJointState(self._arm, joint, value)
        _, _, rgba, *_ = self._client.getCameraImage(
            WIDTH_PX,
            HEIGHT_PX,
            pybullet.computeViewMatrix(_EYE, _TARGET, (0, 0, 1)),
            pybullet.computeProjectionMatrixFOV(_FIELD_OF_VIEW_DEG, WIDTH_PX / HEIGHT_PX, 0.05, 6.0),
            lightDirection=(0.5, 0.6, 1.4),
            shadow=1,
            renderer=pybullet.ER_TINY_RENDERER,
        )
        return np.asarray(rgba, np.uint8).reshape(HEIGHT_PX, WIDTH_PX, 4)[:, :, :3].copy()

    def close(self) -> None:
        """Disconnect from PyBullet; calling it again does nothing."""
        self._client.close()
