"""The yardstick: every picture by plain TinyRenderer, with table, arm, shadows and all."""

from __future__ import annotations

import numpy as np
import pybullet

from tabletop_interaction.envs.views import View
from tabletop_interaction.sim_assets import load_object
from tabletop_interaction.simulation.arm import load_arm
from tabletop_interaction.simulation.bodies import VisualBodies
from tabletop_interaction.simulation.client import BulletClient
from tabletop_interaction.simulation.renderer import CleanPicture, gl_matrices
from tabletop_interaction.simulation.scene import Light, Poses, Scene
from tabletop_interaction.simulation.third_person import TABLE_SIZE_M


class PlainRenderer:
    """A `Renderer` that rasterises the whole scene for each view, as PyBullet's users commonly do.

    Args:
        views: the cameras.
    """

    name = "plain-tinyrenderer"

    def __init__(self, views: tuple[View, ...]) -> None:
        self._views = views
        self._client = BulletClient()
        load_arm(self._client)
        self._looks = VisualBodies(self._client)
        self._bodies: dict[int, int] = {}
        self._light: Light | None = None

    def show_scene(self, scene: Scene) -> None:
        """Load the scene's table and objects."""
        self._looks.clear()
        self._looks.add_table_top(scene.background, TABLE_SIZE_M)
        self._light = scene.light
        self._bodies = {
            id_: self._looks.add_object(load_object(placement.name))
            for id_, placement in enumerate(scene.placements, start=1)
        }

    def render(self, poses: Poses) -> tuple[CleanPicture, ...]:
        """One picture a view, shadows on."""
        for id_, (position, quaternion) in poses.items():
            self._client.resetBasePositionAndOrientation(self._bodies[id_], position, quaternion)
        return tuple(self._picture(view) for view in self._views)

    def close(self) -> None:
        """Disconnect from PyBullet; calling it again does nothing."""
        self._client.close()

    def _picture(self, view: View) -> CleanPicture:
        assert self._light is not None, "render before show_scene"
        _, _, rgba, _, segmentation = self._client.getCameraImage(
            view.width,
            view.height,
            *gl_matrices(view),
            lightDirection=self._light.position.tolist(),
            shadow=1,
            renderer=pybullet.ER_TINY_RENDERER,
        )
        shape = (view.height, view.width)
        bodies = np.asarray(segmentation, np.int32).reshape(shape)
        instances = np.zeros(shape, np.int32)
        for id_, body in self._bodies.items():
            instances[bodies == body] = id_
        return CleanPicture(np.asarray(rgba, np.uint8).reshape(*shape, 4)[:, :, :3].copy(), instances)
