"""Contact sheets of all objects and all backgrounds: would a person call these different things on different tables?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import imageio.v2 as imageio
import numpy as np
from numpy.typing import NDArray

from tabletop_interaction import sim_assets
from tabletop_interaction.envs.backend import SPLITS
from tabletop_interaction.envs.views import View, look_at
from tabletop_interaction.simulation.bodies import VisualBodies
from tabletop_interaction.simulation.client import BulletClient
from tabletop_interaction.simulation.renderer import tiny_render
from tabletop_interaction.simulation.scene import Light

Picture = NDArray[np.uint8]

_COLUMNS = 9
_TILE_PX = (150, 130)
_SUPERSAMPLING = 2
_LABEL_PX = 20
_GAP_PX = 4
_STUDIO_LIGHT = Light(position=np.array([0.3, -0.5, 1.0]), colour=np.ones(3), ambient=0.6, diffuse=0.4, softness=0.01)


def write_asset_sheets(out: Path) -> list[Path]:
    """Write objects.jpg and backgrounds.jpg into the folder `out`; returns the two files."""
    out.mkdir(parents=True, exist_ok=True)
    sheets = {"objects": _object_tiles(), "backgrounds": _background_tiles()}
    paths = []
    for name, tiles in sheets.items():
        path = out / f"{name}.jpg"
        imageio.imwrite(path, _sheet(tiles), quality=88)
        paths.append(path)
    return paths


def _object_tiles() -> list[Picture]:
    client = BulletClient()
    try:
        names = [name for split in SPLITS for name in sim_assets.object_names(split)]
        looks = VisualBodies(client)
        return [_labelled(_portrait(name, looks, client), name) for name in names]
    finally:
        client.close()


def _portrait(name: str, looks: VisualBodies, client: BulletClient) -> Picture:
    """uint8 (130, 150, 3): an object alone on white, from 40 degrees above."""
    width, height = (side * _SUPERSAMPLING for side in _TILE_PX)
    model = sim_assets.load_object(name)
    looks.clear()
    looks.add_object(model)
    distance = 4.6 * float(np.linalg.norm(model.vertices, axis=1).max())
    eye = distance * np.array([0.35, -0.68, 0.64])
    intrinsics = np.array([[2.0 * width, 0, width / 2], [0, 2.0 * width, height / 2], [0, 0, 1.0]])
    view = View("portrait", height, width, intrinsics, look_at(eye, np.zeros(3), np.array([0, 0, 1.0])))
    picture, segmentation, _ = tiny_render(client, view, _STUDIO_LIGHT)
    picture[segmentation < 0] = 255
    return _resized(picture)


def _background_tiles() -> list[Picture]:
    names = [name for split in SPLITS for name in sim_assets.background_names(split)]
    return [_labelled(_resized(sim_assets.load_background(name)), name) for name in names]


def _resized(picture: Picture) -> Picture:
    return np.asarray(cv2.resize(picture, _TILE_PX, interpolation=cv2.INTER_AREA), np.uint8)


def _labelled(picture: Picture, text: str) -> Picture:
    tile = cv2.copyMakeBorder(picture, _GAP_PX, _LABEL_PX, _GAP_PX, _GAP_PX, cv2.BORDER_CONSTANT, value=(255, 255, 255))
    baseline = (_GAP_PX, tile.shape[0] - 7)
    cv2.putText(tile, text, baseline, cv2.FONT_HERSHEY_SIMPLEX, 0.34, (40, 40, 40), 1, cv2.LINE_AA)
    return np.asarray(tile, np.uint8)


def _sheet(tiles: Sequence[Picture]) -> Picture:
    blank = np.full_like(tiles[0], 255)
    padded = [*tiles, *[blank] * (-len(tiles) % _COLUMNS)]
    return np.vstack([np.hstack(padded[i : i + _COLUMNS]) for i in range(0, len(padded), _COLUMNS)])
