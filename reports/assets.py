"""Pictures of the simulation: contact sheets of all objects and of all table tops, and a film of the arm at work."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from tabletop_interaction.arrays import Picture
from tabletop_interaction.envs import TabletopInteraction
from tabletop_interaction.envs.backend import SPLITS
from tabletop_interaction.envs.views import View, camera_pose
from tabletop_interaction.progress import track
from tabletop_interaction.reports.films import write_film
from tabletop_interaction.reports.sheets import with_margin, write_sheet
from tabletop_interaction.segmentation.lettering import INK, fitting, write_words
from tabletop_interaction.sim_assets import Catalogue, ObjectModel
from tabletop_interaction.simulation import SimulationBackend, SimulationConfig
from tabletop_interaction.simulation.bodies import VisualBodies
from tabletop_interaction.simulation.cameras import arena_views
from tabletop_interaction.simulation.client import BulletClient
from tabletop_interaction.simulation.renderer import ComposedRenderer, tiny_render
from tabletop_interaction.simulation.scene import Light, catalogue_of
from tabletop_interaction.simulation.world import World

MakeAgent = Callable[[SimulationBackend, np.random.Generator], Any]

_COLUMNS = 9
_TILE_PX = (150, 130)
_SUPERSAMPLING = 2
_LABEL_PX, _LETTERS_PX = 20, 13
_GAP_PX = 4
_STUDIO_LIGHT = Light(position=np.array([0.3, -0.5, 1.0]), colour=np.ones(3), ambient=0.6, diffuse=0.4, softness=0.01)

_STEPS_A_FRAME = 18
_FRAME_S = 0.11
_FILM_PX = (360, 270)


def write_asset_sheets(out: Path, catalogue: Catalogue, captions: Mapping[str, str] | None = None) -> list[Path]:
    """Write objects.jpg and backgrounds.jpg into the folder `out` and return the two paths.

    Args:
        catalogue: what is drawn: all objects and table tops of its splits.
        captions: texts for objects, by name, instead of the name.
    """
    sheets = {"objects": _object_tiles(catalogue, captions or {}), "backgrounds": _background_tiles(catalogue)}
    return [
        write_sheet(out / f"{name}.jpg", [tiles[at : at + _COLUMNS] for at in range(0, len(tiles), _COLUMNS)])
        for name, tiles in sheets.items()
    ]


def write_arm_film(
    path: Path, make_agent: MakeAgent, config: SimulationConfig, *, interactions: int = 3, seed: int = 3
) -> Path:
    """Write a film of pick-and-places in slow motion, as the third-person camera sees them.

    Transits jump, as they do in the simulation. `make_agent` makes the agent from the backend and its random numbers;
    the seed is that of the scene and the agent.
    """
    frames: list[Picture] = []
    steps = 0
    filming = False

    def on_step() -> None:
        nonlocal steps
        steps += 1
        if filming and steps % _STEPS_A_FRAME == 0:
            frames.append(_shrunk(backend.third_person_picture(), _FILM_PX))

    views = arena_views()
    renderer = ComposedRenderer(views)
    backend = SimulationBackend("train", config, catalogue_of(config), World(on_step), renderer, views)
    with backend:
        env = TabletopInteraction(backend)
        agent = make_agent(backend, np.random.default_rng(seed))
        observation, info = env.reset(seed=seed)
        filming = True
        for _ in track(range(interactions), "film"):
            observation, _, _, _, info = env.step(agent.act(observation, info))
    return write_film(path, frames, 1 / _FRAME_S)


def drawn_names(names: Callable[[str], Sequence[str]]) -> list[str]:
    """The names of all splits, each once; `names` gives those of a split."""
    return list(dict.fromkeys(name for split in SPLITS for name in names(split)))


def _object_tiles(catalogue: Catalogue, captions: Mapping[str, str]) -> list[Picture]:
    with closing(BulletClient()) as client:
        bodies = VisualBodies(client)
        return [
            _tile(_portrait(catalogue.object(name), bodies, client), captions.get(name, name))
            for name in track(drawn_names(catalogue.object_names), "objects")
        ]


def _portrait(model: ObjectModel, bodies: VisualBodies, client: BulletClient) -> Picture:
    """An object alone on white, from 40 degrees above; twice the size of a tile."""
    width, height = (side * _SUPERSAMPLING for side in _TILE_PX)
    bodies.clear()
    bodies.add_object(model)
    distance = 4.6 * float(np.linalg.norm(model.vertices, axis=1).max())
    eye = distance * np.array([0.35, -0.68, 0.64])
    intrinsics = np.array([[2.0 * width, 0, width / 2], [0, 2.0 * width, height / 2], [0, 0, 1.0]])
    view = View("portrait", height, width, intrinsics, camera_pose(eye, np.zeros(3), np.array([0, 0, 1.0])))
    picture, segmentation, _ = tiny_render(client, view, _STUDIO_LIGHT)
    picture[segmentation < 0] = 255
    return picture


def _background_tiles(catalogue: Catalogue) -> list[Picture]:
    return [_tile(catalogue.table(name).picture, name) for name in drawn_names(catalogue.table_names)]


def _tile(picture: Picture, name: str) -> Picture:
    """A picture of a tile's size with its name below."""
    tile = with_margin(_shrunk(picture, _TILE_PX), top=_GAP_PX, bottom=_LABEL_PX, left=_GAP_PX, right=_GAP_PX)
    words = fitting(name, _LETTERS_PX, _TILE_PX[0])
    write_words(tile, words, (_GAP_PX, tile.shape[0] - 6), _LETTERS_PX, colour=INK, rim=None)
    return tile


def _shrunk(picture: Picture, size: tuple[int, int]) -> Picture:
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
