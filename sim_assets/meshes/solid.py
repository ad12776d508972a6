"""A mesh as a rigid body: convex pieces for contact, volume, centre of mass and inertia."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tabletop_interaction.arrays import Floats, Ints, Mask
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.sim_assets.meshes.reading import import_trimesh

MOST_PIECES, MOST_CORNERS = 12, 32

_CONCAVITY = 0.08
_ENOUGH_FACES = 3000


@dataclass(frozen=True, eq=False)
class Solid:
    """A rigid body of density 1.

    Attributes:
        pieces: corners (n, 3) of each convex piece, n <= 32.
        volume: of the mesh if it is closed, of the pieces otherwise.
        centre: (3,) centre of mass.
        inertia: (3, 3) about the centre.
    """

    pieces: tuple[Floats, ...]
    volume: float
    centre: Floats
    inertia: Floats


@dataclass(frozen=True, eq=False)
class Shell:
    """A mesh whose faces are counter-clockwise seen from outside, where an outside exists.

    Attributes:
        vertices: (V, 3), each position once.
        faces: (F, 3), without faces of no area.
        kept: (F,) number of each face in the mesh that it was made from.
        reversed: (F,) whether its corners are in the reverse order.
    """

    vertices: Floats
    faces: Ints
    kept: Ints
    reversed: Mask


def shell_of(vertices: Floats, faces: Ints) -> Shell:
    """Merge equal positions, drop faces without area and turn the others outwards."""
    trimesh = import_trimesh()
    finest = max(float(np.ptp(vertices, axis=0).max()) * 1e-6, 1e-12)
    _, first, inverse = np.unique((vertices / finest).round(), axis=0, return_index=True, return_inverse=True)
    mesh = trimesh.Trimesh(vertices[first], inverse.reshape(-1)[faces], process=False)
    kept = np.flatnonzero(mesh.nondegenerate_faces(height=finest))
    mesh.update_faces(kept)
    before = np.array(mesh.faces)
    trimesh.repair.fix_normals(mesh, multibody=True)
    after = np.asarray(mesh.faces, np.int64)
    return Shell(np.asarray(mesh.vertices, np.float64), after, kept, (after != before).any(axis=1))


def solid_of(vertices: Floats, faces: Ints) -> Solid:
    """Decompose a mesh and measure it.

    Raises:
        InvalidConfiguration: it is flat, so that it has no volume.
    """
    trimesh = import_trimesh()
    if np.ptp(vertices, axis=0).min() < 1e-9:
        raise InvalidConfiguration("it is flat; an object has a volume")
    mesh = trimesh.Trimesh(vertices, faces, process=False)
    pieces = _pieces(mesh)
    whole = [mesh] if mesh.is_volume else [trimesh.convex.convex_hull(piece) for piece in pieces]
    volume = float(sum(part.volume for part in whole))
    if volume <= 0:
        raise InvalidConfiguration("it has no volume")
    centre = np.asarray(sum(part.volume * part.center_mass for part in whole) / volume)
    return Solid(pieces, volume, centre, np.asarray(sum(_inertia_about(part, centre) for part in whole)))


def _inertia_about(part: Any, point: Floats) -> Floats:
    """(3, 3) inertia of a closed mesh of density 1 about a point (Steiner's theorem)."""
    away = np.asarray(part.center_mass) - point
    shifted = part.volume * (away @ away * np.eye(3) - np.outer(away, away))
    return np.asarray(part.moment_inertia) + shifted


def _pieces(mesh: Any) -> tuple[Floats, ...]:
    """Convex pieces by approximate convex decomposition (Wei et al. 2022): one for a mesh that is nearly convex."""
    import coacd

    coacd.set_log_level("error")
    vertices, faces = _coarse(np.asarray(mesh.vertices), np.asarray(mesh.faces))
    found = coacd.run_coacd(
        coacd.Mesh(vertices, faces),
        threshold=_CONCAVITY,
        max_convex_hull=MOST_PIECES,
        # Scans are rarely closed; closing them first takes ten times as long and changes the pieces by millimetres.
        preprocess_mode="off",
        resolution=500,
        mcts_nodes=10,
        mcts_iterations=30,
        mcts_max_depth=2,
        decimate=True,
        max_ch_vertex=MOST_CORNERS,
        seed=0,
    )
    return tuple(np.asarray(corners, np.float64) for corners, _ in found)


def _coarse(vertices: Floats, faces: Ints) -> tuple[Floats, Ints]:
    """A mesh of some 2,000 faces: vertices in one cell of a grid become their mean. A coarser mesh is returned as is."""
    cell = float(np.ptp(vertices, axis=0).max()) / 12
    coarse = vertices, faces
    while len(faces) > _ENOUGH_FACES:
        coarse = _clustered(vertices, faces, cell)
        if len(coarse[1]) > _ENOUGH_FACES / 2:
            break
        cell *= 0.8
    return coarse


def _clustered(vertices: Floats, faces: Ints, cell: float) -> tuple[Floats, Ints]:
    _, inverse, counts = np.unique((vertices / cell).round(), axis=0, return_inverse=True, return_counts=True)
    inverse = inverse.reshape(-1)
    means = np.stack([np.bincount(inverse, column) / counts for column in vertices.T], axis=1)
    renamed = inverse[faces]
    renamed = renamed[(renamed != np.roll(renamed, 1, axis=1)).all(axis=1)]
    return means, renamed[np.unique(np.sort(renamed, axis=1), axis=0, return_index=True)[1]]
