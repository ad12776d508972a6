"""Shares as figures in per cent, with the Wilson interval of counted ones."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binomtest

from tabletop_interaction.benchmarks.results.result import Figure

WILSON = "95 % Wilson"
"""Kind of the intervals of `share_of`."""

CLUSTERED = "95 % bootstrap over interactions, 2,000 draws, seed 0"
"""Kind of the intervals of `ratio_of_sums`."""

_CONFIDENCE = 0.95
_DRAWS = 2000


def per_cent(share: float, interval: tuple[float, float] | None = None, trials: int | None = None) -> Figure:
    """A share in [0, 1] as a figure in per cent."""
    low, high = (None, None) if interval is None else (100 * interval[0], 100 * interval[1])
    return Figure(100 * share, "%", low, high, trials)


def share_of(hits: int, trials: int) -> Figure:
    """The share of hits in one or more trials, with its interval."""
    return per_cent(hits / trials, wilson_interval(hits, trials), trials)


def wilson_interval(hits: int, trials: int) -> tuple[float, float]:
    """The 95 % Wilson interval of a share, within 0 to 1; 0 and 1 without trials."""
    if not trials:
        return 0.0, 1.0
    found = binomtest(hits, trials).proportion_ci(_CONFIDENCE, method="wilson")
    return float(found.low), float(found.high)


def ratio_of_sums(parts: ArrayLike, wholes: ArrayLike) -> Figure:
    """The sum of parts over the sum of wholes, per cent, with a percentile bootstrap interval over interactions.

    What one interaction gives, such as four views of one object, is alike: single views would give too narrow an
    interval. Draws without a whole are left out; fewer than two interactions with a whole give no interval.

    Args:
        parts, wholes: (N,) of each interaction, 0 or more; wholes without a positive sum give NaN.
    """
    kept, of = np.asarray(parts, np.float64), np.asarray(wholes, np.float64)
    if not of.sum():
        return per_cent(float("nan"))
    share = float(kept.sum() / of.sum())
    if np.count_nonzero(of) < 2:
        return per_cent(share)
    drawn = np.random.default_rng(0).integers(0, len(of), (_DRAWS, len(of)))
    sums = of[drawn].sum(axis=1)
    shares = kept[drawn].sum(axis=1)[sums > 0] / sums[sums > 0]
    low, high = np.quantile(shares, [(1 - _CONFIDENCE) / 2, (1 + _CONFIDENCE) / 2])
    return per_cent(share, (float(low), float(high)))
