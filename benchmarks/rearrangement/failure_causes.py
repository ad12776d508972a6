"""Which part of a rearranging agent an episode was lost to, told by its decisions and the truth.

One cause an episode: that of the object which in the end is farthest from where it shall be, displaced or not. The
parts are asked in the order in which they work, and the first that is wrong is named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from tabletop_interaction.agents.rearranging.planning import Purpose
from tabletop_interaction.agents.rearranging.rearranger import Decision
from tabletop_interaction.benchmarks.rearrangement.oracle_parts import RememberingSimulation, objects_of
from tabletop_interaction.envs import PickOutcome
from tabletop_interaction.envs.judges import WITHIN_PX
from tabletop_interaction.segmentation.rle import mask_iou

_FOUND_IOU = 0.5


class Cause(StrEnum):
    """Why an episode failed; `meaning` says it in a sentence about the object that ended farthest away."""

    meaning: str

    def __new__(cls, name: str, meaning: str) -> Cause:
        """The name is the value, so that a cause read from a file is the same."""
        cause = str.__new__(cls, name)
        cause._value_, cause.meaning = name, meaning
        return cause

    SEGMENTATION = "segmentation", "At the last decision no mask covers it with IoU above 0.5, now or in the goal."
    MATCHING = "matching", "Its masks are not matched with each other, or taken for standing though they do not."
    OUT_OF_REACH = "out of reach", "It lies outside the arena, or under an angle at which the arm reaches no pick."
    GRASP = "grasp", "Half of the picks or more that went for it held nothing, or none was left to try."
    PLANNING = "planning", "No room to park was found, or it was only ever put aside."
    PLACING = "placing", "It was held and carried towards its goal, but came to lie elsewhere."
    DISTURBED = "disturbed", "It was to stay; moving others displaced it, and it was not brought back."
    POSITION = "position", "It was never gone for: its masks put it at its goal, though it is not there."
    RAN_OUT = "ran out", "It was never gone for: the interactions went to others."
    UNKNOWN = "unknown", "None of these, or an agent that does not say what it decides."


@dataclass(frozen=True, eq=False)
class Tried:
    """One step: what the agent decided and what came of it."""

    decision: Decision
    outcome: PickOutcome


def cause_of_failure(truth: RememberingSimulation, history: Sequence[Tried]) -> Cause:
    """The cause of an episode that has just ended without success.

    Args:
        truth: the world, as the last step has left it.
        history: the steps in order; empty for an agent that does not say what it decides.
    """
    distances = truth.distances_to_goal()
    culprit = max(distances, key=lambda id_: distances[id_])
    if not history or distances[culprit] <= WITHIN_PX:
        return Cause.UNKNOWN
    if _outside(truth, culprit):
        return Cause.OUT_OF_REACH
    last = history[-1].decision
    return _cause_in_pictures(truth, last, culprit) or _cause_in_history(truth, history, culprit)


def _outside(truth: RememberingSimulation, id_: int) -> bool:
    state = next(state for state in truth.object_states() if state.id == id_)
    return not truth.arena.contains(float(state.position[0]), float(state.position[1]))


def _cause_in_pictures(truth: RememberingSimulation, decision: Decision, id_: int) -> Cause | None:
    """Whether the agent saw the object in both pictures and knew it for the same."""
    numbers = []
    for segmented in (decision.now, decision.goal):
        true_mask = truth.shown_in(segmented.image).ids == id_
        overlaps = [mask_iou(mask, true_mask) for mask in segmented.masks]
        if not overlaps or max(overlaps) <= _FOUND_IOU:
            return Cause.SEGMENTATION
        numbers.append(int(np.argmax(overlaps)))
    pair = [match for match in decision.matches if [match.now, match.goal] == numbers]
    return None if pair and not pair[0].stands else Cause.MATCHING


def _cause_in_history(truth: RememberingSimulation, history: Sequence[Tried], id_: int) -> Cause:
    purpose = history[-1].decision.move.purpose
    if purpose is Purpose.NO_GRASP:
        return Cause.GRASP
    if purpose is Purpose.NO_ROOM:
        return Cause.PLANNING
    tries = [tried for tried in history if _went_for(truth, tried.decision) == id_]
    if not tries:
        return _cause_of_leaving(truth, purpose, id_)
    outcomes = [tried.outcome for tried in tries]
    if all(outcome is PickOutcome.UNREACHABLE for outcome in outcomes):
        return Cause.OUT_OF_REACH
    held = [tried.decision.move.purpose for tried in tries if tried.outcome is PickOutcome.HELD]
    if 2 * len(held) <= len(outcomes):
        return Cause.GRASP
    return Cause.PLANNING if set(held) == {Purpose.PARK} else Cause.PLACING


def _cause_of_leaving(truth: RememberingSimulation, last: Purpose, id_: int) -> Cause:
    """Why an object that the agent knew was never gone for."""
    if id_ not in truth.arrangement.displaced:
        return Cause.DISTURBED
    return Cause.POSITION if last is Purpose.DONE else Cause.RAN_OUT


def _went_for(truth: RememberingSimulation, decision: Decision) -> int | None:
    """The object that a decision moves, by the segment it picks; None when it moves nothing."""
    number = decision.move.object
    return None if number is None else objects_of(decision.now, truth)[number]
