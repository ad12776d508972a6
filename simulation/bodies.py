"""PyBullet bodies of objects and table tops: visual and collision shapes, made from models in memory."""

from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import numpy as np
import pybullet
from numpy.typing import NDArray

from tabletop_interaction.arrays import Floats, Picture
from tabletop_interaction.files import scratch_path
from tabletop_interaction.sim_assets import ObjectModel, TableTop
from tabletop_interaction.simulation.client import BulletClient
from tabletop_interaction.simulation.trays import Tray


class VisualBodies:
    """Visual-only objects, table tops and trays in one PyBullet client.

    Shapes and textures are loaded once and kept: PyBullet frees a texture's memory only when the process ends, even
    after the body is removed or the client disconnected.
    """

    def __init__(self, client: BulletClient) -> None:
        self._client = client
        self._looks: dict[str, tuple[int, int]] = {}
        self._bodies: list[int] = []

    def add_object(self, model: ObjectModel) -> int:
        """PyBullet id of a new body that looks like the model."""
        if model.name not in self._looks:
            self._looks[model.name] = _visual_shape(self._client, model), _load_texture(self._client, model.texture)
        return self._add(model.name)

    def add_table_top(self, table: TableTop, size_xy: tuple[float, float]) -> int:
        """PyBullet id of a new flat body with the table top's picture, metres, centred on the arena."""
        if table.name not in self._looks:
            texture = _load_texture(self._client, table.picture)
            self._looks[table.name] = _rectangle(self._client, *size_xy), texture
        return self._add(table.name)

    def add_tray(self, tray: Tray) -> None:
        """Add the walls of a tray."""
        for wall in tray.walls:
            shape = self._client.createVisualShape(
                pybullet.GEOM_BOX, halfExtents=wall.half_size.tolist(), rgbaColor=[*tray.colour, 1]
            )
            self._bodies.append(int(self._client.createMultiBody(0, -1, shape, basePosition=wall.centre.tolist())))

    def clear(self) -> None:
        """Remove all bodies that were added."""
        for body in self._bodies:
            self._client.removeBody(body)
        self._bodies = []

    def _add(self, name: str) -> int:
        shape, texture = self._looks[name]
        body = int(self._client.createMultiBody(0, -1, shape))
        self._client.changeVisualShape(body, -1, textureUniqueId=texture)
        self._bodies.append(body)
        return body


def _load_texture(client: BulletClient, texture: Picture) -> int:
    """PyBullet id of a texture, uint8 (H, W, 3) RGB; PyBullet reads textures from files only."""
    # Without compression, which would take longer than everything else here.
    done, encoded = cv2.imencode(".bmp", texture[:, :, ::-1])
    assert done, "OpenCV encodes every uint8 picture"
    with scratch_path(".bmp") as path:
        path.write_bytes(encoded.tobytes())
        return int(client.loadTexture(str(path)))


def _visual_shape(client: BulletClient, model: ObjectModel) -> int:
    shape = client.createVisualShape(
        pybullet.GEOM_MESH,
        vertices=model.vertices.tolist(),
        indices=model.faces.ravel().tolist(),
        uvs=model.uv.tolist(),
        normals=model.normals.tolist(),
        rgbaColor=[1, 1, 1, 1],
        specularColor=[model.specular] * 3,
    )
    return int(shape)


def _rectangle(client: BulletClient, width: float, depth: float) -> int:
    """A flat mesh: PyBullet's box would repeat its texture on each side."""
    x, y = width / 2, depth / 2
    shape = client.createVisualShape(
        pybullet.GEOM_MESH,
        vertices=[[-x, -y, 0], [x, -y, 0], [x, y, 0], [-x, y, 0]],
        indices=[0, 1, 2, 0, 2, 3],
        uvs=[[0, 0], [1, 0], [1, 1], [0, 1]],
        normals=[[0, 0, 1]] * 4,
        rgbaColor=[1, 1, 1, 1],
    )
    return int(shape)


@contextmanager
def collision_shape(client: BulletClient, model: ObjectModel, axes: Floats | None = None) -> Iterator[int]:
    """PyBullet id of a compound of the model's convex pieces, loaded from a file with one group per piece.

    With `axes`, a rotation (3, 3) object_from_body, the pieces are in the body's frame.
    Create the body inside the context: PyBullet then reads the file again.
    """
    with scratch_path(".obj") as path:
        pieces = model.collision if axes is None else tuple(piece @ axes for piece in model.collision)
        path.write_text(_obj_of_pieces(pieces))
        yield int(client.createCollisionShape(pybullet.GEOM_MESH, fileName=str(path)))


def _obj_of_pieces(pieces: tuple[NDArray[np.floating], ...]) -> str:
    """Wavefront OBJ. The loader takes the convex hull of each group's points, so any faces will do."""
    lines, first = [], 1
    for number, piece in enumerate(pieces):
        lines.append(f"o piece_{number}")
        lines += [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in piece]
        last = first + len(piece) - 1
        lines += [f"f {first} {i} {i + 1}" for i in range(first + 1, last)]
        first = last + 1
    return "\n".join(lines) + "\n"
