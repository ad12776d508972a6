"""Settings outside their range are refused with the value and the range."""

import math

import numpy as np
import pytest

from tabletop_interaction.errors import DiskFull, InvalidConfiguration
from tabletop_interaction.ranges import check_choice, check_picture, check_range


@pytest.mark.parametrize("value", [1, 1.5, 3])
def test_limits_are_accepted(value):
    assert check_range("strokes", value, 1, 3) is None


@pytest.mark.parametrize(
    ("value", "limits", "message"),
    [
        (0, {"low": 1}, "strokes is 0; accepted is 1 or more$"),
        (60, {"low": 0, "high": 50, "unit": "px"}, "strokes is 60; accepted is 0 to 50 px$"),
        (0.0, {"low": 0, "above": True, "unit": "m"}, r"strokes is 0\.0; accepted is above 0 m$"),
        (math.nan, {"low": 0, "high": 0.2, "above": True}, r"strokes is nan; accepted is above 0 to 0\.2$"),
    ],
)
def test_values_outside_are_refused_with_the_range(value, limits, message):
    with pytest.raises(InvalidConfiguration, match=message):
        check_range("strokes", value, **limits)


def test_unknown_names_are_refused_with_the_known_ones():
    assert check_choice("split", "val", ("train", "val")) is None
    with pytest.raises(InvalidConfiguration, match=r"unknown split 'dev'; accepted are train, val$"):
        check_choice("split", "dev", ("train", "val"))


def test_the_class_of_the_error_can_be_chosen():
    with pytest.raises(DiskFull, match="accepted is 1 or more"):
        check_range("strokes", 0, 1, error=DiskFull)


@pytest.mark.parametrize(
    ("value", "came"),
    [
        (np.zeros((4, 5)), r"float64 \(4, 5\)"),
        (np.zeros((4, 5, 4), np.uint8), r"uint8 \(4, 5, 4\)"),
        (np.zeros((0, 5, 3), np.uint8), r"uint8 \(0, 5, 3\)"),
        ([[0]], "list"),
    ],
)
def test_arrays_that_are_no_picture_are_refused(value, came):
    with pytest.raises(ValueError, match=f"it is {came}; accepted is a uint8 array"):
        check_picture("it", value)


def test_a_picture_and_a_clip_are_accepted():
    assert check_picture("it", np.zeros((1, 1, 3), np.uint8)) is None
    assert check_picture("it", np.zeros((2, 1, 1, 3), np.uint8), "frames, height, width, 3") is None
