"""Share of segments that are matched correctly between two pictures, by appearance alone, with true masks.

Both pictures of a pair show the same objects under the same light on the same table top. Between them every object is
moved to a random place and turned about the vertical by a random angle, so that places do not help. A pair is correct
if every object that is seen in both pictures is matched with itself.

Run: python -m tabletop_interaction.benchmarks.accuracy.matching --pairs 200
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from time import process_time

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.optimize import linear_sum_assignment

from tabletop_interaction.agents.features import FEATURES, Colours, DescribesSegments, WithColours
from tabletop_interaction.arrays import Ids, Mask, Masks, Picture
from tabletop_interaction.benchmarks.figures import SceneOptions, figures_table
from tabletop_interaction.benchmarks.ground_truth import turned_about_vertical
from tabletop_interaction.benchmarks.results.shares import WILSON, per_cent, share_of
from tabletop_interaction.envs.backend import ObjectState, Split
from tabletop_interaction.errors import FeaturesUnavailable
from tabletop_interaction.program import run_module
from tabletop_interaction.progress import track
from tabletop_interaction.ranges import Count, check_choice
from tabletop_interaction.simulation import SimulationBackend, open_simulation
from tabletop_interaction.simulation.scene import Placement, free_placement

_VIEW = "view_0"
_LEAST_PIXELS = 100


@dataclass(frozen=True, kw_only=True)
class MatchingOptions(SceneOptions):
    """Options of the matching benchmark."""

    split: Split = "test"
    """Objects and table tops."""
    pairs: Count = 200
    """Pairs of pictures."""
    features: tuple[str, ...] = tuple(FEATURES)
    """Features to compare; those whose weights are not available are left out."""


@dataclass(frozen=True, eq=False)
class PicturePair:
    """Two pictures uint8 (H, W, 3), and masks bool (N, H, W) of the objects seen in both, in the same order."""

    now: Picture
    goal: Picture
    now_masks: Masks
    goal_masks: Masks


@dataclass(frozen=True)
class MatchingAccuracy:
    """Accuracy of one kind of features over all pairs.

    Attributes:
        objects, objects_right: objects to match, and those that were matched with themselves.
        pairs, pairs_right: pairs of pictures, and those in which all objects were matched with themselves.
        same: 5 % quantile of the similarity of an object with itself.
        other: 95 % quantile of the similarity of two objects; a threshold belongs between `other` and `same`.
        seconds: processor time per picture.
    """

    objects: int
    objects_right: int
    pairs: int
    pairs_right: int
    same: float
    other: float
    seconds: float


def main(options: MatchingOptions) -> None:
    """Render, match and print the table."""
    for name in options.features:
        check_choice("features", name, FEATURES)
    console = Console()
    kinds = _kinds(options.features, console)
    pairs = list(track(render_pairs(options.pairs, options.split, options.seed), "rendering", options.pairs))
    measured = {name: measure(kind, pairs, name) for name, kind in kinds.items()}
    console.print(_table(measured, options))
    figures = {
        name: {
            "correct": per_cent(found.objects_right / found.objects, trials=found.objects),
            "pairs all correct": share_of(found.pairs_right, found.pairs),
        }
        for name, found in measured.items()
    }
    options.keep(figures, seeds=(options.seed,), interval=WILSON)


def measure(features: DescribesSegments, pairs: Sequence[PicturePair], name: str = "matching") -> MatchingAccuracy:
    """Match every pair one to one by the cosine of the features."""
    started = process_time()
    similarities = [
        features.describe(pair.now, pair.now_masks) @ features.describe(pair.goal, pair.goal_masks).T
        for pair in track(pairs, name)
    ]
    seconds = (process_time() - started) / (2 * len(pairs))
    right = [np.equal(*linear_sum_assignment(one, maximize=True)) for one in similarities]
    same = np.concatenate([one.diagonal() for one in similarities])
    other = np.concatenate([one[~np.eye(len(one), dtype=bool)] for one in similarities])
    return MatchingAccuracy(
        objects=len(same),
        objects_right=sum(int(one.sum()) for one in right),
        pairs=len(pairs),
        pairs_right=sum(bool(one.all()) for one in right),
        same=float(np.quantile(same, 0.05)),
        other=float(np.quantile(other, 0.95)),
        seconds=seconds,
    )


def render_pairs(count: int, split: str, seed: int) -> Iterator[PicturePair]:
    """Random scenes of 4 to 8 objects, each seen twice by the first camera."""
    rng = np.random.default_rng(seed)
    with open_simulation(split, None) as backend:
        for _ in range(count):
            backend.reset(rng, new_scene=True)
            now, now_ids = backend.observe()[_VIEW], backend.instance_maps()[_VIEW]
            backend.arrange(_rearranged(rng, backend))
            goal, goal_ids = backend.observe()[_VIEW], backend.instance_maps()[_VIEW]
            seen = [id_ for id_ in np.unique(now_ids) if id_ and _seen(now_ids == id_) and _seen(goal_ids == id_)]
            yield PicturePair(now, goal, _masks(now_ids, seen), _masks(goal_ids, seen))


def _rearranged(rng: np.random.Generator, backend: SimulationBackend) -> list[ObjectState]:
    """Every object at a random free place, turned about the vertical."""
    placements: list[Placement] = []
    states, models = backend.object_states(), backend.world.models
    for state in states:
        placements.append(free_placement(rng, models[state.id], backend.arena, placements))
    return [
        replace(
            turned_about_vertical(state, placement.yaw),
            position=np.array([placement.x, placement.y, state.position[2]]),
        )
        for state, placement in zip(states, placements, strict=True)
    ]


def _seen(mask: Mask) -> bool:
    return int(mask.sum()) >= _LEAST_PIXELS


def _masks(ids: Ids, seen: Sequence[int]) -> Masks:
    return np.array([ids == id_ for id_ in seen], np.bool_).reshape(-1, *ids.shape)


def _kinds(names: Sequence[str], console: Console) -> dict[str, DescribesSegments]:
    """The named features with and without colours, and colours alone."""
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


def _table(results: Mapping[str, MatchingAccuracy], options: MatchingOptions) -> Table:
    rows = [
        (
            name,
            str(found.objects),
            f"{found.objects_right / found.objects:.1%}",
            f"{found.pairs_right / found.pairs:.1%}",
            f"{found.same:.2f}",
            f"{found.other:.2f}",
            f"{1000 * found.seconds:.0f}",
        )
        for name, found in results.items()
    ]
    title = f"matching, {options.pairs} pairs, {options.split} objects and tables, seed {options.seed}"
    headings = ("features", "objects", "correct", "pairs all correct", "same, 5 %", "other, 95 %", "ms a picture")
    return figures_table(title, headings, rows)


if __name__ == "__main__":
    run_module(main, MatchingOptions, __doc__)
