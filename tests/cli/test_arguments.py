"""Arguments and options are checked before a command runs, and named as they are typed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest
import tyro

from tabletop_interaction.cli.arguments import File, NewFolder, as_typed, check_arguments, check_options
from tabletop_interaction.errors import InvalidConfiguration, TrainingError
from tabletop_interaction.ranges import Range
from tabletop_interaction.segmentation.training.config import TrainingConfig


@dataclass(frozen=True)
class Command:
    """A command."""

    out: NewFolder = Path("new")
    picture: Annotated[tuple[File, ...], tyro.conf.Positional] = ()
    set_name: Annotated[str, tyro.conf.arg(name="set")] = "test"
    most_rows: Annotated[int, Range(1, 8)] = 1
    free: Path | None = None


@pytest.fixture(autouse=True)
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with a file, a folder and a link to nowhere."""
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    Path("folder").mkdir()
    Path("link").symlink_to("nowhere")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "--out", "a", "--out", "b"], "--out came more than once"),
        (["train", "--sets-dir=a", "--sets_dir", "b"], "--sets-dir came more than once"),
        (["evaluate", "--fast", "--no-fast"], "--no-fast came more than once"),
        (["train", "--out", ""], "--out came with an empty value"),
        (["train", "--out="], "--out came with an empty value"),
        (["train", "--out", "a\0b"], "NUL"),
        (["train", "--out", os.fsdecode(b"\xff")], "is not UTF-8"),
        (["train", "--seed", "9" * 5000], "--seed came with 5,000 characters; accepted are 4,000 at most"),
        (["show", ""], "the command came with an empty value"),
    ],
)
def test_arguments_that_no_command_can_use_are_refused(arguments: list[str], said: str) -> None:
    with pytest.raises(InvalidConfiguration, match=said):
        check_arguments(arguments)


def test_values_that_begin_with_a_dash_or_repeat_are_no_options() -> None:
    check_arguments(["calibrate", "arena", "--turn-deg", "-5", "--centre-xy", "1", "1", "--lab=x=y"])


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (Command(most_rows=9), "--most-rows is 9; accepted is 1 to 8"),
        (Command(out=Path("file")), "--out is file, which is no folder"),
        (Command(out=Path("file/below")), "file is a file; name a path in a folder"),
        (Command(out=Path("link")), "--out is link, a symbolic link to a missing file"),
        (Command(free=Path("n" * 300)), "accepted are names of 240 bytes"),
        (Command(picture=(Path("file"), Path("folder"))), "PICTURE is folder, which is no file"),
        (Command(set_name=3), "--set is 3; accepted is text"),  # type: ignore[arg-type]
    ],
)
def test_values_and_paths_are_refused_by_the_name_that_is_typed(command: Command, said: str) -> None:
    with pytest.raises(InvalidConfiguration, match=said):
        check_options(command)


def test_right_options_pass() -> None:
    check_options(Command(Path("new/below"), (Path("file"), Path("missing")), free=Path("folder")))


def test_a_folder_without_the_right_to_write_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    # Root may write everywhere.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(InvalidConfiguration, match="cannot be written"):
        check_options(Command(Path("folder/new")))


def test_an_error_about_a_field_names_the_option_and_keeps_its_type() -> None:
    with pytest.raises(TrainingError) as refused:
        TrainingConfig(iou_bound=2)
    assert str(as_typed(refused.value, ["seed"])) == "iou_bound is 2; accepted is 0 to 1"
    named = as_typed(refused.value, ["loss", "crops.iou_bound"])
    assert (type(named), str(named)) == (TrainingError, "--iou-bound is 2; accepted is 0 to 1")
