"""Checks with one message each: a setting outside its range, an unknown name, an array that is no picture."""

import math
from collections.abc import Collection

import numpy as np

from tabletop_interaction.errors import InvalidConfiguration, TabletopError


def check_choice(name: str, value: str, accepted: Collection[str]) -> None:
    """Refuse a `value` of the setting `name` that is none of the accepted ones.

    Raises:
        InvalidConfiguration: says the value and what is accepted.
    """
    if value not in accepted:
        raise InvalidConfiguration(f"unknown {name} {value!r}; accepted are {', '.join(accepted)}")


def check_range(
    name: str,
    value: float,
    low: float,
    high: float = math.inf,
    *,
    above: bool = False,
    unit: str = "",
    error: type[TabletopError] = InvalidConfiguration,
) -> None:
    """Refuse a value that is not a number from `low` to `high`, both included.

    Args:
        above: whether `low` itself is refused.
        unit: of value and limits, for the message.
        error: class to raise.

    Raises:
        TabletopError: of class `error`; says the value and the accepted range.
    """
    if low <= value <= high and not (above and value == low):
        return
    lowest = f"above {low:g}" if above else f"{low:g}"
    accepted = f"{lowest} to {high:g}" if high < math.inf else lowest if above else f"{lowest} or more"
    raise error(f"{name} is {value}; accepted is {accepted}{f' {unit}' if unit else ''}")


def check_picture(
    name: str, value: object, axes: str = "height, width, 3", *, error: type[ValueError] = ValueError
) -> None:
    """Refuse what is no uint8 RGB array with these axes and at least one pixel; raises `error`."""
    came = type(value).__name__
    if isinstance(value, np.ndarray):
        if value.dtype == np.uint8 and value.ndim == len(axes.split(",")) and value.shape[-1] == 3 and value.size:
            return
        came = f"{value.dtype} {value.shape}"
    raise error(f"{name} is {came}; accepted is a uint8 array ({axes}), RGB, with at least one pixel")
