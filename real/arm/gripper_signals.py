"""Rethink's electric gripper by the signals of its `IODeviceInterface`.

The constructor of the SDK's own `Gripper` reboots and calibrates a gripper that reports an error: the fingers open and
drop what they hold. Connecting through this module moves nothing.
"""

import time
from typing import Any

from tabletop_interaction.errors import GripperNotReady, RobotUnavailable
from tabletop_interaction.real.arm.clock import Clock

END_EFFECTOR_TOPIC = "/io/end_effector/state"

_FIRST_STATE_S = 5.0
_READY_S = 10.0
_PERIOD_S = 0.05
_REMEDY = (
    "it was left as it is; calibrating opens the fingers, which drops what they hold: take that out, then start "
    "`tabletop collect --backend sawyer` at a terminal and say yes, or run `rosrun intera_examples "
    "gripper_keyboard.py`, which calibrates without a question"
)


class GripperSignals:
    """The calls of the SDK's `Gripper` that the driver makes, with the same names, in front of an `IODeviceInterface`.

    A signal that the device has not sent is None.
    """

    def __init__(self, device: Any) -> None:
        self._device = device

    def get_position(self) -> Any:
        """Opening of both fingers together, metres."""
        return self._device.get_signal_value("position_response_m")

    def get_force(self) -> Any:
        """Force, N, as the gripper estimates it."""
        return self._device.get_signal_value("force_response_n")

    def is_gripping(self) -> Any:
        """Whether an object stops the fingers."""
        return self._device.get_signal_value("is_gripping")

    def has_error(self) -> Any:
        """Whether the gripper reports an error."""
        return self._device.get_signal_value("has_error")

    def is_calibrated(self) -> Any:
        """Whether the gripper is calibrated."""
        return self._device.get_signal_value("is_calibrated")

    def stamp(self) -> float:
        """The gripper's own time of the newest signals, seconds."""
        return float(self._device.state.time.to_sec())

    def set_position(self, opening: float) -> None:
        """Command an opening, metres; the SDK waits up to 5 s for its acknowledgement."""
        self._device.set_signal_value("position_m", opening)

    def set_cmd_velocity(self, speed: float) -> None:
        """Set the speed of the fingers, m/s."""
        self._device.set_signal_value("speed_mps", speed)

    def reboot(self) -> None:
        """Switch the gripper off and on; it clears an error, opens, and loses its calibration."""
        self._device.set_signal_value("reboot", True)

    def calibrate(self) -> None:
        """Begin to move the fingers to both ends."""
        self._device.set_signal_value("calibrate", True)


def find_gripper(rospy: Any, intera_io: Any, messages: Any, name: str) -> GripperSignals:
    """The gripper at the hand; nothing moves.

    `messages` is `intera_core_msgs.msg`; `name` is the robot's, for messages.

    Raises:
        RobotUnavailable: nothing is attached, or it has no fingers with a position.
        OSError, rospy.ROSException: the robot sends nothing about it.
    """
    deadline = time.monotonic() + _FIRST_STATE_S
    # The first messages may come before the robot has recognised its tool.
    while not (devices := rospy.wait_for_message(END_EFFECTOR_TOPIC, messages.IONodeStatus, _FIRST_STATE_S).devices):
        if time.monotonic() > deadline:
            raise RobotUnavailable(f"{name} has no gripper; nothing was moved; attach Rethink's electric gripper")
    gripper = GripperSignals(intera_io.IODeviceInterface("end_effector", devices[0].name))
    if gripper.get_position() is None:
        raise RobotUnavailable(
            f"{name} has {devices[0].name} at its hand, which reports no opening; accepted is Rethink's electric "
            "parallel gripper; nothing was moved; attach it, and switch it off and on if it is attached"
        )
    return gripper


def check_ready(gripper: GripperSignals, name: str) -> None:
    """Check that the gripper can be commanded; raises GripperNotReady if it has an error or is not calibrated."""
    if gripper.has_error():
        said = "reports an error"
    elif not gripper.is_calibrated():
        said = "is not calibrated"
    else:
        return
    held = " and holds something" if gripper.is_gripping() else ""
    raise GripperNotReady(f"the gripper of {name} {said}{held}; {_REMEDY}")


def calibrate(gripper: GripperSignals, clock: Clock, name: str) -> None:
    """Clear an error and calibrate, on the operator's word: the fingers open and drop what they hold.

    Raises:
        RobotUnavailable: the gripper is not ready afterwards.
    """
    if gripper.has_error():
        gripper.reboot()
        _wait(gripper, clock, calibrated=False)
    gripper.calibrate()
    if not _wait(gripper, clock, calibrated=True):
        raise RobotUnavailable(
            f"the gripper of {name} cannot be calibrated (error {gripper.has_error()}, calibrated "
            f"{gripper.is_calibrated()}); the arm was not moved; check that its fingers are free and its cable is "
            "plugged in, and switch it off and on"
        )


def _wait(gripper: GripperSignals, clock: Clock, *, calibrated: bool) -> bool:
    """Whether the error ends, and the gripper is calibrated if that is asked, in time."""
    for _ in range(round(_READY_S / _PERIOD_S)):
        if not gripper.has_error() and (gripper.is_calibrated() or not calibrated):
            return True
        clock.sleep(_PERIOD_S)
    return False
