"""Connecting to a gripper moves no finger; only a calibration that was asked for does."""

from types import SimpleNamespace

import pytest

from tabletop_interaction.errors import GripperNotReady, RobotUnavailable
from tabletop_interaction.real.arm.gripper_signals import GripperSignals, calibrate, check_ready, find_gripper

READY = {"position_response_m": 0.02, "has_error": False, "is_calibrated": True, "is_gripping": True}


class Device:
    """An `IODeviceInterface` whose gripper clears an error by a reboot and is calibrated when told to."""

    def __init__(self, broken=False, **signals):
        self.signals, self.commands, self._broken = READY | signals, [], broken

    def get_signal_value(self, name):
        return self.signals.get(name)

    def set_signal_value(self, name, value):
        self.commands.append(name)
        if name == "reboot" and not self._broken:
            self.signals |= {"has_error": False, "is_calibrated": False}
        if name == "calibrate" and not self._broken:
            self.signals |= {"is_calibrated": True, "is_gripping": False}


def _find(device, names=("right_gripper",)):
    devices = [SimpleNamespace(name=name) for name in names]
    rospy = SimpleNamespace(wait_for_message=lambda topic, kind, timeout: SimpleNamespace(devices=devices))
    intera_io = SimpleNamespace(IODeviceInterface=lambda node, name: device)
    return find_gripper(rospy, intera_io, SimpleNamespace(IONodeStatus=object), "robot")


@pytest.mark.parametrize(
    ("signals", "said"),
    [
        ({"has_error": True}, "reports an error and holds something; it was left as it is; .*take that out"),
        ({"has_error": True, "is_calibrated": False, "is_gripping": False}, "reports an error; it was left"),
        ({"is_calibrated": False}, "is not calibrated and holds"),
        ({"is_calibrated": None}, "is not calibrated"),
    ],
)
def test_a_gripper_that_is_not_ready_is_refused_and_left_as_it_is(signals, said):
    device = Device(**signals)
    with pytest.raises(GripperNotReady, match=f"the gripper of robot {said}"):
        check_ready(_find(device), "robot")
    assert device.commands == []


def test_a_gripper_that_is_ready_is_accepted():
    device = Device()
    check_ready(_find(device), "robot")
    assert device.commands == []


def test_a_tool_without_an_opening_is_refused():
    with pytest.raises(RobotUnavailable, match="has suction at its hand"):
        _find(Device(position_response_m=None), ["suction"])


@pytest.mark.parametrize(
    ("signals", "commands"),
    [({"has_error": True}, ["reboot", "calibrate"]), ({"is_calibrated": False}, ["calibrate"])],
)
def test_calibrating_clears_the_error_first(sawyer, signals, commands):
    device = Device(**signals)
    calibrate(GripperSignals(device), sawyer.clock, "robot")
    assert device.commands == commands
    check_ready(GripperSignals(device), "robot")


def test_a_gripper_that_cannot_be_calibrated_is_an_error_in_bounded_time(sawyer):
    start = sawyer.clock.now()
    with pytest.raises(RobotUnavailable, match=r"cannot be calibrated \(error True"):
        calibrate(GripperSignals(Device(broken=True, has_error=True)), sawyer.clock, "robot")
    assert sawyer.clock.now() - start < 25
