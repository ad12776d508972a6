"""The robot's own part in its calibration: the operator guides the arm by hand and says when it is there.

Joint angles are read from the driver and brought to poses by the arm's kinematics; nothing is commanded.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from tabletop_interaction.errors import RobotFault
from tabletop_interaction.real.arm.driver import SawyerDriver
from tabletop_interaction.sawyer.kinematics import GRIPPER_TIP, forward

FloatArray = NDArray[np.float64]
Ask = Callable[[str], object]

HAND = "right_hand"

_STILL_RAD_S = 0.02
_MAX_AGE_S = 0.25


def touch_points(driver: SawyerDriver, names: Sequence[str], ask: Ask) -> FloatArray:
    """(N, 3) float64: where the gripper's tip is when the operator says that it touches each point, base frame, metres.

    Args:
        driver: of the arm, which the operator guides.
        names: what to touch.
        ask: shows a sentence and returns once the operator has answered.

    Raises:
        RobotFault: the robot's state is old.
    """
    return np.array([_touch(driver, name, ask) for name in names]).reshape(-1, 3)


def base_from_link(driver: SawyerDriver, link: str, ask: Ask) -> FloatArray:
    """(4, 4) float64: where a link of the arm is, once it is at rest, metres.

    Raises:
        RobotFault: the robot's state is old.
    """
    while True:
        state = driver.state()
        if (age := time.monotonic() - state.stamp) > _MAX_AGE_S:
            raise RobotFault(
                f"the joints of {driver.name} were last told {age:.1f} s ago; check the robot and its network"
            )
        if np.abs(state.velocities).max() < _STILL_RAD_S:
            return forward(state.positions, link)
        ask("the arm still moves: let go of it, and press Enter")


def _touch(driver: SawyerDriver, name: str, ask: Ask) -> FloatArray:
    ask(f"guide the closed gripper's tip onto the {name}, let go of the arm, and press Enter")
    return base_from_link(driver, GRIPPER_TIP, ask)[:3, 3]
