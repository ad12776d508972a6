"""What a laboratory may set about the arm: how it moves, what stops it, how it grips. Sections of the lab file.

Metres, radians, seconds, newtons; heights above the table in the arena's frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from tabletop_interaction.errors import InvalidConfiguration

Joints = tuple[float, float, float, float, float, float, float]
Point = tuple[float, float, float]

FULL_OPENING_M = 0.041667
"""The widest that the gripper reports, both fingers together."""

RATE_HZ = 100
"""Joint commands a second; the robot expects this rate."""


@dataclass(frozen=True)
class MotionSettings:
    """How the arm moves.

    Attributes:
        speed_ratio: joint speeds, as a fraction of what the joints are rated for.
        acceleration_ratio: joint accelerations, likewise.
        ramp_s: how long a joint takes to its full acceleration; this bounds the jerk.
        descent_m_s: speed of the gripper straight down and up.
        sweep_m_s: speed of the gripper along the table.
        away: joint angles with the arm out of every view.
        transit_m: height at which the gripper travels; nothing on the table may be as tall, less what it holds.
        grasp_m: height at which it closes.
        release_above_m: how much above `grasp_m` it lets go.
        sweep_height_m: height at which it sweeps.
        reached_rad: how near every joint has to come to its goal.
        settle_s: how long it may take for that after the last command.
    """

    speed_ratio: float = 0.25
    acceleration_ratio: float = 0.3
    ramp_s: float = 0.15
    descent_m_s: float = 0.10
    sweep_m_s: float = 0.20
    away: Joints = (2.4175, -1.1391, 0.0, 1.8472, 0.0, 0.8626, -0.1080)
    transit_m: float = 0.20
    grasp_m: float = 0.009
    release_above_m: float = 0.003
    sweep_height_m: float = 0.012
    reached_rad: float = 0.02
    settle_s: float = 2.0

    def __post_init__(self) -> None:
        _check("speed_ratio", self.speed_ratio, 0.01, 1.0)
        _check("acceleration_ratio", self.acceleration_ratio, 0.01, 1.0)
        _check("ramp_s", self.ramp_s, 0.02, 2.0)
        _check("descent_m_s", self.descent_m_s, 0.005, 0.5)
        _check("sweep_m_s", self.sweep_m_s, 0.005, 0.5)
        _check("grasp_m", self.grasp_m, 0.004, 0.1)
        _check("release_above_m", self.release_above_m, 0.0, 0.05)
        _check("sweep_height_m", self.sweep_height_m, 0.004, 0.1)
        _check("transit_m", self.transit_m, 0.1, 0.5)
        _check("reached_rad", self.reached_rad, 0.001, 0.1)
        _check("settle_s", self.settle_s, 0.1, 10.0)


@dataclass(frozen=True)
class SafetySettings:
    """What is refused before a motion, and what ends one.

    Attributes:
        workspace_low: corner of the box in which wrist, hand and gripper stay, arena frame.
        workspace_high: the opposite corner.
        base_clearance_m: how far hand and gripper keep from the vertical axis of the arm's base.
        self_clearance_m: how far the arm's parts keep from each other, from its head and from its pedestal.
        joint_margin_rad: how far the joints keep from their ends.
        max_state_age_s: an older joint state stops the arm.
        max_tracking_error_rad: how far a joint may lag behind its command,
        tracking_ticks: for less than this many commands in a row.
        max_force_change_n: rise of the force at the gripper's tip that stops the arm.
        max_table_tilt_rad: between the arm's base and the table; a larger one is a wrong calibration.
    """

    workspace_low: Point = (-0.90, -1.20, 0.006)
    workspace_high: Point = (0.90, 0.45, 0.95)
    base_clearance_m: float = 0.25
    self_clearance_m: float = 0.02
    joint_margin_rad: float = 0.05
    max_state_age_s: float = 0.25
    max_tracking_error_rad: float = 0.15
    tracking_ticks: int = 3
    max_force_change_n: float = 15.0
    max_table_tilt_rad: float = 0.02

    def __post_init__(self) -> None:
        for axis, low, high in zip("xyz", self.workspace_low, self.workspace_high, strict=True):
            if not low < high:
                raise InvalidConfiguration(
                    f"workspace: {axis} runs from {low} to {high} m; the first must be the lower"
                )
        _check("workspace_low z", self.workspace_low[2], 0.002, 0.1)
        _check("base_clearance_m", self.base_clearance_m, 0.2, 0.6)
        _check("self_clearance_m", self.self_clearance_m, 0.005, 0.1)
        _check("joint_margin_rad", self.joint_margin_rad, 0.02, 0.5)
        _check("max_state_age_s", self.max_state_age_s, 0.03, 1.0)
        _check("max_tracking_error_rad", self.max_tracking_error_rad, 0.02, 0.5)
        _check("tracking_ticks", self.tracking_ticks, 1, 20)
        _check("max_force_change_n", self.max_force_change_n, 3.0, 50.0)
        _check("max_table_tilt_rad", self.max_table_tilt_rad, 0.0, 0.05)


@dataclass(frozen=True)
class GripperSettings:
    """How the gripper grips; openings are of both fingers together, as the robot reports them.

    Attributes:
        close_to_m: the opening that it closes to where nothing is in between.
        empty_m: up to this much more than that it holds nothing.
        speed_m_s: speed of the fingers.
        timeout_s: how long opening or closing may take.
    """

    close_to_m: float = 0.0
    empty_m: float = 0.002
    speed_m_s: float = 0.15
    timeout_s: float = 3.0

    def __post_init__(self) -> None:
        _check("close_to_m", self.close_to_m, 0.0, 0.9 * FULL_OPENING_M)
        _check("empty_m", self.empty_m, 0.0002, 0.01)
        _check("speed_m_s", self.speed_m_s, 0.15, 3.0)
        _check("timeout_s", self.timeout_s, 0.5, 10.0)


@dataclass(frozen=True)
class SawyerSettings:
    """All three."""

    motion: MotionSettings = field(default_factory=MotionSettings)
    safety: SafetySettings = field(default_factory=SafetySettings)
    gripper: GripperSettings = field(default_factory=GripperSettings)


def settings_of(sections: Mapping[str, Mapping[str, Any]]) -> SawyerSettings:
    """The settings in the sections "motion", "safety" and "gripper" of a lab file, defaults where they are silent.

    Raises:
        InvalidConfiguration: an unknown name, another type, or a value outside its range.
    """
    kinds = {"motion": MotionSettings, "safety": SafetySettings, "gripper": GripperSettings}
    return SawyerSettings(**{name: _convert(name, sections.get(name, {}), kind) for name, kind in kinds.items()})


def _convert(section: str, plain: Mapping[str, Any], kind: type[Any]) -> Any:
    known = kind.__dataclass_fields__
    if unknown := sorted(set(plain) - set(known)):
        raise InvalidConfiguration(f"{section} has the unknown {unknown[0]!r}; accepted are {', '.join(known)}")
    try:
        return msgspec.convert(plain, kind)
    except msgspec.ValidationError as error:
        raise InvalidConfiguration(f"{section}: {error}") from error
    except InvalidConfiguration as error:
        raise InvalidConfiguration(f"{section}: {error}") from error


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise InvalidConfiguration(f"{name} is {value}; accepted is {low} to {high:.4g}")
