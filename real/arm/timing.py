"""Time a joint path: one command per tick within limits of speed, acceleration and jerk.

ruckig and SciPy come with the extra `sawyer`, and are imported when they are first used.

The path is a smooth curve q(s), s from 0 to 1; ruckig moves s from rest to rest in the shortest time that the limits of
s', s'' and s''' allow. By the chain rule, a joint's speed, acceleration and jerk are q' s', q'' s'^2 + q' s'' and
q''' s'^3 + 3 q'' s' s'' + q' s'''; each term gets an equal share of its limit.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tabletop_interaction.arrays import Floats
from tabletop_interaction.real.arm.settings import RATE_HZ, MotionSettings
from tabletop_interaction.sawyer.kinematics import MAX_ACCELERATION, MAX_SPEED

if TYPE_CHECKING:
    from scipy.interpolate import CubicSpline

_SAMPLES = 200
_MIN_RATE = 1e-9


@dataclass(frozen=True, eq=False)
class JointCaps:
    """Limits of the joints: (7,) rad/s, rad/s^2 and rad/s^3."""

    speed: Floats
    acceleration: Floats
    jerk: Floats


def caps_of(motion: MotionSettings) -> JointCaps:
    """The limits that the settings give."""
    acceleration = motion.acceleration_ratio * MAX_ACCELERATION
    return JointCaps(motion.speed_ratio * MAX_SPEED, acceleration, acceleration / motion.ramp_s)


def time_path(path: Floats, caps: JointCaps, min_seconds: float = 0.0) -> Floats:
    """Joint commands (T, 7), one per 10 ms, after the first of the waypoints (n, 7) up to the last, from rest to rest.

    Two waypoints give a straight line, more give a cubic spline. `min_seconds` is the shortest duration at constant
    speed; the motion takes longer because it starts and ends at rest.
    """
    if np.abs(path - path[0]).max() < 1e-9:
        return path[-1:].copy()
    curve = _curve(path)
    speed, acceleration, jerk = _max_rates(curve, caps)
    profile, duration = _profile(min(speed, 1 / max(min_seconds, 1e-6)), acceleration, jerk)
    ticks = max(1, math.ceil(duration * RATE_HZ))
    along = [profile(min((tick + 1) / RATE_HZ, duration)) for tick in range(ticks)]
    commands = np.asarray(curve(np.clip(along, 0.0, 1.0)), np.float64)
    commands[-1] = path[-1]
    return commands


def braked(commands: Floats, at: int, caps: JointCaps) -> Floats:
    """Commands (n, 7) that slow down along a path from its command number `at`, streamed last, to rest.

    The commands (T, 7) are from rest to rest. The slowing alone takes up to 1.5 times the acceleration of `caps`, the
    path's own acceleration not counted; it ends on the path.
    """
    if at == 0:
        return commands[:0]
    speed = np.abs(commands[at] - commands[at - 1]) * RATE_HZ
    ticks = math.ceil(float((speed / caps.acceleration).max()) * RATE_HZ)
    done = np.arange(1, ticks + 1) / max(ticks, 1)
    return _played(commands, at + ticks * (done - done**3 + done**4 / 2))


def restarted(commands: Floats, caps: JointCaps) -> Floats:
    """Commands along the same path, from rest at the first to rest at the last, within `caps`.

    The given commands (T, 7) stay within `caps` and may be in motion at the first. At half their speed they take a
    quarter of their acceleration and an eighth of their jerk; the rest of both is left to speed up in the time that
    the chain rule gives (see above), with s the number of the command.
    """
    if len(commands) < 2:
        return commands[-1:].copy()
    speed = np.abs(np.diff(commands, axis=0)).max(axis=0) * RATE_HZ
    to_speed = speed / caps.acceleration
    to_accelerate = caps.acceleration / caps.jerk
    seconds = float(np.maximum.reduce([to_speed, 2.57 * to_accelerate, np.sqrt(6.86 * to_speed * to_accelerate)]).max())
    ramp = math.ceil(seconds * RATE_HZ)
    tick = np.arange(1, 2 * len(commands) + ramp + 1)
    done = np.minimum(tick / ramp, 1.0)
    at = 0.5 * (ramp * (done**3 - done**4 / 2) + np.maximum(tick - ramp, 0))
    end = len(commands) - 1
    return np.concatenate([_played(commands, at[at < end]), commands[-1:]])


def _played(commands: Floats, at: Floats) -> Floats:
    """The commands (T, 7) at fractions of their numbers, up to the last."""
    if len(at) == 0:
        return commands[:0]
    from scipy.interpolate import CubicSpline

    first, last = max(math.floor(at[0]) - 5, 0), min(math.ceil(at[-1]) + 6, len(commands))
    curve = CubicSpline(np.arange(first, last), commands[first:last])
    return np.asarray(curve(np.minimum(at, len(commands) - 1)), np.float64)


def _curve(path: Floats) -> "CubicSpline":
    """q(s); with two waypoints the cubic is a straight line."""
    from scipy.interpolate import CubicSpline

    return CubicSpline(np.linspace(0, 1, len(path)), path, bc_type="natural" if len(path) > 2 else "not-a-knot")


def _max_rates(curve: "CubicSpline", caps: JointCaps) -> tuple[float, float, float]:
    """Largest accepted s', s'' and s''' everywhere on the curve."""
    s = np.linspace(0, 1, _SAMPLES)
    slope, bend, twist = (np.abs(curve(s, order)).max(axis=0) for order in (1, 2, 3))
    bends = bool(bend.max() > 1e-6)
    half, third = (1 / 2, 1 / 3) if bends else (1.0, 1.0)
    speed = _smallest(caps.speed, slope)
    if bends:
        speed = min(
            speed,
            math.sqrt(_smallest(half * caps.acceleration, bend)),
            _smallest(third * caps.jerk, twist) ** (1 / 3),
        )
    acceleration = _smallest(half * caps.acceleration, slope)
    if bends:
        acceleration = min(acceleration, _smallest(third * caps.jerk, 3 * bend) / speed)
    return speed, acceleration, _smallest(third * caps.jerk, slope)


def _smallest(caps: Floats, rates: Floats) -> float:
    return float((caps / np.maximum(rates, _MIN_RATE)).min())


def _profile(speed: float, acceleration: float, jerk: float) -> tuple[Callable[[float], float], float]:
    """s as a function of time, from 0 at rest to 1 at rest, and its duration, seconds."""
    # An optional dependency; `open_sawyer` says how to install it.
    from ruckig import InputParameter, Result, Ruckig, Trajectory

    request = InputParameter(1)
    request.current_position, request.target_position = [0.0], [1.0]
    request.max_velocity, request.max_acceleration, request.max_jerk = [speed], [acceleration], [jerk]
    trajectory = Trajectory(1)
    result = Ruckig(1).calculate(request, trajectory)
    assert result in (Result.Working, Result.Finished), f"ruckig: {result}"
    return (lambda time: float(trajectory.at_time(time)[0][0])), float(trajectory.duration)
