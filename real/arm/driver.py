"""The driver protocol: read the state of a Sawyer, stream joint angles, move the fingers.

Joint arrays are float64 (7,), radians, in the order right_j0 to right_j6; forces are newtons in the arm's base frame.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from tabletop_interaction.arrays import Floats
from tabletop_interaction.findings import Finding

JOINT_STATES_TOPIC = "/robot/joint_states"
FORCE_TOPIC = "/robot/limb/right/endpoint_state"
COLLISION_TOPIC = "/robot/limb/right/collision_detection_state"
ROBOT_TOPIC = "/robot/state"


@dataclass(frozen=True)
class Heard:
    """What arrived on a topic.

    Attributes:
        stamp: time of the newest usable message, seconds of the driver's clock; minus infinity before the first.
        refused: why the message after it was not usable; empty if none came after it.
    """

    stamp: float
    refused: str = ""


@dataclass(frozen=True, eq=False)
class ArmState:
    """The state of the arm at one moment.

    Attributes:
        positions: (7,) joint angles, radians.
        velocities: (7,) rad/s.
        tip_force: (3,) force at the gripper's tip, N, base frame.
        enabled: whether the motors take commands.
        stopped: whether the robot stopped, by its stop button or by itself.
        error: whether the robot reports an error.
        estop_pressed: whether the stop button is down.
        collided: whether the robot reports a collision.
        heard: by topic, what arrived on every topic that protects: joint states, force, collisions and robot state.
        head: pan angle of the head, radians, 0 ahead; None if it is not reported.
        other_commander: the program that commands the arm besides this one; empty if none does.
    """

    positions: Floats
    velocities: Floats
    tip_force: Floats
    enabled: bool
    stopped: bool
    error: bool
    estop_pressed: bool
    collided: bool
    heard: Mapping[str, Heard]
    head: float | None = 0.0
    other_commander: str = ""

    @property
    def stamp(self) -> float:
        """Time of the joint measurement, seconds of the driver's clock."""
        return self.heard[JOINT_STATES_TOPIC].stamp


@dataclass(frozen=True)
class GripperState:
    """The state of the gripper at one moment.

    Attributes:
        opening: of both fingers together, metres.
        force: N, as the gripper estimates it.
        gripping: whether an object stops the fingers.
        error: whether the gripper reports an error, or does not report the rest.
        stamp: the gripper's own time of this state, seconds.
    """

    opening: float
    force: float
    gripping: bool
    error: bool
    stamp: float = 0.0


class SawyerDriver(Protocol):
    """An open connection to an arm with its gripper. No call waits for the end of a motion."""

    @property
    def name(self) -> str:
        """Name of the robot, for messages and records."""
        ...

    @property
    def findings(self) -> Sequence[Finding]:
        """What the checks before the first move found; all passed."""
        ...

    def state(self) -> ArmState:
        """The newest state; `heard` gives its age."""
        ...

    def command(self, positions: Floats) -> None:
        """Send one set of joint angles (7,); the arm moves there at once and stays when no more commands arrive.

        Raises:
            RobotFault: an angle is not finite; nothing was sent.
        """
        ...

    def hold(self) -> None:
        """Stop the arm as fast as it can brake without turning back. It never moves past the last command.

        It sends nothing if the joint states are old, or if the arm is not where the last command led it: the arm then
        stops by the robot's command timeout. The fingers keep their command.
        """
        ...

    def gripper(self) -> GripperState:
        """The gripper's newest state."""
        ...

    def move_fingers(self, opening: float) -> None:
        """Command an opening of both fingers together, metres, 0 to 0.041667."""
        ...

    def enable(self) -> None:
        """Clear a stop and enable the motors; called only when the operator has said so.

        Raises:
            RobotFault: the robot cannot be enabled, for example because the stop button is down.
        """
        ...

    def check_connection(self) -> None:
        """Check, in bounded time, that the robot was not restarted since it was connected.

        Raises:
            RobotFault: it was; only a new connection reaches it.
        """
        ...

    def close(self) -> None:
        """Close the connection while the arm holds still; a second call does nothing."""
        ...
