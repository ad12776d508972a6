"""The checks before the first move, for doctor and backend; `intera_connection` measures what they judge."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tabletop_interaction.arrays import Floats
from tabletop_interaction.errors import PreflightFailed
from tabletop_interaction.findings import Finding
from tabletop_interaction.real.arm.driver import GripperState
from tabletop_interaction.real.arm.settings import FULL_OPENING_M
from tabletop_interaction.sawyer.kinematics import GRIPPER_TIP, forward

TIP_TOLERANCE_M = 0.005
MAX_HEAD_TURN = 0.1
"""Largest accepted pan angle of the head, radians, from the arm's first link, which carries it.

`self_collision` assumes a head that faces ahead; the edge of a head turned further stands out by 14 mm.
"""

_MESSAGES_PER_LIMIT = 2
_OPENING_SLACK_M = 0.002


@dataclass(frozen=True, eq=False)
class Measured:
    """What was measured before the first move.

    Attributes:
        seconds: how long the topics were listened to.
        arrivals: by topic, times of arrival of usable messages, seconds since the start.
        refused: by topic, why its last message was not usable; only topics with such a message.
        clock_difference_s: this machine's clock minus the stamp of a joint state that had just arrived.
        others: who commands the arm besides this program; empty if nobody does.
        joints: (7,) measured joint angles.
        tip: (3,) position of the gripper's tip as the robot reports it, base frame; None if it knows no such tip.
        head: pan angle of the head, radians; None if it is not reported.
        gripper: the gripper's state.
        holds: whether it holds something.
    """

    seconds: float
    arrivals: Mapping[str, Sequence[float]]
    refused: Mapping[str, str]
    clock_difference_s: float
    others: str
    joints: Floats
    tip: Floats | None
    head: float | None
    gripper: GripperState
    holds: bool


def judge(measured: Measured, age_limits: Mapping[str, float], max_clock_difference_s: float) -> tuple[Finding, ...]:
    """Every finding: topics, clocks, commanders, tip, head, gripper. `age_limits` has each topic, seconds."""
    topics = (_judge_topic(topic, limit, measured) for topic, limit in age_limits.items())
    return (
        *topics,
        _judge_clocks(measured.clock_difference_s, max_clock_difference_s),
        _judge_others(measured.others),
        _judge_tip(measured.tip, measured.joints),
        judge_head(measured.head),
        judge_gripper(measured.gripper, holds=measured.holds),
    )


def require(findings: Sequence[Finding], name: str) -> None:
    """Raise PreflightFailed, which names each failed check of the robot `name`; return if all passed."""
    failed = [each for each in findings if not each.ok]
    if failed:
        said = "; ".join(f"{each.name}: {each.said.replace('; ', ', ')} ({each.remedy})" for each in failed)
        error: Any = PreflightFailed(
            f"{said}; nothing was moved; {len(failed)} of {len(findings)} checks of {name} before the first move failed"
        )
        error.findings = tuple(findings)
        raise error


def judge_head(head: float | None) -> Finding:
    """Whether the head faces ahead."""
    if head is not None and abs(head) <= MAX_HEAD_TURN:
        return Finding("head", True, f"turned by {head:.2f} rad; {MAX_HEAD_TURN} rad is accepted")
    turned = "its angle is not reported" if head is None else f"the head is turned by {head:.2f} rad"
    return Finding(
        "head",
        False,
        f"{turned}, so the arm may hit it; accepted is up to {MAX_HEAD_TURN} rad",
        "turn it ahead: `intera_interface.Head().set_pan(0.0)`, and leave it so",
    )


def judge_gripper(gripper: GripperState, *, holds: bool) -> Finding:
    """Whether the gripper reports a possible opening and no error."""
    said = f"{1000 * gripper.opening:.1f} mm open, {gripper.force:.1f} N"
    if not gripper.error and -_OPENING_SLACK_M <= gripper.opening <= FULL_OPENING_M + _OPENING_SLACK_M:
        return Finding("gripper", True, said + ", holds something: the first reset puts it down" * holds)
    return Finding(
        "gripper",
        False,
        f"{said}, error {gripper.error}; {1000 * FULL_OPENING_M:.1f} mm is the largest opening",
        "remove what it holds, switch it off and on, calibrate it: `rosrun intera_examples gripper_keyboard.py`",
    )


def _judge_topic(topic: str, limit: float, measured: Measured) -> Finding:
    arrivals = measured.arrivals.get(topic, ())
    times = np.array([0.0, *arrivals, measured.seconds])
    gap, rate = float(np.diff(times).max()), len(arrivals) / measured.seconds
    said = f"{rate:.0f} messages/s, {1000 * gap:.0f} ms apart at most; {1000 * limit:.0f} ms are accepted"
    if topic in measured.refused:
        said = f"{said}; the last message was unusable: {measured.refused[topic]}"
    elif gap <= limit and rate >= _MESSAGES_PER_LIMIT / limit:
        return Finding(topic, True, said)
    return Finding(topic, False, said, f"check network and robot: `rostopic hz {topic}` must show a steady rate")


def _judge_clocks(difference_s: float, limit_s: float) -> Finding:
    said = f"this machine's is {difference_s:+.3f} s against the robot's; {limit_s:g} s are accepted"
    if abs(difference_s) <= limit_s:
        return Finding("clocks", True, said)
    return Finding("clocks", False, said, "let chrony or ntpdate set this machine's clock by the robot's")


def _judge_others(others: str) -> Finding:
    if not others:
        return Finding("commanders", True, "nobody else commands the arm")
    return Finding("commanders", False, f"{others} commands the arm, too", "end that program")


def _judge_tip(tip: Floats | None, joints: Floats) -> Finding:
    """Fingers or a mount that differ from our model would make every height wrong."""
    if tip is None:
        return Finding("tip", False, f"the robot does not know {GRIPPER_TIP}", "configure its gripper in Intera Studio")
    modelled = forward(joints)[:3, 3]
    apart = float(np.linalg.norm(tip - modelled))
    said = f"reported and modelled place of {GRIPPER_TIP} are {1000 * apart:.1f} mm apart"
    if apart < TIP_TOLERANCE_M:
        return Finding("tip", True, said)
    return Finding(
        "tip",
        False,
        f"{said}, more than {1000 * TIP_TOLERANCE_M:.0f} mm apart (reported {tip.round(4).tolist()} m, modelled "
        f"{modelled.round(4).tolist()} m)",
        "use the standard narrow fingers in slot 2",
    )
