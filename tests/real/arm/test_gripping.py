"""Opening and closing end in time or in a fault; the gripper reports whether it holds something."""

import math
from dataclasses import replace

import pytest

from tabletop_interaction.errors import RobotFault
from tabletop_interaction.real.arm.driver import FORCE_TOPIC, GripperState
from tabletop_interaction.real.arm.gripping import close_fingers, grips, open_fingers
from tabletop_interaction.real.arm.settings import FULL_OPENING_M, SawyerSettings

SETTINGS = SawyerSettings()


def _close(sawyer):
    return close_fingers(sawyer, sawyer.clock, SETTINGS)


def test_fingers_that_close_on_nothing_hold_nothing(sawyer):
    assert _close(sawyer) is False
    assert sawyer.opening == 0


def test_fingers_that_something_stops_hold_it(sawyer):
    sawyer.move_fingers = lambda opening: sawyer.grip.update(opening=0.02, gripping=True)
    assert _close(sawyer) is True


def test_fingers_that_stop_halfway_without_a_grip_hold_nothing(sawyer):
    sawyer.move_fingers = lambda opening: sawyer.grip.update(opening=0.02)
    assert _close(sawyer) is False


def test_closed_fingers_that_report_a_grip_hold_nothing(sawyer):
    state = replace(sawyer.gripper(), opening=0.001, gripping=True)
    assert not grips(state, SETTINGS.gripper)


@pytest.mark.parametrize("act", [open_fingers, close_fingers])
def test_a_gripper_that_never_acknowledges_is_a_fault_in_time(sawyer, act):
    sawyer.deaf = True
    sawyer.opening = 0.0 if act is open_fingers else FULL_OPENING_M
    start = sawyer.clock.now()
    with pytest.raises(RobotFault, match=r"the fingers did not reach their goal within 3\.0 s"):
        act(sawyer, sawyer.clock, SETTINGS)
    assert sawyer.clock.now() - start == pytest.approx(SETTINGS.gripper.timeout_s, abs=0.05)


def test_a_gripper_in_error_is_a_fault_at_once(sawyer):
    sawyer.grip = {"error": True}
    with pytest.raises(RobotFault, match="reports an error"):
        open_fingers(sawyer, sawyer.clock, SETTINGS)


def test_the_stop_button_during_closing_is_a_fault(sawyer):
    sawyer.deaf = True
    sawyer.clock.at(0.5, lambda: sawyer.reported.update(estop_pressed=True))
    with pytest.raises(RobotFault, match="stop button") as caught:
        _close(sawyer)
    assert not caught.value.recoverable


def _closing(sawyer, period_s, stops_s=10.0, at_m=0.02):
    """Fingers that close at 0.02 m/s to `at_m` without a grip; messages come every `period_s` until `stops_s`."""
    start = sawyer.clock.now()

    def state():
        sent = period_s * math.floor(min(sawyer.clock.now() - start, stops_s) / period_s)
        opening = max(FULL_OPENING_M - 0.02 * sent, at_m)
        return GripperState(opening, 0.0, gripping=False, error=False, stamp=start + sent)

    sawyer.gripper = state


@pytest.mark.parametrize("period_s", [0.01, 0.05, 0.1, 0.25, 0.4])
def test_fingers_count_as_at_rest_only_when_they_are_however_slowly_the_gripper_reports(sawyer, period_s):
    start = sawyer.clock.now()
    _closing(sawyer, period_s)
    assert _close(sawyer) is False
    assert (FULL_OPENING_M - 0.02) / 0.02 < sawyer.clock.now() - start < 2.5


def test_a_gripper_that_falls_silent_while_it_closes_is_a_fault(sawyer):
    _closing(sawyer, 0.05, stops_s=0.3)
    with pytest.raises(RobotFault, match="did not reach their goal"):
        _close(sawyer)


def test_a_gripper_that_was_silent_before_is_named_so(sawyer):
    _closing(sawyer, 0.05, stops_s=0.0)
    with pytest.raises(RobotFault, match="the gripper sends no messages"):
        _close(sawyer)


def test_a_process_that_is_stopped_while_the_fingers_close_does_not_call_the_robot_silent(sawyer):
    def stop():
        sawyer.reported["stamps"] = {FORCE_TOPIC: sawyer.clock.now()}
        sawyer.clock.time += 20.0
        sawyer.clock.at(0.1, sawyer.reported.clear)

    sawyer.clock.at(0.05, stop)
    assert _close(sawyer) is False
