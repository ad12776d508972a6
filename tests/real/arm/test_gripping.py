"""Opening and closing end in time or in a fault; the gripper reports whether it holds something."""

from dataclasses import replace

import pytest

from tabletop_interaction.errors import RobotFault
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
