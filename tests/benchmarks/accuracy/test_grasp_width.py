"""Boxes of a given width are held by the grippers that open wider."""

import numpy as np
import pytest

from tabletop_interaction.benchmarks.accuracy.grasp_width import GraspWidthOptions, box, held_boxes


def test_a_box_has_the_width_that_was_asked_for():
    assert np.ptp(box(0.12).vertices, axis=0) == pytest.approx([0.12, 0.15, 0.05], abs=1e-5)
    assert box(0.12).vertices.mean(axis=0) == pytest.approx([0, 0, 0], abs=0.01)


@pytest.mark.parametrize(("gripper", "width_m", "held"), [("sawyer", 0.05, 1), ("sawyer", 0.09, 0), ("wide", 0.12, 1)])
def test_a_gripper_holds_what_is_narrower_than_its_opening(gripper, width_m, held):
    assert held_boxes(gripper, width_m, GraspWidthOptions(trials=1)) == held
