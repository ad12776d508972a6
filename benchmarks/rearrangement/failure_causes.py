"""The part of a rearranging agent that made an episode fail, by the agent's decisions and the truth.

An episode has one cause, that of the object which ends farthest from its goal, displaced or not. The parts are checked
in the order in which they work; the first that was wrong is the cause.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import numpy as np

from tabletop_interaction.agents.rearranging.planning import Purpose
from tabletop_interaction.agents.rearranging.rearranger import Decision
from tabletop_interaction.benchmarks.ground_truth import inside_arena
from tabletop_interaction.benchmarks.rearrangement.oracle_parts import RememberingSimulation, objects_of
from tabletop_interaction.envs import PickOutcome
from tabletop_interaction.envs.judges import tolerance_px
from tabletop_interaction.segmentation.rle import mask_iou

DecidedPick = tuple[Decision, PickOutcome]
"""An agent's decision, and the outcome of its pick."""

_FOUND_IOU = 0.5


class Cause(StrEnum):
    """Why an episode failed; `meaning` is a sentence about the object that ended farthest from its goal."""

    meaning: str

    def __new__(cls, name: str, meaning: str) -> Cause:
        """The name is the value, so that a cause is found by its name in a file."""
        cause = str.__new__(cls, name)
        cause._value_, cause.meaning = name, meaning
        return cause

    SEGMENTATION = "segmentation", "At the last decision no mask covers it with IoU above 0.5, now or in the goal."
    MATCHING = "matching", "Its masks are not matched with each other, or it counts as in place although it is not."
    OUT_OF_REACH = "out of reach", "It is outside the arena, or the arm reaches no pick at its angle."
    GRASP = "grasp", "Half or more of the picks aimed at it held nothing, or no grasp was left."
    PLANNING = "planning", "No space to park an object was found, or it was only parked."
    PLACING = "placing", "It was held and carried towards its goal, but came to rest elsewhere."
    DISTURBED = (
        "disturbed",
        "It was not displaced in the goal; another move pushed it away, and it was not brought back.",
    )
    POSITION = "position", "No pick was aimed at it: its masks put it at its goal, although it is not there."
    RAN_OUT = "ran out", "No pick was aimed at it: the interactions were used for other objects."
    UNKNOWN = "unknown", "None of these, or the agent does not expose its decisions."


def cause_of_failure(truth: RememberingSimulation, history: Sequence[DecidedPick]) -> Cause:
    """The cause of an episode that has just failed, from the simulation as the episode left it and the picks in order.

    The history of an agent that does not expose its decisions is empty.
    """
    distances = truth.distances_to_goal()
    culprit = max(distances, key=lambda id_: distances[id_])
    if not history or distances[culprit] <= tolerance_px(truth.views[0]):
        return Cause.UNKNOWN
    if culprit not in {state.id for state in inside_arena(truth.object_states(), truth.arena)}:
        return Cause.OUT_OF_REACH
    last, _ = history[-1]
    return _cause_in_pictures(truth, last, culprit) or _cause_in_history(truth, history, culprit)


def _cause_in_pictures(truth: RememberingSimulation, decision: Decision, id_: int) -> Cause | None:
    """The cause if the agent did not segment the object in both pictures, or did not match its masks."""
    numbers = []
    for segmented in (decision.now, decision.goal):
        true_mask = truth.shown_in(segmented.image).ids == id_
        overlaps = [mask_iou(mask, true_mask) for mask in segmented.masks]
        if not overlaps or max(overlaps) <= _FOUND_IOU:
            return Cause.SEGMENTATION
        numbers.append(int(np.argmax(overlaps)))
    pair = [match for match in decision.matches if [match.now, match.goal] == numbers]
    return None if pair and not pair[0].stands else Cause.MATCHING


def _cause_in_history(truth: RememberingSimulation, history: Sequence[DecidedPick], id_: int) -> Cause:
    purpose = history[-1][0].move.purpose
    if purpose is Purpose.NO_GRASP:
        return Cause.GRASP
    if purpose is Purpose.NO_ROOM:
        return Cause.PLANNING
    picks = [(decision.move.purpose, outcome) for decision, outcome in history if _target(truth, decision) == id_]
    if not picks:
        return _cause_without_picks(truth, purpose, id_)
    if all(outcome is PickOutcome.UNREACHABLE for _, outcome in picks):
        return Cause.OUT_OF_REACH
    held = [purpose for purpose, outcome in picks if outcome is PickOutcome.HELD]
    if 2 * len(held) <= len(picks):
        return Cause.GRASP
    return Cause.PLANNING if set(held) == {Purpose.PARK} else Cause.PLACING


def _cause_without_picks(truth: RememberingSimulation, last: Purpose, id_: int) -> Cause:
    """The cause for an object that the agent recognised but never aimed at."""
    if id_ not in truth.arrangement.displaced:
        return Cause.DISTURBED
    return Cause.POSITION if last is Purpose.DONE else Cause.RAN_OUT


def _target(truth: RememberingSimulation, decision: Decision) -> int | None:
    """The object of the segment that a decision picks; None if it picks nothing."""
    number = decision.move.object
    return None if number is None else objects_of(decision.now, truth)[number]
