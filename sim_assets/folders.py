"""Folders of objects and of table tops: which files in them are meant, and their settings in a YAML file beside them.

```
objects/
  objects.yaml                                  optional, see `read_settings`
  mug.glb  block.stl  box.urdf ...              named by their stems
  002_master_chef_can/google_16k/textured.obj   YCB
  Rubber_Duck/meshes/model.obj                  Google Scanned Objects
  spoon/model.urdf                              any folder with one mesh
```
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from tabletop_interaction.documents import convert, read_yaml
from tabletop_interaction.errors import InvalidConfiguration, TabletopError
from tabletop_interaction.ranges import check_choice, check_value, shown
from tabletop_interaction.sim_assets.meshes.mesh_object import SUFFIXES, MeshObject
from tabletop_interaction.sim_assets.meshes.parts import find_part, mesh_names
from tabletop_interaction.sim_assets.tables.pictures import PictureTable

Kind = TypeVar("Kind", MeshObject, PictureTable)

OBJECTS_FILE, TABLES_FILE = "objects.yaml", "tables.yaml"

_PICTURES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".gif", ".webp", ".ppm", ".pgm", ".pbm")
# Where data sets keep the mesh that is meant, the first one that is there; relative to the object's folder.
_KNOWN_PLACES = (
    "google_16k/textured.obj",
    "tsdf/textured.obj",
    "poisson/textured.obj",
    "google_16k/nontextured.ply",
    "tsdf/nontextured.ply",
    "meshes/model.obj",
    "model.urdf",
    "textured_simple.obj",
    "textured.obj",
    "model.obj",
)


@dataclass(frozen=True)
class _SettingsFile:
    """The YAML file: `defaults` hold for all, entries are by name and may say `use: false`."""

    defaults: dict[str, Any] = field(default_factory=dict)
    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)


def objects_in(folder: Path) -> tuple[MeshObject, ...]:
    """The objects of a folder, ordered by name, with the settings of its objects.yaml.

    Raises:
        InvalidConfiguration: the folder is missing or holds no object; the YAML file is damaged, or names an object,
            a setting or a value that is not accepted; or a folder in it holds several meshes.
    """
    paths: dict[str, Path] = {}
    entries = _entries(folder)
    parts = {part for path in entries if path.suffix.lower() == ".urdf" for part in _meshes_of(path)}
    for path in entries:
        if path.is_dir():
            found = _mesh_in(path)
        else:
            found = path if path.suffix.lower() in SUFFIXES and path.resolve() not in parts else None
        if found is None:
            continue
        name = path.name if path.is_dir() else path.stem
        if name in paths:
            raise InvalidConfiguration(
                f"{folder} has two objects {name!r}, {paths[name].name} and {found.name}; keep one, or rename one"
            )
        paths[name] = found
    if not paths:
        raise InvalidConfiguration(f"{folder} holds no object; accepted are OBJ, STL, PLY, GLB and URDF files")
    return _with_settings(MeshObject, paths, folder / OBJECTS_FILE, "objects")


def tables_in(folder: Path) -> tuple[PictureTable, ...]:
    """The pictures of a folder as table tops, ordered by name, with the settings of its tables.yaml.

    Raises:
        InvalidConfiguration: the folder is missing or holds no picture, two have one name, or the YAML file is
            damaged, or names a table top, a setting or a value that is not accepted.
    """
    paths: dict[str, Path] = {}
    for path in _entries(folder):
        if path.suffix.lower() not in _PICTURES or path.is_dir():
            continue
        if path.stem in paths:
            raise InvalidConfiguration(
                f"{folder} has two table tops {path.stem!r}, {paths[path.stem].name} and {path.name}; rename one"
            )
        paths[path.stem] = path
    if not paths:
        raise InvalidConfiguration(f"{folder} holds no picture; accepted are {', '.join(_PICTURES)} files")
    return _with_settings(PictureTable, paths, folder / TABLES_FILE, "tables")


def _entries(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise InvalidConfiguration(f"{shown(str(folder))} is not a folder; name a folder of files")
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _mesh_in(folder: Path) -> Path | None:
    """The mesh of an object's own folder; None for a folder of other things, such as textures."""
    for place in _KNOWN_PLACES:
        if (folder / place).is_file():
            return folder / place
    found = [path for path in _entries(folder) if path.suffix.lower() in SUFFIXES and path.is_file()]
    urdfs = [path for path in found if path.suffix.lower() == ".urdf"]
    parts = {part for path in urdfs for part in _meshes_of(path)}
    found = urdfs if len(urdfs) == 1 else [path for path in found if path.resolve() not in parts]
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise InvalidConfiguration(
            f"{folder} holds {len(found)} meshes ({names}); keep the one that is the object, or put each into the "
            "folder above"
        )
    return found[0] if found else None


def _meshes_of(urdf: Path) -> set[Path]:
    """The meshes that a URDF file names; none if it is damaged, which is said when it is read."""
    try:
        names = mesh_names(urdf)
    except TabletopError:
        return set()
    return {part.resolve() for name in names if (part := find_part(urdf, name)) is not None}


def _with_settings(kind: type[Kind], paths: Mapping[str, Path], file: Path, section: str) -> tuple[Kind, ...]:
    document = read_settings(file, section)
    entries: dict[str, dict[str, Any]] = getattr(document, section)
    for name in entries:
        if name not in paths:
            raise InvalidConfiguration(
                f"{file} names {name!r}, which its folder does not hold; it holds {', '.join(paths)}"
            )
    settings = {name: {**document.defaults, **entries.get(name, {})} for name in paths}
    for name, each in settings.items():
        check_value(f"{file}, {name}: use", each.get("use", True), bool)
    used = [name for name, each in settings.items() if each.pop("use", True)]
    if not used:
        raise InvalidConfiguration(f"{file} leaves out all of {', '.join(paths)}; set use to true for one")
    return tuple(_made(kind, name, paths[name], settings[name], file) for name in used)


def read_settings(file: Path, section: str) -> _SettingsFile:
    """The settings in a YAML file; empty where there is no file.

    Args:
        section: "objects" or "tables", which the file may have beside `defaults`.

    Raises:
        InvalidConfiguration: it is damaged, or has other sections.
    """
    if not file.exists():
        return _SettingsFile()
    plain = read_yaml(file, error=InvalidConfiguration)
    if plain is None:
        return _SettingsFile()
    if not isinstance(plain, Mapping):
        raise InvalidConfiguration(f"{file} holds no sections; accepted are defaults and {section}")
    for name in plain:
        check_choice(f"section of {file}", name, ("defaults", section))
    filled = {name: _filled(file, name, values) for name, values in plain.items()}
    return convert(filled, _SettingsFile, file, error=InvalidConfiguration, remedy="correct it there")


def _filled(file: Path, section: str, values: Any) -> Any:
    """A section of a YAML file, in which what has no value has no settings."""
    if not isinstance(values, Mapping):
        return {} if values is None else values
    if section == "defaults":
        return values
    for name in values:
        if not isinstance(name, str):
            raise InvalidConfiguration(f"{file} names {name!r}, which is no text; write the name in quotes")
    return {name: {} if value is None else value for name, value in values.items()}


def _made(kind: type[Kind], name: str, path: Path, settings: Mapping[str, Any], file: Path) -> Kind:
    accepted = [*(each.name for each in fields(kind) if each.name not in ("path", "name")), "use"]
    try:
        for setting in settings:
            check_choice("setting", setting, accepted)
        return kind(str(path), name, **settings)
    except TabletopError as error:
        raise InvalidConfiguration(f"{file}, {name}: {error}") from error
