"""Checks of settings: one message for a value outside its range, and one for an unknown name."""

from __future__ import annotations

import math
from collections.abc import Collection

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
        name: of the setting, for the message.
        value: the setting.
        low: smallest accepted value.
        high: largest accepted value.
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
