"""The gate on speed."""

import json
from contextlib import nullcontext

import pytest

from tabletop_interaction.benchmarks.results.result import read_result
from tabletop_interaction.benchmarks.speed import gate
from tabletop_interaction.benchmarks.speed.gate import GateOptions, best_of, main, processor
from tabletop_interaction.errors import InvalidConfiguration


@pytest.mark.parametrize(
    ("measured", "least", "ratio", "passes", "asked"),
    [
        ([1.9, 5.0], 1.7, 1.9, True, 1),
        ([1.6, 1.8, 5.0], 1.7, 1.8, True, 2),
        ([1.4, 1.6, 1.5, 5.0], 1.7, 1.6, False, 3),
        ([0.1, 5.0], None, 0.1, True, 1),
    ],
)
def test_a_ratio_is_measured_again_while_it_is_too_low(measured, least, ratio, passes, asked):
    left = list(measured)
    judged = best_of("a over b", lambda: left.pop(0), least)
    assert (judged.ratio, judged.passes, len(measured) - len(left)) == (ratio, passes, asked)


@pytest.fixture
def one_ratio(monkeypatch):
    """A measurement that gives 8 for the one ratio; `make speed-gate` makes the true ones."""
    monkeypatch.setattr(gate, "_ratios", lambda options: nullcontext({"composed over plain": lambda: 8.0}))


@pytest.mark.parametrize(("committed", "status"), [(9.0, 0), (9.5, 1)])
def test_a_ratio_that_fell_by_more_than_the_slack_ends_the_program_with_1(
    one_ratio, tmp_path, capsys, committed, status
):
    written = tmp_path / "gate.json"
    assert main(GateOptions(committed=written, result=written)) == 0
    document = json.loads(written.read_text())
    ratio = document["figures"]["composed over plain"][processor()]
    assert ratio["value"] == 8.0
    ratio["value"] = committed
    written.write_text(json.dumps(document))
    capsys.readouterr()
    assert main(GateOptions(committed=written)) == status
    row = next(line for line in capsys.readouterr().out.splitlines() if "composed over plain" in line)
    assert f"{0.85 * committed:.2f}" in row
    assert ("NO" in row) == bool(status)


def test_a_processor_without_committed_ratios_is_not_judged_and_gets_a_column_of_its_own(
    one_ratio, tmp_path, capsys, monkeypatch
):
    written = tmp_path / "gate.json"
    monkeypatch.setattr(gate, "processor", lambda: "fast, float32")
    assert main(GateOptions(committed=written, result=written)) == 0
    monkeypatch.setattr(gate, "_ratios", lambda options: nullcontext({"composed over plain": lambda: 2.0}))
    monkeypatch.setattr(gate, "processor", lambda: "slow, float32")
    assert main(GateOptions(committed=written)) == 0
    assert "has no ratios of this kind of processor, slow, float32: none is judged" in capsys.readouterr().out
    assert main(GateOptions(committed=written, result=written)) == 0
    columns = read_result(written).figures["composed over plain"]
    assert {name: figure.value for name, figure in columns.items()} == {"fast, float32": 8.0, "slow, float32": 2.0}


def test_a_ratio_that_this_machine_cannot_measure_keeps_those_of_others(one_ratio, tmp_path, monkeypatch):
    written = tmp_path / "gate.json"
    both = {"composed over plain": lambda: 8.0, "two workers over one": lambda: 1.9}
    monkeypatch.setattr(gate, "_ratios", lambda options: nullcontext(both))
    assert main(GateOptions(committed=written, result=written)) == 0
    monkeypatch.setattr(gate, "_ratios", lambda options: nullcontext({"composed over plain": lambda: 7.0}))
    assert main(GateOptions(committed=written, result=written)) == 0
    rows = read_result(written).figures
    assert [rows[name][processor()].value for name in both] == [7.0, 1.9]


def test_without_the_committed_file_the_gate_says_where_to_run(tmp_path):
    with pytest.raises(InvalidConfiguration, match=r"there is no file .*gone\.json; run this in the root"):
        main(GateOptions(committed=tmp_path / "gone.json"))
