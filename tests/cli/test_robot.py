"""`tabletop collect`, `learn` and `rearrange` with --backend sawyer, on its twin, with a robot's faults."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import imageio.v2 as imageio
import numpy as np
import pytest

from tabletop_interaction.benchmarks.ground_truth import grasp_from_truth
from tabletop_interaction.cli.main import main
from tabletop_interaction.envs import GroundTruth, count_interactions, read_interactions
from tabletop_interaction.envs.records.folder import FolderMeta, read_meta
from tabletop_interaction.extras import install_command
from tabletop_interaction.real import TWIN_LAB, open_sawyer, twin
from tabletop_interaction.real.arm.driver import JOINT_STATES_TOPIC
from tabletop_interaction.real.twin import Twin
from tabletop_interaction.simulation.arm import AWAY

SEED = 1


@pytest.fixture
def robot(quick_lab_file: Path) -> list[str]:
    """The options of the twin."""
    return ["--backend", "sawyer", "--config", str(quick_lab_file)]


@pytest.fixture
def when_opened(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[Twin], None]]:
    """Actions on every twin that a command opens; they switch its faults on."""
    actions: list[Callable[[Twin], None]] = []
    open_twin = twin.open_twin

    def opened(*arguments: Any) -> Twin:
        made = open_twin(*arguments)
        for action in actions:
            action(made)
        return made

    monkeypatch.setattr(twin, "open_twin", opened)
    return actions


def _amid_a_move(opened: Twin, action: Callable[[], None], ready: Callable[[], bool] = lambda: True) -> None:
    """Do something as soon as the arm is over the table."""
    robot = opened.robot

    def look() -> None:
        if ready() and np.abs(robot.arm.joint_angles() - AWAY).max() > 0.5:
            action()
        else:
            robot.at(0.05, look)

    robot.at(0.05, look)


def _collect(robot: list[str], out: Path, interactions: int, *more: str) -> int:
    return main(["collect", *robot, "--interactions", str(interactions), "--out", str(out), *more])


def _rows(out: Path) -> int:
    return count_interactions(out) if (out / "meta.json").exists() else 0


def test_a_robot_collects_and_resumes_and_its_rows_do_not_mix_with_a_simulations(
    robot: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "records"
    assert _collect(robot, out, 1) == 0
    assert _collect(robot, out, 2) == 0
    assert len({row.seed for row in read_interactions(out)}) == 2
    about = read_meta(out).metadata
    assert (about["backend"], about["driver"], about["operator"]) == ("sawyer", "twin", "BesideTwin")
    assert _collect([], out, 3) == 1
    assert "holds backend sawyer, not simulation" in capsys.readouterr().err
    assert _rows(out) == 2


def test_a_robot_does_not_add_to_rows_of_a_simulation(
    robot: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _collect([], tmp_path / "records", 1) == 0
    assert _collect(robot, tmp_path / "records", 2) == 1
    assert "holds backend simulation, not sawyer" in capsys.readouterr().err


def test_rows_of_a_robot_and_of_its_twin_do_not_mix() -> None:
    robot, its_twin = (
        FolderMeta("train", ("view_0",), {"backend": "sawyer", "driver": name}) for name in ("intera", "twin")
    )
    assert its_twin.differences(robot) == ["driver 'intera', not 'twin'"]


@pytest.mark.usefixtures("tiny_sets")
def test_a_robot_learns_and_resumes_with_the_same_lab_file_only(
    robot: list[str], untrained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = ["--interactions", "2", "--update-interval", "1", "--steps-per-interaction", "1", "--batch-size", "2"]
    sets = ["--sets-dir", str(tmp_path / "sets"), "--pictures", "1", "--evaluate-every", "2"]
    command = ["learn", "--out", str(tmp_path / "run"), "--model", str(untrained), *small, *sets]
    assert main([*command, *robot]) == 0
    assert "learned from 2 interactions" in capsys.readouterr().out.replace("\n", " ")
    asked = json.loads((tmp_path / "run" / "learn.json").read_text())["config"]
    assert (asked["backend"], asked["config"]) == ("sawyer", robot[-1])
    assert read_meta(tmp_path / "run" / "records").metadata["driver"] == "twin"
    assert main(command) == 1
    assert main([*command, "--backend", "sawyer", "--config", "twin"]) == 1
    said = capsys.readouterr().err.replace("\n", " ")
    assert "backend is 'sawyer' there and 'simulation' now" in said
    assert f"config is '{robot[-1]}' there and 'twin' now" in said


@pytest.fixture(scope="module")
def goal(quick_lab_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Picture of view_0 of the twin after one object of the scene of `SEED` was moved."""
    path = tmp_path_factory.mktemp("goal") / "goal.png"
    with open_sawyer("test", quick_lab_file) as backend:
        assert isinstance(backend, GroundTruth)
        backend.reset(np.random.default_rng(SEED), new_scene=True)
        grasp = grasp_from_truth(backend.object_states()[0])
        assert backend.pick(grasp.x, grasp.y, grasp.angle).held
        backend.place(-0.22, -0.17)
        imageio.imwrite(path, backend.observe()["view_0"])
    return path


def _rearrange(robot: list[str], goal: Path, out: Path) -> int:
    return main(["rearrange", *robot, "--goal", str(goal), "--seed", str(SEED), "--out", str(out)])


def test_a_robot_brings_its_table_to_what_a_picture_shows(
    robot: list[str], goal: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert _rearrange(robot, goal, out) == 0
    assert "100% of what differed from the goal's picture is as in the goal" in capsys.readouterr().out
    start, wanted, final = (imageio.imread(out / f"{name}.png").astype(int) for name in ("start", "goal", "final"))
    assert (wanted == imageio.imread(goal)).all()
    # Exposures differ by some grey levels, an object and its place by many.
    at_start, at_end = ((np.abs(one - wanted).max(axis=2) > 40).sum() for one in (start, final))
    assert at_end < at_start / 3


def test_after_a_fault_and_a_yes_the_episode_starts_again(
    robot: list[str],
    goal: Path,
    when_opened: list[Callable[[Twin], None]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    opened: list[Twin] = []
    when_opened.append(opened.append)
    when_opened.append(lambda made: _amid_a_move(made, lambda: setattr(made.robot.faults, "collided", True)))

    def answer(question: str) -> str:
        opened[0].robot.faults.collided = False
        return "yes"

    monkeypatch.setattr("builtins.input", answer)
    assert _rearrange(robot, goal, tmp_path / "out") == 0
    said = capsys.readouterr().out
    assert "the operator allowed it to continue; the episode starts again" in said
    assert "\ndone after" in said


COMMANDS = {
    "collect": ["collect", "--interactions", "1"],
    "learn": ["learn", "--interactions", "1"],
    "rearrange": ["rearrange", "--goal", "goal.png"],
}


def _refused(command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], status: int = 2) -> str:
    """The one line with which a command is refused, 2 by default for a user's mistake; nothing was written."""
    before = sorted(tmp_path.iterdir())
    assert main([*command, "--out", str(tmp_path / "out")]) == status
    assert sorted(tmp_path.iterdir()) == before
    said = capsys.readouterr().err
    assert "Traceback" not in said
    return " ".join(said.split())


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--backend", "gazebo"], "unknown backend 'gazebo'"),
        (["--backend", "sawyer"], "--backend sawyer came without --config"),
        (["--config", "lab.yaml"], "--config lab.yaml came with --backend simulation"),
        (["--backend", "sawyer", "--config", "no/such/lab.yaml"], "there is no lab file no/such/lab.yaml"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    name: str, options: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in _refused([*COMMANDS[name], *options], tmp_path, capsys)


@pytest.mark.parametrize("name", ["collect", "learn"])
def test_one_arm_has_one_collector(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = [*COMMANDS[name], "--backend", "sawyer", "--config", "twin", "--workers", "1"]
    assert "--workers 1 came with --backend sawyer; there is one arm" in _refused(command, tmp_path, capsys)


@pytest.mark.parametrize(
    ("text", "said"),
    [("arena: [", "as YAML"), ("schema_version: 1\n", "arena"), ("walls: 4\n", "unknown section")],
)
def test_a_wrong_lab_file_is_named(text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lab = tmp_path / "lab.yaml"
    lab.write_text(text)
    refused = _refused([*COMMANDS["collect"], "--backend", "sawyer", "--config", str(lab)], tmp_path, capsys)
    assert str(lab) in refused
    assert said in refused


def test_without_ruckig_it_is_said_what_to_install(
    robot: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tabletop_interaction.real.opening.find_spec", lambda name: None)
    for command in COMMANDS.values():
        refused = _refused([*command, *robot], tmp_path, capsys, status=1)
        assert install_command("sawyer") in refused


@pytest.mark.parametrize("name", COMMANDS)
def test_without_a_ros_master_or_rethinks_sdk_nothing_is_written(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lab = tmp_path / "lab.yaml"
    lab.write_text(TWIN_LAB.read_text().replace("driver: twin", "driver: intera"))
    cameras = SimpleNamespace(close=lambda: None)
    monkeypatch.setattr("tabletop_interaction.real.opening.open_camera_array", lambda *arguments: cameras)
    monkeypatch.setenv("ROS_MASTER_URI", "http://localhost:1")
    command = [*COMMANDS[name], "--backend", "sawyer", "--config", str(lab)]
    assert "no ROS master answers at http://localhost:1" in _refused(command, tmp_path, capsys, 1)
    monkeypatch.setattr("tabletop_interaction.real.arm.intera_connection.check_master", lambda: "http://robot")
    monkeypatch.setitem(sys.modules, "rospy", None)
    assert "Rethink's SDK cannot be imported" in _refused(command, tmp_path, capsys, 1)


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        ([], 2, "--backend sawyer came without --goal"),
        (["--goal", "goal.png", "--displaced", "2"], 2, "--displaced 2 has no effect with --goal"),
        (["--goal", "goal.png", "--agent", "oracle"], 2, "--agent oracle came with --goal"),
        (["--goal", "nowhere.png"], 1, "nowhere.png does not exist"),
    ],
)
def test_a_goal_is_a_picture_on_a_robot(
    robot: list[str], options: list[str], status: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in _refused(["rearrange", *robot, *options], tmp_path, capsys, status)


def test_after_a_stop_it_continues_once_the_operator_says_yes(
    robot: list[str], when_opened: list[Callable[[Twin], None]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    out, opened, asked = tmp_path / "records", [], []
    when_opened.append(opened.append)
    when_opened.append(lambda made: _amid_a_move(made, made.robot.press_estop, lambda: _rows(out) == 1))

    def answer(question: str) -> str:
        asked.append(question)
        # A first yes comes too early: the button is still down.
        if len(asked) == 2:
            opened[0].robot.release_estop()
        return "yes"

    monkeypatch.setattr("builtins.input", answer)
    # Else the new episode sweeps the table from eight sides.
    monkeypatch.setattr("tabletop_interaction.envs.interaction.SWEEP_POINTS", 1)
    assert _collect(robot, out, 2) == 0
    assert "the stop button was pressed" in asked[0]
    assert "cannot be enabled" in asked[1]
    assert len(asked) == 2
    assert [(row.episode, row.step) for row in read_interactions(out)] == [(0, 0), (1, 0)]


def test_without_a_yes_the_arm_holds_and_the_same_command_resumes_later(
    robot: list[str],
    when_opened: list[Callable[[Twin], None]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out, opened, held = tmp_path / "records", [], []
    when_opened.append(opened.append)
    when_opened.append(
        lambda made: _amid_a_move(made, lambda: setattr(made.robot.faults, "collided", True), lambda: _rows(out) == 1)
    )

    def answered(question: str) -> str:
        held.append(np.abs(opened[0].robot._command - opened[0].robot.arm.joint_angles()).max())
        return "no"

    monkeypatch.setattr("builtins.input", answered)
    assert _collect(robot, out, 2) == 1
    said = capsys.readouterr().err
    assert "the robot reports a collision" in said
    assert "repeat the command to resume" in said
    assert "Traceback" not in said
    assert held[0] < 0.05
    assert _rows(out) == 1
    assert list((out / "data").glob("part-*.parquet"))
    del when_opened[:]
    assert _collect(robot, out, 2) == 0
    assert _rows(out) == 2


def test_a_fault_that_comes_back_three_times_in_a_row_ends_the_command(
    robot: list[str],
    when_opened: list[Callable[[Twin], None]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    when_opened.append(lambda made: made.robot.faults.unplugged_views.add("view_2"))
    monkeypatch.setattr("builtins.input", lambda question: pytest.fail("a camera is not the operator's to clear"))
    assert _collect(robot, tmp_path / "records", 1) == 1
    assert "camera view_2 gave no new picture" in capsys.readouterr().err
    assert _rows(tmp_path / "records") == 0


def test_ctrl_c_holds_the_arm_and_loses_no_row(
    robot: list[str],
    when_opened: list[Callable[[Twin], None]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out, joints, lags = tmp_path / "records", [], []
    # A test run in the background ignores Ctrl-C.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)

    def interrupt_amid_a_move(made: Twin) -> None:
        moved_by = made.robot.command

        def command(q: Any) -> None:
            lags.append(np.abs(q - joints[-1]).max())
            moved_by(q)

        monkeypatch.setattr(made.robot, "command", command)
        made.modules.rospy.Subscriber(JOINT_STATES_TOPIC, None, lambda message: joints.append(message.position[1:]))
        _amid_a_move(made, lambda: signal.raise_signal(signal.SIGINT), lambda: _rows(out) == 1)

    when_opened.append(interrupt_amid_a_move)
    try:
        assert _collect(robot, out, 100) == 130
    finally:
        signal.signal(signal.SIGINT, handler)
    assert "everything that was finished is on disk" in capsys.readouterr().err
    # The arm was on its way, and the last command is where it comes to rest.
    assert max(lags) > 0.01
    assert lags[-1] < 1e-3
    assert _rows(out) == 1
    assert list((out / "data").glob("part-*.parquet"))
