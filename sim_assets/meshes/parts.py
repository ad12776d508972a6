"""The files that an object consists of: a mesh file, and the materials, textures and meshes that it names."""

import hashlib
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from xml.etree import ElementTree

from tabletop_interaction.errors import InvalidConfiguration, InvalidPicture
from tabletop_interaction.files import checksum
from tabletop_interaction.picture_files import check_decodable

_MOST_BYTES = 200 * 2**20
_MATERIALS = re.compile(rb"^mtllib[ \t]+(.+?)[ \t]*\r?$", re.MULTILINE)
# A map's options, such as "-s 1 1 1", stand before its file; names may have spaces.
_TEXTURES = re.compile(rb"^[ \t]*map_Kd[ \t]+((?:-\w+[ \t]+(?:[-+.\w]+[ \t]+){1,3}?)*)(.+?)[ \t]*\r?$", re.MULTILINE)
_PLY_TEXTURES = re.compile(rb"^comment TextureFile[ \t]+(.+?)[ \t]*\r?$", re.MULTILINE)
_HEADER_BYTES = 2**16


def find_part(owner: Path, name: str) -> Path | None:
    """The file that another one names, or None if it is missing.

    It lies where the name says, or beside its owner, or where Google Scanned Objects keep textures.
    """
    named = name.strip().strip('"').replace("\\", "/").removeprefix("file://")
    named = re.sub(r"^package://[^/]*/", "", named)
    base = named.rpartition("/")[2]
    folder = owner.parent
    places = (folder / named, folder / base, folder.parent / named, folder.parent / "materials" / "textures" / base)
    return next((place for place in places if base and place.is_file()), None)


def part_files(path: Path) -> tuple[Path, ...]:
    """A mesh file and all files that it is made of, each once.

    Raises:
        InvalidConfiguration: a file is missing, empty or too large.
    """
    return tuple(dict.fromkeys(_part_files(path)))


def content_checksum(path: Path) -> str:
    """32 hexadecimal digits that identify the content of all files of an object, wherever they lie.

    Raises:
        InvalidConfiguration: as `part_files`.
    """
    digest = hashlib.blake2b(digest_size=16)
    for part in part_files(path):
        digest.update(f"{part.name}:{file_checksum(part)};".encode())
    return digest.hexdigest()


def file_checksum(path: Path) -> str:
    """Checksum of a file's content, computed again only when the file has changed.

    Raises:
        InvalidConfiguration: the file is missing, empty or too large.
    """
    _check_file(path)
    found = path.stat()
    return _checksum(path, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=4096)
def _checksum(path: Path, changed_ns: int, size: int) -> str:
    return checksum(path)


def _part_files(path: Path) -> Iterator[Path]:
    _check_file(path)
    yield path
    kind = path.suffix.lower()
    if kind == ".urdf":
        for name in mesh_names(path):
            yield from _part_files(required_part(path, name))
    elif kind == ".obj":
        for material in _MATERIALS.findall(path.read_bytes()):
            # Many programs name a material file that they do not write; the object is grey then.
            if (materials := find_part(path, material.decode(errors="replace"))) is not None:
                yield materials
                for _, texture in _TEXTURES.findall(materials.read_bytes()):
                    yield _texture(path, texture)
    elif kind == ".ply":
        with open(path, "rb") as file:
            header = file.read(_HEADER_BYTES).partition(b"end_header")[0]
        for texture in _PLY_TEXTURES.findall(header):
            yield _texture(path, texture)


def _texture(owner: Path, name: bytes) -> Path:
    """The picture that a mesh file names; trimesh would leave out one that cannot be read."""
    found = required_part(owner, name.decode(errors="replace"))
    changed = found.stat()
    try:
        _check_texture(found, changed.st_mtime_ns, changed.st_size)
    except InvalidPicture as error:
        raise InvalidConfiguration(f"{owner.name} has a texture that cannot be used: {error}") from error
    return found


@lru_cache(maxsize=4096)
def _check_texture(path: Path, changed_ns: int, size: int) -> None:
    check_decodable(path)


def required_part(owner: Path, name: str) -> Path:
    """The file that another one names. Raises InvalidConfiguration if it is missing."""
    found = find_part(owner, name)
    if found is None:
        raise InvalidConfiguration(f"{owner.name} names {name.strip()}, which is missing; put it into {owner.parent}")
    return found


def mesh_names(urdf: Path) -> list[str]:
    """Names of the mesh files in the visual shapes of a URDF file.

    Raises:
        InvalidConfiguration: it is no XML.
    """
    return [
        mesh.get("filename", "")
        for link in read_urdf(urdf).iter("link")
        for visual in link.iter("visual")
        for mesh in visual.iter("mesh")
    ]


def read_urdf(path: Path) -> ElementTree.Element:
    """The root element of a URDF file.

    Raises:
        InvalidConfiguration: it is no XML.
    """
    content = path.read_bytes()
    # PyBullet's own files state XML versions that no standard has.
    content = re.sub(rb"^\s*<\?xml[^>]*\?>", b"", content, count=1)
    try:
        return ElementTree.fromstring(content)
    except (ElementTree.ParseError, ValueError) as error:
        raise InvalidConfiguration(f"{path} cannot be read as URDF ({error}); correct it there") from None


def _check_file(path: Path) -> None:
    try:
        size = path.stat().st_size
    except OSError as error:
        raise InvalidConfiguration(f"{path} cannot be read ({error.strerror}); name an existing file") from None
    if not path.is_file() or not size:
        raise InvalidConfiguration(f"{path} is empty or no file; name a file with content")
    if size > _MOST_BYTES:
        raise InvalidConfiguration(
            f"{path} has {size / 2**20:.0f} MB; accepted are {_MOST_BYTES // 2**20} MB: take a version of the mesh "
            "with fewer faces"
        )
