"""Parts of an object: closed meshes with texture coordinates and coarse convex pieces.

A part is a loft: a sequence of rings of points, joined by quads and closed by two caps. Cans, cartons, bottles, dishes
(whose wall rises outside and descends inside), fruit and handles are lofts. Lengths are in metres, z is up. Faces are
counter-clockwise seen from outside.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from tabletop_interaction.arrays import Ints, Points

RING_POINTS = 24
HULL_POINTS = 32

LYING = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
"""Rotation of a standing part to lie along x; the section's axes become y and z."""


@dataclass(frozen=True, eq=False)
class Section:
    """A cross-section, star-shaped about its origin.

    Attributes:
        outline: (M, 2) float64, metres, counter-clockwise; for the visible mesh.
        coarse: (K, 2) float64, K <= 10, metres, counter-clockwise; for the collision shape.
    """

    outline: Points
    coarse: Points


@dataclass(frozen=True)
class Panel:
    """A rectangle of painted surface.

    Attributes:
        slot: its name; panels with the same name share a texture.
        width: metres, along u.
        height: metres, along v.
    """

    slot: str
    width: float
    height: float


@dataclass(frozen=True, eq=False)
class Part:
    """A closed piece of an object.

    Attributes:
        vertices: (V, 3) float64, metres.
        faces: (F, 3) int64, counter-clockwise seen from outside.
        corner_uv: (F, 3, 2) float64 in [0, 1], in the panel of the face.
        face_panel: (F,) int64, index into `panels`.
        panels: the painted rectangles.
        hulls: vertices (n, 3) float64 of convex pieces, metres, n <= 32.
        density: kilograms per cubic metre, over the volume that the mesh encloses.
    """

    vertices: Points
    faces: Ints
    corner_uv: Points
    face_panel: Ints
    panels: tuple[Panel, ...]
    hulls: tuple[Points, ...]
    density: float


def oval(width: float, depth: float, exponent: float = 2.0, points: int = RING_POINTS) -> Section:
    """Superellipse: exponent 2 is an ellipse, a larger one is closer to a rectangle."""
    half = np.array([width, depth]) / 2

    def outline(count: int) -> Points:
        # No point on an axis, so that the outline rests on an edge.
        angle = (np.arange(count) + 0.5) * (2 * np.pi / count)
        direction = np.column_stack([np.cos(angle), np.sin(angle)])
        return np.asarray(half * np.sign(direction) * np.abs(direction) ** (2 / exponent))

    # An inscribed octagon is 8 % too narrow, a circumscribed one 8 % too wide at its corners.
    coarse = outline(8) * (1.06 if exponent < 2.5 else 1.03)
    if exponent < 2:  # pointed ends along x
        coarse = np.insert(coarse, [0, 4], [[half[0], 0.0], [-half[0], 0.0]], axis=0)
    return Section(outline(points), coarse)


def rounded_rectangle(width: float, depth: float, radius: float, steps: int = 2) -> Section:
    """Rectangle with round corners of `steps` edges each.

    The outline starts at the left end of the top edge; the order of its sides is left, bottom, right, top.
    """
    radius = min(radius, 0.49 * min(width, depth))
    centre = np.array([width, depth]) / 2 - radius
    corners = []
    for quarter, signs in enumerate([(-1, 1), (-1, -1), (1, -1), (1, 1)]):
        angle = (np.linspace(0, 1, steps + 1) + quarter + 1) * (np.pi / 2)
        corners.append(centre * signs + radius * np.column_stack([np.cos(angle), np.sin(angle)]))
    coarse = np.concatenate([corner[[0, -1]] for corner in corners])
    return Section(np.concatenate(corners), coarse)


def regular(count: int, width: float, turn: float = 0.5) -> Section:
    """Regular polygon of `width` metres between opposite corners, turned by `turn` of a corner's step."""
    angle = (np.arange(count) + turn) * (2 * np.pi / count)
    outline = width / 2 * np.column_stack([np.cos(angle), np.sin(angle)])
    return Section(outline, outline)


def sweep(section: Section, spine: ArrayLike, normal: ArrayLike) -> tuple[Points, Points]:
    """Rings (N, M, 3) and coarse rings (N, K, 3) of a section along a plane curve, for `loft`.

    Args:
        section: its second axis is parallel to `normal`.
        spine: (N, 3), metres.
        normal: (3,) unit vector across the curve's plane.
    """
    line, across = np.asarray(spine, np.float64), np.asarray(normal, np.float64)
    tangents = np.gradient(line, axis=0)
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
    side = np.cross(across, tangents)

    def rings(outline: Points) -> Points:
        return line[:, None] + (outline[None, :, :1] * side[:, None] + outline[None, :, 1:] * across)

    return rings(section.outline), rings(section.coarse)


def loft(
    rings: tuple[Points, Points],
    bands: Sequence[tuple[str, int]],
    density: float,
    *,
    ends: tuple[str, str] | None = None,
    breaks: Sequence[int] = (),
    hull_end: int | None = None,
) -> Part:
    """Closed surface through rings.

    Args:
        rings: (N, M, 3) and their coarse form (N, K, 3), counter-clockwise seen from the end.
        bands: slots, each with the index of its last ring, in order; the last index is N - 1.
        density: kilograms per cubic metre.
        ends: slots of the first and last cap; by default the caps belong to the first and last band.
        breaks: ring indices at which the collision shape is split into convex pieces.
        hull_end: last ring of the collision shape; later rings lie inside. Default: the last ring.
    """
    fine, coarse = rings
    count, around = fine.shape[:2]
    panels, wall_panel, wall_v = _wall_panels(fine, bands)
    faces, corner_uv, face_panel = _wall_faces(fine, wall_panel, wall_v)
    pieces = [(faces, corner_uv, face_panel)]
    for end, ring in enumerate((0, count - 1)):
        uv, panel, panels = _cap_panel(fine[ring], ends[end] if ends else bands[-end][0], panels)
        index = ring * around + np.arange(around)
        pieces.append(_cap_faces(index[::-1] if end == 0 else index, count * around + end, uv, panel))
    vertices = np.concatenate([fine.reshape(-1, 3), fine[[0, -1]].mean(axis=1)])
    faces, corner_uv, face_panel = (np.concatenate(column) for column in zip(*pieces, strict=True))
    cuts = [0, *breaks, count - 1 if hull_end is None else hull_end]
    hulls = tuple(_coarse_hull(coarse[a : b + 1]) for a, b in itertools.pairwise(cuts))
    return Part(vertices, faces, corner_uv, face_panel, panels, hulls, density)


def column(
    section: Section,
    stations: ArrayLike,
    bands: Sequence[tuple[str, int]],
    density: float,
    *,
    turn: Points | None = None,
    ends: tuple[str, str] | None = None,
    breaks: Sequence[int] = (),
    hull_end: int | None = None,
) -> Part:
    """Loft of a section along z, then turned by a rotation matrix (3, 3); other arguments as `loft`.

    Args:
        stations: (N, 2) or (N, 3): z, metres, and scale of the section in x and y, or one scale for both.
    """
    rows = np.asarray(stations, np.float64)
    if rows.shape[1] == 2:
        rows = rows[:, [0, 1, 1]]

    def rings(outline: Points) -> Points:
        plane = outline[None] * rows[:, None, 1:]
        heights = np.broadcast_to(rows[:, None, :1], (*plane.shape[:2], 1))
        return np.concatenate([plane, heights], axis=2)

    both = rings(section.outline), rings(section.coarse)
    part = loft(both, bands, density, ends=ends, breaks=breaks, hull_end=hull_end)
    return part if turn is None else place(part, turn=turn)


def _wall_panels(rings: Points, bands: Sequence[tuple[str, int]]) -> tuple[tuple[Panel, ...], Ints, Points]:
    """Panels of the wall, and per strip between two rings its panel (N - 1,) and range of v (N - 1, 2)."""
    perimeter = np.linalg.norm(np.roll(rings, -1, axis=1) - rings, axis=2).sum(axis=1)
    steps = np.linalg.norm(np.diff(rings, axis=0), axis=2).mean(axis=1)
    panels, strip_panel = [], np.zeros(len(steps), np.int64)
    strip_v = np.zeros((len(steps), 2))
    start = 0
    for number, (slot, last) in enumerate(bands):
        along = np.concatenate([[0.0], np.cumsum(steps[start:last])])
        panels.append(Panel(slot, float(perimeter[start : last + 1].max()), float(along[-1])))
        strip_panel[start:last] = number
        strip_v[start:last] = np.column_stack([along[:-1], along[1:]]) / along[-1]
        start = last
    return tuple(panels), strip_panel, strip_v


def _wall_faces(rings: Points, strip_panel: Ints, strip_v: Points) -> tuple[Ints, Points, Ints]:
    """Two triangles per quad: (F, 3) faces, (F, 3, 2) corner_uv, (F,) face_panel."""
    count, around = rings.shape[:2]
    strip, column = (grid.ravel() for grid in np.mgrid[: count - 1, :around])
    following = (column + 1) % around
    corners = [strip * around + column, strip * around + following]
    corners += [(strip + 1) * around + following, (strip + 1) * around + column]
    edges = np.linalg.norm(np.roll(rings, -1, axis=1) - rings, axis=2).mean(axis=0)
    u = np.concatenate([[0.0], np.cumsum(edges)]) / edges.sum()
    corner_u = [u[column], u[column + 1], u[column + 1], u[column]]
    corner_v = strip_v[strip][:, [0, 0, 1, 1]].T
    uv = [np.column_stack(pair) for pair in zip(corner_u, corner_v, strict=True)]
    triangles = ((0, 1, 2), (0, 2, 3))
    faces = np.concatenate([np.column_stack([corners[k] for k in t]) for t in triangles])
    corner_uv = np.concatenate([np.stack([uv[k] for k in t], axis=1) for t in triangles])
    return faces, corner_uv, np.tile(strip_panel[strip], 2)


def _cap_faces(index: Ints, centre: int, ring_uv: Points, panel: int) -> tuple[Ints, Points, Ints]:
    """A fan over ring vertices `index` (M,); `ring_uv` (M, 2) is in the ring's order."""
    around = len(index)
    faces = np.column_stack([np.full(around, centre), index, np.roll(index, -1)])
    order = index - index.min()
    uv = np.stack([np.full((around, 2), 0.5), ring_uv[order], ring_uv[np.roll(order, -1)]], axis=1)
    return faces, uv, np.full(around, panel)


def _cap_panel(ring: Points, slot: str, panels: tuple[Panel, ...]) -> tuple[Points, int, tuple[Panel, ...]]:
    """A cap's uv (M, 2), its panel's index, and the panels, extended if the slot is new."""
    arm = ring - ring.mean(axis=0)
    across = np.cross(arm, np.roll(arm, -1, axis=0)).sum(axis=0)
    flat = np.argmin(np.abs(across))  # the axis closest to the cap's plane
    first = np.eye(3)[flat] - across * across[flat] / max(float(across @ across), 1e-30)
    first /= np.linalg.norm(first)
    second = np.cross(across, first)
    second /= max(float(np.linalg.norm(second)), 1e-30)
    plane = np.column_stack([arm @ first, arm @ second])
    known = [number for number, panel in enumerate(panels) if panel.slot == slot]
    if not known:
        width, height = 2 * np.abs(plane).max(axis=0) + 1e-6
        panels = (*panels, Panel(slot, float(width), float(height)))
        known = [len(panels) - 1]
    size = np.array([panels[known[0]].width, panels[known[0]].height])
    return np.clip(plane / size + 0.5, 0, 1), known[0], panels


def _coarse_hull(rings: Points) -> Points:
    """Points (n, 3), n <= HULL_POINTS, of the subset of the `rings` (N, K, 3) that approximates the shape best."""
    centres = rings.mean(axis=1)
    sizes = np.linalg.norm(rings - centres[:, None], axis=2).max(axis=1)
    poles = sizes < 0.15 * sizes.max()  # small enough to be a point
    chosen = [0, len(rings) - 1]
    while len(chosen) < len(rings):
        candidate = [*chosen, _worst_ring(rings, chosen)]
        if sum(1 if poles[k] else rings.shape[1] for k in candidate) > HULL_POINTS:
            break
        chosen = sorted(candidate)
    return np.concatenate([centres[[k]] if poles[k] else rings[k] for k in chosen])


def _worst_ring(rings: Points, chosen: Sequence[int]) -> int:
    """Index of the ring farthest from linear interpolation between the chosen rings."""
    between = rings.copy()
    for a, b in itertools.pairwise(chosen):
        share = np.linspace(0, 1, b - a + 1)[:, None, None]
        between[a : b + 1] = rings[a] * (1 - share) + rings[b] * share
    errors = np.linalg.norm(rings - between, axis=2).max(axis=1)
    errors[list(chosen)] = -1.0
    return int(errors.argmax())


def deform(part: Part, function: Callable[[Points], Points]) -> Part:
    """Apply a function of points (N, 3) to a part's vertices and convex pieces."""
    return replace(part, vertices=function(part.vertices), hulls=tuple(function(h) for h in part.hulls))


def place(part: Part, move: ArrayLike = (0.0, 0.0, 0.0), turn: Points | None = None) -> Part:
    """Rotate a part by a matrix (3, 3), then move it by (3,) metres."""
    shift = np.asarray(move, np.float64)
    rotation = np.eye(3) if turn is None else turn
    return deform(part, lambda points: points @ rotation.T + shift)


def flat_below(part: Part, z: float) -> Part:
    """Flatten a part at height `z`: points below are raised to it, so that the part stands."""
    return deform(part, lambda points: np.column_stack([points[:, :2], np.maximum(points[:, 2], z)]))


def yaw(angle: float) -> Points:
    """Rotation (3, 3) about z by `angle` radians."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def pitch(angle: float) -> Points:
    """Rotation (3, 3) about y by `angle` radians; a positive angle lowers the end at +x."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])


def bevelled(length: float, width: float, depth: float, bevel: float, steps: int = 2) -> Points:
    """Stations (N, 3) of a straight piece from 0 to `length` whose ends are rounded by `bevel` metres."""
    angle = np.linspace(0, np.pi / 2, steps + 1)
    inset, rise = bevel * (1 - np.sin(angle)), bevel * (1 - np.cos(angle))
    start = np.column_stack([rise, 1 - 2 * inset / width, 1 - 2 * inset / depth])
    return np.concatenate([start, (start * [-1, 1, 1] + [length, 0, 0])[::-1]])


def spheroid(length: float, rows: int, cut: float = 0.0) -> Points:
    """Stations (N, 2) of an ellipsoid along z about 0, without the lowest share `cut` of its length."""
    start = max(-0.475 * np.pi, float(np.arcsin(2 * cut - 1)))  # a tiny cap at the pole
    angle = np.linspace(start, 0.475 * np.pi, rows)
    return np.column_stack([length / 2 * np.sin(angle), np.cos(angle)])
