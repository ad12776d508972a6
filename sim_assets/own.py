"""Objects and table tops of the user: from settings in Python, or from folders with an optional YAML file."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path

from tabletop_interaction.arrays import Picture
from tabletop_interaction.errors import InvalidConfiguration, MissingPackage, TabletopError
from tabletop_interaction.picture_files import check_decodable
from tabletop_interaction.sim_assets.catalogue import Asset
from tabletop_interaction.sim_assets.meshes.mesh_object import MeshObject
from tabletop_interaction.sim_assets.meshes.parts import content_checksum, file_checksum
from tabletop_interaction.sim_assets.meshes.preparing import load_mesh_object
from tabletop_interaction.sim_assets.objects.model import ObjectModel
from tabletop_interaction.sim_assets.splits import CATALOGUE
from tabletop_interaction.sim_assets.tables.pictures import PictureTable, load_picture_table

Prepared = Callable[[int, int], None]
"""Is called with the number of objects that are prepared, and the number of all."""


def mesh_assets(meshes: Sequence[MeshObject], prepared: Prepared | None = None) -> tuple[Asset[ObjectModel], ...]:
    """Assets of mesh files; all files are read, checked and decomposed, or found in the cache.

    Raises:
        InvalidConfiguration: files cannot be used (the message names each with its reason), or a name is repeated.
    """
    refused: list[str] = []
    assets = []
    _check_names("objects", [mesh.name for mesh in meshes])
    for done, mesh in enumerate(meshes, start=1):
        with _collected(mesh.name, refused):
            checksum = content_checksum(Path(mesh.path))
            _check_mesh(mesh, checksum)
            assets.append(Asset(mesh.name, _splits(mesh.split), partial(load_mesh_object, mesh, checksum), checksum))
        if prepared is not None:
            prepared(done, len(meshes))
    _refuse("objects", refused, len(meshes))
    return tuple(assets)


def picture_assets(tables: Sequence[PictureTable]) -> tuple[Asset[Picture], ...]:
    """Assets of pictures as table tops.

    Raises:
        InvalidConfiguration: pictures cannot be read (the message names each with its reason), or a name is repeated.
    """
    refused: list[str] = []
    assets = []
    _check_names("tables", [table.name for table in tables])
    for table in tables:
        with _collected(table.name, refused):
            checksum = file_checksum(Path(table.path))
            _check_picture(Path(table.path), checksum)
            assets.append(Asset(table.name, _splits(table.split), partial(load_picture_table, table), checksum))
    _refuse("tables", refused, len(tables))
    return tuple(assets)


@lru_cache(maxsize=4096)
def _check_mesh(mesh: MeshObject, checksum: str) -> None:
    """Prepare an object; a process that opens several backends does so once."""
    load_mesh_object(mesh, checksum)


@lru_cache(maxsize=4096)
def _check_picture(path: Path, checksum: str) -> None:
    check_decodable(path)


def _splits(split: str | None) -> tuple[str, ...]:
    return tuple(CATALOGUE) if split is None else (split,)


@contextmanager
def _collected(name: str, refused: list[str]) -> Iterator[None]:
    """Add what is refused in the block to a list."""
    try:
        yield
    except MissingPackage:
        raise
    except TabletopError as error:
        refused.append(f"{name}: {error}")


def _refuse(what: str, refused: Sequence[str], total: int) -> None:
    if refused:
        raise InvalidConfiguration(
            f"{len(refused)} of {total} {what} cannot be used: {' | '.join(refused)}; correct them, or take them out"
        )


def _check_names(what: str, names: Iterable[str]) -> None:
    names = list(names)
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise InvalidConfiguration(f"{what} have the name {repeated[0]!r} twice; give each a name of its own")
