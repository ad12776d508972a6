"""`tabletop benchmark learning` from the command line to the files: extended, killed, resumed, refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file

from tabletop_interaction.benchmarks.results.result import read_result
from tabletop_interaction.benchmarks.segmentation.label_sets import SETS
from tabletop_interaction.cli.main import main
from tabletop_interaction.envs import read_interactions

SMALL = "--interactions 4 --update-interval 2 --evaluate-every 2 --steps-per-interaction 1 --batch-size 2 --pictures 2"


@pytest.fixture
def two_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every benchmark set has two pictures, and a seed of its own."""
    for name, spec in list(SETS.items()):
        monkeypatch.setitem(SETS, name, replace(spec, pictures=2, seed=spec.seed + 1000))


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    """Options of a small run from the network that ships, which finds objects; for `tabletop learn` too."""
    return [*SMALL.split(), "--model", "default", "--sets-dir", str(tmp_path / "sets")]


def _measure(out: Path, *arguments: str) -> int:
    return main(["benchmark", "learning", "--out", str(out), *arguments])


def _history(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]


def _check_same_run(one: Path, two: Path) -> None:
    """Both runs made the same attempts with the same outcomes and ended with the same weights."""
    own = {"id", "time", "seconds", "checksum", "run"}
    lines = [[{key: line[key] for key in line.keys() - own} for line in _history(run)] for run in (one, two)]
    assert lines[0] == lines[1]
    picks = [[row.pick_place for row in read_interactions(run / "records", columns=[])] for run in (one, two)]
    assert picks[0] == picks[1]
    weights = [load_file(run / "model.safetensors") for run in (one, two)]
    assert weights[0].keys() == weights[1].keys()
    assert all(weights[0][name].equal(weights[1][name]) for name in weights[0])


@pytest.mark.usefixtures("two_pictures")
def test_seeds_become_means_more_seeds_extend_them_and_each_is_the_run_of_its_seed(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, result = tmp_path / "out", tmp_path / "x.json"
    assert _measure(out, *arguments, "--seeds", "1") == 0
    assert "one seed: how far another one would differ is not known" in capsys.readouterr().out
    state = (out / "seed-0" / "state.pt").stat().st_mtime_ns
    more = ["--final-set", "val", "--result", str(result)]
    assert _measure(out, *arguments, "--seeds", "2", *more) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "seed 1, run 1 of 1" in printed
    assert "seeds 0 to 1: per cent" in printed
    assert (out / "seed-0" / "state.pt").stat().st_mtime_ns == state

    evaluations = [json.loads((out / f"seed-{seed}" / "evaluations" / "00004.json").read_text()) for seed in (0, 1)]
    found = read_result(result)
    figure = found.figures["after 4 interactions"]["AP at IoU 0.3"]
    ap = [one["ap"]["0.3"] for one in evaluations]
    assert ap[0] != ap[1]
    assert (figure.value, figure.deviation) == (pytest.approx(np.mean(ap)), pytest.approx(np.std(ap, ddof=1)))
    assert (figure.low, figure.high, found.seeds) == (min(ap), max(ap), (0, 1))
    assert list(found.figures) == [
        *(f"after {n} interactions" for n in (0, 2, 4)),
        "finished networks, 2 val pictures",
        "whole run",
    ]
    assert list(found.figures["whole run"])[:3] == ["moved an object", "seconds", "CPU seconds"]
    document = json.loads((out / "results.json").read_text())
    assert list(document["seeds"]) == ["0", "1"]
    assert (document["set"], document["pictures"], document["config"]["interactions"]) == ("dev", 2, 4)
    assert "± one standard deviation" in (out / "results.html").read_text()

    alone = ["learn", *arguments, "--seed", "1", "--out", str(tmp_path / "alone")]
    assert main(alone) == 0
    _check_same_run(out / "seed-1", tmp_path / "alone")
    assert main(["learn", *arguments, "--seed", "1", "--resume", "--out", str(out / "seed-1")]) == 0
    capsys.readouterr()
    # A finished benchmark learns and evaluates nothing again.
    shutil.copytree(out, tmp_path / "before")
    assert _measure(out, *arguments, "--seeds", "2", "--against", str(tmp_path / "before")) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "run 1 of" not in printed
    assert "2 common seeds" in printed
    assert "+0.0 ± 0.0" in printed


@pytest.mark.usefixtures("two_pictures")
def test_a_killed_benchmark_resumes_in_the_run_in_which_it_was_killed(
    arguments: list[str], tmp_path: Path, killed_at: Callable[[str, int, Callable[[], object]], bool]
) -> None:
    out = tmp_path / "out"
    # After the first interaction of the second seed.
    history = "tabletop_interaction.agents.learning.loop.append_to_history"
    assert killed_at(history, 5, lambda: _measure(out, *arguments, "--seeds", "2"))
    before = [_history(out / f"seed-{seed}") for seed in (0, 1)]
    assert list(json.loads((out / "results.json").read_text())["seeds"]) == ["0"]
    assert _measure(out, *arguments, "--seeds", "2") == 0
    after = [_history(out / f"seed-{seed}") for seed in (0, 1)]
    assert after[0] == before[0]
    assert [line["number"] for line in after[1]] == [1, 2, 3, 4]
    assert after[1][:1] == before[1]
    assert list(json.loads((out / "results.json").read_text())["seeds"]) == ["0", "1"]


@pytest.mark.usefixtures("two_pictures")
def test_records_of_a_run_that_was_killed_at_its_very_end_are_sealed(
    arguments: list[str], tmp_path: Path, killed_at: Callable[[str, int, Callable[[], object]], bool]
) -> None:
    out = tmp_path / "out"
    written = "tabletop_interaction.envs.records.journal._write_shard"
    assert killed_at(written, 1, lambda: _measure(out, *arguments, "--seeds", "1"))
    records = out / "seed-0" / "records"
    assert list(records.glob(".journal-*"))
    assert _measure(out, *arguments, "--seeds", "1") == 0
    assert not list(records.glob(".journal-*"))
    assert len(list(read_interactions(records, columns=[]))) == 4


@pytest.mark.usefixtures("two_pictures")
def test_other_settings_are_refused_in_one_line(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert _measure(out, *arguments, "--seeds", "1") == 0
    names = sorted(path.name for path in out.iterdir())
    capsys.readouterr()
    assert _measure(out, *arguments, "--seeds", "1", "--growth", "1") == 1
    error = capsys.readouterr().err
    assert "holds a learning benchmark with other settings: config.growth is 0.7 there and 1.0 now" in error
    assert error.count("\n") == 1
    assert sorted(path.name for path in out.iterdir()) == names


@pytest.mark.parametrize(
    ("wrong", "status", "said"),
    [
        (["--seeds", "0"], 2, "--seeds is 0; accepted is 1 to 1000"),
        (["--seed", str(2**63 - 1), "--seeds", "2"], 2, "with --seeds 2 counts up to 9223372036854775808"),
        (["--model", "nowhere.safetensors"], 1, "nowhere.safetensors"),
        (["--policy", "random", "--choice", "random"], 2, "--choice random has no effect with --policy random"),
        (["--against", "."], 1, "holds no benchmark.json; give a folder of `tabletop benchmark learning`"),
        (["--objects-min", "9", "--objects-max", "5"], 2, "objects"),
    ],
)
def test_what_cannot_be_measured_is_said_in_one_line_and_nothing_is_written(
    wrong: list[str],
    status: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert _measure(tmp_path / "out", *wrong) == status
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()
