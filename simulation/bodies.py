"""Objects as PyBullet bodies: what is seen and what collides, made from an `ObjectModel` in memory."""

from __future__ import annotations

import tempfile
from pathlib import Path

import cv2
import numpy as np
import pybullet
from numpy.typing import NDArray

from tabletop_interaction.sim_assets import ObjectModel, load_background


class VisualBodies:
    """Objects and table tops that are only seen, in one PyBullet client.

    Shapes and textures are loaded once and kept: PyBullet holds a texture's memory until the process ends, whatever
    is removed, reset or disconnected.

    Args:
        client: the PyBullet client.
    """

    def __init__(self, client: int) -> None:
        self._client = client
        self._looks: dict[str, tuple[int, int]] = {}
        self._bodies: list[int] = []

    def add_object(self, model: ObjectModel) -> int:
        """PyBullet id of a new body that looks like the model."""
        if model.name not in self._looks:
            self._looks[model.name] = _visual_shape(model, self._client), load_texture(model.texture, self._client)
        return self._add(model.name)

    def add_table_top(self, background: str, size_xy: tuple[float, float]) -> int:
        """PyBullet id of a new flat body with a background's texture, metres, centred on the arena."""
        if background not in self._looks:
            texture = load_texture(load_background(background), self._client)
            self._looks[background] = _rectangle(*size_xy, self._client), texture
        return self._add(background)

    def clear(self) -> None:
        """Remove all bodies that were added."""
        for body in self._bodies:
            pybullet.removeBody(body, physicsClientId=self._client)
        self._bodies = []

    def _add(self, name: str) -> int:
        shape, texture = self._looks[name]
        body = pybullet.createMultiBody(0, -1, shape, physicsClientId=self._client)
        pybullet.changeVisualShape(body, -1, textureUniqueId=texture, physicsClientId=self._client)
        self._bodies.append(body)
        return int(body)


def load_texture(texture: NDArray[np.uint8], client: int) -> int:
    """PyBullet id of a texture, uint8 (H, W, 3) RGB; PyBullet reads textures from files only."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "texture.png"
        cv2.imwrite(str(path), texture[:, :, ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])
        return int(pybullet.loadTexture(str(path), physicsClientId=client))


def _visual_shape(model: ObjectModel, client: int) -> int:
    return int(
        pybullet.createVisualShape(
            pybullet.GEOM_MESH,
            vertices=model.vertices.tolist(),
            indices=model.faces.ravel().tolist(),
            uvs=model.uv.tolist(),
            normals=model.normals.tolist(),
            rgbaColor=[1, 1, 1, 1],
            specularColor=[model.specular] * 3,
            physicsClientId=client,
        )
    )


def _rectangle(width: float, depth: float, client: int) -> int:
    """A mesh of its own: PyBullet's box repeats its texture on each side."""
    x, y = width / 2, depth / 2
    return int(
        pybullet.createVisualShape(
            pybullet.GEOM_MESH,
            vertices=[[-x, -y, 0], [x, -y, 0], [x, y, 0], [-x, y, 0]],
            indices=[0, 1, 2, 0, 2, 3],
            uvs=[[0, 0], [1, 0], [1, 1], [0, 1]],
            normals=[[0, 0, 1]] * 4,
            rgbaColor=[1, 1, 1, 1],
            physicsClientId=client,
        )
    )


def collision_shape(model: ObjectModel, client: int) -> int:
    """PyBullet id of the compound of the model's convex pieces; a file with one group a piece makes a compound."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pieces.obj"
        path.write_text(_obj_of_pieces(model.collision))
        return int(pybullet.createCollisionShape(pybullet.GEOM_MESH, fileName=str(path), physicsClientId=client))


def _obj_of_pieces(pieces: tuple[NDArray[np.float32], ...]) -> str:
    """Wavefront OBJ: the loader takes each group's points for one convex hull, so the faces need not bound it."""
    lines, first = [], 1
    for number, piece in enumerate(pieces):
        lines.append(f"o piece_{number}")
        lines += [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in piece]
        last = first + len(piece) - 1
        lines += [f"f {first} {i} {i + 1}" for i in range(first + 1, last)]
        first = last + 1
    return "\n".join(lines) + "\n"
