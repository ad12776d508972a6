"""Means over the seeds of a training, with their standard deviation."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from tabletop_interaction.benchmarks.results.result import Figure

OVER_SEEDS = "mean ± standard deviation over seeds (divisor n - 1), and the lowest and the highest seed"
"""What the figures of `over_seeds` are."""


def over_seeds(values: ArrayLike, unit: str = "", decimals: int = 1) -> Figure:
    """The mean of one value a seed, with deviation, lowest and highest; a single value stands alone.

    s = sqrt(sum (x_i - mean)^2 / (n - 1))

    Args:
        values: (N,) in the unit, N of 1 or more.
    """
    each = np.asarray(values, np.float64)
    mean = float(each.mean())
    if len(each) == 1:
        return Figure(mean, unit, decimals=decimals)
    low, high, deviation = float(each.min()), float(each.max()), float(each.std(ddof=1))
    return Figure(mean, unit, low, high, decimals=decimals, deviation=deviation)


def paired_difference(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, float | None]:
    """The mean of the differences by seed, ours minus theirs, and its standard error; None for a single seed.

    The error is s / sqrt(n), with s the standard deviation of the differences. With few seeds it is uncertain itself.

    Args:
        ours, theirs: (N,) of the same seeds in the same order, N of 1 or more.
    """
    difference = np.subtract(ours, theirs)
    n = len(difference)
    return float(difference.mean()), float(difference.std(ddof=1) / np.sqrt(n)) if n > 1 else None
