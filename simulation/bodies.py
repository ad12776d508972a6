"""Objects as PyBullet bodies: what is seen and what collides, made from an `ObjectModel` in memory."""

from __future__ import annotations

import tempfile
from pathlib import Path

import cv2
import numpy as np
import pybullet
from numpy.typing import NDArray

from tabletop_interaction.sim_assets import ObjectModel


def create_visual_body(model: ObjectModel, client: int) -> int:
    """A body that is only seen; returns its PyBullet id."""
    body = pybullet.createMultiBody(0, -1, visual_shape(model, client), physicsClientId=client)
    paint(body, model, client)
    return int(body)


def visual_shape(model: ObjectModel, client: int) -> int:
    """PyBullet id of the model's visual shape."""
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


def paint(body: int, model: ObjectModel, client: int) -> None:
    """Put the model's texture on a body."""
    pybullet.changeVisualShape(body, -1, textureUniqueId=load_texture(model.texture, client), physicsClientId=client)


def load_texture(texture: NDArray[np.uint8], client: int) -> int:
    """PyBullet id of a texture, uint8 (H, W, 3) RGB; PyBullet reads textures from files only."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "texture.png"
        cv2.imwrite(str(path), texture[:, :, ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])
        return int(pybullet.loadTexture(str(path), physicsClientId=client))


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
