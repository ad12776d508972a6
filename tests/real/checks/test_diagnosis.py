"""Each check reports a fault with a remedy; checking takes bounded time and commands nothing."""

import inspect
import math
import re
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from tabletop_interaction.cli.calibrate import Robot
from tabletop_interaction.envs.backend import Arena
from tabletop_interaction.errors import RobotFault, RobotUnavailable
from tabletop_interaction.findings import refusal
from tabletop_interaction.real.arm.driver import JOINT_STATES_TOPIC
from tabletop_interaction.real.arm.motion import MotionOutcome
from tabletop_interaction.real.arm.moves import Moves
from tabletop_interaction.real.arm.obstacles import BoxInArena, obstacles_of
from tabletop_interaction.real.arm.settings import (
    RATE_HZ,
    MotionSettings,
    SafetySettings,
    SawyerSettings,
)
from tabletop_interaction.real.calibration.arm_response import ArmResponse, ForceNoise, Grip, StopButton
from tabletop_interaction.real.calibration.intrinsics import MAX_RMS_PX
from tabletop_interaction.real.checks import examination
from tabletop_interaction.real.checks.diagnosis import (
    CALIBRATION_STEPS,
    judge_arm,
    judge_calibrations,
    judge_obstacles,
    judge_reach,
    judge_response,
)
from tabletop_interaction.real.checks.examination import Equipment, examine, examine_lab, go_away, slowed
from tabletop_interaction.real.lab import steps as calibration
from tabletop_interaction.real.lab.lab import Calibration
from tabletop_interaction.sawyer.kinematics import MAX_SPEED

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SAFETY = SafetySettings()
GRIP = Grip(0.02, 12.0, True)


def _calibrations(residual=0.5, days=3.0):
    made = NOW - timedelta(days=days)
    return (
        Calibration("intrinsics of view_0", NOW, 0.2, "px"),
        Calibration("intrinsics of view_1", made, residual, "px"),
        Calibration("pose of view_0", NOW, 0.3, "px"),
        Calibration("base of the robot", NOW, 1.2, "mm"),
    )


@pytest.fixture
def moves(quick_lab):
    return Moves(quick_lab.base_from_arena, MotionSettings(), SAFETY)


def test_an_error_is_split_into_its_cause_and_its_remedy():
    finding = refusal("robot", RobotUnavailable("no gripper (it fell off); nothing was moved; put it on"))
    assert (finding.ok, finding.said) == (False, "no gripper (it fell off)")
    assert finding.remedy == "nothing was moved; put it on"
    assert "docs/hardware.md" in refusal("robot", RobotUnavailable("no gripper")).remedy


def test_a_good_calibration_is_reported_with_its_worst_residual_and_its_age():
    findings = list(judge_calibrations(_calibrations(), NOW))
    assert [(each.name, each.ok) for each in findings] == [
        ("camera intrinsics", True),
        ("camera poses", True),
        ("robot base", True),
    ]
    assert findings[0].said == "residual 0.50 px at most (intrinsics of view_1), 3 days old"


@pytest.mark.parametrize(
    ("residual", "days", "said", "remedy"),
    [
        (0.71, 3, "0.7 px is accepted", "run `tabletop calibrate cameras` again"),
        (math.nan, 3, "0.7 px is accepted", "run `tabletop calibrate cameras` again"),
        (0.5, 30.1, "30 days old; 30 are accepted", "tabletop calibrate check"),
        (0.5, -1, "intrinsics of view_1 is from the future", "clock"),
    ],
)
def test_a_bad_an_old_and_a_future_calibration_fail_with_a_remedy(residual, days, said, remedy):
    intrinsics, *others = judge_calibrations(_calibrations(residual, days)[1:], NOW)
    assert (intrinsics.ok, [each.ok for each in others]) == (False, [True, True])
    assert said in intrinsics.said
    assert remedy in intrinsics.remedy


def test_a_twins_calibration_does_not_age():
    old = replace(_calibrations()[3], calibrated_at=NOW - timedelta(days=400))
    assert [each.ok for each in judge_calibrations([old], NOW)] == [False]
    assert [each.ok for each in judge_calibrations([old], NOW, max_age_days=None)] == [True]


def test_the_bounds_of_residuals_are_those_of_the_calibration():
    arena = inspect.signature(calibration.calibrate_arena).parameters["max_rms_px"].default
    assert [step.max_residual for step in CALIBRATION_STEPS] == [
        MAX_RMS_PX,
        arena,
        Robot().max_residual_mm,
    ]


def test_the_whole_arena_is_in_reach(quick_lab, moves):
    assert judge_reach(quick_lab.arena, moves).ok


def test_the_smallest_distance_from_a_joint_limit_is_reported(quick_lab, moves, monkeypatch):
    monkeypatch.setattr(examination.diagnosis, "ANGLES", (-math.pi / 2,))
    finding = judge_reach(quick_lab.arena, moves)
    joint, room = re.search(r"(right_j\d) comes closest to its limit: (\d\.\d\d) rad", finding.said).groups()
    # A path closer to a joint limit than the margin is refused: the reported distance is that threshold.
    nearer, refused = (
        judge_reach(quick_lab.arena, replace(moves, safety=replace(SAFETY, joint_margin_rad=float(room) + more)))
        for more in (-0.01, 0.01)
    )
    assert nearer.ok
    assert not refused.ok
    assert f"{joint} would turn to" in refused.said


def test_an_arena_out_of_reach_fails_with_its_first_corner(moves):
    finding = judge_reach(Arena(-0.3, 0.3, 0.5, 0.7), moves)
    assert not finding.ok
    assert "36 of 36 picks are out of reach, the first x -0.300, y 0.500 m at -90 degrees" in finding.said
    assert "section arena" in finding.remedy


def test_a_box_that_only_a_held_object_would_meet_makes_the_arenas_edge_unreachable(quick_lab, moves, monkeypatch):
    monkeypatch.setattr(examination.diagnosis, "ANGLES", (0.0,))
    tray = BoxInArena(corners=((0.45, -0.2, 0.0), (0.65, 0.2, 0.08)), clearance_m=0.01)
    moves = replace(moves, obstacles=obstacles_of({"tray": tray}, quick_lab.base_from_arena))
    finding = judge_reach(quick_lab.arena, moves)
    assert not finding.ok
    assert "the held object would come to" in finding.said
    assert judge_reach(quick_lab.arena, replace(moves, safety=replace(SAFETY, held_reach_m=0.1))).ok


def test_of_many_boxes_the_first_are_named_and_the_others_counted(quick_lab, moves):
    boxes = {f"far {i}": BoxInArena(centre=(3.0, 3.0, 0.5), size=(0.1, 0.1, 0.1)) for i in range(9)}
    finding = judge_obstacles(replace(moves, obstacles=obstacles_of(boxes, quick_lab.base_from_arena)))
    assert finding.ok
    assert "far 5 and 3 more" in finding.said
    assert "far 6" not in finding.said


@pytest.mark.parametrize(
    ("reported", "outcome"),
    [
        ({"estop_pressed": True}, MotionOutcome.ESTOP),
        ({"stopped": True}, MotionOutcome.STOPPED),
        ({"enabled": False}, MotionOutcome.STOPPED),
        ({"error": True}, MotionOutcome.ERROR),
        ({"collided": True}, MotionOutcome.COLLISION),
        ({"stamps": {JOINT_STATES_TOPIC: 99.7}}, MotionOutcome.STALE_STATE),
    ],
)
def test_an_arm_that_must_not_move_fails_with_a_remedy(sawyer, moves, reported, outcome):
    sawyer.reported = reported
    finding = judge_arm(sawyer.state(), sawyer.clock.now(), SAFETY, moves)
    said = "joint states stopped arriving" if outcome is MotionOutcome.STALE_STATE else outcome.value
    assert not finding.ok
    assert said in finding.said
    assert finding.remedy


def test_a_healthy_arm_is_reported_as_away_or_not(sawyer, moves):
    assert "away from the table" in judge_arm(sawyer.state(), 100.1, SAFETY, moves).said
    sawyer.positions = np.zeros(7)
    finding = judge_arm(sawyer.state(), 100.1, SAFETY, moves)
    assert finding.ok
    assert "joints 100 ms old" in finding.said
    assert "not away" in finding.said


@pytest.fixture
def equipment(twin):
    return Equipment(twin.camera_of, twin.connect, twin.clock, simulated=True)


def _wrong(lab, equipment):
    findings = examine_lab(lab, equipment, NOW, 30)
    return {each.name: each for each in findings if not each.ok}


def test_checking_a_healthy_laboratory_sends_no_command(quick_lab, twin, equipment, monkeypatch):
    commanded = []
    monkeypatch.setattr(examination.diagnosis, "ANGLES", (0.0,))
    monkeypatch.setattr(twin.robot, "command", commanded.append)
    monkeypatch.setattr(twin.robot, "move_fingers", commanded.append)
    assert _wrong(quick_lab, equipment) == {}
    assert commanded == []


@pytest.mark.parametrize(
    ("faults", "state", "wrong", "said"),
    [
        ({"unplugged_views": {"view_2"}}, {}, ["camera view_2"], "gave no new picture"),
        ({"silent": {JOINT_STATES_TOPIC}}, {}, ["robot", "gripper"], "sent nothing usable on /robot/joint_states"),
        ({"collided": True}, {}, ["robot"], "reports a collision"),
        ({"gripper_error": True}, {}, ["gripper", "robot"], "the gripper of twin reports an error"),
        ({}, {"estop_button": 1, "stopped": True, "enabled": False}, ["robot", "gripper"], "stop button 1"),
    ],
)
def test_each_fault_fails_the_check_of_its_part(quick_lab, twin, equipment, faults, state, wrong, said, monkeypatch):
    monkeypatch.setattr(examination.diagnosis, "ANGLES", (0.0,))
    vars(twin.robot.faults).update(faults)
    vars(twin.robot.state).update(state)
    found = _wrong(quick_lab, equipment)
    assert list(found) == wrong
    assert said in found[wrong[0]].said
    assert all(each.remedy for each in found.values())


def test_joint_states_that_stop_after_connecting_are_found(quick_lab, twin, equipment, monkeypatch):
    monkeypatch.setattr(examination.diagnosis, "ANGLES", (0.0,))
    twin.robot.at(0.5, lambda: twin.robot.faults.silent.add(JOINT_STATES_TOPIC))
    lab = replace(quick_lab, views=(), settings=SawyerSettings(safety=SafetySettings(max_state_age_s=1.0)))
    found = _wrong(lab, equipment)
    assert list(found) == [JOINT_STATES_TOPIC, "robot"]
    assert "accepted" in found[JOINT_STATES_TOPIC].said


def test_a_camera_that_hangs_does_not_affect_the_others(quick_lab, twin, equipment, monkeypatch):
    released = threading.Event()

    def open_camera(view):
        if view.name == "view_1":
            released.wait()
        return twin.camera_of(view)

    monkeypatch.setattr(examination.diagnosis, "ANGLES", (0.0,))
    hanging = replace(quick_lab, views=quick_lab.views[1:2])
    monkeypatch.setattr(examination, "CAMERA_S", 0.2)
    found = _wrong(hanging, replace(equipment, open_camera=open_camera))
    released.set()
    assert list(found) == ["camera view_1"]
    assert "did not answer within 0.2 s" in found["camera view_1"].said


def test_without_a_master_the_robot_is_not_checked(quick_lab, equipment, monkeypatch):
    monkeypatch.setenv("ROS_MASTER_URI", "http://localhost:1")
    monkeypatch.setattr(examination.diagnosis, "ANGLES", (0.0,))
    tried = []
    young = tuple(replace(each, calibrated_at=NOW) for each in quick_lab.calibrations)
    lab = replace(quick_lab, views=(), calibrations=young)
    found = _wrong(lab, replace(equipment, simulated=False, open_driver=tried.append))
    assert list(found) == ["ROS master", "robot", "gripper"]
    assert "switch the robot on" in found["ROS master"].remedy
    assert tried == []


def test_a_tilted_table_fails(quick_lab, equipment, monkeypatch):
    monkeypatch.setattr(examination.diagnosis, "ANGLES", (0.0,))
    tilted = quick_lab.base_from_arena.copy()
    cosine, sine = math.cos(0.05), math.sin(0.05)
    tilted[:3, :3] = tilted[:3, :3] @ [[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]]
    found = _wrong(replace(quick_lab, base_from_arena=tilted, views=()), equipment)
    assert "tilts the table by 0.050 rad" in found["table level"].said


def test_a_lab_file_that_cannot_be_used_is_the_only_finding(tmp_path):
    (tmp_path / "lab.yaml").write_text("schema_version: 1\n")
    for path, said in ((tmp_path / "lab.yaml", "section robot is missing"), (tmp_path / "gone", "no lab file")):
        (finding,) = examine(path, NOW)
        assert (finding.name, finding.ok) == ("lab file", False)
        assert said in finding.said
        assert "tabletop calibrate" in finding.said + finding.remedy


@pytest.fixture
def commands(twin, monkeypatch):
    """Every set of joint angles that the twin is commanded."""
    sent, command = [], twin.robot.command
    monkeypatch.setattr(twin.robot, "command", lambda q: (sent.append(q), command(q)))
    return sent


def _bring_over_the_table(twin, moves):
    twin.robot.arm.jump(moves.above(moves.away_q, 0.0, 0.05, 0.0)[-1])
    twin.robot.stay()


def test_going_away_leaves_every_view_at_a_tenth_of_the_speed(quick_lab, twin, equipment, moves, commands):
    _bring_over_the_table(twin, moves)
    assert go_away(quick_lab, equipment)
    assert moves.is_away(twin.robot.arm.joint_angles())
    assert (np.abs(np.diff(commands, axis=0)) * RATE_HZ <= 0.1 * MAX_SPEED + 1e-6).all()
    assert len(commands) > 5 * RATE_HZ
    assert not go_away(quick_lab, equipment)


def test_a_stopped_arm_does_not_go_away(quick_lab, twin, equipment, moves, commands):
    _bring_over_the_table(twin, moves)
    twin.robot.press_estop()
    with pytest.raises(RobotFault, match="is not ready"):
        go_away(quick_lab, equipment)
    assert commands == []


def test_slowed_settings_are_never_faster_than_the_laboratorys():
    slow = SawyerSettings(MotionSettings(speed_ratio=0.03, descent_m_s=0.01, transit_m=0.3))
    assert slowed(slow).motion.speed_ratio == 0.03
    assert slowed(slow).motion.descent_m_s == 0.01
    assert slowed(slow).motion.transit_m == 0.3
    assert slowed(SawyerSettings()).motion.speed_ratio == 0.1


def _response(**changes):
    values = {"lag_s": (0.05,) * 7, "steady_error_rad": (0.0,) * 7, "command_timeout_s": 0.2}
    values |= {"stop_button": StopButton(GRIP, GRIP, GRIP)} | changes
    noise = ForceNoise(0.8, 2.0)
    return ArmResponse("Sawyer", NOW, force_at_rest=noise, force_moving=noise, topics={}, **values)


def test_the_measured_arm_is_shown_with_its_date_and_limits():
    finding = judge_response(_response(), SawyerSettings(), simulated=False)
    assert finding.said == (
        "measured 2026-11-20: lag 50 ms, 0.057 rad expected at right_j6 (0.15 accepted), 0.80 N of noise (15 N stop it)"
    )
    assert (finding.ok, finding.remedy) == (True, "")


@pytest.mark.parametrize(
    ("measured", "warning"),
    [
        (None, "run `tabletop calibrate arm` before the first pick"),
        (_response(command_timeout_s=None), "does not stop by itself"),
        (_response(stop_button=None), "stop button was not tried"),
        (_response(stop_button=StopButton(GRIP, replace(GRIP, gripping=False), GRIP)), "the stop button drops"),
        (_response(stop_button=StopButton(GRIP, GRIP, replace(GRIP, gripping=False))), "enabling the motors"),
    ],
)
def test_what_an_operator_has_to_know_of_the_arm_is_a_warning(measured, warning):
    finding = judge_response(measured, SawyerSettings(), simulated=False)
    assert finding.ok
    assert warning in finding.remedy
    assert judge_response(None, SawyerSettings(), simulated=True).remedy == ""
