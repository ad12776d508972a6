"""What a simulation knows, in the shape of the parts that an agent would have to learn: true masks and true matches.

With them in place of the learned parts a benchmark says which part a success rate is lost to. Truth is looked up by
the picture itself, so that the agent around the parts is the very same and draws nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from tabletop_interaction.agents.rearranging.matching import Match, SegmentedPicture
from tabletop_interaction.envs import Arrangement, Backend, Goal, Judge, ObjectState
from tabletop_interaction.envs.backend import Pictures
from tabletop_interaction.envs.judges import judge_by_truth
from tabletop_interaction.errors import UnknownPicture
from tabletop_interaction.segmentation.rle import mask_iou
from tabletop_interaction.simulation import SimulationBackend, SimulationConfig
from tabletop_interaction.simulation.backend import ARENA
from tabletop_interaction.simulation.cameras import arena_views
from tabletop_interaction.simulation.renderer import ComposedRenderer
from tabletop_interaction.simulation.world import World

Picture = NDArray[np.uint8]
Ids = NDArray[np.int32]

_LEAST_PIXELS = 60
_STANDS_M = 0.003


@dataclass(frozen=True, eq=False)
class Shown:
    """What a picture shows: which object each pixel, (H, W) int32 with 0 for the table, and where the objects were."""

    ids: Ids
    states: tuple[ObjectState, ...]


class RememberingSimulation(SimulationBackend):
    """The simulation, which also remembers what every picture since the last new scene showed.

    It draws and shows the same as `open_simulation`. Also a `JudgeMaker` that remembers the goal it is asked to judge.

    Args:
        split: which objects and backgrounds scenes draw: "train", "val" or "test".
        config: settings.
    """

    def __init__(self, split: str, config: SimulationConfig | None = None) -> None:
        config = config or SimulationConfig()
        views = arena_views(ARENA)
        super().__init__(split, config, World(), ComposedRenderer(views, shadows=config.shadows), views)
        self._shown: dict[bytes, Shown] = {}
        self._arrangement: Arrangement | None = None

    @property
    def arrangement(self) -> Arrangement:
        """Start and goal of the episode that is being judged."""
        assert self._arrangement is not None, "known from the first reset of an environment that judges with this"
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
        """A `TrueJudge`, after the goal was remembered."""
        self._arrangement = goal.arrangement
        return judge_by_truth(backend, goal, start)

    def shown_in(self, picture: Picture) -> Shown:
        """What a picture of any view shows.

        Raises:
            UnknownPicture: the simulation has not shown it since its last new scene.
        """
        try:
            return self._shown[_key(picture)]
        except KeyError:
            raise UnknownPicture(
                f"a picture of shape {picture.shape} came that the simulation has not shown in this episode; give it "
                "as the observation has it"
            ) from None

    def distances_to_goal(self) -> Mapping[int, float]:
        """How far each object is from where it shall be, pixels of the first view, by id."""
        now, wanted = (_positions(states) for states in (self.object_states(), self.arrangement.goal))
        apart = np.linalg.norm(self.views[0].project(now) - self.views[0].project(wanted), axis=1)
        return {state.id: float(pixels) for state, pixels in zip(self.arrangement.goal, apart, strict=True)}


@dataclass(frozen=True, eq=False)
class TrueHypotheses:
    """Masks bool (N, H, W) of the objects that are seen, each with score 1."""

    masks: NDArray[np.bool_]
    scores: NDArray[np.float32] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "scores", np.ones(len(self.masks), np.float32))


@dataclass(frozen=True, eq=False)
class TrueSegmenter:
    """A segmenter that finds every object of which 60 pixels or more are seen, and nothing else."""

    truth: RememberingSimulation

    def segment(self, image: Picture) -> TrueHypotheses:
        """See `SegmentsPictures`. Raises UnknownPicture."""
        ids = self.truth.shown_in(image).ids
        seen, areas = np.unique(ids, return_counts=True)
        masks = [ids == id_ for id_, area in zip(seen, areas, strict=True) if id_ and area >= _LEAST_PIXELS]
        return TrueHypotheses(np.array(masks, np.bool_).reshape(-1, *ids.shape))


@dataclass(frozen=True, eq=False)
class TrueMatcher:
    """Matches the segments that show the same object, be they true masks or learned ones.

    Of several segments of one object the one counts that covers it best. An object stands where it has the same
    position in both pictures, to within 3 mm: learned masks of a thing that stood still differ too much to say so.
    """

    truth: RememberingSimulation

    def match(self, now: SegmentedPicture, goal: SegmentedPicture) -> tuple[Match, ...]:
        """See `MatchesSegments`. Raises UnknownPicture."""
        ours, theirs = (_best_segments(one, self.truth) for one in (now, goal))
        here, there = (_position_by_id(self.truth.shown_in(one.image).states) for one in (now, goal))
        return tuple(
            Match(number, theirs[id_], 1.0, stands=bool(np.linalg.norm(here[id_] - there[id_]) < _STANDS_M))
            for id_, number in sorted(ours.items(), key=lambda item: item[1])
            if id_ in theirs
        )


def objects_of(segmented: SegmentedPicture, truth: RememberingSimulation) -> list[int]:
    """The id of the object on which most pixels of each segment lie; 0 for the table."""
    ids = truth.shown_in(segmented.image).ids
    return [int(np.bincount(ids[mask]).argmax()) for mask in segmented.masks]


def _best_segments(segmented: SegmentedPicture, truth: RememberingSimulation) -> dict[int, int]:
    """By an object's id the number of the segment that shows it: of those that mostly lie on it, the best."""
    ids, best, numbers = truth.shown_in(segmented.image).ids, dict[int, float](), dict[int, int]()
    for number, id_ in enumerate(objects_of(segmented, truth)):
        overlap = mask_iou(segmented.masks[number], ids == id_)
        if id_ and overlap > best.get(id_, 0.0):
            best[id_], numbers[id_] = overlap, number
    return numbers


def _position_by_id(states: tuple[ObjectState, ...]) -> dict[int, NDArray[np.float64]]:
    return {state.id: state.position for state in states}


def _positions(states: tuple[ObjectState, ...]) -> NDArray[np.float64]:
    return np.array([state.position for state in states])


def _key(picture: Picture) -> bytes:
    return blake2b(picture.tobytes(), digest_size=16).digest()
