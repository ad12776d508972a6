"""True masks and true matches, as parts of an agent in place of the learned ones: they show which part fails.

The truth is looked up by the picture itself, so that the agent is the same as with learned parts and draws the same
random numbers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from tabletop_interaction.agents.rearranging.matching import Match, SegmentedPicture
from tabletop_interaction.arrays import Ids, Picture
from tabletop_interaction.envs import Arrangement, Backend, Goal, Judge, ObjectState
from tabletop_interaction.envs.backend import Pictures
from tabletop_interaction.envs.judges import judge_by_truth
from tabletop_interaction.errors import UnknownPicture
from tabletop_interaction.segmentation.rle import mask_iou
from tabletop_interaction.segmentation.segments import Segments
from tabletop_interaction.simulation import SimulationBackend, SimulationConfig
from tabletop_interaction.simulation.renderer import ComposedRenderer
from tabletop_interaction.simulation.scene import catalogue_of, check_names
from tabletop_interaction.simulation.world import World
from tabletop_interaction.working_size import size_scale

_LEAST_PIXELS = 60
_STANDS_M = 0.003


@dataclass(frozen=True, eq=False)
class Shown:
    """The truth about a picture: ids (H, W) of the pixels' objects, 0 for the table, and the objects' states."""

    ids: Ids
    states: tuple[ObjectState, ...]


class RememberingSimulation(SimulationBackend):
    """The simulation, which also remembers the truth about every picture since the last new scene.

    Scenes and pictures are those of `open_simulation`. Its method `judge` is a `JudgeMaker` that remembers the goal.
    """

    def __init__(self, split: str, config: SimulationConfig | None = None) -> None:
        config = config or SimulationConfig()
        catalogue = catalogue_of(config)
        check_names(split, config, catalogue)
        views = config.cameras
        renderer = ComposedRenderer(views, shadows=config.shadows)
        super().__init__(split, config, catalogue, World(), renderer, views)
        self._shown: dict[bytes, Shown] = {}
        self._arrangement: Arrangement | None = None

    @property
    def arrangement(self) -> Arrangement:
        """Start and goal of the episode that is being judged."""
        assert self._arrangement is not None, "known after the first reset of an environment with this judge"
        return self._arrangement

    def reset(self, rng: np.random.Generator, *, new_scene: bool) -> int:
        """See `Backend.reset`."""
        if new_scene:
            self._shown = {}
        return super().reset(rng, new_scene=new_scene)

    def observe(self) -> Pictures:
        """See `Backend.observe`."""
        pictures, ids, states = super().observe(), self.instance_maps(), self.object_states()
        self._shown |= {_key(picture): Shown(ids[name], states) for name, picture in pictures.items()}
        return pictures

    def judge(self, backend: Backend, goal: Goal, start: Pictures) -> Judge:
        """See `judge_by_truth`."""
        self._arrangement = goal.arrangement
        return judge_by_truth(backend, goal, start)

    def shown_in(self, picture: Picture) -> Shown:
        """The truth about a picture; raises UnknownPicture unless it was rendered since the last new scene."""
        try:
            return self._shown[_key(picture)]
        except KeyError:
            raise UnknownPicture(
                f"the simulation has not shown this picture of shape {picture.shape} in this episode; give one of the "
                "observation, unchanged"
            ) from None

    def distances_to_goal(self) -> Mapping[int, float]:
        """Distance of each object from its goal, pixels of the first view, by id."""
        goal = self.arrangement.goal
        now, wanted = (
            self.views[0].project(np.array([state.position for state in states]))
            for states in (self.object_states(), goal)
        )
        distances = np.linalg.norm(now - wanted, axis=1)
        return {state.id: float(pixels) for state, pixels in zip(goal, distances, strict=True)}


@dataclass(frozen=True, eq=False)
class TrueSegmenter:
    """A segmenter that finds exactly the objects with 60 visible pixels or more, of pictures of 350 x 430."""

    truth: RememberingSimulation

    def segment(self, picture: Picture) -> Segments:
        """See `PictureSegmenter`; every score is 1. Raises UnknownPicture."""
        ids = self.truth.shown_in(picture).ids
        seen, areas = np.unique(ids, return_counts=True)
        least = _LEAST_PIXELS * size_scale(*ids.shape) ** 2
        masks = [ids == id_ for id_, area in zip(seen, areas, strict=True) if id_ and area >= least]
        return Segments.of(np.array(masks, np.bool_).reshape(-1, *ids.shape), np.ones(len(masks)))


@dataclass(frozen=True, eq=False)
class TrueMatcher:
    """Matches the segments, true or learned, that show the same object.

    Of several segments of an object the one with the highest IoU counts. An object stands if its true positions in the
    two pictures differ by less than 3 mm; learned masks of an object that has not moved differ too much to decide it.
    """

    truth: RememberingSimulation

    def match(self, now: SegmentedPicture, goal: SegmentedPicture) -> tuple[Match, ...]:
        """See `MatchesSegments`. Raises UnknownPicture."""
        ours, theirs = (_best_segments(one, self.truth) for one in (now, goal))
        here, there = (
            {state.id: state.position for state in self.truth.shown_in(one.image).states} for one in (now, goal)
        )
        return tuple(
            Match(number, theirs[id_], 1.0, stands=bool(np.linalg.norm(here[id_] - there[id_]) < _STANDS_M))
            for id_, number in sorted(ours.items(), key=lambda item: item[1])
            if id_ in theirs
        )


def objects_of(segmented: SegmentedPicture, truth: RememberingSimulation) -> list[int]:
    """For each segment the id of the object that has most of its pixels; 0 for the table."""
    ids = truth.shown_in(segmented.image).ids
    return [int(np.bincount(ids[mask]).argmax()) for mask in segmented.masks]


def _best_segments(segmented: SegmentedPicture, truth: RememberingSimulation) -> dict[int, int]:
    """By object id the number of its segment with the highest IoU, of those that have most pixels on it."""
    ids, best, numbers = truth.shown_in(segmented.image).ids, dict[int, float](), dict[int, int]()
    for number, id_ in enumerate(objects_of(segmented, truth)):
        overlap = mask_iou(segmented.masks[number], ids == id_)
        if id_ and overlap > best.get(id_, 0.0):
            best[id_], numbers[id_] = overlap, number
    return numbers


def _key(picture: Picture) -> bytes:
    return blake2b(picture.tobytes(), digest_size=16).digest()
