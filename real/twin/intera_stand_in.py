"""As much of `intera_interface` as the driver calls, with its names and habits, in front of the simulated robot."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from functools import partial
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from tabletop_interaction.real.arm.settings import FULL_OPENING_M
from tabletop_interaction.real.twin.robot import ESTOP_PRESSED, ESTOP_UP, AssemblyState, TwinRobot
from tabletop_interaction.sawyer.kinematics import GRIPPER_TIP, JOINT_NAMES


class Point(NamedTuple):
    """x, y, z."""

    x: float
    y: float
    z: float


class RobotEnable:
    """State and switches of the robot."""

    def __init__(self, robot: TwinRobot, versioned: bool = False) -> None:
        self._robot = robot

    def state(self) -> AssemblyState:
        """The newest state."""
        return self._robot.state

    def enable(self) -> None:
        """Reset a stopped robot, then enable it."""
        if self._robot.state.stopped:
            self.reset()
        self._robot.state.enabled = True

    def disable(self) -> None:
        """Take the motors' power away; the brakes hold."""
        self._robot.state.enabled = False
        self._robot.stay()

    def reset(self) -> None:
        """Clear a stop; refused while the button is down."""
        state = self._robot.state
        if not state.stopped:
            raise OSError(errno.EREMOTEIO, "Failed to Reset due to lack of Error State.")
        if state.estop_button == ESTOP_PRESSED:
            raise OSError(errno.EREMOTEIO, "Failed to Reset: E-Stop Engaged")
        state.stopped, state.error, state.estop_button, state.estop_source = False, False, ESTOP_UP, 0

    def stop(self) -> None:
        """Stop as the button does."""
        self._robot.halt()


class RobotParams:
    """What the parameter server knows of the robot."""

    def __init__(self, robot: TwinRobot) -> None:
        self._robot = robot

    def get_limb_names(self) -> list[str]:
        """Names of the arms."""
        return ["right"]

    def get_joint_names(self, limb_name: str) -> list[str]:
        """Names of an arm's joints, from base to wrist."""
        return list(JOINT_NAMES) if limb_name == "right" else []

    def get_robot_name(self) -> str:
        """The robot's class."""
        return "sawyer"


class Limb:
    """The arm; its getters return what was last heard, however old."""

    def __init__(self, robot: TwinRobot, limb: str = "right", synchronous_pub: bool = False) -> None:
        self.name = limb
        self._robot = robot

    def joint_names(self) -> list[str]:
        """From base to wrist."""
        return list(JOINT_NAMES)

    def joint_angles(self) -> dict[str, float]:
        """Radians, by name."""
        return dict(zip(JOINT_NAMES, self._robot.joints()[0].tolist(), strict=True))

    def joint_velocities(self) -> dict[str, float]:
        """rad/s, by name."""
        return dict(zip(JOINT_NAMES, self._robot.joints()[1].tolist(), strict=True))

    def joint_efforts(self) -> dict[str, float]:
        """N m, by name."""
        return dict(zip(JOINT_NAMES, self._robot.joints()[2].tolist(), strict=True))

    def endpoint_effort(self) -> dict[str, Point]:
        """Force at the tip, N."""
        return {"force": Point(*self._robot.tip_force().tolist()), "torque": Point(0.0, 0.0, 0.0)}

    def tip_state(self, tip_name: str) -> Any:
        """Pose of a tip, None for one that the robot does not know."""
        if tip_name != GRIPPER_TIP:
            return None
        return SimpleNamespace(pose=SimpleNamespace(position=Point(*self._robot.tip_position().tolist())))

    def has_collided(self) -> bool:
        """Whether the robot feels a collision."""
        return self._robot.faults.collided

    def set_joint_position_speed(self, speed: float = 0.3) -> None:
        """Fraction of the joints' rated speeds, 0 to 1."""
        self._robot.speed_ratio = float(np.clip(speed, 0.0, 1.0))

    def set_command_timeout(self, timeout: float) -> None:
        """The twin holds its last command in any case."""

    def set_joint_positions(self, positions: Mapping[str, float]) -> None:
        """Go to these joint angles."""
        self._robot.command(np.array([positions[name] for name in JOINT_NAMES]))

    def exit_control_mode(self, timeout: float = 0.2) -> None:
        """Stay where the joints are."""
        self.set_joint_positions(self.joint_angles())


class Gripper:
    """The electric parallel gripper; commands return when they are acknowledged, or log that they were not."""

    MAX_POSITION = FULL_OPENING_M
    MIN_POSITION = 0.0

    def __init__(self, robot: TwinRobot, ee_name: str = "right_gripper", calibrate: bool = True) -> None:
        self.name = ee_name
        self._robot = robot

    def open(self, position: float = MAX_POSITION) -> None:
        """Open to a position, metres."""
        self.set_position(position)

    def close(self, position: float = MIN_POSITION) -> None:
        """Close to a position, metres."""
        self.set_position(position)

    def set_position(self, position: float) -> None:
        """Go to a position, metres."""
        self._robot.move_fingers(position)

    def set_cmd_velocity(self, speed: float) -> None:
        """The twin's fingers have one speed."""

    def get_position(self) -> float:
        """Opening of both fingers together, metres."""
        return self._robot.opening

    def get_force(self) -> float:
        """N; the twin's fingers press with their full force or not at all."""
        return 20.0 if self._robot.gripping else 0.0

    def is_gripping(self) -> bool:
        """Whether something stops the fingers."""
        return self._robot.gripping

    def is_moving(self) -> bool:
        """Whether the fingers move."""
        return self._robot.fingers_move

    def has_error(self) -> bool:
        """Whether it reports an error."""
        return self._robot.faults.gripper_error

    def is_calibrated(self) -> bool:
        """Whether it knows its travel."""
        return True


def intera_stand_in(robot: TwinRobot) -> SimpleNamespace:
    """The module, its classes bound to that robot."""
    return SimpleNamespace(
        RobotEnable=partial(RobotEnable, robot),
        RobotParams=partial(RobotParams, robot),
        Limb=partial(Limb, robot),
        Gripper=partial(Gripper, robot),
        get_current_gripper_interface=partial(Gripper, robot, "right_gripper", False),
    )
