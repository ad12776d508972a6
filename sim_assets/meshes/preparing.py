"""A mesh file becomes an object: read, scaled, turned upright, checked, decomposed, and kept in the user's cache.

The cache's files are named by the content of the mesh and by the settings, so that nothing in it can be outdated.
"""

import hashlib
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from tabletop_interaction.arrays import Floats, Floats32, Ids, Ints, Picture
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.files import atomic_path, cache_folder, lock_file
from tabletop_interaction.sim_assets.meshes.mesh_object import MeshObject
from tabletop_interaction.sim_assets.meshes.painting import one_texture
from tabletop_interaction.sim_assets.meshes.reading import Surface, import_trimesh, read_surfaces
from tabletop_interaction.sim_assets.meshes.solid import Shell, shell_of, solid_of
from tabletop_interaction.sim_assets.meshes.urdf import stated_mass
from tabletop_interaction.sim_assets.objects.corners import corner_normals, split_corners
from tabletop_interaction.sim_assets.objects.model import ObjectModel

SMALLEST_M, WIDEST_M, TALLEST_M = 0.01, 0.35, 0.25
"""An object's longest side is at least 10 mm; it is at most 350 mm long and wide and 250 mm tall."""

_VERSION = 2
_DENSITY = 500.0
_MASS_RANGE = (0.02, 0.5)
_SPECULAR = 0.1
_USUAL_M = 0.1
_UNITS = {1.0: "metres", 0.001: "millimetres", 0.01: "centimetres", 0.0254: "inches"}


@dataclass(frozen=True, eq=False)
class Prepared:
    """What a mesh file and its scale and pose determine; metres, origin at the centre of mass, z up.

    Attributes:
        vertices, faces, normals, uv, texture: as of `ObjectModel`.
        corners: (N, 3) float32 corners of all convex pieces.
        counts: (P,) int32 corners of each piece.
        volume: () cubic metres.
        inertia: (3, 3) at density 1.
        stated_mass: () kilograms that the file states; NaN if it states none.
    """

    vertices: Floats32
    faces: Ids
    normals: Floats32
    uv: Floats32
    texture: Picture
    corners: Floats32
    counts: Ids
    volume: Floats
    inertia: Floats
    stated_mass: Floats


def load_mesh_object(mesh: MeshObject, checksum: str) -> ObjectModel:
    """The object of a mesh file, prepared now or taken from the cache; read-only arrays.

    Args:
        checksum: of the file's content, see `content_checksum`.

    Raises:
        InvalidConfiguration: the file cannot be used.
    """
    found = _cached(mesh, checksum)
    for field in fields(found):
        getattr(found, field.name).setflags(write=False)
    mass = mesh.mass
    if mass is None and np.isfinite(found.stated_mass):
        mass = float(found.stated_mass)
    if mass is None:
        mass = float(np.clip(found.volume * _DENSITY, *_MASS_RANGE))
    return ObjectModel(
        mesh.name,
        "mesh",
        found.vertices,
        found.faces,
        found.normals,
        found.uv,
        found.texture,
        tuple(np.split(found.corners, np.cumsum(found.counts)[:-1])),
        mass=mass,
        friction=float(mesh.friction),
        specular=_SPECULAR,
        inertia=found.inertia * (mass / found.volume),
    )


def prepare(mesh: MeshObject) -> Prepared:
    """Read and check a mesh file and compute all of the object.

    Raises:
        InvalidConfiguration: the file cannot be used.
    """
    path = Path(mesh.path)
    surfaces = read_surfaces(path)
    uv, texture = one_texture(surfaces)
    shell = shell_of(*_in_metres(mesh, surfaces))
    _check_size(mesh, shell.vertices)
    solid = solid_of(shell.vertices, shell.faces)
    upright = _upright(mesh, shell, solid.centre)
    vertices = (shell.vertices - solid.centre) @ upright.T
    _check_height(mesh, vertices)
    uv = uv[shell.kept]
    uv[shell.reversed] = uv[shell.reversed][:, ::-1]
    points, normals, uv, faces = split_corners(vertices, shell.faces, corner_normals(vertices, shell.faces), uv)
    pieces = [(piece - solid.centre) @ upright.T for piece in solid.pieces]
    mass = stated_mass(path) if path.suffix.lower() == ".urdf" else None
    return Prepared(
        vertices=points.astype(np.float32),
        faces=faces.astype(np.int32),
        normals=normals.astype(np.float32),
        uv=uv.astype(np.float32),
        texture=texture,
        corners=np.concatenate(pieces).astype(np.float32),
        counts=np.array([len(piece) for piece in pieces], np.int32),
        volume=np.array(solid.volume),
        inertia=upright @ solid.inertia @ upright.T,
        stated_mass=np.array(np.nan if mass is None else mass),
    )


def _in_metres(mesh: MeshObject, surfaces: tuple[Surface, ...]) -> tuple[Floats, Ints]:
    """Vertices (V, 3) and faces (F, 3) of all surfaces."""
    starts = np.cumsum([0, *(len(surface.vertices) for surface in surfaces[:-1])])
    faces = np.concatenate([surface.faces + start for surface, start in zip(surfaces, starts, strict=True)])
    return np.concatenate([surface.vertices for surface in surfaces]) * mesh.scale, faces


def _upright(mesh: MeshObject, shell: Shell, centre: Floats) -> Floats:
    """(3, 3) rotation from the file's frame to the frame in which the object stands on the table."""
    up = mesh.up or ("y" if Path(mesh.path).suffix.lower() == ".glb" else "z")
    if up == "rest":
        trimesh = import_trimesh()
        hull = trimesh.convex.convex_hull(shell.vertices)
        transforms, chances = trimesh.poses.compute_stable_poses(hull, center_mass=centre)
        return np.asarray(transforms[int(np.argmax(chances))])[:3, :3]
    sign = -1.0 if up.startswith("-") else 1.0
    # Rows are the axes of the file that become x, y and z: right-handed each.
    rows = {"x": ("y", "z", "x"), "y": ("z", "x", "y"), "z": ("x", "y", "z")}[up[-1]]
    turned = np.array([np.eye(3)["xyz".index(axis)] for axis in rows])
    if up[-1] == "y":
        # The convention of glTF: its front, z, is the side that the arm sees, and x stays to the right.
        turned = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    return np.diag([1.0, sign, sign]) @ turned


def _check_size(mesh: MeshObject, vertices: Floats) -> None:
    sides = np.ptp(vertices, axis=0)
    longest = float(sides.max())
    limit = max(WIDEST_M, TALLEST_M)
    if SMALLEST_M <= longest <= limit:
        return
    shown = " x ".join(f"{side:.3g}" for side in sides)
    # Of several units the one in which the object is nearest to the size of a hand.
    units = longest / mesh.scale
    fitting = sorted(
        (abs(np.log(units * scale / _USUAL_M)), scale, unit)
        for scale, unit in _UNITS.items()
        if SMALLEST_M <= units * scale <= limit
    )
    advice = "set scale, the metres of a unit of the file"
    if fitting:
        _, scale, unit = fitting[0]
        advice = f"if the file is in {unit}, set scale to {scale:g}"
    raise InvalidConfiguration(
        f"{mesh.path} is {shown} m large with scale {mesh.scale:g}; accepted is a longest side of {SMALLEST_M} to "
        f"{limit} m: {advice}"
    )


def _check_height(mesh: MeshObject, vertices: Floats) -> None:
    height = float(np.ptp(vertices[:, 2]))
    if height > TALLEST_M:
        raise InvalidConfiguration(
            f"{mesh.path} is {height:.3g} m tall; accepted are {TALLEST_M} m: lay it down with up, the axis of the "
            "file that points up"
        )


def _cached(mesh: MeshObject, checksum: str) -> Prepared:
    settings = f"{_VERSION} {checksum} {mesh.scale!r} {mesh.up}"
    key = hashlib.blake2b(settings.encode(), digest_size=16).hexdigest()
    folder = cache_folder("objects")
    if folder is None:
        return prepare(mesh)
    path = folder / f"{key}.npz"
    if (found := _read(path)) is not None:
        return found
    try:
        # Two processes that start together decompose an object once.
        with lock_file(folder / f".lock-{key[:2]}"):
            if (found := _read(path)) is None:
                found = prepare(mesh)
                with atomic_path(path) as temporary:
                    np.savez_compressed(temporary, **vars(found))
            return found
    except OSError:
        # The cache cannot be written, as on a read-only disk.
        return prepare(mesh)


def _read(path: Path) -> Prepared | None:
    """What the cache holds; None if it holds nothing, or something damaged."""
    try:
        with np.load(path, allow_pickle=False) as content:
            return Prepared(**{name: content[name] for name in content.files})
    # zipfile, zlib and numpy raise errors of many kinds for a damaged file.
    except Exception:
        return None
