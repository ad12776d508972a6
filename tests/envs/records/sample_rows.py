"""Interactions with known content, and short ways to record and to list them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabletop_interaction.envs.actions import PickPlace
from tabletop_interaction.envs.backend import PickOutcome
from tabletop_interaction.envs.records.encoded import EncodedPictures
from tabletop_interaction.envs.records.journal import InteractionWriter, open_writer
from tabletop_interaction.envs.records.png import encode_depths, encode_instances, encode_picture
from tabletop_interaction.envs.records.reading import read_interactions
from tabletop_interaction.envs.records.row import Interaction
from tabletop_interaction.envs.views import View

VIEWS = ("view_0", "view_1")


def picture(number: int) -> NDArray[np.uint8]:
    return np.random.default_rng(number).integers(0, 256, (6, 8, 3), dtype=np.uint8)


def pictures(number: int) -> EncodedPictures:
    return EncodedPictures({name: encode_picture(picture(10 * number + i)) for i, name in enumerate(VIEWS)})


def depth(number: int) -> NDArray[np.float32]:
    return (np.random.default_rng(number).integers(0, 2**16, (6, 8)) / 1000).astype(np.float32)


def instances(number: int) -> NDArray[np.int32]:
    return np.random.default_rng(number).integers(0, 9, (6, 8), dtype=np.int32)


def pictures_with_maps(number: int) -> EncodedPictures:
    """Pictures with depths and instance maps besides."""
    numbers = {name: 10 * number + i for i, name in enumerate(VIEWS)}
    return EncodedPictures(
        pictures(number).encoded,
        depth={name: encode_depths(depth(each)) for name, each in numbers.items()},
        instances={name: encode_instances(instances(each)) for name, each in numbers.items()},
    )


def interaction_with_maps(number: int) -> Interaction:
    moments = {name: pictures_with_maps(number + i) for i, name in enumerate(("before", "held", "after"))}
    return interaction(number, **moments)


def interaction(number: int, **changes: Any) -> Interaction:
    values: dict[str, Any] = {
        "before": pictures(number),
        "held": pictures(number + 1),
        "after": pictures(number + 2),
        "pick_place": PickPlace(0.1, -0.2, 0.5, 0.05, number / 1000),
        "grasped": number % 2 == 0,
        "pick_outcome": PickOutcome.HELD if number % 2 == 0 else PickOutcome.SLIPPED,
        "pick_xy": np.array([[1.5, 2.25], [3, 4]], np.float32),
        "place_xy": np.array([[5, 6], [7, 8]], np.float32),
        "views": tuple(View(name, 6, 8, np.eye(3) * 2, np.eye(4), np.arange(5.0)) for name in VIEWS),
        "split": "train",
        "background": "oak",
        "seed": 7,
        "episode": 1,
        "step": number,
        "scene": 2,
        "time": "2026-11-05T12:00:00.000+00:00",
    }
    return Interaction(**{**values, **changes})


def writer(folder: Path, **options: Any) -> InteractionWriter:
    return open_writer(folder, **{"split": "train", "views": VIEWS, **options})


def record(folder: Path, rows: int, **options: Any) -> list[str]:
    with writer(folder, **options) as out:
        return [out.append(row_for(number, **options)).interaction_id for number in range(rows)]


def row_for(number: int, extras: Sequence[str] = (), **options: Any) -> Interaction:
    """A row for a folder with these extras, none or all."""
    return interaction_with_maps(number) if extras else interaction(number)


def ids(folder: Path) -> list[str]:
    return [row.interaction_id for row in read_interactions(folder, columns=())]


def shards(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "data").iterdir())
