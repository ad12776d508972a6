"""A mesh as a rigid body: convex pieces for contact, volume, centre of mass and inertia."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tabletop_interaction.arrays import Floats, Ints, Mask
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.sim_assets.meshes.decomposition import (
    MOST_CORNERS,
    DecompositionFailed,
    MeshPart,
    convex_pieces,
)
from tabletop_interaction.sim_assets.meshes.reading import import_trimesh

MOST_PIECES = 16

_CONVEX_SHARE = 0.93
_FEWEST = 6
_ENOUGH_FACES = 2000


@dataclass(frozen=True, eq=False)
class MeshSolid:
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


def solid_of(vertices: Floats, faces: Ints) -> MeshSolid:
    """Decompose a mesh, whose holes are closed first, and measure it.

    Raises:
        InvalidConfiguration: it is flat, so that it has no volume, or it cannot be decomposed.
    """
    if np.ptp(vertices, axis=0).min() < 1e-9:
        raise InvalidConfiguration("it is flat; an object has a volume")
    mesh = _capped(vertices, faces)
    # Of a flat part, trimesh divides by a volume of 0.
    with np.errstate(invalid="ignore", divide="ignore"):
        pieces = _pieces(mesh)
    whole = [mesh] if mesh.is_volume else [hull_of(piece) for piece in pieces]
    volume = float(sum(part.volume for part in whole))
    centre = np.asarray(sum(part.volume * part.center_mass for part in whole) / volume)
    return MeshSolid(pieces, volume, centre, np.asarray(sum(_inertia_about(part, centre) for part in whole)))


def _capped(vertices: Floats, faces: Ints) -> Any:
    """The mesh with a fan of triangles over each hole, about the middle of its border."""
    trimesh = import_trimesh()
    mesh = trimesh.Trimesh(vertices, faces, process=False)
    border = mesh.edges[trimesh.grouping.group_rows(mesh.edges_sorted, require_count=1)]
    if not len(border):
        return mesh
    labels = trimesh.graph.connected_component_labels(border, node_count=len(vertices))[border[:, 0]]
    middles, fans = [], []
    for number, label in enumerate(np.unique(labels)):
        edges = border[labels == label]
        middles.append(vertices[np.unique(edges)].mean(axis=0))
        fans.append(np.column_stack([edges[:, ::-1], np.full(len(edges), len(vertices) + number)]))
    return trimesh.Trimesh(np.vstack([vertices, *middles]), np.concatenate([faces, *fans]), process=False)


def _inertia_about(part: Any, point: Floats) -> Floats:
    """(3, 3) inertia of a closed mesh of density 1 about a point (Steiner's theorem)."""
    away = np.asarray(part.center_mass) - point
    shifted = part.volume * (away @ away * np.eye(3) - np.outer(away, away))
    return np.asarray(part.moment_inertia) + shifted


def _pieces(mesh: Any) -> tuple[Floats, ...]:
    """Convex pieces of a mesh, by its connected parts: a part that is nearly convex is one piece."""
    found = mesh.split(only_watertight=False)
    if not 1 <= len(found) <= MOST_PIECES:
        return _decomposed([_simplified(mesh, MOST_PIECES)])
    most = max(MOST_PIECES // len(found), _FEWEST)
    hulls = [_hull_of_convex(part) for part in found]
    simple = [hull.vertices for hull in hulls if hull is not None and len(hull.vertices) <= MOST_CORNERS]
    others = [
        _simplified(part, most) if hull is None else _simplified(hull, 1)
        for part, hull in zip(found, hulls, strict=True)
        if hull is None or len(hull.vertices) > MOST_CORNERS
    ]
    return (*(np.asarray(corners, np.float64) for corners in simple), *(_decomposed(others) if others else ()))


def _hull_of_convex(part: Any) -> Any:
    """The convex hull of a part that is nearly convex; None for another."""
    hull = hull_of(part.vertices)
    return hull if part.is_volume and part.volume > _CONVEX_SHARE * hull.volume else None


def _decomposed(parts: Sequence[MeshPart]) -> tuple[Floats, ...]:
    try:
        return convex_pieces(parts)
    except DecompositionFailed as error:
        raise InvalidConfiguration(
            f"its decomposition into convex pieces {error}; repair the mesh in a mesh editor: one closed surface, "
            "without loose faces"
        ) from error


def _simplified(mesh: Any, most: int) -> MeshPart:
    """A part to decompose; the time grows with the faces, so that a scan gets fewer.

    A mesh that is not closed is remeshed: without that it would end CoACD.
    """
    if len(mesh.faces) > _ENOUGH_FACES:
        mesh = mesh.simplify_quadric_decimation(face_count=_ENOUGH_FACES)
    return MeshPart(np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces), most, bool(mesh.is_volume))


def hull_of(points: Floats) -> Any:
    """The convex hull of points (N, 3). Raises InvalidConfiguration if they lie in a plane."""
    try:
        return import_trimesh().convex.convex_hull(points)
    # scipy's QhullError is no part of its interface.
    except Exception as error:
        raise InvalidConfiguration("a part of it is flat; an object has a volume") from error
