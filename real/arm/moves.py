"""Plan, time and check the joint commands of a whole move before the first one is sent.

Points and heights are in the arena's frame, metres; `angle` is that of the axis along which the fingers close. A move
is float64 (T, 7), one row per 10 ms.
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np

from tabletop_interaction.arrays import Floats
from tabletop_interaction.envs.targets import check_angle
from tabletop_interaction.errors import UnreachableTarget
from tabletop_interaction.real.arm.safety import check_clearance, check_commands
from tabletop_interaction.real.arm.settings import MotionSettings, SafetySettings
from tabletop_interaction.real.arm.timing import JointCaps, caps_of, time_path
from tabletop_interaction.sawyer.kinematics import (
    HOME,
    facing,
    forward,
    half_turn,
    inverse_down,
    straight_down_path,
)
from tabletop_interaction.sawyer.obstacles import Obstacle

_MAX_TILT = 0.1
_CLEARANCE_SLACK_M = 0.02
_SWEEP_SPACING_M = 0.05


@dataclass(frozen=True, eq=False)
class Moves:
    """Plans moves for one table and one set of settings, with an empty gripper; `carrying` plans with a held object.

    Every move raises UnreachableTarget if it is out of reach or violates `safety`, and its subclass ObstacleCollision
    if it meets an obstacle; nothing was moved then.
    """

    base_from_arena: Floats
    motion: MotionSettings
    safety: SafetySettings
    obstacles: tuple[Obstacle, ...] = ()
    holding: bool = False

    @cached_property
    def carrying(self) -> Self:
        """The same moves with an object in the gripper, which keeps clear of the obstacles, too."""
        return replace(self, holding=True)

    def above(self, here: Floats, x: float, y: float, angle: float, *, exact: bool = False) -> Floats:
        """From joint angles `here` (7,) at the travelling height to the same height above a point.

        Without `exact`, the gripper may lie half a turn from `angle`: both give the same grip.
        """
        return self._across(here, self._down_path(x, y, angle, self.motion.grasp_m, exact)[0])

    def down(self, x: float, y: float, angle: float, height: float, *, exact: bool = False) -> Floats:
        """Straight down from the end of `above`, with the same `exact`, at the travelling height."""
        return self._slowly(self._down_path(x, y, angle, height, exact), self.motion.descent_m_s)

    def half_turn(self, q: Floats, angle: float) -> float:
        """See `kinematics.half_turn`; `angle` in the arena's frame."""
        return half_turn(q, self._base_angle(angle))

    def up(self, here: Floats) -> Floats:
        """Straight up from joint angles `here` (7,) to the travelling height; no motion if it is that high.

        Raises:
            UnreachableTarget: also if the gripper does not point down.
        """
        pose = forward(here)
        height = self.height_of(here)
        if height >= self.motion.transit_m - _CLEARANCE_SLACK_M:
            return here[None].copy()
        if pose[2, 2] > -math.cos(_MAX_TILT):
            raise UnreachableTarget(
                f"the gripper is {height:.3f} m above the table and does not point down: it cannot rise straight; "
                "guide the arm by hand until it points down or is above the travelling height"
            )
        x, y, z = pose[:3, 3]
        angle = math.atan2(pose[1, 1], pose[0, 1])
        path = straight_down_path(x, y, z, z + self.motion.transit_m - height, angle, here)
        return self._slowly(np.array([here, *path[1:]]), self.motion.descent_m_s)

    def away(self, here: Floats) -> Floats:
        """From joint angles `here` (7,) at the travelling height out of every view."""
        return self._across(here, self.away_q)

    def leave(self, here: Floats) -> tuple[Floats, ...]:
        """From joint angles `here` (7,) straight up and out of every view, one move each; none if the arm is away."""
        if self.is_away(here):
            return ()
        up = self.up(here)
        return up, self.away(up[-1])

    def sweep(
        self, here: Floats, start_xy: tuple[float, float], end_xy: tuple[float, float]
    ) -> tuple[Floats, Floats, Floats]:
        """Above the start, down to the sweeping height, and along the table to the end; the fingers' line is across.

        The ways out of every view are checked, too: the sweep may end early.
        """
        height = self.motion.sweep_height_m
        angle = math.atan2(end_xy[1] - start_xy[1], end_xy[0] - start_xy[0]) + math.pi / 2
        above, down = self.above(here, *start_xy, angle), self.down(*start_xy, angle, height)
        length = math.dist(start_xy, end_xy)
        path = [down[-1]]
        for x, y in np.linspace(start_xy, end_xy, max(2, math.ceil(length / _SWEEP_SPACING_M) + 1))[1:].tolist():
            path.append(inverse_down(*self._base_point(x, y, height), self._base_angle(angle), path[-1]))
        along = self._checked(np.array(path), length / self.motion.sweep_m_s)
        for q in [*(path[2:-1:2] if self.obstacles else ()), along[-1]]:
            self.leave(q)
        return above, down, along

    def check(self, commands: Floats) -> None:
        """Refuse joint commands (T, 7) that were planned elsewhere and violate `safety`."""
        check_commands(commands, self.base_from_arena, self.safety, self.obstacles, holding=self.holding)

    def height_of(self, q: Floats) -> float:
        """Height of the gripper's tip above the table at joint angles `q` (7,), metres."""
        return float((np.linalg.inv(self.base_from_arena) @ forward(q))[2, 3])

    def is_away(self, q: Floats) -> bool:
        """Whether joint angles `q` (7,) put the arm out of every view."""
        return bool(np.abs(q - self.away_q).max() < 2 * self.motion.reached_rad)

    @cached_property
    def away_q(self) -> Floats:
        """(7,) joint angles with the arm out of every view."""
        return np.array(self.motion.away)

    @cached_property
    def _caps(self) -> JointCaps:
        return caps_of(self.motion)

    def _down_path(self, x: float, y: float, angle: float, height: float, exact: bool) -> Floats:
        """Waypoints (n, 7) straight down along the base's z axis, ending at the point."""
        check_angle("the gripper's", angle)
        base_x, base_y, base_z = self._base_point(x, y, height)
        top, angle = base_z + self.motion.transit_m - height, self._base_angle(angle)
        path = straight_down_path(base_x, base_y, top, base_z, angle, HOME)
        return facing(path, angle) if exact else path

    def _across(self, here: Floats, goal: Floats) -> Floats:
        commands = self._checked(np.array([here, goal]), 0.0)
        lowest = min(self.height_of(here), self.height_of(goal), self.motion.transit_m)
        check_clearance(commands, self.base_from_arena, lowest - _CLEARANCE_SLACK_M)
        return commands

    def _slowly(self, path: Floats, speed_m_s: float) -> Floats:
        length = float(np.linalg.norm(forward(path[-1])[:3, 3] - forward(path[0])[:3, 3]))
        return self._checked(path, length / speed_m_s)

    def _checked(self, path: Floats, min_seconds: float) -> Floats:
        commands = time_path(path, self._caps, min_seconds)
        self.check(commands)
        return commands

    def _base_point(self, x: float, y: float, z: float) -> tuple[float, float, float]:
        base_x, base_y, base_z, _ = (self.base_from_arena @ (x, y, z, 1.0)).tolist()
        return base_x, base_y, base_z

    def _base_angle(self, angle: float) -> float:
        return angle + math.atan2(self.base_from_arena[1, 0], self.base_from_arena[0, 0])
