"""A result file: the figures that a command printed, and what is needed to print them again."""

import math
import os
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Final, Literal

import msgspec

from tabletop_interaction.errors import ForeignFolder, TabletopError
from tabletop_interaction.files import nearest_existing, plain, read_json, write_json
from tabletop_interaction.ranges import shown

_SCHEMA_VERSION: Final = 1


class Figure(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A number with its interval, or a mean with its standard deviation.

    Attributes:
        value: in the unit.
        unit: "%", "ms", "mm" and so on; empty for a number without one.
        low, high: the interval that `Result.interval` describes, in the unit; None without one. Of a mean over seeds,
            the lowest and the highest seed.
        trials: number of trials, pictures or episodes that it is measured on, if known.
        decimals: digits to show after the point.
        deviation: standard deviation over seeds, in the unit, with the divisor n - 1; None for a single measurement.
    """

    value: float
    unit: str = ""
    low: float | None = None
    high: float | None = None
    trials: int | None = None
    decimals: int = 1
    deviation: float | None = None


Rows = Mapping[str, Mapping[str, Figure]]
"""The figures of a table by row and column; a row may lack columns."""


class Transcription(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For figures that no result file was written for: the first commit whose file states them.

    Such figures were copied by hand from what the command had printed.
    """

    file: str
    commit: str
    date: date


class Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Figures and their origin. None is what was not recorded.

    Attributes:
        commands: to run in this order; the last one prints the figures; empty if not recorded.
        figures: by row and column.
        seeds: of scenes, picks, training; empty if nothing is random.
        network_seeds: of the training of the networks, where `seeds` are of something else, such as episodes.
        interval: kind and level of the intervals; None if there are none.
        commit: of the code that ran, with "+changes" if the checkout had changes.
        machine: processor, cores, software.
        notes: settings, renderer, and other limits, a sentence each.
        transcribed: origin of figures that were copied by hand.
        external: origin of figures that no command here can print.
    """

    schema_version: Literal[1] = _SCHEMA_VERSION
    commands: tuple[str, ...]
    figures: Rows
    seeds: tuple[int, ...] | None
    commit: str | None
    date: date | None
    machine: str | None
    network_seeds: tuple[int, ...] = ()
    interval: str | None = None
    notes: tuple[str, ...] = ()
    transcribed: Transcription | None = None
    external: str | None = None


def write_result(path: Path, result: Result) -> None:
    """Write a result file; numbers of numpy become Python's, and figures without a finite value are left out."""
    figures = {
        row: {column: figure for column, figure in columns.items() if math.isfinite(figure.value)}
        for row, columns in result.figures.items()
    }
    complete = msgspec.structs.replace(result, figures=figures)
    kept = msgspec.convert(msgspec.to_builtins(complete, enc_hook=plain), Result)
    write_json(path, {"schema_version": _SCHEMA_VERSION, **msgspec.to_builtins(kept)})


def read_result(path: Path) -> Result:
    """Read a result file.

    Raises:
        UnreadableRecords: it is damaged, or holds something else.
    """
    result: Result = read_json(path, Result)
    return result


def check_result_path(path: Path) -> None:
    """Check before a measurement that its result can be written.

    Raises:
        ForeignFolder: the path does not end in .json, leads to something else than a result file, or cannot be written.
    """
    if path.suffix != ".json":
        raise ForeignFolder(f"the result file {shown(str(path))} does not end in .json; name one that does")
    above = nearest_existing(path.parent)
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise ForeignFolder(f"the result file {path} cannot be written: {above} is no folder that you may change")
    if not path.exists():
        return
    try:
        read_result(path)
    except (TabletopError, OSError) as error:
        raise ForeignFolder(f"{path} exists and is no result file; it is kept, so name another file") from error
