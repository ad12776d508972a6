"""Settings outside their range are refused with the value and the range."""

import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import pytest

from tabletop_interaction.errors import DiskFull, InvalidConfiguration
from tabletop_interaction.ranges import (
    Count,
    Range,
    Share,
    check_choice,
    check_fields,
    check_picture,
    check_range,
)


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


@dataclass(frozen=True)
class Settings:
    """One field of each type."""

    count: Count = 1
    share: Share = 0.5
    name: str = "x"
    kind: Literal["a", "b"] = "a"
    scales: tuple[Share, ...] = (0.1,)
    pair: tuple[int, int] = (1, 2)
    optional: Annotated[float, Range(0, 9, above=True, unit="m")] | None = None
    flag: bool = False

    def __post_init__(self) -> None:
        check_fields(self)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"count": "5"}, "count is '5'; accepted is a whole number, 1 to 100,000,000"),
        ({"count": 1.0}, "count is 1.0; accepted is a whole number"),
        ({"count": True}, "count is True; accepted is a whole number"),
        ({"count": 10**5000}, "count is a number of 16610 bits; accepted is 1 to"),
        ({"share": math.nan}, "share is nan; accepted is 0 to 1"),
        ({"share": None}, "share is None; accepted is a number, 0 to 1"),
        ({"name": b"x"}, "name is b'x'; accepted is text"),
        ({"kind": "c"}, "kind is 'c'; accepted is one of a, b"),
        ({"kind": np.array([1, 2])}, r"kind is array\(\[1, 2\]\); accepted is one of a, b"),
        ({"scales": (0.1, 2)}, r"scales is \(0.1, 2\); accepted is 0 to 1, for each value"),
        ({"scales": "12"}, "scales is '12'; accepted is a tuple"),
        ({"pair": (1, 2, 3)}, "accepted is a tuple of 2 values, each a whole number"),
        ({"optional": 0}, "optional is 0; accepted is above 0 to 9 m or None"),
        ({"optional": math.inf}, "optional is inf"),
        ({"flag": 1}, "flag is 1; accepted is True or False"),
    ],
)
def test_fields_of_a_wrong_type_or_value_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidConfiguration, match=said) as error:
        Settings(**given)
    assert error.value.setting == next(iter(given))


def test_sequences_and_numbers_of_numpy_are_accepted() -> None:
    made = Settings(count=np.int64(3), share=1, scales=[0.5, np.float32(0.25)], optional=None, flag=np.bool_(True))  # type: ignore[arg-type]
    assert made.count == 3
