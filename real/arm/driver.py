"""What the backend needs of a Sawyer, in plain numpy: read its state, stream joint angles, move the fingers.

Joint arrays are float64 (7,), radians, in the order right_j0 to right_j6; forces in newtons in the arm's base frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ArmState:
    """The arm at one moment.

    Attributes:
        positions: (7,) joint angles, radians.
        velocities: (7,) rad/s.
        efforts: (7,) N m.
        tip_force: (3,) force at the gripper's tip, N, base frame.
        enabled: whether the motors take commands.
        stopped: whether the robot stopped, by its stop button or by itself.
        error: whether it reports an error.
        estop_pressed: whether its stop button is down.
        collided: whether it feels a collision.
        stamp: when the joints were measured, seconds of the driver's clock.
    """

    positions: FloatArray
    velocities: FloatArray
    efforts: FloatArray
    tip_force: FloatArray
    enabled: bool
    stopped: bool
    error: bool
    estop_pressed: bool
    collided: bool
    stamp: float


@dataclass(frozen=True)
class GripperState:
    """The gripper at one moment.

    Attributes:
        opening: of both fingers together, metres.
        force: N, as the gripper estimates it.
        gripping: whether something stops the fingers.
        moving: whether they move.
        error: whether it reports an error.
    """

    opening: float
    force: float
    gripping: bool
    moving: bool
    error: bool


class SawyerDriver(Protocol):
    """An open connection to an arm with its gripper. No call waits for a motion to end."""

    @property
    def name(self) -> str:
        """What is behind it, for messages and records."""
        ...

    def state(self) -> ArmState:
        """The newest state; its stamp tells how old it is."""
        ...

    def command(self, positions: FloatArray) -> None:
        """Send one set of joint angles (7,); the arm goes there at once and stays when no more come."""
        ...

    def hold(self) -> None:
        """Stay: command the joints as measured, or nothing where the measurement is old; the fingers go on as told."""
        ...

    def gripper(self) -> GripperState:
        """The gripper's newest state."""
        ...

    def move_fingers(self, opening: float) -> None:
        """Let both fingers go to an opening, metres, 0 to 0.041667."""
        ...

    def enable(self) -> None:
        """Clear a stop and enable the motors; only ever called because the operator said so.

        Raises:
            RobotFault: it cannot be enabled, because the stop button is down for instance.
        """
        ...

    def stop(self) -> None:
        """Stop the robot as its stop button does; it has to be enabled again."""
        ...

    def close(self) -> None:
        """Let go of the connection, the arm holding still; calling it again does nothing."""
        ...
