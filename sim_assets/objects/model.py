"""The objects of the simulated table: meshes with one texture each, and convex pieces for contact.

Objects are generated on first use from a fixed seed; no files are stored. Metres, kilograms; an object's frame has its
origin at the centre of mass and z up in the natural pose.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabletop_interaction.arrays import Floats, Floats32, Ids, Ints, Picture
from tabletop_interaction.sim_assets.noise import Rng
from tabletop_interaction.sim_assets.objects import boxes, solids, tools, toys, vessels
from tabletop_interaction.sim_assets.objects.atlas import Cell, pack, paint_atlas
from tabletop_interaction.sim_assets.objects.corners import corner_normals, split_corners
from tabletop_interaction.sim_assets.objects.shapes import Part
from tabletop_interaction.sim_assets.objects.sketch import Sketch
from tabletop_interaction.sim_assets.splits import CATALOGUE, find_object

TEXTURE_SIZE = 256

_SEED = 20181
_VARIANTS = {**boxes.VARIANTS, **vessels.VARIANTS, **toys.VARIANTS, **tools.VARIANTS, **solids.VARIANTS}
_MASS_RANGE = (0.03, 0.25)


@dataclass(frozen=True, eq=False)
class ObjectModel:
    """An object for a physics engine and a renderer.

    Attributes:
        name: such as "train_14_mug".
        family: box, cylinder, bottle, mug, bowl, toy, tool, blob or composite; "mesh" for one from a file.
        vertices: (V, 3) float32, metres; origin at the centre of mass, z up in the natural pose.
        faces: (F, 3) int32, counter-clockwise seen from outside; parts overlap.
        normals: (V, 3) float32, unit length; smooth on smooth surfaces, split at edges.
        uv: (V, 2) float32 in [0, 1]; v = 0 at the texture's last row.
        texture: (H, W, 3) uint8 RGB.
        collision: vertices (n, 3) float32 of convex pieces, metres, in the same frame; n <= 32.
        mass: kilograms.
        friction: lateral.
        specular: 0 (matt) to 1 (glossy).
        inertia: (3, 3) float64 about the centre of mass, kg m2; None is that of the pieces' bounding box.
    """

    name: str
    family: str
    vertices: Floats32
    faces: Ids
    normals: Floats32
    uv: Floats32
    texture: Picture
    collision: tuple[Floats32, ...]
    mass: float
    friction: float
    specular: float
    inertia: Floats | None = None


@functools.cache
def load_object(name: str) -> ObjectModel:
    """Return the object of this name, generated on first use: read-only arrays, equal in every process.

    Raises:
        ValueError: no object has this name.
    """
    split, number, (family, variant) = find_object(name)
    seed = np.random.SeedSequence([_SEED, list(CATALOGUE).index(split), number])
    shape_rng, paint_rng = (np.random.default_rng(child) for child in seed.spawn(2))
    return _assemble(name, family, _VARIANTS[variant](shape_rng), paint_rng)


def _assemble(name: str, family: str, sketch: Sketch, rng: Rng) -> ObjectModel:
    cells, resolution = pack([panel for part in sketch.parts for panel in part.panels], TEXTURE_SIZE)
    mass, centre = _mass_and_centre(sketch.parts)
    vertices, normals, uv, faces = _merge([_surface(part, cells) for part in sketch.parts])
    vertices = vertices - centre
    arrays = (
        vertices.astype(np.float32),
        faces.astype(np.int32),
        normals.astype(np.float32),
        uv.astype(np.float32),
        paint_atlas(rng, cells, sketch.skins, resolution, TEXTURE_SIZE),
    )
    collision = tuple((hull - centre).astype(np.float32) for part in sketch.parts for hull in part.hulls)
    locked: list[NDArray[Any]] = [*arrays, *collision]
    for array in locked:
        array.setflags(write=False)
    return ObjectModel(
        name,
        family,
        *arrays,
        collision,
        mass=float(np.clip(mass, *_MASS_RANGE)),
        friction=float(sketch.friction),
        specular=float(sketch.specular),
    )


def _mass_and_centre(parts: Sequence[Part]) -> tuple[float, Floats]:
    """Kilograms and centre of mass (3,); overlapping volume counts for each part."""
    masses, moments = [], []
    for part in parts:
        corners = part.vertices[part.faces]
        volumes = np.einsum("fi,fi->f", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6
        masses.append(part.density * volumes.sum())
        moments.append(part.density * (volumes[:, None] * corners.sum(axis=1) / 4).sum(axis=0))
    return float(sum(masses)), np.asarray(sum(moments) / sum(masses))


def _surface(part: Part, cells: dict[str, Cell]) -> tuple[Floats, Floats, Floats, Ints]:
    """Vertices, normals, texture uv and faces of a part; vertices are duplicated along creases and seams."""
    uv = np.empty_like(part.corner_uv)
    for number, panel in enumerate(part.panels):
        mine = part.face_panel == number
        uv[mine] = cells[panel.slot].texture_uv(part.corner_uv[mine], TEXTURE_SIZE)
    return split_corners(part.vertices, part.faces, corner_normals(part.vertices, part.faces), uv)


def _merge(surfaces: Sequence[tuple[Floats, Floats, Floats, Ints]]) -> tuple[Floats, Floats, Floats, Ints]:
    """Concatenate surfaces and renumber their faces."""
    counts = [len(surface[0]) for surface in surfaces]
    starts = np.cumsum([0, *counts[:-1]])
    vertices, normals, uv = (np.concatenate([surface[k] for surface in surfaces]) for k in range(3))
    faces = np.concatenate([surface[3] + start for surface, start in zip(surfaces, starts, strict=True)])
    return vertices, normals, uv, faces
