"""The Sawyer through Rethink's `intera_interface`, on ROS 1: the driver.

`intera_connection.connect` makes the driver after it has checked master, parameters and robot. The SDK carries the
commands; what the arm reports comes from subscribers of our own (`topics`), which know its age.
"""

import math
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any

import numpy as np

from tabletop_interaction.arrays import Floats
from tabletop_interaction.errors import MasterUnreachable, NoAnswer, RobotFault
from tabletop_interaction.findings import Finding
from tabletop_interaction.real.arm.claim import ForeignCommands
from tabletop_interaction.real.arm.clock import Clock
from tabletop_interaction.real.arm.driver import ArmState, GripperState
from tabletop_interaction.real.arm.topics import RobotTopics
from tabletop_interaction.real.waiting import within
from tabletop_interaction.sawyer.kinematics import MAX_ACCELERATION
from tabletop_interaction.sawyer.model import ARM_JOINT_NAMES

_ENABLED_S = 1.0
"""Time allowed after the SDK has enabled the robot until our own topic says so."""

_ENABLE_S = 15.0
"""Time allowed to enable: the SDK waits up to 5 s for a reset, then up to 5 s for the motors."""


class InteraDriver:
    """A connected Sawyer, see `SawyerDriver`.

    `robot`, `limb` and `gripper` are `RobotEnable`, `Limb` and `Gripper` of `intera_interface`. The first message of
    each of `topics` has arrived, stamped by `clock`; `hold` does not use joints older than `max_age_s`. `foreign` names
    other programs that command the arm; `check_known` raises RobotFault if the master no longer knows this program.
    """

    def __init__(
        self,
        robot: Any,
        limb: Any,
        gripper: Any,
        topics: RobotTopics,
        clock: Clock,
        max_age_s: float,
        name: str,
        foreign: ForeignCommands,
        check_known: Callable[[], None],
    ) -> None:
        self.name = name
        self.findings: tuple[Finding, ...] = ()
        """What the checks before the first move found."""
        self.released = ExitStack()
        """What `close` closes last."""
        self._foreign = foreign
        self._check_known = check_known
        self._robot = robot
        self._limb = limb
        self._gripper = gripper
        self._topics = topics
        self._clock = clock
        self._max_age_s = max_age_s
        self._open = True
        self._commanded: Floats | None = None

    def state(self) -> ArmState:
        """See `SawyerDriver.state`."""
        topics = self._topics
        (joints, _), (force, _), (collided, _), (robot, _) = (each.kept for each in topics.all)
        return ArmState(
            positions=joints.positions,
            velocities=joints.velocities,
            tip_force=force,
            enabled=robot.enabled,
            stopped=robot.stopped,
            error=robot.error,
            estop_pressed=robot.estop_pressed,
            collided=collided,
            heard={each.topic: each.kept[1] for each in topics.all},
            head=joints.head,
            other_commander=self._foreign.sender,
        )

    def command(self, positions: Floats) -> None:
        """See `SawyerDriver.command`."""
        if positions.shape != (len(ARM_JOINT_NAMES),) or not np.isfinite(positions).all():
            raise RobotFault(
                f"the command {positions.tolist()} is not {len(ARM_JOINT_NAMES)} finite angles; it was not sent and "
                "the arm keeps its position; report this as a defect of tabletop-interaction"
            )
        self._commanded = positions
        self._limb.set_joint_positions(dict(zip(ARM_JOINT_NAMES, positions.tolist(), strict=True)))

    def hold(self) -> None:
        """See `SawyerDriver.hold`."""
        joints, heard = self._topics.joints.kept
        # The arm may have moved on from old joint angles; without commands it stops by itself.
        if self._clock.now() - heard.stamp <= self._max_age_s:
            last = joints.positions if self._commanded is None else self._commanded
            self.command(rest_point(joints.positions, joints.velocities, last))

    def gripper(self) -> GripperState:
        """See `SawyerDriver.gripper`; a missing signal of the gripper counts as an error."""
        opening, force = self._gripper.get_position(), self._gripper.get_force()
        return GripperState(
            opening=math.nan if opening is None else float(opening),
            force=math.nan if force is None else float(force),
            gripping=bool(self._gripper.is_gripping()),
            error=opening is None or bool(self._gripper.has_error()),
        )

    def move_fingers(self, opening: float) -> None:
        """See `SawyerDriver.move_fingers`."""
        self._gripper.set_position(opening)

    def enable(self) -> None:
        """See `SawyerDriver.enable`."""
        self.check_connection()
        try:
            within(_ENABLE_S, "the robot", self._robot.enable)
        except (OSError, NoAnswer) as error:
            raise RobotFault(
                f"{self.name} cannot be enabled ({error}); release the stop button and read the robot's screen"
            ) from error
        # The SDK has heard of it through a subscriber of its own, which may be a message ahead of ours.
        deadline = self._clock.now() + _ENABLED_S
        while self._off() and self._clock.now() < deadline:
            self._clock.sleep(0.02)

    def check_connection(self) -> None:
        """See `SawyerDriver.check_connection`."""
        with suppress(MasterUnreachable):
            self._check_known()

    def _off(self) -> bool:
        robot, _ = self._topics.assembly.kept
        return robot.stopped or not robot.enabled

    def close(self) -> None:
        """See `SawyerDriver.close`; an arm without commands holds by itself and gets none here."""
        if self._open:
            self._open = False
            if self._commanded is not None:
                self.hold()
            self.released.close()


def rest_point(positions: Floats, velocities: Floats, commanded: Floats) -> Floats:
    """(7,) where joints with these angles and speeds rest if they brake with their rated acceleration.

    A moving arm lags behind its command and cannot stop at once: commanded to where it is, it would overshoot and turn
    back. No joint rests past its last command.
    """
    braking = velocities * np.abs(velocities) / (2 * MAX_ACCELERATION)
    ahead = commanded - positions
    return np.asarray(positions + np.clip(braking, np.minimum(ahead, 0.0), np.maximum(ahead, 0.0)), np.float64)
