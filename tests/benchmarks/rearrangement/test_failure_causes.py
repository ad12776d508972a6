"""The cause of a failure is the first part that is wrong about the object that ends farthest from its goal."""

from types import SimpleNamespace

import numpy as np
import pytest

from tabletop_interaction.agents.rearranging.matching import Match, SegmentedPicture
from tabletop_interaction.agents.rearranging.planning import Purpose
from tabletop_interaction.benchmarks.rearrangement.failure_causes import Cause, cause_of_failure
from tabletop_interaction.envs import Arena, PickOutcome

NOW, GOAL = (np.full((8, 8, 3), grey, np.uint8) for grey in (10, 20))
IDS = {10: np.kron([[1, 0], [0, 2]], np.ones((4, 4), int)), 20: np.kron([[0, 1], [0, 2]], np.ones((4, 4), int))}
RIGHT = (Match(0, 0, 0.9), Match(1, 1, 1.0, stands=True))


class World:
    """Object 1 is displaced from one corner to another, object 2 stays."""

    arena = Arena(-1, 1, -1, 1)
    views = (SimpleNamespace(height=350, width=430),)
    arrangement = SimpleNamespace(displaced=(1,))

    def __init__(self, x=0.0, distances=(40.0, 0.0)):
        self._x, self._distances = x, distances

    def shown_in(self, picture):
        return SimpleNamespace(ids=IDS[int(picture.max())])

    def object_states(self):
        return tuple(SimpleNamespace(id=id_, position=np.array([self._x, 0, 0])) for id_ in (1, 2))

    def distances_to_goal(self):
        return dict(zip((1, 2), self._distances, strict=True))


def _pick(outcome=PickOutcome.HELD, purpose=Purpose.TO_GOAL, matches=RIGHT, seen=(1, 2), moved=0):
    now, goal = (SegmentedPicture(one, np.array([IDS[int(one.max())] == i for i in seen])) for one in (NOW, GOAL))
    moved = None if purpose in (Purpose.DONE, Purpose.NO_GRASP, Purpose.NO_ROOM) else moved
    move = SimpleNamespace(purpose=purpose, object=moved)
    return SimpleNamespace(now=now, goal=goal, matches=matches, move=move), outcome


FAILED = _pick(PickOutcome.SLIPPED)


@pytest.mark.parametrize(
    ("history", "cause"),
    [
        ([_pick(seen=(2,), matches=())], Cause.SEGMENTATION),
        ([_pick(matches=RIGHT[1:])], Cause.MATCHING),
        ([_pick(matches=(Match(0, 0, 1.0, stands=True),))], Cause.MATCHING),
        ([_pick(matches=(Match(0, 1, 0.9), Match(1, 0, 0.9)))], Cause.MATCHING),
        ([FAILED, FAILED, _pick()], Cause.GRASP),
        ([FAILED, _pick(purpose=Purpose.NO_GRASP)], Cause.GRASP),
        ([_pick(PickOutcome.UNREACHABLE)] * 2, Cause.OUT_OF_REACH),
        ([_pick(), _pick(), FAILED], Cause.PLACING),
        ([_pick(purpose=Purpose.PARK)] * 3, Cause.PLANNING),
        ([_pick(purpose=Purpose.NO_ROOM)], Cause.PLANNING),
        ([_pick(purpose=Purpose.DONE)], Cause.POSITION),
        ([_pick(moved=1)], Cause.RAN_OUT),
        ([], Cause.UNKNOWN),
    ],
)
def test_the_first_part_that_is_wrong_is_named(history, cause):
    assert cause_of_failure(World(), history) is cause


def test_an_object_outside_the_arena_is_out_of_reach_even_without_a_mask():
    assert cause_of_failure(World(x=1.2), [_pick(seen=(2,), matches=())]) is Cause.OUT_OF_REACH


def test_the_cause_is_that_of_the_farthest_object_displaced_or_not():
    assert cause_of_failure(World(distances=(20.0, 60.0)), [_pick(seen=(1,), matches=RIGHT[:1])]) is Cause.SEGMENTATION


def test_nothing_farther_than_15_px_is_unknown():
    assert cause_of_failure(World(distances=(14.0, 0.0)), [_pick()]) is Cause.UNKNOWN


def test_an_object_that_was_pushed_away_and_not_brought_back_is_disturbed():
    known = (Match(0, 0, 0.9), Match(1, 1, 0.9))
    assert cause_of_failure(World(distances=(20.0, 60.0)), [_pick(matches=known)]) is Cause.DISTURBED


def test_a_cause_is_read_back_from_its_name_and_says_what_it_means():
    assert Cause("ran out") is Cause.RAN_OUT
    assert all(cause.meaning.endswith(".") and cause != cause.meaning for cause in Cause)
