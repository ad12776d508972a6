"""What can go wrong with a robot, to be switched on in its twin."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass
class TwinFaults:
    """Switches; all off at first.

    Attributes:
        states_stall: /robot/joint_states is published no more.
        blocked_joint: number of a joint that no longer moves, or None.
        collided: the robot reports a collision.
        extra_force: (3,) N, added to the force felt at the tip, base frame.
        gripper_deaf: the gripper acknowledges no command and does not move.
        gripper_error: the gripper reports an error.
        head_turn: how far the head is turned, radians; 0 ahead.
        unplugged_views: names of the cameras that give no more pictures.
    """

    states_stall: bool = False
    blocked_joint: int | None = None
    collided: bool = False
    extra_force: NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))
    gripper_deaf: bool = False
    gripper_error: bool = False
    head_turn: float = 0.0
    unplugged_views: set[str] = field(default_factory=set)
