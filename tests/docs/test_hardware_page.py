"""The hardware page names every error and every cause of a stop that the robot's code knows, and commands as they
are."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from tabletop_interaction import errors
from tabletop_interaction.real.arm.motion import MotionOutcome
from tabletop_interaction.real.arm.obstacles import BoxInArena
from tabletop_interaction.real.arm.settings import MotionSettings
from tabletop_interaction.real.checks import diagnosis
from tabletop_interaction.real.lab.file import SECTIONS, from_plain
from tabletop_interaction.real.lab.lab import load_lab

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "hardware.md").read_text()


def _errors(module):
    return [name for name, kind in vars(module).items() if isinstance(kind, type) and issubclass(kind, Exception)]


def _raised_by_the_robots_code():
    sources = "\n".join(path.read_text() for path in (ROOT / "real").rglob("*.py"))
    return [name for name in _errors(errors) if name != "TabletopError" and re.search(rf"\b{name}\(", sources)]


def test_the_robots_errors_are_those_that_its_code_raises():
    assert {"RobotFault", "RobotUnavailable", "MasterUnreachable", "CameraFault"} <= set(_raised_by_the_robots_code())


@pytest.mark.parametrize("name", [*_raised_by_the_robots_code(), "ChecksFailed", "NoAnswer", "NotConfirmed"])
def test_every_error_of_the_robots_code_has_its_row(name):
    assert hasattr(errors, name) or hasattr(diagnosis, name)
    assert re.search(rf"^\| `{name}`", PAGE, re.MULTILINE)


@pytest.mark.parametrize("outcome", [outcome for outcome in MotionOutcome if outcome is not MotionOutcome.REACHED])
def test_every_cause_of_a_stop_has_its_row(outcome):
    assert re.search(rf"^\| {re.escape(outcome.value)} \|", PAGE, re.MULTILINE)


def test_all_steps_of_the_calibration_stand_there_in_order():
    steps = re.findall(r"^tabletop calibrate (\w+)", PAGE, re.MULTILINE)
    assert steps == ["start", "board", "cameras", "arena", "robot", "check", "arm"]


def test_the_settings_of_the_first_run_are_accepted_and_named_sections_are_sections():
    fields = re.search(r"`motion: \{(.*)\}`", PAGE).group(1)
    settings = {name: float(value) for name, value in (each.split(": ") for each in fields.split(", "))}
    assert MotionSettings(**settings).speed_ratio == 0.1
    assert {"motion", "safety", "gripper"} <= set(SECTIONS)


def test_it_says_that_nothing_was_tried_on_hardware():
    assert "**Nothing here has been tried on hardware.**" in PAGE


def test_the_pages_obstacles_leave_the_arena_in_reach():
    (example,) = re.findall(r"```yaml\n(obstacles:.*?)```", PAGE, re.DOTALL)
    boxes = {name: from_plain(box, BoxInArena, name) for name, box in yaml.safe_load(example)["obstacles"].items()}
    lab = replace(load_lab("twin"), obstacles=boxes)
    assert diagnosis.judge_obstacles(lab.moves).ok
    lab.moves.carrying.leave(lab.moves.down(lab.arena.x_max, lab.arena.y_max, 0.0, 0.009)[-1])
