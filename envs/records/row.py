"""Interaction: one row, and its conversion to and from columns on disk.

A row's pictures are PNG or JPEG files (see `picture_format`) in columns `<view>_before`, `<view>_held` and
`<view>_after`, of the type that Hugging Face `datasets` shows as pictures. Where they are recorded, depths and instance
maps are in columns such as `<view>_depth_before` and `<view>_instances_before`, PNGs of 16 bits (see `png`). A push has
no picture between, and columns of its own: where it starts and ends, whether the gripper came down, and whether
something moved. Rows are never rewritten: labels are a separate table, keyed by `interaction_id`.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tabletop_interaction.envs.actions import PickPlace, Push
from tabletop_interaction.envs.backend import PickOutcome, Primitive
from tabletop_interaction.envs.observations import EXTRAS, extra_key
from tabletop_interaction.envs.records.encoded import EncodedPictures
from tabletop_interaction.envs.records.folder import SCHEMA_VERSION, FolderMeta
from tabletop_interaction.envs.views import View
from tabletop_interaction.errors import InvalidConfiguration, UnreadableRecords

MOMENTS: Mapping[Primitive, tuple[str, ...]] = {"pick": ("before", "held", "after"), "push": ("before", "after")}
"""When a row's pictures were taken: before the pick, between pick and place, after the place; before and after a push.
"""

_PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_PIXELS = pa.list_(pa.list_(pa.float32()))
_ORIGIN = (
    pa.field("interaction_id", pa.string()),
    pa.field("writer", pa.string()),
    pa.field("seed", pa.int64()),
    pa.field("episode", pa.int64()),
    pa.field("step", pa.int64()),
    pa.field("scene", pa.int64()),
    pa.field("background", pa.string()),
    pa.field("split", pa.string()),
    pa.field("time", pa.string()),
)
_PICK = (
    pa.field("pick_x", pa.float64()),
    pa.field("pick_y", pa.float64()),
    pa.field("angle", pa.float64()),
    pa.field("place_x", pa.float64()),
    pa.field("place_y", pa.float64()),
    pa.field("grasped", pa.bool_()),
    pa.field("pick_outcome", pa.int32()),
    pa.field("pick_xy", _PIXELS),
    pa.field("place_xy", _PIXELS),
)
_PUSH = (
    pa.field("primitive", pa.string()),
    pa.field("start_x", pa.float64()),
    pa.field("start_y", pa.float64()),
    pa.field("end_x", pa.float64()),
    pa.field("end_y", pa.float64()),
    pa.field("came_down", pa.bool_()),
    pa.field("moved", pa.bool_()),
    pa.field("start_xy", _PIXELS),
    pa.field("end_xy", _PIXELS),
)
_CAMERAS = (pa.field("views", pa.string()),)
_FIELDS: Mapping[Primitive, tuple[pa.Field, ...]] = {
    "pick": (*_ORIGIN, *_PICK, *_CAMERAS),
    "push": (*_ORIGIN, *_PUSH, *_CAMERAS),
}
_AS_THEY_ARE = tuple(field.name for field in _ORIGIN)


@dataclass(frozen=True, eq=False)
class PushRow:
    """What a row says of a push.

    Attributes:
        push: as executed, in metres and radians.
        came_down: whether the gripper came down; if not, the arm could not follow the push.
        moved: whether the pictures show that something moved (`push_difference`).
        start_xy: (views, 2) float32, pixel x, y in each view at which the gripper came down.
        end_xy: (views, 2) float32, pixel x, y in each view at which it lifted.
    """

    push: Push
    came_down: bool
    moved: bool
    start_xy: NDArray[np.float32]
    end_xy: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Interaction:
    """One pick-and-place or push: pictures, action, outcome and origin.

    A row of a push has `pushed`. What belongs to a pick then has the values of `no_pick`, and `held` is the same as
    `after`.

    Attributes:
        before: pictures of the table before the pick, by view name; where recorded, its `depth` and `instances`.
        held: pictures between pick and place; without a grasp the same as `after`.
        after: pictures of the table after the place.
        pick_place: the action, in metres and radians.
        grasped: whether the gripper reports that it held something.
        pick_outcome: result of the pick.
        pick_xy: (views, 2) float32, pixel x, y of the pick point in each view.
        place_xy: (views, 2) float32, pixel x, y of the place point in each view.
        views: the cameras, in the order of `pick_xy`.
        split: "train", "val", "test" or "dev".
        background: name of the table's surface.
        seed: seed of the last seeded reset; -1 without one.
        episode: number of the reset since then, from 0.
        step: number of the interaction in its episode, from 0.
        scene: number of the scene since the last seeded reset.
        time: UTC, ISO 8601.
        interaction_id: unique, "<writer>-<shard>-<row>"; set by the writer.
        writer: name of the writer; set by the writer.
        pushed: the push; None for a pick-and-place.
    """

    before: EncodedPictures
    held: EncodedPictures
    after: EncodedPictures
    pick_place: PickPlace
    grasped: bool
    pick_outcome: PickOutcome
    pick_xy: NDArray[np.float32]
    place_xy: NDArray[np.float32]
    views: tuple[View, ...]
    split: str
    background: str
    seed: int
    episode: int
    step: int
    scene: int
    time: str
    interaction_id: str = ""
    writer: str = ""
    pushed: PushRow | None = None

    @property
    def primitive(self) -> Primitive:
        """Whether it is a pick-and-place or a push."""
        return "pick" if self.pushed is None else "push"


def no_pick(views: int) -> dict[str, Any]:
    """Attributes of a pick in a row without one, as `info` has them after a reset; `views` is the number of cameras."""
    nowhere = np.full((views, 2), -1, np.float32)
    none = PickPlace(0.0, 0.0, 0.0, 0.0, 0.0)
    return {
        "pick_place": none, "grasped": False, "pick_outcome": PickOutcome.NO_PICK,
        "pick_xy": nowhere, "place_xy": nowhere,
    }  # fmt: skip


def small_columns(primitive: Primitive) -> tuple[str, ...]:
    """Every column that holds no picture, schema version 1."""
    return tuple(field.name for field in _FIELDS[primitive])


def picture_columns(keys: Sequence[str], primitive: Primitive = "pick") -> tuple[str, ...]:
    """Names of the columns of these pictures, whose keys are the observation's, at every moment."""
    return tuple(f"{key}_{moment}" for key in keys for moment in MOMENTS[primitive])


def schema_of(meta: FolderMeta) -> pa.Schema:
    """Columns of schema version 1, with the metadata for `datasets` and for our reader."""
    pictures = picture_columns(meta.keys, meta.primitive)
    features = {name: {"_type": "Image"} for name in pictures}
    return pa.schema(
        [*_FIELDS[meta.primitive], *(pa.field(name, _PICTURE) for name in pictures)],
        metadata={
            "schema_version": str(SCHEMA_VERSION),
            # Naming the picture columns is enough: `datasets` infers the others.
            "huggingface": json.dumps({"info": {"features": features}}),
        },
    )


def check_columns(found: pa.Schema, meta: FolderMeta, path: Path) -> None:
    """Check that a file has rows of a known version with the columns of a folder of this kind.

    Raises:
        UnreadableRecords: it has not.
    """
    version = (found.metadata or {}).get(b"schema_version", b"none").decode(errors="replace")
    if version not in {str(known) for known in range(1, SCHEMA_VERSION + 1)}:
        raise UnreadableRecords(
            f"{path} has schema version {version}; accepted are 1 to {SCHEMA_VERSION}; install a newer "
            "tabletop-interaction to read it"
        )
    wanted = (*small_columns(meta.primitive), *picture_columns(meta.keys, meta.primitive))
    if missing := [name for name in wanted if name not in found.names]:
        raise UnreadableRecords(
            f"{path} has no column {missing[0]!r}, which meta.json asks for; restore meta.json from a copy, or move "
            "the file to the folder it belongs to"
        )


def batch_from_interaction(interaction: Interaction, schema: pa.Schema) -> pa.RecordBatch:
    """One row with the columns of `schema_of`."""
    row = {name: getattr(interaction, name) for name in _AS_THEY_ARE}
    row |= _pick_columns(interaction) if interaction.pushed is None else _push_columns(interaction.pushed)
    row["views"] = json.dumps([view.to_dict() for view in interaction.views])
    for moment in MOMENTS[interaction.primitive]:
        for key, content in getattr(interaction, moment).encoded_by_key.items():
            row[f"{key}_{moment}"] = {"bytes": content, "path": None}
    return pa.RecordBatch.from_pylist([row], schema=schema)


def interaction_from_row(row: Mapping[str, Any]) -> Interaction:
    """Inverse of `batch_from_interaction`, for a row of plain Python values with all small columns."""
    views = _views_from_json(row["views"])
    is_push = row.get("primitive") == "push"
    after = _pictures_of(row, views, "after")
    return Interaction(
        before=_pictures_of(row, views, "before"),
        held=after if is_push else _pictures_of(row, views, "held"),
        after=after,
        views=views,
        pushed=_push_of(row) if is_push else None,
        **(no_pick(len(views)) if is_push else _pick_of(row)),
        **{name: row[name] for name in _AS_THEY_ARE},
    )


def check_row(interaction: Interaction, meta: FolderMeta) -> None:
    """Check that a row fits a folder of this kind.

    Raises:
        InvalidConfiguration: it does not; the message names the first difference.
    """
    view_names = list(meta.views)
    if interaction.primitive != meta.primitive:
        raise InvalidConfiguration(
            f"the row is a {interaction.primitive}; accepted in this folder is primitive {meta.primitive!r}"
        )
    if interaction.split != meta.split:
        raise InvalidConfiguration(
            f"the row has split {interaction.split!r}; accepted in this folder is {meta.split!r}"
        )
    if (names := [view.name for view in interaction.views]) != view_names:
        raise InvalidConfiguration(f"the row has views {names}; accepted in this folder are {view_names}")
    for moment in MOMENTS[meta.primitive]:
        found = getattr(interaction, moment).encoded_by_key
        if missing := [key for key in meta.keys if key not in found]:
            raise InvalidConfiguration(f"the row has no picture of {missing[0]!r} {moment}; give one of every view")
        if surplus := [key for key in found if key not in meta.keys]:
            raise InvalidConfiguration(f"the row has {surplus[0]!r} {moment}; this folder has {', '.join(meta.keys)}")
    pushed = interaction.pushed
    for points in (interaction.pick_xy, interaction.place_xy) if pushed is None else (pushed.start_xy, pushed.end_xy):
        if np.shape(points) != (len(view_names), 2):
            raise InvalidConfiguration(f"pixels have shape {np.shape(points)}; accepted is ({len(view_names)}, 2)")


def _pick_columns(interaction: Interaction) -> dict[str, Any]:
    return {
        **vars(interaction.pick_place),
        "grasped": interaction.grasped,
        "pick_outcome": int(interaction.pick_outcome),
        "pick_xy": np.asarray(interaction.pick_xy, np.float32).tolist(),
        "place_xy": np.asarray(interaction.place_xy, np.float32).tolist(),
    }


def _pick_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Inverse of `_pick_columns`."""
    return {
        "pick_place": PickPlace(row["pick_x"], row["pick_y"], row["angle"], row["place_x"], row["place_y"]),
        "grasped": row["grasped"],
        "pick_outcome": PickOutcome(row["pick_outcome"]),
        "pick_xy": _pixels(row["pick_xy"]),
        "place_xy": _pixels(row["place_xy"]),
    }


def _push_columns(pushed: PushRow) -> dict[str, Any]:
    (start_x, start_y), (end_x, end_y) = pushed.push.start_xy, pushed.push.end_xy
    return {
        "primitive": "push",
        "start_x": start_x,
        "start_y": start_y,
        "end_x": end_x,
        "end_y": end_y,
        "came_down": pushed.came_down,
        "moved": pushed.moved,
        "start_xy": np.asarray(pushed.start_xy, np.float32).tolist(),
        "end_xy": np.asarray(pushed.end_xy, np.float32).tolist(),
    }


def _push_of(row: Mapping[str, Any]) -> PushRow:
    """Inverse of `_push_columns`; direction and length come back to the last digits of a float."""
    push = Push.between((row["start_x"], row["start_y"]), (row["end_x"], row["end_y"]))
    return PushRow(push, row["came_down"], row["moved"], _pixels(row["start_xy"]), _pixels(row["end_xy"]))


def _pixels(points: object) -> NDArray[np.float32]:
    return np.array(points, np.float32).reshape(-1, 2)


def _pictures_of(row: Mapping[str, Any], views: tuple[View, ...], moment: str) -> EncodedPictures:
    def files(key_of: Callable[[str], str]) -> dict[str, bytes]:
        columns = {view.name: f"{key_of(view.name)}_{moment}" for view in views}
        return {name: row[column]["bytes"] for name, column in columns.items() if column in row}

    return EncodedPictures(files(str), **{extra: files(partial(extra_key, extra=extra)) for extra in EXTRAS})


# All rows of a folder have the same cameras, so they share one parsed tuple.
@lru_cache(maxsize=64)
def _views_from_json(text: str) -> tuple[View, ...]:
    return tuple(View.from_dict(view) for view in json.loads(text))
