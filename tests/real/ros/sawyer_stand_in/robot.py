"""The stand-in's arm and gripper: simple kinematics that follow position commands, with the robot's switches.

Joint arrays are float64 (7,), radians, right_j0 to right_j6. Times are seconds of `time.monotonic()`.
"""

from dataclasses import dataclass, field

import numpy as np

from tabletop_interaction.arrays import Floats
from tabletop_interaction.real.arm.settings import FULL_OPENING_M, MotionSettings
from tabletop_interaction.sawyer.kinematics import MAX_ACCELERATION, MAX_SPEED, forward

VIEWS = ("view_0", "view_1")
PICTURE_HW = (48, 64)
"""Cameras and the size of their pictures, pixels."""

AWAY = (0.5, *MotionSettings().away[1:])
"""Where the arm starts, radians: near the table, so that moves are short."""

UP, PRESSED, RELEASED = 0, 1, 3
"""The stop button, as in RobotAssemblyState."""

_STEP_S = 0.002
_CALIBRATION_S = 0.5
_DEAD_ZONE_M = 0.001
_MIN_SPEED_M_S = 0.15


@dataclass
class Faults:
    """What is wrong with the robot; each line of JSON on the node's input sets some of these.

    Attributes:
        silent: topics that are not sent, by their last name, such as "joint_states".
        nan: topics of numbers that are sent with NaN.
        repeated: topics that repeat their last message.
        no_velocities: joint states come without velocities and efforts.
        mixed_joints: joint states come with joints in another order and with joints of other parts.
        lag_s: time constant of the arm behind its command.
        delay_s: age of the joint states that are sent.
        hides_delay: late joint states carry the present time.
        zero: topics of numbers that are sent with zeros.
        half: topics that are sent with half of their values.
        slow: topics are sent that many times less often.
        clock_s: the robot's clock minus this machine's.
        blocked: number of a joint that does not move.
        force: N on the tip, base frame.
        noise_n: standard deviation of the reported force.
        collided: a collision is reported.
        stays_stopped: a stop cannot be cleared.
        gripper_error: the gripper reports an error, also after a reboot.
        gripper_deaf: the gripper neither acknowledges nor obeys commands.
        gripper_stuck: the gripper acknowledges commands and does not move.
        head: pan angle, radians.
        tip_m: added to the reported z of the tip, metres.
        frozen_views: views whose camera repeats one picture with new stamps.
        dark_views: views without pictures.
    """

    silent: list[str] = field(default_factory=list)
    nan: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    no_velocities: bool = False
    mixed_joints: bool = False
    lag_s: float = 0.03
    delay_s: float = 0.0
    hides_delay: bool = False
    zero: list[str] = field(default_factory=list)
    half: list[str] = field(default_factory=list)
    slow: int = 1
    clock_s: float = 0.0
    blocked: int | None = None
    force: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    noise_n: float = 0.3
    collided: bool = False
    stays_stopped: bool = False
    gripper_error: bool = False
    gripper_deaf: bool = False
    gripper_stuck: bool = False
    head: float = 0.0
    tip_m: float = 0.0
    frozen_views: list[str] = field(default_factory=list)
    dark_views: list[str] = field(default_factory=list)


class Arm:
    """Follows the newest position command with a lag, and holds when none came for the command timeout."""

    def __init__(self) -> None:
        self.q = np.array(AWAY)
        self.velocity = np.zeros(7)
        self.speed_ratio = 0.3
        self.timeout_s = 0.2
        self._target = self.q
        self._commanded_at = -np.inf

    def command(self, q: Floats, now: float) -> None:
        """Set joint angles to follow."""
        self._target, self._commanded_at = q, now

    def advance(self, seconds: float, now: float, faults: Faults, *, motors: bool) -> None:
        """Move for `seconds` until `now`."""
        if not motors or now - self._commanded_at > self.timeout_s:
            self._commanded_at, self._target = -np.inf, self.q
        limit = self.speed_ratio * MAX_SPEED
        for _ in range(max(1, round(seconds / _STEP_S))):
            wanted = np.clip((self._target - self.q) / faults.lag_s, -limit, limit)
            if self._commanded_at == -np.inf:
                wanted, self._target = np.zeros(7), self.q
            change = MAX_ACCELERATION * _STEP_S
            self.velocity = self.velocity + np.clip(wanted - self.velocity, -change, change)
            if faults.blocked is not None:
                self.velocity[faults.blocked] = 0.0
            self.q = self.q + self.velocity * _STEP_S


@dataclass
class Gripper:
    """Rethink's electric gripper: fingers with an object between them, or without."""

    opening: float = FULL_OPENING_M
    goal: float = FULL_OPENING_M
    speed_m_s: float = _MIN_SPEED_M_S
    calibrated: bool = True
    error: bool = False
    object_m: float | None = None
    """Width of what lies between the fingers; they stop at it."""
    opened: int = 0
    """How often an object that was held has been released since it was put there."""
    _calibrates_s: float = 0.0

    @property
    def holds(self) -> bool:
        """Whether the fingers press on the object."""
        return self.object_m is not None and self.opening <= self.object_m + 1e-4 and self.goal < self.opening

    @property
    def gripping(self) -> bool:
        """What it reports: something stops the fingers before their goal."""
        return self.holds and self.opening > self.goal + _DEAD_ZONE_M

    @property
    def moving(self) -> bool:
        """Whether the fingers move."""
        return self._calibrates_s > 0 or (abs(self.opening - self.goal) > 1e-5 and not self.holds)

    def set(self, signal: str, value: float) -> None:
        """Set one of its signals."""
        if signal == "position_m" and self.calibrated and not self.error:
            held, self.goal = self.holds, float(np.clip(value, 0, FULL_OPENING_M))
            self.opened += held and not self.holds
        elif signal == "speed_mps":
            self.speed_m_s = value
        elif signal in ("calibrate", "reboot") and value:
            # Both move the fingers apart: whatever they held falls.
            self.opened += self.holds
            self.goal, self.calibrated = FULL_OPENING_M, False
            self._calibrates_s = _CALIBRATION_S if signal == "calibrate" else 0.0
            self.error = self.error and signal == "calibrate"

    def advance(self, seconds: float) -> None:
        """Move the fingers for `seconds`."""
        step = self.speed_m_s * seconds
        self.opening += float(np.clip(self.goal - self.opening, -step, step))
        if self.object_m is not None and self.goal < self.object_m:
            self.opening = max(self.opening, self.object_m)
        if self._calibrates_s > 0:
            self._calibrates_s -= seconds
            self.calibrated = self._calibrates_s <= 0


class Robot:
    """Arm, gripper and the state of the assembly."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.arm = Arm()
        self.gripper = Gripper()
        self.enabled, self.stopped, self.error = True, False, False
        self.button = UP

    @property
    def motors(self) -> bool:
        """Whether the arm takes commands."""
        return self.enabled and not self.stopped

    def advance(self, seconds: float, now: float) -> None:
        """Move for `seconds` until `now`."""
        self.arm.advance(seconds, now, self.faults, motors=self.motors)
        if not self.faults.gripper_stuck:
            self.gripper.advance(seconds)

    def press(self) -> None:
        """Press the stop button."""
        self.button = PRESSED
        self.stop()

    def release(self) -> None:
        """Release the stop button; the robot stays stopped."""
        self.button = RELEASED if self.stopped else UP

    def stop(self) -> None:
        """Stop as by the stop button, but from software."""
        self.stopped, self.enabled = True, False

    def fail(self) -> None:
        """Report an error without a stop."""
        self.error = True

    def disable(self) -> None:
        """Switch the motors off."""
        self.enabled = False

    def reset(self) -> None:
        """Clear stop and error unless the button is pressed; the motors stay off."""
        if self.button != PRESSED and not self.faults.stays_stopped:
            self.stopped, self.error, self.button = False, False, UP

    def enable(self) -> None:
        """Switch the motors on unless stopped."""
        self.enabled = self.enabled or not self.stopped

    def heal(self) -> None:
        """No fault, motors on, at rest where it is; the gripper keeps its place and its object."""
        self.faults = Faults()
        self.enabled, self.stopped, self.error, self.button = True, False, False, UP
        self.gripper.error, self.gripper.calibrated = False, True

    def lose(self) -> None:
        """The object falls out of the fingers."""
        self.gripper.object_m = None

    def lay(self) -> None:
        """An object 20 mm wide lies wherever the fingers close."""
        self.gripper.object_m = 0.02

    def grasp(self) -> None:
        """The fingers hold an object 20 mm wide that was never released."""
        self.lay()
        self.gripper.goal, self.gripper.opening, self.gripper.opened = 0.0, 0.02, 0

    def shift(self) -> None:
        """Somebody pushes the arm by 0.1 rad."""
        self.arm.q = self.arm.q + np.array([0.1, 0, 0, 0, 0, 0, 0])

    def uncalibrate(self) -> None:
        """The gripper forgets its calibration and keeps its fingers where they are."""
        self.gripper.calibrated = False

    def err(self) -> None:
        """The gripper reports an error until it is rebooted."""
        self.gripper.error = True

    @property
    def tip(self) -> Floats:
        """(4, 4) base_from_tip."""
        return forward(self.arm.q)
