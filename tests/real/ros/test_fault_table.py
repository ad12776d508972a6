"""Faults of a robot, one by one, on a real master: the arm rests, no command follows, and what is held is kept.

Each test leaves the backend ready, away from the table with an object in the gripper, or has it opened again.
"""

from __future__ import annotations

import json
import re
import signal
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from sawyer_stand_in.laboratory import Answer, Laboratory
from sawyer_stand_in.recording import Recording
from sawyer_stand_in.table import Row

pytest.importorskip("rospy", reason="needs Debian's ROS 1, see `make test-ros`")

REST_S = 1.5
"""Accepted time from a fault to an arm at rest; the age limits are shorter, but this machine may be busy."""
_SILENCE_S = 0.4
_LATE_S = 0.05
_AGED_S = 0.6
"""Longer than the age limits of the topics."""
_FRAMES_S = 1.0
_STILL_RAD = 0.02
_BOUNDED_S = 20.0


@dataclass(frozen=True)
class Fault:
    """A fault of the robot: orders and settings of the stand-in, and what the error has to say."""

    name: str
    says: str
    orders: tuple[str, ...] = ()
    faults: dict[str, Any] = field(default_factory=dict)
    back_rad: float = 0.05
    """Accepted turn back of a joint while the arm stops; larger where the arm is not where it is measured."""
    stops: bool = False
    """Whether the robot stops, so that `enable()` comes before `acknowledge()`."""

    def begin(self, laboratory: Laboratory) -> float:
        """Make it happen; returns when."""
        orders = (*self.orders, *([json.dumps(self.faults)] if self.faults else []))
        return laboratory.order(*orders)


def _cases(faults: list[Fault]) -> list[Any]:
    return [pytest.param(each, id=each.name.replace(" ", "_")) for each in faults]


MOVING = [
    Fault("stop button", "stop button was pressed", ("press",), stops=True),
    Fault("the robot stops by itself", "robot stopped", ("stop",), stops=True),
    Fault("motors disabled", "disabled", ("disable",), stops=True),
    Fault("an error without a stop", "error", ("fail",)),
    Fault("joint_states silent", "joint.states", faults={"silent": ["joint_states"]}),
    Fault("joint_states NaN", "joint.states", faults={"nan": ["joint_states"]}),
    Fault("joint_states repeated", "joint.states", faults={"repeated": ["joint_states"]}),
    Fault("endpoint_state silent", "endpoint_state", faults={"silent": ["endpoint_state"]}),
    Fault("endpoint_state NaN", "endpoint_state", faults={"nan": ["endpoint_state"]}),
    Fault("endpoint_state repeated", "endpoint_state", faults={"repeated": ["endpoint_state"]}),
    Fault("collision topic silent", "collision", faults={"silent": ["collision_detection_state"]}),
    Fault("/robot/state silent", "/robot/state", faults={"silent": ["state"]}),
    Fault("collision", "collision", faults={"collided": True}),
    Fault("40 N at the tip", "force", faults={"force": [0.0, 0.0, 40.0]}),
    Fault("a joint is blocked", "lags|did not reach", faults={"blocked": 0}),
    Fault("the arm lags by 0.6 s", "lags|did not reach", faults={"lag_s": 0.6}),
    Fault("joint_states 0.4 s late", "joint.states", faults={"delay_s": 0.4}),
    Fault("joint_states 0.4 s late with present times", "lags", faults={"delay_s": 0.4, "hides_delay": True}),
    Fault("joint_states zero", "right_j.* behind", faults={"zero": ["joint_states"]}),
    Fault("joint_states half written", "position has 4 values for 8", faults={"half": ["joint_states"]}),
    Fault("zeros and 40 N", "force", faults={"zero": ["joint_states"], "force": [0.0, 0.0, 40.0]}),
    Fault("all topics at a tenth of their rate, 40 N", "force", faults={"slow": 10, "force": [0.0, 0.0, 40.0]}),
    Fault("the robot's clock is set back by 5 s", "5.00 s late, or a clock was set", faults={"clock_s": -5.0}),
    Fault("head turned", "head", faults={"head": 0.5}),
]

RESTING = [
    Fault("stop button", "stop button was pressed", ("press",), stops=True),
    Fault("joint_states NaN", "joint.states", faults={"nan": ["joint_states"]}),
    Fault("endpoint_state silent", "endpoint_state", faults={"silent": ["endpoint_state"]}),
    Fault("endpoint_state NaN", "endpoint_state", faults={"nan": ["endpoint_state"]}),
    Fault("collision topic silent", "collision", faults={"silent": ["collision_detection_state"]}),
    Fault("/robot/state silent", "/robot/state", faults={"silent": ["state"]}),
    Fault("head turned", "head", faults={"head": 0.5}),
    Fault("somebody pushes the arm", "no longer where", ("shift",)),
]

GRIPPER = [
    Fault("the object is lost on its way", "lost|no longer", ("lose",)),
    Fault("the gripper reports an error", "gripper reports an error", ("err",)),
    Fault("the gripper forgets its calibration", "calibrat", ("uncalibrate",)),
    Fault("the gripper does not acknowledge", "gripper|fingers", faults={"gripper_deaf": True}),
    Fault("the gripper does not move", "fingers did not reach", faults={"gripper_stuck": True}),
    Fault("gripper state silent", "gripper", faults={"silent": ["gripper"]}),
]

CONNECTING = [
    Fault("gripper error", "gripper", ("err",)),
    Fault("gripper not calibrated", "calibrat", ("uncalibrate",)),
    Fault("joint_states silent", "joint_states", faults={"silent": ["joint_states"]}),
    Fault("joint_states NaN", "joint_states", faults={"nan": ["joint_states"]}),
    Fault("endpoint_state NaN", "endpoint_state", faults={"nan": ["endpoint_state"]}),
    Fault("collision topic silent", "collision", faults={"silent": ["collision_detection_state"]}),
    Fault("head turned", "head", faults={"head": 0.5}),
    Fault("another tip", "mm apart", faults={"tip_m": 0.02}),
    Fault("clocks differ by 10 s", "clock", faults={"clock_s": 10.0}),
]

HARMLESS = [
    Fault("joint_states without velocities", "", faults={"no_velocities": True}),
    Fault("joint_states in another order", "", faults={"mixed_joints": True}),
]

CAMERAS = [
    Fault("a camera is dark", "no new picture", faults={"dark_views": ["view_0"]}),
    Fault("a camera repeats its picture", "frozen", faults={"frozen_views": ["view_0"]}),
]

_OTHER = "(?i)another|other program|foreign|locked|in use"


@pytest.fixture
def ready(laboratory: Laboratory) -> Laboratory:
    """The backend open and at rest away from the table, its gripper holding an object."""
    laboratory.settle("heal")
    if not laboratory.is_idle or not _made_ready(laboratory):
        laboratory.restart_robot()
        laboratory.restart_client()
        assert _made_ready(laboratory), laboratory.client.said
    return laboratory


def _made_ready(laboratory: Laboratory) -> bool:
    """Open the backend unless it is, and give it an object; whether that went well."""
    if not laboratory.is_open:
        # Without an object there is nothing that the first reset has to put down.
        laboratory.settle("lose")
        if any(laboratory.call(call).error for call in ("open", "reset")):
            return False
    elif laboratory.call("enable").error:
        return False
    laboratory.settle("grasp")
    return not laboratory.call("acknowledge").error


def _cause(answer: Answer) -> str:
    """The error's class and what its message says is wrong, for the table."""
    message = re.sub(r"^\d+ of \d+ checks .* nothing was moved; ", "", answer.message)
    message = re.sub(r"^[\w ]+: ", "", message).split(";")[0]
    message = re.sub(r"Sawyer at http://\S+", "the robot", message)
    return f"{answer.error}: {message[:90]}" if answer.error else "not noticed"


def _continued(laboratory: Laboratory, *, enable: bool) -> str:
    """Acknowledge after the fault is over; how that ended."""
    laboratory.settle("release" if enable else "heal")
    for call in ("enable", "acknowledge") if enable else ("acknowledge",):
        answer = laboratory.call(call)
        if answer.error:
            return f"{call}: {_cause(answer)}"
    return "leaves the table"


def _held(recording: Recording) -> str:
    return "holds" if recording.holds and not recording.opened else f"opened {1000 * recording.opening:.0f} mm"


def _row(fault: str, answer: Answer, recording: Recording, since: float, continues: str) -> Row:
    return Row(
        fault,
        _cause(answer),
        f"{recording.stopped_after(since):.2f}",
        str(recording.commands_after(answer.ended + _LATE_S)),
        f"{recording.step_back(since):.3f}",
        _held(recording),
        continues,
    )


def _check_stop(fault: Fault, answer: Answer, recording: Recording, since: float) -> None:
    assert answer.error, f"{fault.name} was not noticed"
    assert re.search(fault.says, answer.message), answer.message
    assert recording.stopped_after(since) < REST_S
    assert recording.commands_after(answer.ended + _LATE_S) == 0
    assert np.isfinite(recording.commands).all()
    assert recording.step_back(since) < fault.back_rad
    assert recording.holds
    _check_limits(recording.before(since))


def _after(laboratory: Laboratory, answer: Answer, since: float) -> Recording:
    """The recording from shortly before a fault until some time after the call's end."""
    time.sleep(max(answer.ended + _SILENCE_S - time.monotonic(), 0.0))
    return laboratory.recording(since - 0.3)


@pytest.mark.parametrize("fault", _cases(MOVING))
def test_a_fault_stops_a_move(ready, fault_table, fault):
    ready.begin("place", 0.0, 0.0)
    ready.wait_for_motion()
    since = fault.begin(ready)
    answer = ready.answer()
    recording = _after(ready, answer, since)
    continues = _continued(ready, enable=fault.stops)
    fault_table.append(_row(fault.name, answer, recording, since, continues))
    _check_stop(fault, answer, recording, since)
    assert continues == "leaves the table"


@pytest.mark.parametrize("fault", _cases(RESTING))
def test_a_fault_at_rest_is_reported_before_the_next_move(ready, fault_table, fault):
    since = fault.begin(ready)
    time.sleep(_AGED_S)
    answer = ready.call("place", 0.0, 0.0)
    recording = _after(ready, answer, since)
    moved = ready.recording(since + _LATE_S).travel()
    continues = _continued(ready, enable=fault.stops)
    fault_table.append(_row(f"at rest: {fault.name}", answer, recording, since, continues))
    assert re.search(fault.says, answer.message), answer
    assert moved < _STILL_RAD
    assert np.isfinite(recording.commands).all()
    assert continues == "leaves the table"


@pytest.mark.parametrize("fault", _cases(GRIPPER))
def test_a_fault_of_the_gripper_stops_a_place(ready, fault_table, fault):
    ready.begin("place", 0.0, 0.0)
    ready.wait_for_motion()
    since = fault.begin(ready)
    answer = ready.answer()
    recording = _after(ready, answer, since)
    continues = _continued(ready, enable=False)
    fault_table.append(_row(fault.name, answer, recording, answer.ended - _SILENCE_S, continues))
    assert re.search(fault.says, answer.message), answer
    assert recording.commands_after(answer.ended + _LATE_S) == 0
    assert continues == "leaves the table"


@pytest.mark.parametrize("fault", _cases(CONNECTING))
def test_a_robot_that_is_not_well_is_refused_and_keeps_what_it_holds(ready, fault_table, fault):
    ready.call("close")
    since = fault.begin(ready)
    time.sleep(_AGED_S)
    answer = ready.call("open")
    recording = _after(ready, answer, since)
    ready.is_open = False
    fault_table.append(_row(f"connecting: {fault.name}", answer, recording, since, ""))
    assert re.search(fault.says, answer.message), answer
    assert recording.commands_after(since) == 0
    assert recording.holds
    assert not recording.opened


@pytest.mark.parametrize("fault", _cases(HARMLESS))
def test_an_unusual_robot_moves_without_a_fault(ready, fault_table, fault):
    fault.begin(ready)
    since, heard = time.monotonic(), len(ready.client.said)
    answer = ready.call("place", 0.0, 0.0)
    recording = _after(ready, answer, since)
    fault_table.append(_row(fault.name, answer, recording, since, "not needed"))
    assert not answer.error, answer
    assert not any("Traceback" in line for line in ready.client.said[heard:])
    _check_limits(recording)


def test_after_a_stall_of_our_process_motion_resumes_from_rest(ready, fault_table):
    ready.begin("place", 0.0, 0.0)
    ready.wait_for_motion()
    with ready.frozen(ready.client) as since:
        time.sleep(0.6)
    answer = ready.answer()
    recording = _after(ready, answer, since)
    fault_table.append(_row("our process stalls 0.6 s", answer, recording, since, _continued(ready, enable=False)))
    assert recording.jumps() < _STILL_RAD
    _check_limits(recording)


@pytest.mark.parametrize(
    ("numbers", "error"),
    [
        ([signal.SIGINT], "KeyboardInterrupt"),
        ([signal.SIGTERM], "SystemExit"),
        ([signal.SIGINT] * 3, "KeyboardInterrupt"),
        ([signal.SIGTERM, signal.SIGINT], "SystemExit"),
    ],
    ids=["SIGINT", "SIGTERM", "three_SIGINT", "SIGTERM_and_SIGINT"],
)
def test_a_signal_holds_the_arm(ready, fault_table, numbers, error):
    ready.begin("place", 0.0, 0.0)
    ready.wait_for_motion()
    since = time.monotonic()
    for number in numbers:
        ready.client.process.send_signal(number)
        time.sleep(_LATE_S)
    answer = ready.answer()
    recording = _after(ready, answer, since)
    fault_table.append(_row(" ".join(number.name for number in numbers), answer, recording, since, ""))
    ready.restart_client()
    assert re.fullmatch(error, answer.error), answer
    assert recording.stopped_after(since) < REST_S
    assert recording.commands_after(answer.ended + _LATE_S) == 0
    assert recording.rates().acceleration < 0.7
    assert recording.holds


def test_an_arm_whose_process_is_killed_holds_by_itself(ready, fault_table):
    ready.begin("place", 0.0, 0.0)
    ready.wait_for_motion()
    since = time.monotonic()
    ready.client.end()
    answer = Answer("place", since, time.monotonic(), "SIGKILL", "")
    recording = _after(ready, answer, since)
    fault_table.append(_row("our process is killed", answer, recording, since, "opens again"))
    ready.restart_client()
    assert recording.stopped_after(since) < REST_S
    assert recording.holds


def test_a_robot_that_freezes_stops_a_move(ready, fault_table):
    ready.begin("place", 0.0, 0.0)
    ready.wait_for_motion()
    with ready.frozen(ready.robot) as since:
        answer = ready.answer()
    recording = _after(ready, answer, since)
    continues = _continued(ready, enable=False)
    fault_table.append(_row("the robot freezes", answer, recording, answer.ended, continues))
    assert re.search("stopped arriving|silent|old", answer.message), answer
    assert answer.ended - since < REST_S
    assert continues == "leaves the table"


def test_a_foreign_command_stops_a_move(ready, fault_table):
    ready.begin("place", 0.0, 0.0)
    ready.wait_for_motion()
    with ready.other("intruder"):
        since = time.monotonic()
        answer = ready.answer()
        recording = _after(ready, answer, since)
    time.sleep(_AGED_S)
    continues = _continued(ready, enable=False)
    fault_table.append(_row("another program commands the arm", answer, recording, since, continues))
    assert re.search(_OTHER, answer.message), answer
    assert recording.commands_after(answer.ended + _LATE_S) == 0
    assert recording.holds
    assert continues == "leaves the table"


def test_joint_states_of_a_second_node_stop_a_move(ready, fault_table):
    ready.begin("place", 0.0, 0.0)
    ready.wait_for_motion()
    with ready.other("impostor"):
        since = time.monotonic()
        answer = ready.answer()
        recording = _after(ready, answer, since)
    time.sleep(_AGED_S)
    continues = _continued(ready, enable=False)
    since = answer.ended - _LATE_S
    fault_table.append(_row("a second node sends joint states", answer, recording, since, continues))
    assert re.search(r"two nodes send it: .*joint_state_impostor", answer.message), answer
    assert recording.commands_after(answer.ended + _LATE_S) == 0
    assert recording.step_back(since) < _STILL_RAD
    assert recording.holds
    assert continues == "leaves the table"


def test_a_program_whose_node_is_ended_says_what_to_do(ready, fault_table):
    ready.begin("place", 0.0, 0.0)
    ready.wait_for_motion()
    since = time.monotonic()
    ready.end_node_of_client()
    answer = ready.answer()
    recording = _after(ready, answer, since)
    after = ready.call("acknowledge")
    ready.restart_client()
    fault_table.append(_row("our node is killed", answer, recording, since, _cause(after)))
    # Which shows first is chance: that a command cannot be sent, or that a topic is silent.
    assert answer.error == "RobotFault", answer
    assert (after.error, "end this program and start it again" in after.message) == ("RobotFault", True), after
    assert recording.stopped_after(since) < REST_S
    assert recording.holds


def test_an_arm_that_another_program_commands_is_refused(ready, fault_table):
    ready.call("close")
    with ready.other("intruder"):
        since = time.monotonic()
        answer = ready.call("open")
        ready.is_open = False
        recording = _after(ready, answer, since)
    fault_table.append(_row("connecting: another program commands the arm", answer, recording, since, ""))
    assert re.search(_OTHER, answer.message), answer
    assert recording.commands_after(since) == 0


def test_a_second_process_of_ours_is_refused(ready, fault_table):
    since = time.monotonic()
    with ready.other("client") as second:
        second.tell(json.dumps({"call": "open"}))
        answer = Answer(**json.loads(second.says("answer")[7:]))
        recording = _after(ready, answer, since)
    fault_table.append(_row("connecting: a second process of ours", answer, recording, since, ""))
    assert re.search(_OTHER, answer.message), answer
    assert recording.commands_after(since) == 0


@pytest.mark.parametrize("fault", _cases(CAMERAS))
def test_a_camera_that_fails_stops_before_the_next_move(ready, fault_table, fault):
    ready.call("place", 0.0, 0.0)
    ready.call("observe")
    since = fault.begin(ready)
    time.sleep(_FRAMES_S)
    answer = ready.call("pick", 0.0, 0.0, 0.0)
    recording = _after(ready, answer, since)
    moved = ready.recording(since + _LATE_S).travel()
    fault_table.append(_row(fault.name, answer, recording, since, _continued(ready, enable=False)))
    assert answer.error == "CameraFault", answer
    assert re.search(fault.says, answer.message), answer
    assert moved < _STILL_RAD


def test_without_a_master_every_call_ends_in_bounded_time(ready, fault_table):
    ready.begin("place", 0.0, 0.0)
    ready.wait_for_motion()
    ready.master.program.end()
    since = ready.order("press")
    try:
        answer = ready.answer()
        recording = _after(ready, answer, since)
        began = time.monotonic()
        continues = _continued(ready, enable=True)
        took = time.monotonic() - began
    finally:
        _replace_everything(ready)
    fault_table.append(_row("no master, stop button", answer, recording, since, continues))
    _check_stop(MOVING[0], answer, recording, since)
    assert took < _BOUNDED_S


def test_after_a_reboot_the_error_says_what_to_do(ready, fault_table):
    ready.begin("place", 0.0, 0.0)
    ready.wait_for_motion()
    since = time.monotonic()
    ready.robot.end()
    ready.restart_master()
    try:
        answer = ready.answer()
        ready.restart_robot()
        after = ready.call("acknowledge")
    finally:
        _replace_everything(ready)
    continues = _cause(after) if after.error else "leaves the table"
    fault_table.append(Row("the robot reboots", _cause(answer), f"{answer.ended - since:.2f}", "", "", "", continues))
    assert after.ended - after.began < _BOUNDED_S
    assert not after.error or re.search("restart|open the backend again|start the command again|reboot", after.message)


def _replace_everything(laboratory: Laboratory) -> None:
    laboratory.restart_master()
    laboratory.restart_robot()
    laboratory.restart_client()


def _check_limits(recording: Recording) -> None:
    rates = recording.rates()
    assert rates.speed < 0.26
    assert rates.acceleration < 0.31
    assert rates.jerk < 25
