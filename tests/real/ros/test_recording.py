"""What the recorder says about commands and motion that are known."""

import numpy as np
import pytest
from sawyer_stand_in.recording import Recording
from sawyer_stand_in.robot import Arm, Faults, Gripper
from sawyer_stand_in.table import Row, lines_of

from tabletop_interaction.sawyer.kinematics import MAX_SPEED
from tabletop_interaction.sawyer.model import ARM_JOINT_NAMES


def _recording(path, times=None, q=None, numbers=None):
    """Commands along `path` (n,) of joint 0 at `times`; the arm is where it is commanded, or at `q`."""
    times = np.arange(len(path)) / 100 if times is None else times
    full = np.outer(path, np.eye(7)[0])
    at = full if q is None else np.outer(q, np.eye(7)[0])
    names = list(reversed(ARM_JOINT_NAMES))
    numbers = range(len(path)) if numbers is None else numbers.tolist()
    commands = [
        {
            "time": t,
            "sent": t,
            "number": n,
            "from": "/us",
            "names": names,
            "position": row[::-1].tolist(),
            "q": m.tolist(),
        }
        for t, n, row, m in zip(times, numbers, full, at, strict=True)
    ]
    trace = [(float(t), [*row.tolist(), 0.02]) for t, row in zip(times, at, strict=True)]
    log = {"commands": commands, "trace": trace, "opening": 0.02, "holds": True, "opened": 0, "enabled": True}
    return Recording.from_log(log)


def test_a_constant_speed_is_its_fraction_of_the_rated_speed():
    rates = _recording(0.5 * MAX_SPEED[0] * np.arange(50) / 100).rates()
    assert rates.speed == pytest.approx(0.5)
    assert rates.acceleration == pytest.approx(0, abs=1e-6)


def test_a_jump_breaks_all_limits():
    rates = _recording(np.repeat([0.0, 0.1], 20)).rates()
    assert rates.speed == pytest.approx(10 / MAX_SPEED[0])
    assert rates.acceleration == pytest.approx(100)
    assert rates.jerk == pytest.approx(2e5)


def test_a_command_that_was_lost_on_its_way_is_no_jump():
    numbers = np.delete(np.arange(50), 20)
    rates = _recording(0.5 * MAX_SPEED[0] * numbers / 100, numbers / 100, numbers=numbers).rates()
    assert rates.speed == pytest.approx(0.5)


def test_commands_that_go_on_after_a_stall_jump_from_the_arm_at_rest():
    times = np.concatenate([np.arange(20) / 100, 1 + np.arange(20) / 100])
    path = 0.004 * np.arange(40)
    resting = np.concatenate([path[:20], np.full(20, path[19])])
    assert _recording(path, times, resting).jumps() == pytest.approx(0.004)
    assert _recording(path + 0.1 * (times >= 1), times, resting).jumps() == pytest.approx(0.104)


def test_an_arm_that_turns_back_while_it_stops_is_seen():
    q = np.concatenate([0.004 * np.arange(50), 0.2 - 0.004 * np.arange(10)])
    recording = _recording(q, q=q)
    assert recording.step_back(0.49) == pytest.approx(0.04, abs=0.005)
    assert recording.stopped_after(0.49) == pytest.approx(0.1)
    assert _recording(q[:50], q=q[:50]).step_back(0.3) == 0


def test_commands_after_a_moment_are_counted():
    recording = _recording(np.zeros(50))
    assert recording.commands_after(0.395) == 10
    assert recording.before(0.395).commands_after(0.0) == 39


def test_the_arm_holds_when_commands_stop():
    arm, goal = Arm(), np.array(Arm().q) + 0.5
    arm.command(goal, 0.0)
    for tick in range(100):
        arm.advance(0.01, tick / 100, Faults(), motors=True)
    assert np.abs(arm.velocity).max() < 1e-9
    assert (np.abs(arm.q - goal) > 0.2).all()


def test_a_calibration_drops_what_the_gripper_holds():
    gripper = Gripper(opening=0.02, goal=0.0, object_m=0.02)
    assert gripper.gripping
    gripper.set("calibrate", True)
    for _ in range(100):
        gripper.advance(0.01)
    assert (gripper.opened, gripper.holds, gripper.calibrated) == (1, False, True)


def test_the_table_has_aligned_columns():
    lines = lines_of([Row("stop button", "RobotFault", "0.05", "0", "0.001", "holds", "leaves the table")])
    assert len({len(line) for line in lines}) == 1
    assert lines[2].startswith("| stop button | RobotFault |")
