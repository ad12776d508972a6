"""Means over seeds: known numbers, and how they are written."""

import msgspec
import numpy as np
import pytest

from tabletop_interaction.benchmarks.results.result import Figure
from tabletop_interaction.benchmarks.results.seeds import over_seeds, paired_difference
from tabletop_interaction.benchmarks.results.tables import figure_text


def test_a_mean_has_the_deviation_of_a_sample_and_both_ends():
    # Squares of the distances from 5: 9, 1, 1, 1, 0, 0, 4, 16; their sum is 32.
    figure = over_seeds([2, 4, 4, 4, 5, 5, 7, 9], "%")
    assert (figure.value, figure.low, figure.high, figure.unit) == (5.0, 2.0, 9.0, "%")
    assert figure.deviation == pytest.approx(np.sqrt(32 / 7))
    assert figure_text(figure, "%") == "5.0 ± 2.1 (2.0 to 9.0)"
    assert figure_text(figure) == "5.0 ± 2.1 % (2.0 to 9.0)"


def test_a_deviation_does_not_depend_on_order_or_origin_and_grows_with_the_scale():
    values = np.array([61.0, 65.5, 70.25])
    deviation = over_seeds(values).deviation
    assert over_seeds(values[::-1] + 100).deviation == pytest.approx(deviation)
    assert over_seeds(-3 * values).deviation == pytest.approx(3 * deviation)


def test_one_seed_stands_without_a_deviation():
    assert over_seeds([65.25], "%") == Figure(65.25, "%")
    assert figure_text(over_seeds([65.25], "%"), "%") == "65.2"


def test_equal_seeds_have_a_deviation_of_zero():
    assert figure_text(over_seeds([3, 3], decimals=2)) == "3.00 ± 0.00 (3.00 to 3.00)"


def test_a_paired_difference_has_the_standard_error_of_the_differences():
    # Differences 1, 2, 3, 6: mean 3, squares 4, 1, 0, 9; s^2 = 14 / 3, error = s / 2.
    mean, error = paired_difference([11, 22, 33, 46], [10, 20, 30, 40])
    assert (mean, error) == (3.0, pytest.approx(np.sqrt(14 / 3) / 2))
    assert paired_difference([40, 46], [46, 40])[0] == 0
    assert paired_difference([50], [47.5]) == (2.5, None)


def test_what_all_seeds_share_is_not_in_the_error_of_a_paired_difference():
    assert paired_difference([20, 60, 90], [15, 55, 85]) == (5.0, 0.0)


def test_a_figure_of_an_old_file_has_no_deviation():
    old = msgspec.json.decode(b'{"value": 96.0, "unit": "%", "low": 92.3, "high": 98.0, "trials": 200}', type=Figure)
    assert old == Figure(96.0, "%", 92.3, 98.0, 200)
    assert b"deviation" not in msgspec.json.encode(old)
