"""A scene: objects and their places, the table top and the light, all drawn from one random generator."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from tabletop_interaction.arrays import Floats
from tabletop_interaction.envs.backend import Arena
from tabletop_interaction.envs.gripper import GRIPPERS, Gripper, GripperName
from tabletop_interaction.envs.views import View
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.files import plain
from tabletop_interaction.ranges import PictureSize, Range, check_choice, check_fields
from tabletop_interaction.sim_assets import Catalogue, MeshObject, ObjectModel, PictureTable, TableTop
from tabletop_interaction.sim_assets.catalogue import generated_objects, generated_tables, with_generated
from tabletop_interaction.sim_assets.folders import objects_in, tables_in
from tabletop_interaction.sim_assets.own import Prepared, mesh_assets, picture_assets
from tabletop_interaction.simulation.cameras import check_views, view_from_plain, views_of
from tabletop_interaction.simulation.trays import Tray, arena_in_tray, draw_tray

MOST_OBJECTS = 20

_BORDER_M = 0.05
_GAP_M = 0.012
_ATTEMPTS = 200
# Up to so many objects always stand on the table itself.
_MOST_STANDING = 12
# A heap is dropped onto this share of the arena's width and depth, in the middle.
_HEAP = 0.5
_FIRST_FIELDS = (
    "objects_min", "objects_max", "noise_sigma", "exposure_jitter", "shadows", "object_names", "backgrounds",
)  # fmt: skip

Pose = tuple[Floats, Floats]
"""Position (3,) in metres and quaternion xyzw (4,), arena frame."""

Poses = dict[int, Pose]
"""Object id -> pose."""


@dataclass(frozen=True)
class SimulationConfig:
    """Settings of the simulation backend.

    Attributes:
        objects_min: Fewest objects in a scene (the paper: 4).
        objects_max: Most objects in a scene (the paper: 8).
        noise_sigma: Standard deviation of the sensor noise, grey levels.
        exposure_jitter: Standard deviation of the gain from picture to picture.
        shadows: Whether objects cast shadows on the table.
        object_names: Objects to draw from, instead of the split's.
        backgrounds: Table tops to draw from, instead of the split's.
        gripper: Gripper of the arm: "sawyer", "wide" (opens to 160 mm), or a `Gripper` with other measures.
        views: Cameras, each with a size of its own; None for the four default ones.
        picture_size: Height and width to which the pictures of every camera are resized, pixels; None keeps the
            cameras' own, 350 x 430 for the default ones.
        clutter: Drop the objects on a heap, where they touch and lie on each other; a split with too few objects shows
            some of them several times.
        tray: Put a tray of low walls around the objects; the arena is smaller, so that it lies inside.
        objects: Objects from mesh files, which scenes draw instead of the generated ones.
        tables: Table tops from pictures, which scenes draw instead of the generated ones.
        objects_dir: Folder of further such mesh files, with an optional objects.yaml.
        tables_dir: Folder of further such pictures, with an optional tables.yaml.
    """

    objects_min: Annotated[int, Range(1, MOST_OBJECTS)] = 4
    objects_max: Annotated[int, Range(1, MOST_OBJECTS)] = 8
    noise_sigma: Annotated[float, Range(0, 50, unit="grey levels")] = 1.0
    exposure_jitter: Annotated[float, Range(0, 0.2)] = 0.01
    shadows: bool = True
    object_names: tuple[str, ...] | None = None
    backgrounds: tuple[str, ...] | None = None
    gripper: GripperName | Gripper = "sawyer"
    views: tuple[View, ...] | None = None
    picture_size: PictureSize | None = None
    clutter: bool = False
    tray: bool = False
    objects: tuple[MeshObject, ...] = ()
    tables: tuple[PictureTable, ...] = ()
    objects_dir: str | os.PathLike[str] | None = None
    tables_dir: str | os.PathLike[str] | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("objects_dir", "tables_dir"):
            if (folder := getattr(self, name)) is not None:
                object.__setattr__(self, name, os.fspath(folder))
        if self.objects_min > self.objects_max:
            raise InvalidConfiguration(
                f"objects_min is {self.objects_min} and objects_max {self.objects_max}; accepted is "
                f"1 <= objects_min <= objects_max <= {MOST_OBJECTS}"
            )
        if self.views is not None:
            check_views(self.views)

    @property
    def fitted_gripper(self) -> Gripper:
        """The measures of `gripper`."""
        return self.gripper if isinstance(self.gripper, Gripper) else GRIPPERS[self.gripper]

    @property
    def has_own_objects(self) -> bool:
        """Whether scenes draw objects from mesh files: all of them, where these are fewer than `objects_min`."""
        return bool(self.objects) or self.objects_dir is not None

    @property
    def cameras(self) -> tuple[View, ...]:
        """The views of the pictures: `views`, or the default ones, at `picture_size`."""
        return views_of(self.views, self.picture_size)


def config_from_plain(values: Mapping[str, Any]) -> SimulationConfig:
    """A configuration from its fields, as JSON reads them.

    Raises:
        InvalidConfiguration: an unknown field, or a value that is not accepted.
    """
    _check_known("field of the simulation's config", values, SimulationConfig)
    # JSON has lists in place of tuples.
    made: dict[str, Any] = {name: tuple(each) if isinstance(each, list) else each for name, each in values.items()}
    if "gripper" in made:
        made["gripper"] = _made(Gripper, made["gripper"])
    if isinstance(made.get("views"), tuple):
        made["views"] = tuple(map(view_from_plain, made["views"]))
    for name, kind in (("objects", MeshObject), ("tables", PictureTable)):
        if isinstance(made.get(name), tuple):
            made[name] = tuple(_made(kind, each) for each in made[name])
    return SimulationConfig(**made)


def config_to_plain(config: SimulationConfig) -> dict[str, Any]:
    """The fields of a configuration, as JSON writes them; the inverse of `config_from_plain`.

    Fields that the first version did not have are left out at their defaults, so that rows can be added to recordings
    of that version.
    """
    defaults = plain(SimulationConfig())
    return {name: value for name, value in plain(config).items() if name in _FIRST_FIELDS or value != defaults[name]}


def catalogue_of(config: SimulationConfig, prepared: Prepared | None = None) -> Catalogue:
    """The objects and table tops that a configuration's scenes can show; objects from mesh files are prepared now.

    Where a configuration has objects of its own, the generated ones are shown only if `object_names` names them, and
    the same holds for table tops and `backgrounds`.

    Args:
        prepared: called with the number of objects that are prepared, and of all.

    Raises:
        InvalidConfiguration: an object or picture cannot be used; all of these are named.
    """
    meshes = (*config.objects, *(objects_in(Path(config.objects_dir)) if config.objects_dir is not None else ()))
    pictures = (*config.tables, *(tables_in(Path(config.tables_dir)) if config.tables_dir is not None else ()))
    return Catalogue(
        with_generated(mesh_assets(meshes, prepared), generated_objects()),
        with_generated(picture_assets(pictures), generated_tables()),
    )


def _made(kind: type, values: Any) -> Any:
    """A setting that is a dataclass of its own, from its plain form."""
    if not isinstance(values, Mapping):
        return values
    _check_known(f"field of a {kind.__name__}", values, kind)
    return kind(**values)


def _check_known(what: str, values: Mapping[str, Any], kind: type) -> None:
    for name in values:
        check_choice(what, name, [field.name for field in fields(kind)])


@dataclass(frozen=True, eq=False)
class Light:
    """One lamp and the ambient light.

    Attributes:
        position: (3,) float64, metres, arena frame.
        colour: (3,) float64 RGB gains around 1.
        ambient: share of the light that reaches shadows, 0 to 1.
        diffuse: share that the lamp adds.
        softness: standard deviation of the shadow's edge, metres on the table.
    """

    position: Floats
    colour: Floats
    ambient: float
    diffuse: float
    softness: float


@dataclass(frozen=True)
class Placement:
    """An object with the point (metres) and yaw (radians) at which it is set down.

    Attributes:
        dropped: whether it falls from just above whatever lies there, instead of standing on the table.
    """

    model: ObjectModel
    x: float
    y: float
    yaw: float
    dropped: bool = False


@dataclass(frozen=True, eq=False)
class Scene:
    """A table with its objects and light, and a tray if there is one; `noise_seed` seeds the cameras' noise."""

    table: TableTop
    light: Light
    placements: tuple[Placement, ...]
    noise_seed: int
    tray: Tray | None = None


def draw_scene(
    rng: np.random.Generator, split: str, arena: Arena, config: SimulationConfig, catalogue: Catalogue
) -> Scene:
    """Draw table top, light, and different objects that stand apart or make a heap; see `check_names`.

    Args:
        arena: of the table without a tray.
    """
    inside = arena_in_tray(arena) if config.tray else arena
    names, tables = _names(split, config, catalogue)
    table = catalogue.table(str(rng.choice(tables)))
    light = draw_light(rng)
    count = int(rng.integers(config.objects_min, config.objects_max + 1))
    if config.has_own_objects and not config.clutter:
        count = min(count, len(names))
    placements: list[Placement] = []
    for name in _drawn_names(rng, names, count):
        model = catalogue.object(name)
        if config.clutter:
            placements.append(_heap_placement(rng, model, inside))
        else:
            onto = count > _MOST_STANDING
            placements.append(free_placement(rng, model, inside, placements, onto_others=onto))
    noise_seed = int(rng.integers(2**31))
    return Scene(table, light, tuple(placements), noise_seed, draw_tray(rng, arena) if config.tray else None)


def _drawn_names(rng: np.random.Generator, names: Sequence[str], count: int) -> list[str]:
    """`count` of the names; each is drawn once before any is drawn again."""
    drawn: list[str] = []
    while len(drawn) < count:
        drawn += rng.choice(np.array(names), min(count - len(drawn), len(names)), replace=False).tolist()
    return drawn


def check_names(split: str, config: SimulationConfig, catalogue: Catalogue) -> None:
    """Refuse unknown and repeated names, and fewer names than a scene needs.

    Raises:
        InvalidConfiguration: names the first problem and what is accepted.
    """
    names, tables = _names(split, config, catalogue)
    for what, given, known in (
        ("object_names", names, catalogue.object_names()),
        ("backgrounds", tables, catalogue.table_names()),
    ):
        if unknown := sorted(set(given) - set(known)):
            raise InvalidConfiguration(f"{what} contains the unknown name {unknown[0]!r}; accepted are {sorted(known)}")
    needed = 1 if config.clutter or config.has_own_objects else config.objects_max
    if len(set(names)) < needed or len(set(names)) < len(names) or not tables:
        raise InvalidConfiguration(
            f"a scene draws up to {needed} different objects and one background, but the configuration "
            f"has {len(names)} object names ({len(set(names))} different) and {len(tables)} backgrounds; lower "
            "objects_max, give more names, each once, or use clutter, which shows objects several times"
        )


def _names(split: str, config: SimulationConfig, catalogue: Catalogue) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the objects and of the table tops that scenes draw from."""
    names = catalogue.object_names(split) if config.object_names is None else config.object_names
    tables = catalogue.table_names(split) if config.backgrounds is None else config.backgrounds
    return names, tables


def draw_light(rng: np.random.Generator) -> Light:
    """A lamp 1.0 to 1.7 m from the table's centre, 8 to 45 degrees off the vertical, warm to cold, dim to bright."""
    azimuth, tilt = rng.uniform(0, 2 * np.pi), np.deg2rad(rng.uniform(8, 45))
    distance = rng.uniform(1.0, 1.7)
    direction = np.array([np.sin(tilt) * np.cos(azimuth), np.sin(tilt) * np.sin(azimuth), np.cos(tilt)])
    warmth = rng.uniform(-0.08, 0.08)
    strength = rng.uniform(0.85, 1.15)
    ambient = rng.uniform(0.45, 0.75)
    return Light(
        position=direction * distance,
        colour=np.array([1 + warmth, 1.0, 1 - warmth]),
        ambient=ambient * strength,
        diffuse=(1 - ambient) * strength,
        softness=rng.uniform(0.003, 0.014),
    )


def free_placement(
    rng: np.random.Generator,
    model: ObjectModel,
    arena: Arena,
    others: Sequence[Placement],
    *,
    onto_others: bool = False,
) -> Placement:
    """Draw a place for an object: the first one clear of the others, or else the clearest of 200.

    Args:
        onto_others: whether it is dropped on the others where it fits nowhere beside them.
    """
    radius = object_radius(model)
    best, best_gap = None, -np.inf
    for _ in range(_ATTEMPTS):
        x = float(rng.uniform(arena.x_min + _BORDER_M, arena.x_max - _BORDER_M))
        y = float(rng.uniform(arena.y_min + _BORDER_M, arena.y_max - _BORDER_M))
        yaw = float(rng.uniform(-np.pi, np.pi))
        gaps = [np.hypot(x - o.x, y - o.y) - radius - object_radius(o.model) for o in others]
        gap = min(gaps, default=np.inf)
        if gap > best_gap:
            best, best_gap = Placement(model, x, y, yaw), gap
        if gap > _GAP_M:
            break
    assert best is not None
    return replace(best, dropped=True) if onto_others and best_gap < 0 else best


def _heap_placement(rng: np.random.Generator, model: ObjectModel, arena: Arena) -> Placement:
    """A place over the middle of the arena, from where an object is dropped."""
    x, y = np.array(arena.centre) + _HEAP * rng.uniform(-1, 1, 2) * arena.half_size
    return Placement(model, float(x), float(y), float(rng.uniform(-np.pi, np.pi)), dropped=True)


def object_radius(model: ObjectModel) -> float:
    """Largest horizontal distance of an object's surface from its centre of mass, metres."""
    return float(np.hypot(model.vertices[:, 0], model.vertices[:, 1]).max())
