"""Shares as figures in per cent, with the Wilson interval of counted ones."""

from scipy.stats import binomtest

from tabletop_interaction.benchmarks.results.result import Figure

WILSON = "95 % Wilson"
"""Kind of the intervals of `share_of`."""

_CONFIDENCE = 0.95


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
