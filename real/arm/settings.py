"""Settings of the arm: how it moves, what stops it, how it grips. Three sections of the lab file.

Metres, radians, seconds, newtons; heights above the table in the arena's frame.
"""

import math
from dataclasses import dataclass, field
from typing import Annotated

from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.ranges import Range, check_fields, check_range

Metres = Annotated[float, Range(-10, 10)]
Angle = Annotated[float, Range(-2 * math.pi, 2 * math.pi)]
JointAngles = tuple[Angle, Angle, Angle, Angle, Angle, Angle, Angle]
ArenaPoint = tuple[Metres, Metres, Metres]

FULL_OPENING_M = 0.041667
"""Largest opening that the gripper reports, both fingers together."""

RATE_HZ = 100
"""Joint commands per second; the robot expects this rate."""


@dataclass(frozen=True)
class MotionSettings:
    """How the arm moves.

    Attributes:
        speed_ratio: joint speeds, as a fraction of the rated speeds.
        acceleration_ratio: joint accelerations, as a fraction of the rated accelerations.
        ramp_s: time in which a joint reaches its full acceleration; this bounds the jerk.
        descent_m_s: speed of the gripper straight down and up.
        sweep_m_s: speed of the gripper along the table.
        away: joint angles with the arm out of every view.
        transit_m: height at which the gripper travels; objects on the table must be lower than this height minus the
            part of the held object that hangs below the tip.
        grasp_m: height at which the gripper closes.
        release_above_m: height above `grasp_m` at which the gripper opens.
        sweep_height_m: height at which the gripper sweeps.
        reached_rad: tolerance of every joint at the end of a motion.
        settle_s: time allowed to reach that tolerance after the last command.
    """

    speed_ratio: Annotated[float, Range(0.01, 1.0)] = 0.25
    acceleration_ratio: Annotated[float, Range(0.01, 1.0)] = 0.3
    ramp_s: Annotated[float, Range(0.02, 2.0)] = 0.15
    descent_m_s: Annotated[float, Range(0.005, 0.5)] = 0.10
    sweep_m_s: Annotated[float, Range(0.005, 0.5)] = 0.20
    away: JointAngles = (2.4175, -1.1391, 0.0, 1.8472, 0.0, 0.8626, -0.1080)
    transit_m: Annotated[float, Range(0.1, 0.5)] = 0.20
    grasp_m: Annotated[float, Range(0.004, 0.1)] = 0.009
    release_above_m: Annotated[float, Range(0.0, 0.05)] = 0.003
    sweep_height_m: Annotated[float, Range(0.004, 0.1)] = 0.012
    reached_rad: Annotated[float, Range(0.001, 0.1)] = 0.02
    settle_s: Annotated[float, Range(0.1, 10.0)] = 2.0

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class SafetySettings:
    """What is refused before a motion, and what ends a motion.

    Attributes:
        workspace_low: lower corner of the box that wrist, hand and gripper stay in, arena frame.
        workspace_high: upper corner of that box.
        base_clearance_m: distance of hand and gripper from the vertical axis of the arm's base.
        self_clearance_m: distance of the arm's parts from each other, from the head and from the pedestal.
        table_clearance_m: distance of the arm from the table's plane; the fingers may come to it.
        held_reach_m: largest distance of a held object's points from the gripper's tip, which is the length of the
            longest object if it is gripped at its end; obstacles keep clear of it.
        joint_margin_rad: distance of the joints from their limits.
        max_state_age_s: age above which a joint state stops the arm.
        max_force_age_s: age above which the force at the gripper's tip stops the arm.
        max_collision_age_s: age above which the collision state stops the arm.
        max_robot_age_s: age above which the robot's state (stopped, enabled, stop button) stops the arm.
        command_timeout_s: time without a command after which the robot stops the arm; it is sent to the robot.
        max_clock_difference_s: difference between the clocks of robot and machine that is refused when it is connected.
        robot_nodes: ROS nodes of the robot itself that may be registered as senders of joint commands; a command of
            theirs stops the arm all the same.
        max_tracking_error_rad: lag of a joint behind its command that is too large.
        tracking_ticks: commands in a row with too large a lag that stop the arm.
        max_force_change_n: rise of the force at the gripper's tip that stops the arm.
        max_table_tilt_rad: tilt of the table against the arm's base above which the calibration counts as wrong.
    """

    workspace_low: ArenaPoint = (-0.90, -1.20, 0.006)
    workspace_high: ArenaPoint = (0.90, 0.45, 0.95)
    base_clearance_m: Annotated[float, Range(0.2, 0.6)] = 0.25
    self_clearance_m: Annotated[float, Range(0.005, 0.1)] = 0.02
    table_clearance_m: Annotated[float, Range(0.0, 0.1)] = 0.02
    held_reach_m: Annotated[float, Range(0.0, 0.3)] = 0.15
    joint_margin_rad: Annotated[float, Range(0.02, 0.5)] = 0.05
    max_state_age_s: Annotated[float, Range(0.03, 1.0)] = 0.25
    max_force_age_s: Annotated[float, Range(0.03, 1.0)] = 0.25
    max_collision_age_s: Annotated[float, Range(0.03, 1.0)] = 0.25
    max_robot_age_s: Annotated[float, Range(0.03, 1.0)] = 0.25
    command_timeout_s: Annotated[float, Range(0.05, 1.0)] = 0.2
    max_clock_difference_s: Annotated[float, Range(0.01, 3600.0)] = 0.25
    robot_nodes: tuple[str, ...] = ()
    max_tracking_error_rad: Annotated[float, Range(0.02, 0.5)] = 0.15
    tracking_ticks: Annotated[int, Range(1, 20)] = 3
    max_force_change_n: Annotated[float, Range(3.0, 50.0)] = 15.0
    max_table_tilt_rad: Annotated[float, Range(0.0, 0.05)] = 0.02

    def __post_init__(self) -> None:
        check_fields(self)
        for axis, low, high in zip("xyz", self.workspace_low, self.workspace_high, strict=True):
            if not low < high:
                raise InvalidConfiguration(
                    f"workspace: {axis} runs from {low} to {high} m; the first must be the lower"
                )
        check_range("workspace_low z", self.workspace_low[2], 0.002, 0.1)


@dataclass(frozen=True)
class GripperSettings:
    """How the gripper grips; an opening is that of both fingers together, as the robot reports it.

    Attributes:
        close_to_m: commanded opening when the gripper closes.
        empty_m: opening above `close_to_m` up to which the gripper counts as empty.
        speed_m_s: speed of the fingers.
        timeout_s: time allowed to open or to close.
    """

    close_to_m: Annotated[float, Range(0.0, 0.9 * FULL_OPENING_M)] = 0.0
    empty_m: Annotated[float, Range(0.0002, 0.01)] = 0.002
    speed_m_s: Annotated[float, Range(0.15, 3.0)] = 0.15
    timeout_s: Annotated[float, Range(0.5, 10.0)] = 3.0

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class SawyerSettings:
    """All three sections."""

    motion: MotionSettings = field(default_factory=MotionSettings)
    safety: SafetySettings = field(default_factory=SafetySettings)
    gripper: GripperSettings = field(default_factory=GripperSettings)

    def __post_init__(self) -> None:
        check_fields(self)
