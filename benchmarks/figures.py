"""What the commands that print figures share: options of a seeded scene, and tables."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from rich.table import Table

from tabletop_interaction.benchmarks.results.measured import ResultOptions
from tabletop_interaction.envs import Split
from tabletop_interaction.ranges import Seed


@dataclass(frozen=True, kw_only=True)
class SceneOptions(ResultOptions):
    """Options of a figure that is measured on simulated scenes."""

    split: Split = "train"
    """Objects and table tops."""
    seed: Seed = 0
    """Seed of the random numbers."""


def figures_table(title: str, headings: Sequence[str], rows: Iterable[Sequence[str]], names: int = 1) -> Table:
    """A table with its first `names` columns to the left, and the others, which hold numbers, to the right."""
    table = Table(title=title)
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="left" if number < names else "right")
    for row in rows:
        table.add_row(*row)
    return table


def table_of_columns(title: str, heading: str, columns: Mapping[str, Mapping[str, str]]) -> Table:
    """A table from its columns: by heading, the cells by the names of the rows."""
    rows = [(row, *(cells[row] for cells in columns.values())) for row in next(iter(columns.values()))]
    table = figures_table(title, (heading, *columns), rows)
    table.title_justify = "left"
    return table


def counted(count: int, noun: str) -> str:
    """A count with its noun, such as "1 interaction" and "2 interactions"."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def mean(values: ArrayLike) -> float:
    """The mean of values or of flags; NaN without any."""
    there = np.asarray(values, np.float64)
    return float(there.mean()) if there.size else float("nan")
