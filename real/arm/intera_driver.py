"""The Sawyer through Rethink's `intera_interface`, on ROS 1: the driver.

`intera_connection.connect` makes the driver after it has checked master, parameters and robot. The SDK carries the
commands; what the arm reports comes from subscribers of our own (`topics`), which know its age.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from tabletop_interaction.arrays import Floats
from tabletop_interaction.errors import MasterUnreachable, RobotFault
from tabletop_interaction.findings import Finding
from tabletop_interaction.real.arm.claim import ForeignCommands
from tabletop_interaction.real.arm.clock import Clock
from tabletop_interaction.real.arm.driver import ROBOT_TOPIC, ArmState, GripperState
from tabletop_interaction.real.arm.gripper_signals import GripperSignals
from tabletop_interaction.real.arm.settings import SafetySettings
from tabletop_interaction.real.arm.topics import Assembly, RobotTopics
from tabletop_interaction.sawyer.kinematics import MAX_ACCELERATION
from tabletop_interaction.sawyer.model import ARM_JOINT_NAMES

_SWITCH_S = 5.0
"""Time allowed to clear a stop, and to enable the motors."""

_REPORT_S = 1.0
_LOOK_S = 0.005
_MOVING_RAD_S = 0.1


@dataclass(frozen=True)
class Switches:
    """The publishers of the robot's switches, which the SDK's `RobotEnable` makes only when it needs them.

    Without a master that waits for ever. It also waits by the machine's clock: if that is set back, a thread goes on
    switching the motors on.
    """

    enable: Any
    reset: Any


class InteraDriver:
    """A connected Sawyer, see `SawyerDriver`.

    `limb` is the `Limb` of `intera_interface`. The first message of each of `topics` has arrived, stamped by `clock`;
    `hold` does not use joints that `safety` calls old, or too far from the last command. `foreign` names other programs
    that command the arm; `check_known` raises RobotFault if the master no longer knows this program.
    """

    def __init__(
        self,
        rospy: Any,
        switches: Switches,
        limb: Any,
        gripper: GripperSignals,
        topics: RobotTopics,
        clock: Clock,
        safety: SafetySettings,
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
        self._rospy = rospy
        self._switches = switches
        self._limb = limb
        self._gripper = gripper
        self._topics = topics
        self._clock = clock
        self._max_age_s = safety.max_state_age_s
        self._max_lag_rad = safety.max_tracking_error_rad
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
        with self._sending():
            self._limb.set_joint_positions(dict(zip(ARM_JOINT_NAMES, positions.tolist(), strict=True)))

    def hold(self) -> None:
        """See `SawyerDriver.hold`."""
        joints, heard = self._topics.joints.kept
        age_s = self._clock.now() - heard.stamp
        if self._commanded is None or not age_s <= self._max_age_s:
            return
        if is_near(joints.positions, joints.velocities, self._commanded, self._max_lag_rad):
            here = joints.positions + age_s * joints.velocities
            self.command(rest_point(here, joints.velocities, self._commanded))

    def gripper(self) -> GripperState:
        """See `SawyerDriver.gripper`; a missing signal of the gripper counts as an error."""
        opening, force = self._gripper.get_position(), self._gripper.get_force()
        gripping, error = self._gripper.is_gripping(), self._gripper.has_error()
        return GripperState(
            opening=math.nan if opening is None else float(opening),
            force=math.nan if force is None else float(force),
            gripping=bool(gripping),
            error=None in (opening, gripping, error) or not math.isfinite(opening) or bool(error),
            stamp=self._gripper.stamp(),
        )

    def move_fingers(self, opening: float) -> None:
        """See `SawyerDriver.move_fingers`."""
        with self._sending():
            self._gripper.set_position(opening)

    def enable(self) -> None:
        """See `SawyerDriver.enable`."""
        self.check_connection()
        if self._assembly_now().stopped:
            self._switch(lambda robot: not (robot.stopped or robot.error), self._switches.reset.publish)
        self._switch(lambda robot: robot.enabled, partial(self._switches.enable.publish, True))

    def _switch(self, done: Callable[[Assembly], bool], send: Callable[[], object]) -> None:
        """Send a switch until the robot reports its effect, but not once the stop button is pressed."""
        deadline = self._clock.now() + _SWITCH_S
        while not (robot := self._assembly_now()).estop_pressed and self._clock.now() < deadline:
            if done(robot):
                return
            with self._sending():
                send()
        raise RobotFault(
            f"{self.name} cannot be enabled (enabled {robot.enabled}, stopped {robot.stopped}, error {robot.error}, "
            f"stop button pressed {robot.estop_pressed}); release the stop button and read the robot's screen"
        )

    def _assembly_now(self) -> Assembly:
        """The switches from a message that was sent after this call; RobotFault if none comes."""
        asked = self._clock.now()
        for _ in range(round(_REPORT_S / _LOOK_S)):
            self._clock.sleep(_LOOK_S)
            robot, heard = self._topics.assembly.kept
            if heard.stamp > asked:
                return robot
        raise RobotFault(
            f"{self.name} cannot be enabled: {ROBOT_TOPIC} sends nothing; check the network and the robot "
            f"(`rostopic hz {ROBOT_TOPIC}`)"
        )

    def check_connection(self) -> None:
        """See `SawyerDriver.check_connection`."""
        with suppress(MasterUnreachable):
            self._check_known()

    @contextmanager
    def _sending(self) -> Iterator[None]:
        """Send in this block; raises RobotFault if this program can send nothing more."""
        try:
            yield
        except self._rospy.ROSException as error:
            raise RobotFault(
                f"nothing reaches {self.name} any more ({error}): this program's ROS node was ended, as by `rosnode "
                "kill`; the arm keeps its position and what it grips; support what it holds, end this program and "
                "start it again"
            ) from error

    def close(self) -> None:
        """See `SawyerDriver.close`; an arm without commands holds by itself."""
        self.released.close()


def is_near(positions: Floats, velocities: Floats, commanded: Floats, max_lag_rad: float) -> bool:
    """Whether an arm that is measured with these angles and speeds can be where its last command led it.

    A blocked joint is a little more than the largest accepted lag behind its command, and rests. A joint that is as far
    behind and moves may be measured late, and would be turned back. An arm further away was not led there by us.
    """
    behind = np.abs(commanded - positions)
    late = (behind > max_lag_rad) & (np.abs(velocities) > _MOVING_RAD_S)
    return bool((behind <= 2 * max_lag_rad).all() and not late.any())


def rest_point(positions: Floats, velocities: Floats, commanded: Floats) -> Floats:
    """(7,) where joints with these angles and speeds rest if they brake with their rated acceleration.

    A moving arm lags behind its command and cannot stop at once: commanded to where it is, it would overshoot and turn
    back. No joint rests past its last command.
    """
    braking = velocities * np.abs(velocities) / (2 * MAX_ACCELERATION)
    ahead = commanded - positions
    return np.asarray(positions + np.clip(braking, np.minimum(ahead, 0.0), np.maximum(ahead, 0.0)), np.float64)
