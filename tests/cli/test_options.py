"""Fields of configurations become options with their own type, default and help; options without effect are refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import pytest
import tyro

from tabletop_interaction.benchmarks.segmentation.label_sets import SETS
from tabletop_interaction.cli.main import main
from tabletop_interaction.cli.options import SET_NAMES, options
from tabletop_interaction.cli.refused import refuse_ignored
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.program import Refused


@dataclass(frozen=True)
class Inner:
    """A square.

    Attributes:
        size: Side of the square,
            metres.
        seed: Not an option here.
    """

    size: float = 2.0
    seed: int = 5


@dataclass(frozen=True)
class Outer:
    """A thing with a square.

    Attributes:
        kind: Kind of thing.
        seed: Seed of all.
        hidden: No option.
        inner: See there.
    """

    kind: Literal["a", "b"] = "a"
    seed: int = 0
    hidden: int = 1
    inner: Inner = field(default_factory=Inner)

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise InvalidConfiguration(f"seed is {self.seed}")


@dataclass(frozen=True)
class Command:
    """A command."""

    outer: Annotated[Outer, options(Outer, "kind", "seed", "inner.size", seed=7, hidden=3)]


def parsed(*arguments: str) -> Outer:
    return tyro.cli(Command, args=arguments, config=(tyro.conf.OmitArgPrefixes,)).outer


def test_defaults_are_the_fields_own_or_the_ones_given() -> None:
    assert parsed() == Outer(kind="a", seed=7, hidden=3, inner=Inner(2.0, 5))


def test_an_option_reaches_its_field_and_no_other_of_that_name() -> None:
    assert parsed("--kind", "b", "--seed", "4", "--size", "3") == Outer("b", 4, 3, Inner(3.0, 5))


def test_help_is_the_fields_own_and_other_fields_are_no_options(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed("--help")
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "--size FLOAT Side of the square, metres. (default: 2.0)" in shown
    assert "--kind {a,b} Kind of thing. (default: a)" in shown
    assert "hidden" not in shown


def test_what_the_configuration_refuses_is_shown_in_its_own_words() -> None:
    with pytest.raises(Refused) as refused:
        parsed("--seed", "-1")
    assert str(refused.value.__cause__) == "seed is -1"


def test_an_option_without_effect_is_refused() -> None:
    refuse_ignored(Outer(), "with --kind a", "seed")
    with pytest.raises(InvalidConfiguration, match="--seed 4 has no effect with --kind a; leave it out"):
        refuse_ignored(Outer(seed=4), "with --kind a", "seed")
    refuse_ignored(Outer(seed=7), "with --kind a", seed=7)
    with pytest.raises(InvalidConfiguration, match="--seed 0"):
        refuse_ignored(Outer(), "with --kind a", seed=7)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("collect --out x --model other", "--model other has no effect with --policy random"),
        ("learn --out x --policy random --choice random", "--choice random has no effect with --policy random"),
        ("learn --out x --policy random --follow-share 0", "--follow-share 0.0 has no effect with --policy random"),
        ("train --out x --data y --iou-bound 0.5", "--iou-bound 0.5 has no effect without --loss robust-set"),
        ("train --out x --data y --minutes 1 --steps 5", "--steps 5 has no effect with --minutes"),
        ("train --out x --data y --paste-share 0 --shadow-share 0", "--shadow-share 0.0 has no effect with --paste"),
        ("train --out x --coco y --images z --carry-labels", "--carry-labels has no effect with --coco"),
        ("bootstrap --out x --minutes 1 --steps 5", "--steps 5 has no effect with --minutes"),
        ("evaluate --data x --images y --workers 2", "--workers 2 has no effect with --data"),
        ("evaluate --data x --images y --sets-dir z", "--sets-dir z has no effect with --data"),
        ("rearrange --goal x --displaced 2", "--displaced 2 has no effect with --goal"),
        ("rearrange --agent oracle --model x", "--model x has no effect without an agent that uses the segmenter"),
        ("rearrange --inverse-model x", "--inverse-model x has no effect without an agent that uses the inverse model"),
        (
            "rearrange --backend sawyer --config twin --goal x --tables-split val",
            "--tables-split val has no effect with --backend",
        ),
        ("benchmark rearrangement --agents random --no-fast", "--no-fast has no effect without an agent that uses"),
        ("benchmark rearrangement --agents oracle --features trunk", "--features trunk has no effect without an agent"),
        ("calibrate check --pictures x --timeout-s 3", "--timeout-s 3.0 has no effect with --pictures"),
        ("calibrate cameras --pictures x --wanted 3", "--wanted 3 has no effect with --pictures"),
        ("calibrate cameras --pictures x --out y", "--out y has no effect with --pictures"),
        ("calibrate robot --touched x --method li", "--method li has no effect with points that are touched"),
        ("calibrate robot --touched x --out y", "--out y has no effect where nothing is read from the robot"),
        ("doctor --config twin --seed 4", "--seed 4 has no effect with --config"),
        ("doctor --max-age-days 4", "--max-age-days 4.0 has no effect without --config"),
    ],
)
def test_a_command_refuses_what_it_would_ignore(
    command: str, said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(command.split()) == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_sets_that_are_offered_are_those_of_the_benchmark() -> None:
    assert set(SET_NAMES) == set(SETS)
