"""Boxes of the lab file: their fields are checked, and they stand where the file says."""

import math

import numpy as np
import pytest

from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.real.arm.obstacles import BoxInArena, obstacles_of

BASE_FROM_ARENA = np.array([[0, 1, 0, 0.575], [-1, 0, 0, 0], [0, 0, 1, -0.1], [0, 0, 0, 1.0]])


def test_two_opposite_corners_in_any_order_are_the_same_box_as_centre_and_size():
    whole = BoxInArena(centre=(0.4, 0.3, 0.25), size=(0.2, 0.1, 0.5), yaw_rad=0.3)
    cornered = BoxInArena(corners=((0.5, 0.25, 0.5), (0.3, 0.35, 0.0)), yaw_rad=0.3)
    np.testing.assert_allclose(cornered.sides, whole.sides)
    np.testing.assert_allclose(cornered.arena_from_box, whole.arena_from_box)


def test_a_turned_box_stands_in_the_arms_base_frame():
    box = BoxInArena(centre=(0.4, 0.3, 0.25), size=(0.2, 0.1, 0.5), yaw_rad=math.pi / 2, clearance_m=0.05)
    ((solid, clearance),) = obstacles_of({"wall": box}, BASE_FROM_ARENA)
    assert (solid.link, solid.joints, solid.size, clearance) == ("wall", 0, (0.2, 0.1, 0.5), 0.05)
    # Half its length of 0.2 m points along the arena's y, which is the base's x.
    np.testing.assert_allclose(solid.pose @ (0.1, 0, 0, 1), (0.575 + 0.3 + 0.1, -0.4, 0.15, 1), atol=1e-12)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "neither centre nor corners came; accepted are centre and size, or two opposite corners"),
        ({"centre": (0, 0, 0)}, "^centre came"),
        ({"size": (1, 1, 1)}, "^size came"),
        ({"centre": (0, 0, 0), "size": (1, 1, 1), "corners": ((0, 0, 0), (1, 1, 1))}, "centre and size and corners"),
        ({"centre": (0, 0, 0), "size": (1, 0, 1)}, r"size is \(1, 0, 1\); accepted is 0\.001 to 20"),
        ({"centre": (0, 0, math.nan), "size": (1, 1, 1)}, "centre is"),
        ({"centre": (0, 0), "size": (1, 1, 1)}, "a tuple of 3 values"),
        ({"corners": ((0, 0, 0), (1, 0, 1))}, r"1\.0, 0\.0, 1\.0\] m apart"),
        ({"corners": ((0, 0, 0), (1, 1, 1)), "clearance_m": 0.0}, "clearance_m is 0"),
        ({"corners": ((0, 0, 0), (1, 1, 1)), "yaw_rad": 90}, "yaw_rad is 90"),
    ],
)
def test_a_wrong_box_is_refused(fields, message):
    with pytest.raises(InvalidConfiguration, match=message):
        BoxInArena(**fields)
