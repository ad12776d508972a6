"""The curve of a learning run as figures."""

import pytest

from tabletop_interaction.benchmarks.results.result import read_result
from tabletop_interaction.benchmarks.segmentation.learning_curve import CurveOptions, main
from tabletop_interaction.errors import InvalidConfiguration


def test_each_evaluation_is_a_row_with_what_moved_since_the_one_before(
    learning_run, history_of, evaluation_of, tmp_path
):
    history = [history_of(number, moved=number in (1, 6, 7)) for number in range(1, 9)]
    run = learning_run(tmp_path / "run", history, [evaluation_of(4, 40.0), evaluation_of(8, 60.0)])
    main(CurveOptions(run=run, result=tmp_path / "x.json"))
    found = read_result(tmp_path / "x.json")
    first, second = found.figures["after 4 interactions"], found.figures["after 8 interactions"]
    assert [first[f"AP at IoU {iou}"].value for iou in (0.3, 0.5, 0.75)] == [40.0, 30.0, 10.0]
    assert (first["moved an object"].value, second["moved an object"].value) == (25.0, 50.0)
    assert (second["moved an object"].trials, found.seeds) == (4, (7,))


def test_a_run_without_an_evaluation_has_no_curve(learning_run, history_of, tmp_path):
    run = learning_run(tmp_path / "run", [history_of(1)])
    with pytest.raises(InvalidConfiguration, match="has no evaluation yet"):
        main(CurveOptions(run=run))
