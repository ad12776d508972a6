"""What an arm does with its commands and what its force estimate shows: pure functions and the measured figures.

Times in seconds of the driver's clock, angles in radians, forces in newtons.
"""

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import numpy as np
from msgspec import Meta

from tabletop_interaction.arrays import Floats
from tabletop_interaction.errors import CalibrationRejected, InvalidConfiguration
from tabletop_interaction.real.arm.settings import SawyerSettings
from tabletop_interaction.sawyer.kinematics import MAX_SPEED
from tabletop_interaction.sawyer.model import ARM_JOINT_NAMES

Measure = Annotated[float, Meta(ge=0)]
SevenMeasures = tuple[Measure, Measure, Measure, Measure, Measure, Measure, Measure]

NOISE_FACTOR = 3.0
"""Smallest accepted ratio of `max_force_change_n` to the noise of the force."""

_CHANGE_FACTOR = 1.5
_FORCE_STEP_N = 0.5
_MAX_LAG_S = 0.5
_LAG_STEP_S = 0.001
_MIN_CORRELATION = 0.95
_MIN_LIMIT_N = 3.0


@dataclass(frozen=True)
class ForceNoise:
    """The force at the tip while nothing touches the gripper, N.

    Attributes:
        rms_n: root mean square of the difference from the mean.
        change_n: largest rise, as the check of a motion computes it.
    """

    rms_n: Measure
    change_n: Measure


@dataclass(frozen=True)
class Arrivals:
    """The messages of a topic as they arrive.

    Attributes:
        rate_hz: mean number per second.
        gap_s: longest time between two messages.
    """

    rate_hz: Measure
    gap_s: Measure


@dataclass(frozen=True)
class Grip:
    """The gripper at one moment: opening of both fingers together, force as it estimates it (None if it does not), and
    whether something is between the fingers."""

    opening_m: float
    force_n: float | None
    gripping: bool


@dataclass(frozen=True)
class StopButton:
    """What the stop button does to a held object.

    Attributes:
        held: before the button was pressed.
        stopped: some seconds after it was pressed.
        enabled: after the motors were enabled again.
    """

    held: Grip
    stopped: Grip
    enabled: Grip


@dataclass(frozen=True)
class ArmResponse:
    """Section "measured" of the lab file.

    Attributes:
        robot: name of the measured robot.
        measured_at: time of the measurement.
        lag_s: delay of the measured joint angles behind the commands, by joint; it includes both ways of the network.
        steady_error_rad: distance from the command at rest, by joint.
        force_at_rest: noise of the force while the arm holds.
        force_moving: noise of the force while the arm moves slowly in free space.
        topics: messages of each topic that protects, by its name.
        clocks: difference of the clocks, as checked on connecting; empty if it was not checked.
        command_timeout_s: time after the last command at which the arm stopped by itself; None if it went on to that
            command.
        stop_button: None if it was not tried.
    """

    robot: str
    measured_at: datetime
    lag_s: SevenMeasures
    steady_error_rad: SevenMeasures
    force_at_rest: ForceNoise
    force_moving: ForceNoise
    topics: dict[str, Arrivals]
    clocks: str = ""
    command_timeout_s: Measure | None = None
    stop_button: StopButton | None = None

    @property
    def noise_n(self) -> float:
        """Root mean square noise of the force, N: the larger of rest and motion."""
        return max(self.force_at_rest.rms_n, self.force_moving.rms_n)

    @property
    def smallest_force_limit_n(self) -> float:
        """The smallest sensible `max_force_change_n`, N."""
        change = max(self.force_at_rest.change_n, self.force_moving.change_n)
        needed = max(NOISE_FACTOR * self.noise_n, _CHANGE_FACTOR * change, _MIN_LIMIT_N)
        return _FORCE_STEP_N * math.ceil(round(needed / _FORCE_STEP_N, 6))

    def tracking_error(self, speed_ratio: float) -> tuple[float, str]:
        """Largest expected distance of a joint from its command at a fraction of the rated speeds, radians, and the
        joint."""
        errors = speed_ratio * MAX_SPEED * np.array(self.lag_s) + np.array(self.steady_error_rad)
        joint = int(np.argmax(errors))
        return float(errors[joint]), ARM_JOINT_NAMES[joint]


def check_response(measured: ArmResponse | None, settings: SawyerSettings) -> None:
    """Refuse settings that would stop a healthy arm: limits below what was measured without any contact.

    Raises:
        InvalidConfiguration: gives the setting, the measured figure and what is accepted.
    """
    if measured is None:
        return
    again = "or run `tabletop calibrate arm` again"
    limit, needed = settings.safety.max_force_change_n, NOISE_FACTOR * measured.noise_n
    if limit < needed:
        raise InvalidConfiguration(
            f"max_force_change_n is {limit:g} N, but the force of {measured.robot} has {measured.noise_n:.2f} N of "
            f"noise without contact; accepted is {needed:.1f} N or more; raise it to "
            f"{measured.smallest_force_limit_n:g}, {again}"
        )
    lag, joint = measured.tracking_error(settings.motion.speed_ratio)
    if settings.safety.max_tracking_error_rad < lag:
        raise InvalidConfiguration(
            f"max_tracking_error_rad is {settings.safety.max_tracking_error_rad:g} rad, but at speed_ratio "
            f"{settings.motion.speed_ratio:g} {joint} of {measured.robot} is {lag:.3f} rad behind its command; "
            f"accepted is that or more; lower speed_ratio, raise max_tracking_error_rad, {again}"
        )


def lag_of(sent_at: Floats, sent: Floats, measured_at: Floats, measured: Floats, joint: str) -> float:
    """The delay of measured joint angles (N,) behind the commands (T,) with the highest correlation, seconds.

    Both come with their times (N,) and (T,).

    Raises:
        CalibrationRejected: no delay explains the motion.
    """
    delays = np.arange(0.0, _MAX_LAG_S, _LAG_STEP_S)
    expected = np.interp(measured_at[:, None] - delays, sent_at, sent)
    correlation = _correlation(expected - expected.mean(axis=0), measured - measured.mean())
    best = int(np.argmax(correlation))
    if not correlation[best] >= _MIN_CORRELATION or best == len(delays) - 1:
        raise CalibrationRejected(
            f"{joint} does not follow its commands: the correlation is {correlation[best]:.2f} at a lag of "
            f"{delays[best]:.3f} s; accepted is {_MIN_CORRELATION} or more below {_MAX_LAG_S} s; nothing was written; "
            "check that nothing else commands the arm, and the network"
        )
    return float(delays[best])


def force_noise(recordings: list[Floats]) -> ForceNoise:
    """The noise of forces (T, 3) in one recording or more; each has its own mean."""
    spread = np.concatenate([forces - forces.mean(axis=0) for forces in recordings])
    rms = math.sqrt(float((spread**2).sum(axis=1).mean()))
    return ForceNoise(rms, max(_largest_rise(forces) for forces in recordings))


def arrivals_of(stamps: Floats) -> Arrivals:
    """Rate and longest gap of messages from the stamps (T,) of the newest one, read again and again.

    Raises:
        CalibrationRejected: there was only one message.
    """
    arrived = np.unique(stamps)
    if len(arrived) < 2:
        raise CalibrationRejected("a topic of the robot is silent; nothing was written; run `tabletop doctor`")
    gaps = np.diff(arrived)
    return Arrivals(round(1 / float(gaps.mean()), 2), round(float(gaps.max()), 4))


def _correlation(expected: Floats, measured: Floats) -> Floats:
    """Pearson's r of centred columns (N, D) with a centred series (N,)."""
    norm = np.linalg.norm(expected, axis=0) * np.linalg.norm(measured)
    return np.asarray(measured @ expected / np.maximum(norm, 1e-12), np.float64)


def _largest_rise(forces: Floats) -> float:
    """Largest difference from the smallest force so far, as a motion is judged."""
    reference, largest = forces[0], 0.0
    for force in forces:
        if np.linalg.norm(force) < np.linalg.norm(reference):
            reference = force
        largest = max(largest, float(np.linalg.norm(force - reference)))
    return largest
