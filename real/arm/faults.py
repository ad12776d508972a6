"""What the operator is told when the arm stopped: what happened, how the arm is left, what to do."""

from __future__ import annotations

from tabletop_interaction.errors import RobotFault
from tabletop_interaction.real.arm.motion import Outcome

_ENABLE = "see to the cause, then call enable() and acknowledge()"
_ACKNOWLEDGE = "see to the cause, then call acknowledge()"
_TO_DO = {
    Outcome.TIMEOUT: _ACKNOWLEDGE,
    Outcome.ESTOP: "see to the cause, release the button, then call enable() and acknowledge()",
    Outcome.STOPPED: _ENABLE,
    Outcome.COLLISION: f"free the arm by hand where it is stuck; {_ACKNOWLEDGE}",
    Outcome.FORCE: f"look at what the gripper touches; {_ACKNOWLEDGE}",
    Outcome.STALE_STATE: "check the network and the robot (`rostopic hz /robot/joint_states`), then call acknowledge()",
    Outcome.TRACKING_ERROR: f"look at what holds the arm back; {_ACKNOWLEDGE}",
}


def fault_of(outcome: Outcome, doing: str) -> RobotFault:
    """The error for a motion that ended so, or for an arm found in that state, while `doing` something."""
    return halted(f"{outcome.value}", doing, _TO_DO[outcome])


def halted(what: str, doing: str, to_do: str = _ACKNOWLEDGE) -> RobotFault:
    """The error for anything that stopped the arm amid `doing` something; only the operator can go on."""
    return RobotFault(
        f"{doing}: {what}; the arm keeps its position and what it grips; {to_do}",
        recoverable=False,
    )
