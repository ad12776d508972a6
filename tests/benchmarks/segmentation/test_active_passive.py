"""Active and passive runs are compared on the same pictures or not at all."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tabletop_interaction.benchmarks.segmentation.active_passive import compare_runs, comparison_svg, named_folders
from tabletop_interaction.cli.main import main
from tabletop_interaction.errors import InvalidConfiguration

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path, learning_run: Any, history_of: Any, evaluation_of: Any, update_of: Any) -> Write:
    """A run whose pick moves something where `picks` has an "h"."""

    def written(name: str, picks: str, ap: float, policy: str = "random", **evaluation: Any) -> Path:
        history = [
            history_of(number, moved=pick == "h", grasped=pick == "h", pick_outcome=1 if pick == "h" else 2)
            for number, pick in enumerate(picks, start=1)
        ]
        figures = [evaluation_of(0, ap / 2, **evaluation), evaluation_of(len(picks), ap, **evaluation)]
        return learning_run(tmp_path / name, history, figures, [update_of(len(picks))], {"policy": policy, "lr": 0.1})

    return written


def test_figures_are_those_of_the_runs(write: Write) -> None:
    folders = {"a": write("a", "mmhmhhhh", 60.5, "hypothesis"), "p": write("p", "hmmmmmhm", 50.25)}
    comparison = compare_runs(folders)
    active, passive = comparison.figures["a"], comparison.figures["p"]
    assert active.moved_by_quarter == (0.0, 0.5, 1.0, 1.0)
    assert passive.moved_by_quarter == (0.5, 0.0, 0.0, 0.5)
    assert (active.moved, active.grasped, active.masks, active.interactions) == (5, 5, 16, 8)
    assert active.ap == {0.3: 60.5, 0.5: 50.5, 0.75: 30.5}
    assert (comparison.set_name, comparison.pictures) == ("val", 30)


@pytest.mark.parametrize("other", [{"set": "test"}, {"pictures": 200}])
def test_other_pictures_are_refused(write: Write, other: dict[str, Any]) -> None:
    with pytest.raises(InvalidConfiguration, match="different pictures: a on 30 pictures of val, p on"):
        compare_runs({"a": write("a", "hh", 60), "p": write("p", "hm", 50, **other)})


def test_a_single_run_and_unfinished_runs_are_refused(write: Write, tmp_path: Path, learning_run: Any) -> None:
    with pytest.raises(InvalidConfiguration, match="two or more"):
        compare_runs({"a": write("a", "hh", 60)})
    with pytest.raises(InvalidConfiguration, match="has no interaction yet"):
        compare_runs({"a": tmp_path / "a", "p": learning_run(tmp_path / "p")})


def test_footnotes_name_what_differs(write: Write) -> None:
    notes = compare_runs({"a": write("a", "hhhh", 60, "hypothesis"), "p": write("p", "hm", 50)}).footnotes()
    assert notes[0] == "policy differs: hypothesis (a), random (p)"
    assert (
        "after 0, the last count at which all were evaluated, AP at 0.3 / 0.5 / 0.75: a 30.0 / 20.0 / 0.0" in notes[1]
    )
    alike = compare_runs({"a": write("b", "hh", 60), "p": write("q", "hm", 50)})
    assert alike.footnotes() == []


def test_runs_are_called_by_their_folders_unless_named(tmp_path: Path) -> None:
    with_sign = tmp_path / "lr=0.1"
    with_sign.mkdir()
    assert named_folders(["active=runs/a", "runs/b", str(with_sign)]) == {
        "active": Path("runs/a"),
        "b": Path("runs/b"),
        "lr=0.1": with_sign,
    }
    with pytest.raises(InvalidConfiguration, match="two runs are called 'a'"):
        named_folders(["x/a", "y/a"])


def test_the_plot_names_each_run(write: Write) -> None:
    svg = comparison_svg(compare_runs({"a<1>": write("a", "hm" * 6, 60), "p": write("p", "m" * 12, 50)}))
    assert "a&lt;1&gt;" in svg
    for colour in ("c0", "c1"):
        # A line in each of the three charts, and one in the legend.
        assert len(re.findall(rf'<path [^>]*style="fill: none; stroke: var\(--{colour}\)', svg)) == 3 + 1


def test_the_plot_has_the_simple_baseline_where_a_run_has_it(write: Write) -> None:
    known = {"baseline_ap": {"0.3": 20.0, "0.5": 10.0, "0.75": 1.0}}
    with_baseline = comparison_svg(compare_runs({"a": write("a", "hm", 60, **known), "p": write("p", "mh", 50)}))
    without = comparison_svg(compare_runs({"a": write("b", "hm", 60), "p": write("q", "mh", 50)}))
    # A dashed line in each of the two charts of AP, and one in the legend.
    assert with_baseline.count("stroke-dasharray") - without.count("stroke-dasharray") == 3
    assert "simple baseline on the same pictures" in with_baseline


def test_the_command_prints_a_table_and_writes_figures_and_curves(
    write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [f"active={write('a', 'hhhh', 60)}", f"passive={write('p', 'hmmm', 50)}"]
    out = tmp_path / "out"
    assert main(["benchmark", "active-passive", *runs, "--out", str(out)]) == 0
    lines = {line.split("│")[1].strip(): line for line in capsys.readouterr().out.splitlines() if line.count("│") == 4}
    assert lines["AP at IoU 0.3, %"].replace("│", " ").split()[-2:] == ["60.0", "50.0"]
    assert json.loads((out / "results.json").read_text())["runs"]["passive"]["moved_by_quarter"] == [1.0, 0.0, 0.0, 0.0]
    assert (out / "curves.svg").read_text().startswith("<svg")


def test_the_command_writes_nothing_when_it_refuses(
    write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    runs = [str(write("a", "h", 60)), str(write("p", "h", 50, set="test"))]
    assert main(["benchmark", "active-passive", *runs, "--out", str(out)]) == 2
    assert "on the same set" in " ".join(capsys.readouterr().err.split())
    assert not out.exists()
