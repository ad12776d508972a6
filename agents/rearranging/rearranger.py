"""Rearrange the table to match a picture, from pictures alone (Pathak et al. 2018, section 5).

Segment both pictures, match the segments, and move the matched ones one at a time until every pair is within 15 px. The
first view decides. Another view is used when the first has nothing to move although its pictures still differ, and for
a grasp where one has failed.

Between moves the agent remembers the goal's segments, the outcomes of its grasps (`GraspMemory`), and how often the
episode continued although there was nothing to do: then it halves the tolerance. An episode begins when `info` says
that nothing was picked yet, or when the goal's pictures change.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabletop_interaction.agents.agent import Observation
from tabletop_interaction.agents.grasp import GraspPoint
from tabletop_interaction.agents.rearranging.grasps import (
    SAME_OBJECT_M,
    GraspMemory,
    GripperShape,
    choose_grasps,
    is_same_as_any,
)
from tabletop_interaction.agents.rearranging.matching import Match, MatchesSegments, SegmentedPicture, changed_shares
from tabletop_interaction.agents.rearranging.planning import (
    Move,
    PlanningConfig,
    TableObject,
    emptiest_point,
    plan_move,
)
from tabletop_interaction.agents.rearranging.segments import SegmentConfig, centroid_of, footprint_of, segment_table
from tabletop_interaction.arrays import Floats, Picture
from tabletop_interaction.envs import Arena, PickOutcome, PickPlace, View
from tabletop_interaction.envs.judges import differing_regions
from tabletop_interaction.envs.rearrangement import goal_key
from tabletop_interaction.errors import NoGoal
from tabletop_interaction.ranges import check_fields
from tabletop_interaction.segmentation.segments import PictureSegmenter
from tabletop_interaction.working_size import size_scale

# Share of an unmatched segment that must change before it counts as an object in the way.
_LEAST_IN_WAY = 0.5


@dataclass(frozen=True)
class RearrangerConfig:
    """Settings of the parts.

    Attributes:
        segments: Which hypotheses count as objects, see `SegmentConfig`.
        planning: When an object counts as at its goal, and the gaps between objects, see `PlanningConfig`.
        gripper: Shape of the gripper, see `GripperShape`.
    """

    segments: SegmentConfig = field(default_factory=SegmentConfig)
    planning: PlanningConfig = field(default_factory=PlanningConfig)
    gripper: GripperShape = field(default_factory=GripperShape)

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True, eq=False)
class Decision:
    """What the agent saw, and its action: for drawing, and for finding the step that went wrong.

    Attributes:
        distances_px: (len(matches),) float64, from each matched segment to its goal; 0 where it stands.
        move: which object goes where, by number of the segment now, or why none does.
        grasp: of the object; None if nothing is moved.
        pick_place: the action, metres; if nothing is moved, a pick at the emptiest point of the arena.
    """

    view: str
    now: SegmentedPicture
    goal: SegmentedPicture
    matches: tuple[Match, ...]
    distances_px: Floats
    move: Move
    grasp: GraspPoint | None
    pick_place: PickPlace


class Rearranger:
    """See the module. Deterministic: the same pictures and outcomes give the same actions.

    Args:
        segmenter: finds the segments of a picture, such as `segmentation.Segmenter`.
        matcher: finds those that show the same object, such as `matching.AppearanceMatcher`.
        views: the cameras; the first one decides.

    Attributes:
        decision: of the last `act`; None before the first.
    """

    def __init__(
        self,
        segmenter: PictureSegmenter,
        matcher: MatchesSegments,
        views: tuple[View, ...],
        arena: Arena,
        config: RearrangerConfig | None = None,
    ) -> None:
        self._segmenter = segmenter
        self._matcher = matcher
        self._views = views
        self._arena = arena
        self._config = config or RearrangerConfig()
        self.decision: Decision | None = None
        self._goals: dict[str, SegmentedPicture] = {}
        self._memory = GraspMemory()
        self._rests = 0

    def act(self, observation: Observation, info: dict[str, Any]) -> NDArray[np.float32]:
        """The next move, or a pick at the emptiest point when there is none.

        Args:
            observation: of `TabletopRearrangement`: each view's picture, and `goal_0` and so on; blank goals are
                ignored.
            info: of the last reset or step; `pick_outcome` and `pick_place` are read.

        Raises:
            NoGoal: no goal's picture shows anything.
        """
        goals = self._goal_pictures(observation)
        self._remember(goals, info)
        self.decision = self._decide(observation, goals)
        return self.decision.pick_place.to_action(self._arena)

    def _goal_pictures(self, observation: Observation) -> dict[str, Picture]:
        """Goal pictures by view name; views without a goal are left out."""
        pictures = {view.name: observation.get(goal_key(number)) for number, view in enumerate(self._views)}
        goals = {name: one for name, one in pictures.items() if one is not None and one.min() < one.max()}
        if not goals:
            raise NoGoal(
                f"the observation has {', '.join(sorted(observation))}, and no goal that shows anything; give goal_0 "
                "and so on, as TabletopRearrangement does"
            )
        return goals

    def _remember(self, goals: dict[str, Picture], info: dict[str, Any]) -> None:
        """Forget everything in a new episode; else remember the outcome of the last decision."""
        known = {name: one.image for name, one in self._goals.items()}
        has_changed = any(name not in goals or not np.array_equal(goals[name], image) for name, image in known.items())
        last = self.decision
        if last is None or has_changed or info["pick_outcome"] == PickOutcome.NO_PICK:
            self.decision, self._goals, self._memory, self._rests = None, {}, GraspMemory(), 0
        elif last.grasp is not None and last.move.place is not None:
            self._memory.add(last.grasp, last.pick_place, last.move.place, info)
        else:
            self._rests += 1

    def _decide(self, observation: Observation, goals: dict[str, Picture]) -> Decision:
        """The first view's decision, unless it moves nothing and another view does."""
        decisions: list[Decision] = []
        for view in (view for view in self._views if view.name in goals):
            found = self._decide_in(view, observation, goals[view.name])
            if found.grasp is not None:
                return found
            decisions.append(found)
            if not differing_regions(observation[view.name], goals[view.name]).any():
                break
        return decisions[0]

    def _decide_in(self, view: View, observation: Observation, goal_picture: Picture) -> Decision:
        now = self._not_empty(self._segmented(observation[view.name], view), view)
        if view.name not in self._goals:
            self._goals[view.name] = self._segmented(goal_picture, view)
        goal = self._goals[view.name]
        matches = self._matcher.match(now, goal)
        distances = np.array([_distance_px(now, goal, match) for match in matches], np.float64)
        objects = _table_objects(view, now, goal, matches, distances)
        self._memory.observe([one.centroid for one in objects])
        objects = [replace(one, graspable=bool(self._grasps(i, one.goal, objects))) for i, one in enumerate(objects)]
        # The tolerance is halved each time the episode continues although nothing was left to move.
        planning = replace(self._config.planning, aim_px=self._config.planning.aim_px / 2**self._rests)
        move = plan_move(objects, self._arena, planning)
        grasp, pick_place = self._action_of(move, objects, view, observation)
        return Decision(view.name, now, goal, matches, distances, move, grasp, pick_place)

    def _action_of(
        self, move: Move, objects: Sequence[TableObject], view: View, observation: Observation
    ) -> tuple[GraspPoint | None, PickPlace]:
        """Grasp and action of a move: the place point is the pick point moved by the displacement of the centroid."""
        if move.object is None or move.place is None:
            x, y = (float(value) for value in emptiest_point(objects, self._arena))
            return None, PickPlace(x, y, 0.0, x, y)
        mine = objects[move.object]
        grasp = self._seen_elsewhere(mine, move.place, objects, view, observation)
        if grasp is None:
            grasp = self._grasps(move.object, move.place, objects)[0]
        pick = _inside(self._arena, np.array([grasp.x, grasp.y]))
        place = _inside(self._arena, pick + move.place - mine.centroid)
        return grasp, PickPlace(float(pick[0]), float(pick[1]), grasp.angle, float(place[0]), float(place[1]))

    def _grasps(self, number: int, place: Floats | None, objects: Sequence[TableObject]) -> list[GraspPoint]:
        """The grasps of an object that have not failed; none for one that stands, since it has to stay."""
        mine = objects[number]
        if mine.stands:
            return []
        displacement = None if place is None else place - mine.centroid
        others = [one.footprint for i, one in enumerate(objects) if i != number]
        failed, poor = self._memory.failed, self._memory.poor
        return choose_grasps(mine.footprint, displacement, others, failed, self._arena, self._config.gripper, poor)

    def _seen_elsewhere(
        self, mine: TableObject, place: Floats, objects: Sequence[TableObject], view: View, observation: Observation
    ) -> GraspPoint | None:
        """If a grasp of the object failed: the best one by another view's segment of it, unless that failed too."""
        if not any(np.hypot(*(mine.centroid - (one.x, one.y))) < SAME_OBJECT_M for one in self._memory.failed):
            return None
        others = [one.footprint for one in objects if one is not mine]
        for other in self._views:
            if other is view:
                continue
            for mask in self._segmented(observation[other.name], other).masks:
                if np.linalg.norm(centroid_of(mask, other) - mine.centroid) < SAME_OBJECT_M:
                    found = choose_grasps(
                        footprint_of(mask, other), place - mine.centroid, others, (), self._arena, self._config.gripper
                    )
                    if found and not is_same_as_any(found[0], self._memory.failed, self._config.gripper):
                        return found[0]
        return None

    def _not_empty(self, segmented: SegmentedPicture, view: View) -> SegmentedPicture:
        """Without segments on which the gripper closed and touched nothing: they show no object."""
        kept = [not self._memory.found_nothing_on(footprint_of(mask, view)) for mask in segmented.masks]
        return SegmentedPicture(segmented.image, segmented.masks[np.array(kept, np.bool_)])

    def _segmented(self, picture: Picture, view: View) -> SegmentedPicture:
        return segment_table(picture, self._segmenter, view, self._arena, self._config.segments)


def _distance_px(now: SegmentedPicture, goal: SegmentedPicture, match: Match) -> float:
    """How far a matched segment is from its goal, pixels of a picture of working size."""
    if match.stands:
        return 0.0
    moved = now.centroids_xy[match.now] - goal.centroids_xy[match.goal]
    return float(np.linalg.norm(moved)) / size_scale(*now.image.shape[:2])


def _table_objects(
    view: View,
    now: SegmentedPicture,
    goal: SegmentedPicture,
    matches: Sequence[Match],
    distances: Floats,
) -> list[TableObject]:
    """Every segment now; one without a match has no goal, and stands if most of it looks as in the goal."""
    changed = changed_shares(now, goal.image)
    found = {match.now: (match, float(distance)) for match, distance in zip(matches, distances, strict=True)}
    objects = []
    for number, mask in enumerate(now.masks):
        match, distance = found.get(number, (None, 0.0))
        objects.append(
            TableObject(
                footprint=footprint_of(mask, view),
                centroid=centroid_of(mask, view),
                goal=None if match is None else centroid_of(goal.masks[match.goal], view),
                distance_px=distance,
                stands=bool(changed[number] < _LEAST_IN_WAY) if match is None else match.stands,
                graspable=True,
            )
        )
    return objects


def _inside(arena: Arena, point: Floats) -> Floats:
    return np.clip(point, (arena.x_min, arena.y_min), (arena.x_max, arena.y_max))
