"""The picture that `render()` shows: table, objects and arm from the side, by plain TinyRenderer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pybullet
from numpy.typing import NDArray

from tabletop_interaction.sim_assets import load_object
from tabletop_interaction.simulation.arm import load_arm
from tabletop_interaction.simulation.bodies import VisualBodies
from tabletop_interaction.simulation.renderer import Poses
from tabletop_interaction.simulation.scene import Scene

WIDTH_PX, HEIGHT_PX = 480, 360
TABLE_SIZE_M = (0.84, 0.80)
_THICKNESS_M = 0.04
_EYE, _TARGET = (1.15, 0.85, 0.85), (-0.02, -0.3, 0.22)
_FIELD_OF_VIEW_DEG = 50.0


class ThirdPersonCamera:
    """A PyBullet client of its own with everything that can be seen; it copies poses and simulates nothing."""

    def __init__(self) -> None:
        self._client = pybullet.connect(pybullet.DIRECT)
        self._looks = VisualBodies(self._client)
        self._arm = load_arm(self._client)
        _create_slab(self._client)
        self._bodies: dict[int, int] = {}

    def show_scene(self, scene: Scene) -> None:
        """Take over another scene."""
        self._looks.clear()
        self._looks.add_table_top(scene.background, TABLE_SIZE_M)
        self._bodies = {
            id_: self._looks.add_object(load_object(placement.name))
            for id_, placement in enumerate(scene.placements, start=1)
        }

    def render(self, poses: Poses, joint_positions: Sequence[float]) -> NDArray[np.uint8]:
        """uint8 (360, 480, 3) RGB picture with the objects at `poses` and all of the arm's joints as given."""
        for id_, (position, quaternion) in poses.items():
            pybullet.resetBasePositionAndOrientation(
                self._bodies[id_], position, quaternion, physicsClientId=self._client
            )
        for joint, value in enumerate(joint_positions):
            pybullet.resetJointState(self._arm, joint, value, physicsClientId=self._client)
        _, _, rgba, *_ = pybullet.getCameraImage(
            WIDTH_PX,
            HEIGHT_PX,
            pybullet.computeViewMatrix(_EYE, _TARGET, (0, 0, 1)),
            pybullet.computeProjectionMatrixFOV(_FIELD_OF_VIEW_DEG, WIDTH_PX / HEIGHT_PX, 0.05, 6.0),
            lightDirection=(0.5, 0.6, 1.4),
            shadow=1,
            renderer=pybullet.ER_TINY_RENDERER,
            physicsClientId=self._client,
        )
        return np.asarray(rgba, np.uint8).reshape(HEIGHT_PX, WIDTH_PX, 4)[:, :, :3].copy()

    def close(self) -> None:
        """Disconnect from PyBullet; calling it again does nothing."""
        if self._client >= 0:
            pybullet.disconnect(physicsClientId=self._client)
            self._client = -1


def _create_slab(client: int) -> None:
    """The table below its top."""
    half = [TABLE_SIZE_M[0] / 2, TABLE_SIZE_M[1] / 2, _THICKNESS_M / 2]
    slab = pybullet.createVisualShape(
        pybullet.GEOM_BOX, halfExtents=half, rgbaColor=[0.55, 0.5, 0.45, 1], physicsClientId=client
    )
    pybullet.createMultiBody(0, -1, slab, [0, 0, -_THICKNESS_M / 2 - 1e-3], physicsClientId=client)
