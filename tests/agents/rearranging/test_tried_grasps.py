"""A grasp that held nothing or carried elsewhere has failed; one whose object does not lie where it was put is poor."""

import numpy as np
import pytest

from tabletop_interaction.agents.grasp import GraspPoint
from tabletop_interaction.agents.rearranging.tried_grasps import TriedGrasps
from tabletop_interaction.envs import PickOutcome, PickPlace

GRASP = GraspPoint(-0.1, 0.0, 0.4)
WANTED = PickPlace(-0.1, 0.0, 0.4, 0.1, 0.0)
PLACE = np.array([0.105, 0.0])
"""Where the centroid shall be: it lies 5 mm beside the grasp."""


def _after(outcome=PickOutcome.HELD, went=WANTED, seen=None):
    tried = TriedGrasps()
    tried.note(GRASP, WANTED, PLACE, {"pick_outcome": int(outcome), "pick_place": went.to_array()})
    if seen is not None:
        tried.note_where_it_lies([np.array(centroid) for centroid in seen])
    return tried


@pytest.mark.parametrize(
    "outcome", [PickOutcome.NOTHING_THERE, PickOutcome.PUSHED_AWAY, PickOutcome.SLIPPED, PickOutcome.UNREACHABLE]
)
def test_a_grasp_that_held_nothing_has_failed_where_it_was_made(outcome):
    assert _after(outcome, seen=[PLACE]).failed == [GRASP]


def test_so_has_one_whose_object_was_put_back():
    assert _after(went=PickPlace(-0.1, 0.0, 0.4, -0.1, 0.0), seen=[(-0.1, 0.0)]).failed == [GRASP]


@pytest.mark.parametrize("seen", [None, [], [(0.105, 0.012), (-0.2, 0.1)], [(0.3, 0.2)]])
def test_one_whose_object_lies_where_it_was_put_or_is_not_seen_is_neither_failed_nor_poor(seen):
    tried = _after(seen=seen)
    assert (tried.failed, tried.poor) == ([], [])


def test_one_whose_object_went_astray_is_poor_on_the_object_as_it_lies_now():
    tried = _after(seen=[(-0.2, 0.1), (0.105, 0.05)])
    assert tried.failed == []
    assert [(one.x, one.y, one.angle) for one in tried.poor] == [pytest.approx((0.1, 0.05, 0.4))]
    tried.note_where_it_lies([np.array([0.105, 0.05])])
    assert len(tried.poor) == 1


@pytest.mark.parametrize(("lies", "poor"), [((0.0, -0.1), [0.4]), ((0.0, -0.14), [0.4, -0.8])])
def test_a_poor_grasp_goes_along_when_its_object_is_moved_again(lies, poor):
    tried = _after(seen=[(0.105, 0.05)])
    again = PickPlace(0.1, 0.05, -0.8, -0.005, -0.1)
    info = {"pick_outcome": int(PickOutcome.HELD), "pick_place": again.to_array()}
    tried.note(GraspPoint(0.1, 0.05, -0.8), again, np.array([0.0, -0.1]), info)
    tried.note_where_it_lies([np.array(lies)])
    assert [one.angle for one in tried.poor] == poor
    for one in tried.poor:
        assert (one.x + 0.005, one.y) == pytest.approx(lies)


def test_where_the_gripper_met_nothing_is_remembered_until_something_is_put_there():
    tried = _after(PickOutcome.NOTHING_THERE)
    there, elsewhere = (np.array([[x, 0.0], [x + 0.003, 0.0]]) for x in (-0.1, 0.1))
    assert tried.met_nothing_on(there)
    assert not tried.met_nothing_on(elsewhere)
    onto = PickPlace(0.1, 0.0, 0.4, -0.05, 0.0)
    tried.note(GRASP, onto, PLACE, {"pick_outcome": int(PickOutcome.HELD), "pick_place": onto.to_array()})
    assert not tried.met_nothing_on(there)
