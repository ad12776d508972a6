"""How often segments of two pictures are matched rightly: all objects moved and turned between the two, true masks.

Pairs show the same objects under the same light on the same table top; each object stands elsewhere, turned about the
vertical by any angle, so that place says nothing and appearance everything. A pair is right when every object that is
seen in both pictures is matched with itself.

Run: python -m tabletop_interaction.benchmarks.accuracy.matching --pairs 200
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from time import process_time
from typing import Literal

import numpy as np
import tyro
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.optimize import linear_sum_assignment
from scipy.spatial.transform import Rotation

from tabletop_interaction.agents.features import (
    FEATURES,
    Colours,
    DescribesSegments,
    FeaturesUnavailable,
    WithColours,
)
from tabletop_interaction.envs.backend import Arena, ObjectState
from tabletop_interaction.simulation import open_simulation
from tabletop_interaction.simulation.scene import Placement, free_placement

_VIEW = "view_0"
_LEAST_PIXELS = 100

Picture = NDArray[np.uint8]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Options:
    """Print, for each kind of features, the share of objects and of pairs of pictures that are matched rightly.

    Example: python -m tabletop_interaction.benchmarks.accuracy.matching --pairs 200
    """

    pairs: int = 200
    """Pairs of pictures; each takes about half a second to render."""
    split: Literal["train", "val", "test"] = "test"
    """Which objects and table tops."""
    features: tuple[str, ...] = tuple(FEATURES)
    """Which features; those whose weights cannot be had are named and left out."""
    seed: int = 0
    """Where the random numbers start."""


@dataclass(frozen=True, eq=False)
class Pair:
    """Two pictures uint8 (H, W, 3) and, in the same order, the masks bool (N, H, W) of the objects seen in both."""

    now: Picture
    goal: Picture
    now_masks: Bools
    goal_masks: Bools


@dataclass(frozen=True)
class Accuracy:
    """How well one kind of features does over all pairs.

    Attributes:
        objects: how many there were to match.
        objects_right: how many were matched with themselves.
        pairs: how many pairs of pictures.
        pairs_right: in how many all objects were right.
        same: the similarity below which 5 % of an object's views of itself lie.
        other: the similarity above which 5 % of two objects' lie; a threshold belongs between the two.
        seconds: of processor time, a picture.
    """

    objects: int
    objects_right: int
    pairs: int
    pairs_right: int
    same: float
    other: float
    seconds: float


def main(options: Options) -> None:
    """Run and print the table."""
    unknown = sorted(set(options.features) - set(FEATURES))
    if unknown:
        raise SystemExit(f"unknown features {unknown[0]!r}; accepted are {', '.join(FEATURES)}")
    console = Console()
    kinds = _kinds(options.features, console)
    pairs = list(track(render_pairs(options.pairs, options.split, options.seed), "rendering", options.pairs))
    console.print(_table({name: measure(kind, pairs, name) for name, kind in kinds.items()}, options))


def measure(features: DescribesSegments, pairs: Sequence[Pair], name: str = "matching") -> Accuracy:
    """Match every pair by the features' cosine alone, one to one."""
    started = process_time()
    similarities = [_similarities(features, pair) for pair in track(pairs, name)]
    seconds = (process_time() - started) / (2 * len(pairs))
    right = [_matched_rightly(one) for one in similarities]
    same = np.concatenate([one.diagonal() for one in similarities])
    other = np.concatenate([one[~np.eye(len(one), dtype=bool)] for one in similarities])
    return Accuracy(
        objects=len(same),
        objects_right=sum(int(one.sum()) for one in right),
        pairs=len(pairs),
        pairs_right=sum(bool(one.all()) for one in right),
        same=float(np.quantile(same, 0.05)),
        other=float(np.quantile(other, 0.95)),
        seconds=seconds,
    )


def render_pairs(count: int, split: str, seed: int) -> Iterator[Pair]:
    """Draw scenes of 4 to 8 objects, each seen twice by the first camera."""
    rng = np.random.default_rng(seed)
    with open_simulation(split, None) as backend:
        for _ in range(count):
            backend.reset(rng, new_scene=True)
            now, now_ids = backend.observe()[_VIEW], backend.instance_maps()[_VIEW]
            backend.arrange(_rearranged(rng, backend.object_states(), backend.arena))
            goal, goal_ids = backend.observe()[_VIEW], backend.instance_maps()[_VIEW]
            seen = [id_ for id_ in np.unique(now_ids) if id_ and _seen(now_ids == id_) and _seen(goal_ids == id_)]
            yield Pair(now, goal, _masks(now_ids, seen), _masks(goal_ids, seen))


def _rearranged(rng: np.random.Generator, states: Sequence[ObjectState], arena: Arena) -> list[ObjectState]:
    """Every object at a random free place, turned about the vertical."""
    placements: list[Placement] = []
    for state in states:
        placements.append(free_placement(rng, state.name, arena, placements))
    return [_set_at(state, placement) for state, placement in zip(states, placements, strict=True)]


def _set_at(state: ObjectState, placement: Placement) -> ObjectState:
    turned = Rotation.from_euler("z", placement.yaw) * Rotation.from_quat(state.quaternion_xyzw)
    position = np.array([placement.x, placement.y, state.position[2]])
    return replace(state, position=position, quaternion_xyzw=turned.as_quat())


def _seen(mask: Bools) -> bool:
    return int(mask.sum()) >= _LEAST_PIXELS


def _masks(ids: NDArray[np.int32], seen: Sequence[int]) -> Bools:
    return np.array([ids == id_ for id_ in seen], np.bool_).reshape(-1, *ids.shape)


def _kinds(names: Sequence[str], console: Console) -> dict[str, DescribesSegments]:
    """The named features with colours and without, and colours alone."""
    kinds: dict[str, DescribesSegments] = {"colours alone": Colours()}
    for name in names:
        try:
            features = FEATURES[name]()
        except FeaturesUnavailable as error:
            console.print(f"{name} left out: {error}", highlight=False, markup=False)
            continue
        kinds[name] = features
        if isinstance(features, WithColours):
            kinds[f"{name}, no colours"] = features.features
    return kinds


def _similarities(features: DescribesSegments, pair: Pair) -> NDArray[np.float32]:
    now = features.describe(pair.now, pair.now_masks)
    return np.asarray(now @ features.describe(pair.goal, pair.goal_masks).T, np.float32)


def _matched_rightly(similarities: NDArray[np.float32]) -> Bools:
    rows, columns = linear_sum_assignment(similarities, maximize=True)
    return np.asarray(rows == columns)


def _table(results: Mapping[str, Accuracy], options: Options) -> Table:
    table = Table(title=f"matching, {options.pairs} pairs, {options.split} objects and tables, seed {options.seed}")
    for heading in ("features", "objects", "right", "pairs all right", "same, 5 %", "other, 95 %", "ms a picture"):
        table.add_column(heading, justify="left" if heading == "features" else "right")
    for name, found in results.items():
        table.add_row(
            name,
            str(found.objects),
            f"{found.objects_right / found.objects:.1%}",
            f"{found.pairs_right / found.pairs:.1%}",
            f"{found.same:.2f}",
            f"{found.other:.2f}",
            f"{1000 * found.seconds:.0f}",
        )
    return table


if __name__ == "__main__":
    main(tyro.cli(Options))
