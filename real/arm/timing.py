"""When the arm is where on its way: a joint path becomes one command a tick, within caps of speed and its changes.

The path is a smooth curve q(s), s from 0 to 1; ruckig moves s from rest to rest as fast as s' and its two changes may.
By the chain rule q' s', q'' s'^2 + q' s'' and q''' s'^3 + 3 q'' s' s'' + q' s''' are a joint's speed, acceleration and
jerk; each term gets an equal share of its cap.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from tabletop_interaction.real.arm.settings import RATE_HZ, MotionSettings
from tabletop_interaction.sawyer.kinematics import MOST_ACCELERATION, MOST_SPEED

FloatArray = NDArray[np.float64]

_SAMPLES = 200
_LEAST_RATE = 1e-9


@dataclass(frozen=True, eq=False)
class Caps:
    """What no joint exceeds: (7,) rad/s, rad/s^2 and rad/s^3."""

    speed: FloatArray
    acceleration: FloatArray
    jerk: FloatArray


def caps_of(motion: MotionSettings) -> Caps:
    """The caps that the settings ask for."""
    acceleration = motion.acceleration_ratio * MOST_ACCELERATION
    return Caps(motion.speed_ratio * MOST_SPEED, acceleration, acceleration / motion.ramp_s)


def time_path(path: FloatArray, caps: Caps, least_seconds: float = 0.0, rate_hz: float = RATE_HZ) -> FloatArray:
    """Joint commands (T, 7), one each 1 / `rate_hz` seconds, that pass the waypoints (n, 7) from rest to rest.

    Args:
        path: waypoints, 2 or more; between two there is a straight line, between more a cubic spline.
        caps: of the joints.
        least_seconds: how long it would take at full speed all along; it takes longer, for it starts and ends at rest.
        rate_hz: commands a second.

    Returns:
        the commands after the start, the last one the path's end.
    """
    if np.abs(path - path[0]).max() < 1e-9:
        return path[-1:].copy()
    curve = _curve(path)
    most = _most_rates(curve, caps)
    profile, duration = _profile(min(most[0], 1 / max(least_seconds, 1e-6)), most[1], most[2])
    ticks = max(1, math.ceil(duration * rate_hz))
    along = [profile(min((tick + 1) / rate_hz, duration)) for tick in range(ticks)]
    commands = np.asarray(curve(np.clip(along, 0.0, 1.0)), np.float64)
    commands[-1] = path[-1]
    return commands


def _curve(path: FloatArray) -> CubicSpline:
    """q(s); with two waypoints the cubic is a straight line."""
    return CubicSpline(np.linspace(0, 1, len(path)), path, bc_type="natural" if len(path) > 2 else "not-a-knot")


def _most_rates(curve: CubicSpline, caps: Caps) -> tuple[float, float, float]:
    """Most s', s'' and s''' everywhere on the curve."""
    s = np.linspace(0, 1, _SAMPLES)
    slope, bend, twist = (np.abs(curve(s, order)).max(axis=0) for order in (1, 2, 3))
    bends = bool(bend.max() > 1e-6)
    half, third = (1 / 2, 1 / 3) if bends else (1.0, 1.0)
    speed = _least(caps.speed, slope)
    if bends:
        speed = min(
            speed,
            math.sqrt(_least(half * caps.acceleration, bend)),
            _least(third * caps.jerk, twist) ** (1 / 3),
        )
    acceleration = _least(half * caps.acceleration, slope)
    if bends:
        acceleration = min(acceleration, _least(third * caps.jerk, 3 * bend) / speed)
    return speed, acceleration, _least(third * caps.jerk, slope)


def _least(caps: FloatArray, rates: FloatArray) -> float:
    return float((caps / np.maximum(rates, _LEAST_RATE)).min())


def _profile(speed: float, acceleration: float, jerk: float) -> tuple[Callable[[float], float], float]:
    """s as a function of time from 0 at rest to 1 at rest, and how long that takes, seconds."""
    # An extra that only a Sawyer needs; `open_sawyer` says how to install it.
    from ruckig import InputParameter, Result, Ruckig, Trajectory

    asked = InputParameter(1)
    asked.current_position, asked.target_position = [0.0], [1.0]
    asked.max_velocity, asked.max_acceleration, asked.max_jerk = [speed], [acceleration], [jerk]
    trajectory = Trajectory(1)
    result = Ruckig(1).calculate(asked, trajectory)
    assert result in (Result.Working, Result.Finished), f"ruckig: {result}"
    return (lambda time: float(trajectory.at_time(time)[0][0])), float(trajectory.duration)
