"""Checks with one message each: a setting of the wrong type or range, an unknown name, an array that is no picture."""

import math
import os
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from numbers import Integral, Real
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

import numpy as np

from tabletop_interaction.errors import InvalidConfiguration, TabletopError

_SHOWN = 80
_WORDS: Mapping[object, str] = {
    int: "a whole number",
    float: "a number",
    bool: "True or False",
    str: "text",
    NoneType: "None",
    Path: "a path",
    os.PathLike: "a path",
}


class Range(NamedTuple):
    """The accepted values of a number, both ends included; infinity never is.

    A field or option carries it in its type: `steps: Annotated[int, Range(1)]`. `check_fields` and the command line
    check it.

    Attributes:
        above: whether `low` itself is refused.
        unit: of value and limits, for the message.
    """

    low: float
    high: float = math.inf
    above: bool = False
    unit: str = ""

    def holds(self, value: Any) -> bool:
        """Whether the value is a number in the range."""
        return (
            isinstance(value, Real)
            and bool(self.low <= value <= self.high)  # type: ignore[operator]
            and abs(value) != math.inf
            and not (self.above and value == self.low)
        )

    def __str__(self) -> str:
        lowest = f"above {_limit(self.low)}" if self.above else _limit(self.low)
        bounded = f"{lowest} to {_limit(self.high)}"
        text = bounded if self.high < math.inf else lowest if self.above else f"{lowest} or more"
        return f"{text} {self.unit}" if self.unit else text


Seed = Annotated[int, Range(0, 2**63 - 1)]
"""Seeds of random numbers."""
Share = Annotated[float, Range(0, 1)]
"""A share or a probability."""
Count = Annotated[int, Range(1, 10**8)]
"""How many times something is done; no machine does more."""
Processes = Annotated[int, Range(0, 1024)]
"""Processes at once."""
Pixels = Annotated[float, Range(0, 10**5)]
"""A length in a picture."""
_Side = Annotated[int, Range(16, 4096, unit="px")]
PictureSize = tuple[_Side, _Side]
"""Height and width of a picture."""


def check_fields(settings: Any, error: type[TabletopError] = InvalidConfiguration) -> None:
    """Refuse a dataclass with a field whose value is of another type than it declares, or outside its `Range`.

    A sequence counts as a tuple, a whole number as a number, and numpy's numbers as Python's.

    Raises:
        TabletopError: of class `error`; says the field, the value and what is accepted.
    """
    kind: type = type(settings)
    for name, hint in _hints(kind).items():
        check_value(name, getattr(settings, name), hint, error)


def check_value(name: str, value: object, hint: Any, error: type[TabletopError] = InvalidConfiguration) -> None:
    """Refuse a value that does not fit a type, which may be annotated with a `Range`; see `check_fields`.

    Raises:
        TabletopError: of class `error`; says the name, the value and what is accepted.
    """
    if (accepted := _misfit(value, hint)) is not None:
        raise _refusal(name, f"{name} is {shown(value)}; accepted is {accepted}", error)


def check_seed(seed: object) -> int | None:
    """The seed of a reset: None, or a whole number as Python's int.

    Raises:
        InvalidConfiguration: it is no whole number, negative, or too large for a record.
    """
    check_value("seed", seed, Seed | None)
    return None if seed is None else int(seed)  # type: ignore[call-overload]


def check_choice(name: str, value: object, accepted: Collection[str]) -> None:
    """Refuse a `value` of the setting `name` that is none of the accepted ones.

    Raises:
        InvalidConfiguration: says the value and what is accepted.
    """
    if not isinstance(value, str) or value not in accepted:
        raise InvalidConfiguration(f"unknown {name} {shown(value)}; accepted are {', '.join(accepted)}")


def check_range(
    name: str,
    value: object,
    low: float,
    high: float = math.inf,
    *,
    above: bool = False,
    unit: str = "",
    error: type[TabletopError] = InvalidConfiguration,
) -> None:
    """Refuse a value that is not a finite number from `low` to `high`, both included.

    Args:
        above: whether `low` itself is refused.
        unit: of value and limits, for the message.
        error: class to raise.

    Raises:
        TabletopError: of class `error`; says the value and the accepted range.
    """
    accepted = Range(low, high, above, unit)
    if isinstance(value, bool) or not accepted.holds(value):
        raise _refusal(name, f"{name} is {shown(value)}; accepted is {accepted}", error)


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


def shown(value: object, most: int = _SHOWN) -> str:
    """A value in a message: one line of at most so many characters."""
    if isinstance(value, Integral) and abs(int(value)) >= 10**_SHOWN:
        # Python converts no more than 4,300 digits to text.
        return f"a number of {int(value).bit_length()} bits"
    # An array's text has several lines.
    text = " ".join((str(value) if isinstance(value, Real) else repr(value)).split())
    return text if len(text) <= most else f"{text[:most]}..."


@cache
def _hints(kind: type) -> dict[str, Any]:
    return {
        name: hint for name, hint in get_type_hints(kind, include_extras=True).items() if name in _field_names(kind)
    }


def _field_names(kind: type) -> Collection[str]:
    return getattr(kind, "__dataclass_fields__", {})


def _misfit(value: object, hint: Any) -> str | None:
    """What is accepted in place of a value; None if it fits."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Annotated:
        ranges = [mark for mark in parts[1:] if isinstance(mark, Range)]
        misfit = _misfit(value, parts[0])
        if misfit is None and all(one.holds(value) for one in ranges):
            return None
        return ", ".join([*([misfit] if misfit else []), *map(str, ranges)])
    if origin in (Union, UnionType):
        misfits = [_misfit(value, part) for part in parts]
        return None if None in misfits else " or ".join(dict.fromkeys(filter(None, misfits)))
    if origin is Literal:
        fits = any(isinstance(value, type(part)) and value == part for part in parts)
        words = ", ".join(map(str, parts))
        return None if fits else words if len(parts) == 1 else f"one of {words}"
    if origin is tuple:
        return _misfit_tuple(value, parts)
    kind = origin or hint
    if not isinstance(kind, type):
        return None
    number = {int: Integral, float: Real, bool: bool | np.bool_}.get(kind)
    is_bool = isinstance(value, bool | np.bool_)
    fits = isinstance(value, number or kind) and (kind is bool or number is None or not is_bool)
    return None if fits else _WORDS.get(kind, f"a {kind.__name__}")


def _misfit_tuple(value: object, parts: Sequence[Any]) -> str | None:
    several = parts[-1:] == (Ellipsis,)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        kinds = [parts[0]] * len(value) if several else list(parts)
        if len(kinds) == len(value):
            misfits = [_misfit(each, kind) for each, kind in zip(value, kinds, strict=True)]
            found = next(filter(None, misfits), None)
            return None if found is None else f"{found}, for each value"
    if several:
        return f"a tuple of {_WORDS.get(parts[0], getattr(parts[0], '__name__', 'values'))}"
    # What no type accepts shows what each value has to be.
    each = dict.fromkeys(filter(None, (_misfit(object(), part) for part in parts)))
    return f"a tuple of {len(parts)} values" + (f", each {next(iter(each))}" if len(each) == 1 else "")


def _refusal(name: str, message: str, error: type[TabletopError]) -> TabletopError:
    refusal = error(message)
    refusal.setting = name
    return refusal


def _limit(value: float) -> str:
    if isinstance(value, int):
        digits = f"{value:,}" if value >= 10_000 else str(value)
        return digits if value < 2**62 else f"2**{value.bit_length()} - 1"
    return f"{value:g}"
