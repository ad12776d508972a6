"""Interaction: one row, and its conversion to and from columns on disk.

A row's pictures are PNG bytes in columns `<view>_before`, `<view>_held` and `<view>_after`, of the type that Hugging
Face `datasets` shows as pictures. Rows are never rewritten: labels are a separate table, keyed by `interaction_id`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tabletop_interaction.envs.actions import PickPlace
from tabletop_interaction.envs.backend import PickOutcome
from tabletop_interaction.envs.records.folder import SCHEMA_VERSION
from tabletop_interaction.envs.records.png import PngPictures
from tabletop_interaction.envs.views import View
from tabletop_interaction.errors import InvalidConfiguration, UnreadableRecords

MOMENTS = ("before", "held", "after")
"""When a row's pictures were taken: before the pick, between pick and place, after the place."""

_PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_PIXELS = pa.list_(pa.list_(pa.float32()))
_FIELDS = (
    pa.field("interaction_id", pa.string()),
    pa.field("writer", pa.string()),
    pa.field("seed", pa.int64()),
    pa.field("episode", pa.int64()),
    pa.field("step", pa.int64()),
    pa.field("scene", pa.int64()),
    pa.field("background", pa.string()),
    pa.field("split", pa.string()),
    pa.field("time", pa.string()),
    pa.field("pick_x", pa.float64()),
    pa.field("pick_y", pa.float64()),
    pa.field("angle", pa.float64()),
    pa.field("place_x", pa.float64()),
    pa.field("place_y", pa.float64()),
    pa.field("grasped", pa.bool_()),
    pa.field("pick_outcome", pa.int32()),
    pa.field("pick_xy", _PIXELS),
    pa.field("place_xy", _PIXELS),
    pa.field("views", pa.string()),
)
SMALL_COLUMNS = tuple(field.name for field in _FIELDS)
"""Every column that holds no picture, schema version 1."""
_AS_THEY_ARE = (
    "interaction_id", "writer", "seed", "episode", "step", "scene", "background", "split", "time", "grasped",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Interaction:
    """One pick-and-place: pictures, action, outcome and origin.

    Attributes:
        before: pictures of the table before the pick, by view name.
        held: pictures between pick and place; without a grasp the same as `after`.
        after: pictures of the table after the place.
        pick_place: the action, in metres and radians.
        grasped: whether the gripper reports that it held something.
        pick_outcome: result of the pick.
        pick_xy: (views, 2) float32, pixel x, y of the pick point in each view.
        place_xy: (views, 2) float32, pixel x, y of the place point in each view.
        views: the cameras, in the order of `pick_xy`.
        split: "train", "val" or "test".
        background: name of the table's surface.
        seed: seed of the last seeded reset; -1 without one.
        episode: number of the reset since then, from 0.
        step: number of the interaction in its episode, from 0.
        scene: number of the scene since the last seeded reset.
        time: UTC, ISO 8601.
        interaction_id: unique, "<writer>-<shard>-<row>"; set by the writer.
        writer: name of the writer; set by the writer.
    """

    before: PngPictures
    held: PngPictures
    after: PngPictures
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


def picture_columns(view_names: Sequence[str]) -> tuple[str, ...]:
    """Names of all picture columns of a folder with these views."""
    return tuple(f"{name}_{moment}" for name in view_names for moment in MOMENTS)


def schema_of(view_names: Sequence[str]) -> pa.Schema:
    """Columns of schema version 1, with the metadata for `datasets` and for our reader."""
    pictures = picture_columns(view_names)
    features = {name: {"_type": "Image"} for name in pictures}
    return pa.schema(
        [*_FIELDS, *(pa.field(name, _PICTURE) for name in pictures)],
        metadata={
            "schema_version": str(SCHEMA_VERSION),
            # Naming the picture columns is enough: `datasets` infers the others.
            "huggingface": json.dumps({"info": {"features": features}}),
        },
    )


def check_columns(found: pa.Schema, view_names: Sequence[str], path: Path) -> None:
    """Check that a file has rows of a known version with the columns of a folder with these views.

    Raises:
        UnreadableRecords: it has not.
    """
    version = (found.metadata or {}).get(b"schema_version", b"none").decode(errors="replace")
    if version not in {str(known) for known in range(1, SCHEMA_VERSION + 1)}:
        raise UnreadableRecords(
            f"{path} has schema version {version}; accepted are 1 to {SCHEMA_VERSION}; install a newer "
            "tabletop-interaction to read it"
        )
    if missing := [name for name in (*SMALL_COLUMNS, *picture_columns(view_names)) if name not in found.names]:
        raise UnreadableRecords(
            f"{path} has no column {missing[0]!r}, which meta.json asks for; restore meta.json from a copy, or move "
            "the file to the folder it belongs to"
        )


def batch_from_interaction(interaction: Interaction, schema: pa.Schema) -> pa.RecordBatch:
    """One row with the columns of `schema_of`."""
    row = {name: getattr(interaction, name) for name in _AS_THEY_ARE} | vars(interaction.pick_place)
    row["pick_outcome"] = int(interaction.pick_outcome)
    row["pick_xy"] = np.asarray(interaction.pick_xy, np.float32).tolist()
    row["place_xy"] = np.asarray(interaction.place_xy, np.float32).tolist()
    row["views"] = json.dumps([view.to_dict() for view in interaction.views])
    for moment in MOMENTS:
        for name, png in getattr(interaction, moment).png.items():
            row[f"{name}_{moment}"] = {"bytes": png, "path": None}
    return pa.RecordBatch.from_pylist([row], schema=schema)


def interaction_from_row(row: Mapping[str, Any]) -> Interaction:
    """Inverse of `batch_from_interaction`, for a row of plain Python values with all small columns."""
    views = _views_from_json(row["views"])
    return Interaction(
        before=_pictures_of(row, views, "before"),
        held=_pictures_of(row, views, "held"),
        after=_pictures_of(row, views, "after"),
        pick_place=PickPlace(row["pick_x"], row["pick_y"], row["angle"], row["place_x"], row["place_y"]),
        pick_outcome=PickOutcome(row["pick_outcome"]),
        pick_xy=np.array(row["pick_xy"], np.float32).reshape(-1, 2),
        place_xy=np.array(row["place_xy"], np.float32).reshape(-1, 2),
        views=views,
        **{name: row[name] for name in _AS_THEY_ARE},
    )


def check_row(interaction: Interaction, split: str, view_names: Sequence[str]) -> None:
    """Check that a row fits a folder of this split and these views.

    Raises:
        InvalidConfiguration: it does not; the message names the first difference.
    """
    if interaction.split != split:
        raise InvalidConfiguration(f"the row has split {interaction.split!r}; accepted in this folder is {split!r}")
    if (names := [view.name for view in interaction.views]) != list(view_names):
        raise InvalidConfiguration(f"the row has views {names}; accepted in this folder are {list(view_names)}")
    for moment in MOMENTS:
        if missing := [name for name in view_names if name not in getattr(interaction, moment).png]:
            raise InvalidConfiguration(f"the row has no picture of {missing[0]!r} {moment}; give one of every view")
    for points in (interaction.pick_xy, interaction.place_xy):
        if np.shape(points) != (len(view_names), 2):
            raise InvalidConfiguration(f"pixels have shape {np.shape(points)}; accepted is ({len(view_names)}, 2)")


def _pictures_of(row: Mapping[str, Any], views: tuple[View, ...], moment: str) -> PngPictures:
    columns = {view.name: f"{view.name}_{moment}" for view in views}
    return PngPictures({name: row[column]["bytes"] for name, column in columns.items() if column in row})


# All rows of a folder have the same cameras, so they share one parsed tuple.
@lru_cache(maxsize=64)
def _views_from_json(text: str) -> tuple[View, ...]:
    return tuple(View.from_dict(view) for view in json.loads(text))
