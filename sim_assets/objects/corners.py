"""Corners of faces: their normals, smooth but across creases, and the vertices that differ in normal or texture."""

import numpy as np

from tabletop_interaction.arrays import Floats, Ints

_CREASE = np.cos(np.deg2rad(40))  # normals are not smoothed across a sharper edge


def split_corners(positions: Floats, faces: Ints, normals: Floats, uv: Floats) -> tuple[Floats, Floats, Floats, Ints]:
    """Vertices (V, 3), normals (V, 3), uv (V, 2) and faces (F, 3), with one vertex for each kind of corner.

    Args:
        positions: (P, 3).
        faces: (F, 3), rows of `positions`.
        normals, uv: (F, 3, 3) and (F, 3, 2) of the faces' corners.
    """
    rows = np.column_stack([faces.ravel(), normals.reshape(-1, 3) * 1e4, uv.reshape(-1, 2) * 1e5])
    _, first, inverse = np.unique(rows.round().astype(np.int64), axis=0, return_index=True, return_inverse=True)
    return (
        positions[faces.ravel()[first]],
        normals.reshape(-1, 3)[first],
        uv.reshape(-1, 2)[first],
        inverse.reshape(-1, 3),
    )


def corner_normals(vertices: Floats, faces: Ints) -> Floats:
    """Normals (F, 3, 3) of face corners: the mean of the adjacent faces that are not across a crease."""
    corners = vertices[faces]
    weighted = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    unit = weighted / np.maximum(np.linalg.norm(weighted, axis=1, keepdims=True), 1e-15)
    mine, other = _corners_around(faces.ravel())
    smooth = np.einsum("pi,pi->p", unit[mine // 3], unit[other // 3]) > _CREASE
    smooth |= mine == other
    mine, other = mine[smooth], other[smooth] // 3
    sums = np.column_stack([np.bincount(mine, weighted[other, k], faces.size) for k in range(3)])
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    # A face without area has no normal and is never visible; any unit vector is valid.
    return np.where(lengths > 1e-12, sums / np.maximum(lengths, 1e-12), (0.0, 0.0, -1.0)).reshape(-1, 3, 3)


def _corners_around(vertex_of_corner: Ints) -> tuple[Ints, Ints]:
    """All pairs (i, j) of face corners at the same vertex."""
    order = np.argsort(vertex_of_corner, kind="stable")
    counts = np.bincount(vertex_of_corner)
    starts = np.cumsum(counts) - counts
    size = counts[vertex_of_corner]
    first = np.repeat(np.arange(len(vertex_of_corner)), size)
    place = np.arange(len(first)) - np.repeat(np.cumsum(size) - size, size)
    return first, order[starts[vertex_of_corner[first]] + place]
