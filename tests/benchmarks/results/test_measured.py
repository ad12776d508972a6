"""What a command writes into a result file, and what it refuses before it measures."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import numpy as np
import pytest

from tabletop_interaction.benchmarks import accuracy, speed
from tabletop_interaction.benchmarks.results.measured import ResultOptions, command_line, commit_of
from tabletop_interaction.benchmarks.results.result import Figure, read_result, write_result
from tabletop_interaction.benchmarks.results.shares import per_cent, ratio_of_sums, share_of
from tabletop_interaction.errors import ForeignFolder

FIGURES = {"row": {"time": Figure(np.float64(1.5), "ms")}}
MODULES = [f"{one.__name__}.{name}" for one in (accuracy, speed) for _, name, _ in iter_modules(one.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_every_measuring_command_can_write_a_result_file(name):
    module = import_module(name)
    options = [each for key, each in vars(module).items() if key.endswith("Options") and each.__module__ == name]
    assert all(issubclass(each, ResultOptions) for each in options)
    assert "options.keep(" in Path(module.__file__).read_text()


def test_a_result_file_has_figures_commands_seeds_and_origin(tmp_path):
    options = ResultOptions(result=tmp_path / "new" / "x.json", after=("tabletop learn --out runs/x",))
    options.keep(FIGURES, seeds=range(3), interval="none", notes=["A note"])
    found = read_result(tmp_path / "new" / "x.json")
    assert found.figures == {"row": {"time": Figure(1.5, "ms")}}
    assert found.commands[0] == "tabletop learn --out runs/x"
    assert (found.seeds, found.notes, found.transcribed) == ((0, 1, 2), ("A note",), None)
    assert "cores" in found.machine
    assert found.date is not None


def test_a_result_file_that_was_read_and_written_again_is_the_same(tmp_path):
    counted = {"row": {"count": Figure(120, decimals=0), "time": Figure(np.float32(0.5), "ms", trials=np.int64(3))}}
    ResultOptions(result=tmp_path / "x.json").keep(counted, seeds=[np.int64(0)])
    write_result(tmp_path / "y.json", read_result(tmp_path / "x.json"))
    assert (tmp_path / "y.json").read_bytes() == (tmp_path / "x.json").read_bytes()


def test_without_the_option_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ResultOptions().keep(FIGURES, seeds=[0])
    assert list(tmp_path.iterdir()) == []


def test_a_result_file_is_written_again_but_nothing_else_is(tmp_path):
    mine = tmp_path / "mine.json"
    mine.write_text("{}")
    with pytest.raises(ForeignFolder, match=r"mine\.json exists and is no result file"):
        ResultOptions(result=mine)
    with pytest.raises(ForeignFolder, match=r"does not end in \.json"):
        ResultOptions(result=tmp_path / "x.txt")
    with pytest.raises(ForeignFolder, match="cannot be written"):
        ResultOptions(result=mine / "x.json")
    for _ in range(2):
        ResultOptions(result=tmp_path / "x.json").keep(FIGURES, seeds=[0])
    assert mine.read_text() == "{}"


@pytest.mark.parametrize(
    "arguments",
    [
        ["evaluate", "--set", "test", "--result", "x.json", "--after", "tabletop learn", "make demo"],
        ["evaluate", "--result=x.json", "--set", "test"],
        ["evaluate", "--after", "tabletop learn --out x", "--set", "test"],
    ],
)
def test_the_command_of_a_result_is_without_the_options_of_result_files(arguments, monkeypatch):
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)
    assert command_line(["/usr/bin/tabletop", *arguments]) == "tabletop evaluate --set test"


def test_the_command_of_a_module_is_as_one_types_it(monkeypatch):
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", import_module(MODULES[0]).__spec__)
    assert command_line(["x.py", "--trials", "4"]) == f"python -m {MODULES[0]} --trials 4"


def git(folder, *arguments):
    identity = ["-c", "user.name=x", "-c", "user.email=x@y"]
    done = subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_a_commit_says_whether_the_code_was_changed_since(tmp_path):
    (tmp_path / "docs" / "results").mkdir(parents=True)
    (tmp_path / "code.py").write_text("1")
    (tmp_path / "docs" / "results" / "x.json").write_text("1")
    git(tmp_path, "init")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "first")
    commit = git(tmp_path, "rev-parse", "HEAD")
    (tmp_path / "docs" / "results" / "x.json").write_text("2")
    assert commit_of(tmp_path) == commit
    (tmp_path / "code.py").write_text("2")
    assert commit_of(tmp_path) == f"{commit}+changes"


def test_a_package_that_is_no_checkout_has_no_commit(tmp_path):
    git(tmp_path, "init")
    (tmp_path / "site-packages").mkdir()
    assert commit_of(tmp_path / "site-packages") is None


def test_a_counted_share_has_its_wilson_interval():
    one = share_of(192, 200)
    assert (one.value, one.trials, one.unit) == (96.0, 200, "%")
    assert (one.low, one.high) == pytest.approx((92.31, 97.96), abs=0.01)


def test_an_interval_over_interactions_is_wider_than_one_over_their_views():
    rng = np.random.default_rng(3)
    right = rng.random(100) < 0.8
    by_interaction = ratio_of_sums(4 * right, np.full(100, 4))
    by_view = ratio_of_sums(np.repeat(right, 4), np.ones(400))
    assert by_interaction.value == by_view.value == pytest.approx(100 * right.mean())
    assert by_interaction.high - by_interaction.low > 1.5 * (by_view.high - by_view.low)


def test_without_anything_to_count_there_is_no_share():
    assert np.isnan(ratio_of_sums([0, 0], [0, 0]).value)


def test_one_interaction_has_a_share_without_an_interval():
    """A bootstrap of one interaction ended the command after it had measured."""
    one = ratio_of_sums([3], [4])
    assert (one.value, one.low, one.high) == (75.0, None, None)


def test_draws_without_anything_to_count_are_left_out_of_the_interval():
    """One of them made both ends of the interval NaN."""
    few = ratio_of_sums([1, 1, 0, 0], [2, 1, 0, 0])
    assert (few.low, few.high) == (50.0, 100.0)


def test_a_figure_without_a_value_is_left_out_of_a_result_file(tmp_path):
    """JSON has no NaN: other programs did not read the file."""
    rows = {
        "row": {"share": ratio_of_sums([0], [0]), "time": Figure(1.5, "ms")},
        "nothing": {"share": per_cent(np.nan)},
    }
    ResultOptions(result=tmp_path / "x.json").keep(rows, seeds=[0])
    assert read_result(tmp_path / "x.json").figures == {"row": {"time": Figure(1.5, "ms")}, "nothing": {}}
    assert "NaN" not in (tmp_path / "x.json").read_text()
