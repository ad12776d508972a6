"""Reads a mesh file as triangles with colours, through trimesh; a URDF file's visual shapes become one mesh."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tabletop_interaction.arrays import Bytes, Floats, Ints, Picture
from tabletop_interaction.errors import InvalidConfiguration, MissingPackage, TabletopError
from tabletop_interaction.extras import install_command
from tabletop_interaction.sim_assets.meshes.parts import find_part, required_part
from tabletop_interaction.sim_assets.meshes.urdf import UrdfShape, read_shapes

MOST_FACES = 60_000
"""Faces of the largest mesh that is read; a picture of the table shows no finer ones."""

_GREY = (180, 180, 180)


@dataclass(frozen=True, eq=False)
class Surface:
    """Triangles with one kind of colour.

    Attributes:
        vertices: (V, 3) float64, units of the file.
        faces: (F, 3) int64.
        uv: (F, 3, 2) float64 of the faces' corners, v = 0 at the texture's last row; None without a texture.
        texture: uint8 (H, W, 3) RGB; None without one.
        colours: (F, 3, 3) uint8 RGB of the corners, where there is no texture.
    """

    vertices: Floats
    faces: Ints
    uv: Floats | None
    texture: Picture | None
    colours: Bytes


def read_surfaces(path: Path) -> tuple[Surface, ...]:
    """All surfaces of a mesh or URDF file, in one frame.

    Raises:
        InvalidConfiguration: the file is damaged, has no faces or too many, or a part of it is missing.
    """
    if path.suffix.lower() == ".urdf":
        shapes = read_shapes(path)
        surfaces = tuple(surface for shape in shapes for surface in _shape_surfaces(path, shape))
    else:
        surfaces = _file_surfaces(path)
    faces = sum(len(surface.faces) for surface in surfaces)
    if not faces:
        reason = "points and lines alone make no object"
        if path.suffix.lower() == ".urdf":
            reason = "give its links visual shapes; collision shapes are not read"
        raise InvalidConfiguration(f"{path} has no faces; {reason}")
    if faces > MOST_FACES:
        raise InvalidConfiguration(
            f"{path} has {faces:,} faces; accepted are {MOST_FACES:,}: take a version with fewer, or simplify the mesh"
        )
    return surfaces


def _shape_surfaces(urdf: Path, shape: UrdfShape) -> tuple[Surface, ...]:
    """The surfaces of one visual shape, at its place."""
    trimesh = import_trimesh()
    if shape.mesh is not None:
        surfaces = _file_surfaces(required_part(urdf, shape.mesh), shape.colour)
    else:
        make = {
            "box": lambda: trimesh.creation.box(shape.size),
            "cylinder": lambda: trimesh.creation.cylinder(shape.size[0], shape.size[1], sections=48),
            "sphere": lambda: trimesh.creation.icosphere(3, shape.size[0]),
        }[shape.kind]
        surfaces = (_plain_surface(make(), shape.colour or _GREY),)
    turned = shape.transform[:3, :3] * shape.scale
    return tuple(
        Surface(each.vertices @ turned.T + shape.transform[:3, 3], each.faces, each.uv, each.texture, each.colours)
        for each in surfaces
    )


def _file_surfaces(path: Path, colour: tuple[int, ...] | None = None) -> tuple[Surface, ...]:
    """The surfaces of a mesh file; `colour` replaces the grey of a file without colours."""
    trimesh = import_trimesh()
    try:
        with open(path, "rb") as file:
            scene = trimesh.load_scene(
                file, file_type=path.suffix.lower()[1:], resolver=_resolver(path), process=False, maintain_order=True
            )
        meshes = [mesh for mesh in scene.dump() if isinstance(mesh, trimesh.Trimesh) and len(mesh.faces)]
        return tuple(_surface(mesh, colour) for mesh in meshes)
    except TabletopError:
        raise
    # trimesh raises errors of a dozen kinds for damaged files.
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        kind = path.suffix[1:].upper()
        raise InvalidConfiguration(
            f"{path} cannot be read as {kind} ({reason}); export it again from a mesh editor"
        ) from error


def _surface(mesh: Any, colour: tuple[int, ...] | None) -> Surface:
    _check_arrays(mesh.vertices, mesh.faces)
    visual = mesh.visual
    if visual.kind == "texture":
        material = visual.material
        image = getattr(material, "image", None) or getattr(material, "baseColorTexture", None)
        if image is not None and visual.uv is not None and len(visual.uv) == len(mesh.vertices):
            uv = np.asarray(visual.uv, np.float64)[mesh.faces]
            texture = np.asarray(image.convert("RGB"), np.uint8) * _factor(material)
            return Surface(*_arrays(mesh), np.nan_to_num(uv), texture.round().astype(np.uint8), _corners(mesh, _GREY))
        return _plain_surface(mesh, tuple(np.asarray(material.main_color)[:3]))
    if visual.kind == "vertex":
        return Surface(*_arrays(mesh), None, None, np.asarray(visual.vertex_colors)[mesh.faces][:, :, :3])
    if visual.kind == "face":
        return Surface(*_arrays(mesh), None, None, np.repeat(np.asarray(visual.face_colors)[:, None, :3], 3, axis=1))
    return _plain_surface(mesh, colour or _GREY)


def _plain_surface(mesh: Any, colour: tuple[int, ...]) -> Surface:
    return Surface(*_arrays(mesh), None, None, _corners(mesh, colour))


def _factor(material: Any) -> Floats:
    """(3,) by which a GLB material multiplies its texture; an OBJ's Kd is left out, as most programs do."""
    factor = getattr(material, "baseColorFactor", None)
    if factor is None:
        return np.ones(3)
    factor = np.asarray(factor)[:3]
    return factor / 255 if np.issubdtype(factor.dtype, np.integer) else factor.astype(np.float64)


def _corners(mesh: Any, colour: tuple[int, ...]) -> Bytes:
    return np.full((len(mesh.faces), 3, 3), colour[:3], np.uint8)


def _arrays(mesh: Any) -> tuple[Floats, Ints]:
    return np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces, np.int64)


def _check_arrays(vertices: Any, faces: Any) -> None:
    if not np.isfinite(vertices).all():
        raise ValueError("a vertex is not finite")
    if len(faces) and (faces.min() < 0 or faces.max() >= len(vertices)):
        raise ValueError("a face names a vertex that is not there")


def _resolver(path: Path) -> Any:
    """Finds the files that a mesh file names; see `find_part`."""
    from trimesh.resolvers import FilePathResolver

    class PartResolver(FilePathResolver):
        def get(self, name: str) -> bytes:
            found = find_part(path, name)
            if found is None:
                raise FileNotFoundError(f"{name} is missing")
            return found.read_bytes()

    return PartResolver(str(path))


def import_trimesh() -> Any:
    """The module trimesh. Raises MissingPackage if it, or what decomposes meshes, is not installed."""
    try:
        import coacd  # noqa: F401
        import fast_simplification  # noqa: F401
        import scipy  # noqa: F401
        import trimesh
    except ImportError as error:
        raise MissingPackage(
            f"objects from mesh files need {error.name}, which is not installed; run `{install_command('meshes')}`"
        ) from error
    return trimesh
