"""The twin's robot: the simulated arm with the switches, commands and faults of a Sawyer, in simulated time.

Each simulation step does what the robot's controller does: move towards the last command no faster than the speed ratio
allows, hold if stopped, press the fingers together.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pybullet

from tabletop_interaction.arrays import Floats
from tabletop_interaction.real.arm.settings import FULL_OPENING_M, RATE_HZ
from tabletop_interaction.sawyer.kinematics import GRIPPER_TIP, MAX_SPEED
from tabletop_interaction.simulation import SimulationBackend
from tabletop_interaction.simulation.arm import STEP_S, SimulatedArm

_ESTOP_UP, _ESTOP_PRESSED, _ESTOP_RELEASED = 0, 1, 3

_STILL_M = 4e-5
_OPENING_S = 0.12
_GRIPPING_STEPS = 6
_DEAD_ZONE_M = 0.001
_TOUCH_M = 3e-4
_LINK_NAME = 12


@dataclass
class AssemblyState:
    """The fields of `intera_core_msgs/RobotAssemblyState` that are used."""

    enabled: bool = True
    stopped: bool = False
    error: bool = False
    estop_button: int = _ESTOP_UP


@dataclass
class TwinFaults:
    """Switches for the faults of a robot; all are off at first.

    Attributes:
        silent: topics that are no longer published.
        not_finite: topics of numbers that are published with NaN.
        blocked_joint: number of a joint that no longer moves, or None.
        collided: the robot reports a collision.
        extra_force: (3,) N, added to the force at the tip, base frame.
        gripper_deaf: the gripper ignores commands.
        gripper_error: the gripper reports an error.
        gripper_uncalibrated: the gripper has lost its calibration.
        head_turn: pan angle of the head, radians; 0 ahead.
        unplugged_views: names of the cameras that give no more pictures.
    """

    silent: set[str] = field(default_factory=set)
    not_finite: set[str] = field(default_factory=set)
    blocked_joint: int | None = None
    collided: bool = False
    extra_force: Floats = field(default_factory=lambda: np.zeros(3))
    gripper_deaf: bool = False
    gripper_error: bool = False
    gripper_uncalibrated: bool = False
    head_turn: float = 0.0
    unplugged_views: set[str] = field(default_factory=set)


class TwinRobot:
    """A Sawyer in PyBullet with its controller, enabled and calibrated. Only this class drives the table's arm."""

    def __init__(self, table: SimulationBackend) -> None:
        self._table = table
        self.state = AssemblyState()
        self.faults = TwinFaults()
        self.speed_ratio = 0.3
        self.command_timeout_s = math.inf
        """Time without a command after which the arm stops on its way, seconds."""
        self.held_out_m = 0.0
        """Width of an object that a person holds between the fingers, metres; 0 without one."""
        self.time_s = 0.0
        self._debt_s = 0.0
        self._command = self._target = self.arm.joint_angles()
        self._slope = np.zeros(7)
        self._commanded_at = 0.0
        self._goal_m = self._travel_m = self._start_m = self.arm.finger_travel()
        self._still_steps = self._opening_steps = 0
        self._forces: list[Floats] = []
        self._due: list[tuple[float, Callable[[], None]]] = []

    @property
    def arm(self) -> SimulatedArm:
        """The simulated arm; a new scene replaces it."""
        return self._table.world.arm

    def advance(self, seconds: float) -> None:
        """Simulate `seconds`."""
        self.time_s += seconds
        self._debt_s += seconds
        self._forces = []
        while self._debt_s > STEP_S / 2:
            self._debt_s -= STEP_S
            self._step()

    def at(self, seconds: float, action: Callable[[], None]) -> None:
        """Call `action` after `seconds` of simulated time."""
        self._due.append((self.time_s + seconds, action))

    def command(self, q: Floats) -> None:
        """Set joint angles (7,), to be reached by the time of the next command; ignored if stopped."""
        if self.moves:
            limit = self.speed_ratio * MAX_SPEED
            self._commanded_at = self.time_s
            self._command, self._slope = q, np.clip((q - self._target) * RATE_HZ, -limit, limit)

    def move_fingers(self, opening: float) -> None:
        """Set an opening of both fingers together, metres."""
        if self.moves and not self.faults.gripper_deaf:
            self._goal_m, self._still_steps = float(np.clip(opening, 0, FULL_OPENING_M)) / 2, 0
            self._start_m, self._opening_steps = min(self.arm.finger_travel(), self._goal_m), 0

    def reboot_gripper(self) -> None:
        """Clear the gripper's error; it loses its calibration."""
        self.faults.gripper_error, self.faults.gripper_uncalibrated = False, True

    def calibrate_gripper(self) -> None:
        """Open the fingers, which drops what they hold."""
        self.faults.gripper_uncalibrated = self.faults.gripper_error
        self.move_fingers(FULL_OPENING_M)

    @property
    def moves(self) -> bool:
        """Whether it takes commands."""
        return self.state.enabled and not self.state.stopped

    @property
    def opening(self) -> float:
        """Of both fingers together, metres."""
        return 2 * self.arm.finger_travel()

    @property
    def gripping(self) -> bool:
        """Whether the fingers are at rest before they reach their goal."""
        return self._still_steps >= _GRIPPING_STEPS and self._travel_m > self._goal_m + _DEAD_ZONE_M

    def joints(self) -> tuple[Floats, Floats, Floats]:
        """Angles, speeds and efforts (7,) of the joints."""
        return self.arm.joint_motion()

    def tip_position(self) -> Floats:
        """(3,) position of the gripper's tip in the arm's base frame, from PyBullet, metres."""
        body, client = self.arm.body, self._table.world.client.id
        infos = (pybullet.getJointInfo(body, i, client) for i in range(pybullet.getNumJoints(body, client)))
        link = next(info[0] for info in infos if info[_LINK_NAME].decode() == GRIPPER_TIP)
        state = pybullet.getLinkState(body, link, computeForwardKinematics=1, physicsClientId=client)
        base = pybullet.getBasePositionAndOrientation(body, client)
        # PyBullet gives the centre of mass of a base with mass.
        inertial = pybullet.getDynamicsInfo(body, -1, client)[3:5]
        frame = pybullet.multiplyTransforms(*base, *pybullet.invertTransform(*inertial))
        position, _ = pybullet.multiplyTransforms(*pybullet.invertTransform(*frame), state[4], state[5])
        return np.array(position)

    def tip_force(self) -> Floats:
        """(3,) N on the arm and what it grips, mean over the last call of `advance`, base frame."""
        force = np.mean(self._forces, axis=0) if self._forces else np.zeros(3)
        # The base's x axis points along the arena's y axis.
        return np.array([force[1], -force[0], force[2]]) + self.faults.extra_force

    def press_estop(self) -> None:
        """Press the stop button."""
        self.state.estop_button = _ESTOP_PRESSED
        self.halt()

    def release_estop(self) -> None:
        """Release the stop button; the robot stays stopped."""
        self.state.estop_button = _ESTOP_RELEASED

    def clear_stop(self) -> str:
        """Clear a stop; returns the reason of a refusal, or an empty text."""
        if not self.state.stopped:
            return "Failed to Reset due to lack of Error State."
        if self.state.estop_button == _ESTOP_PRESSED:
            return "Failed to Reset: E-Stop Engaged"
        self.state.stopped, self.state.error, self.state.estop_button = False, False, _ESTOP_UP
        return ""

    def enable(self) -> None:
        """Switch the motors on unless stopped."""
        self.state.enabled = self.state.enabled or not self.state.stopped

    def disable(self) -> None:
        """Switch the motors off; the brakes hold."""
        self.state.enabled = False
        self.stay()

    def halt(self) -> None:
        """Stop as the robot does by itself."""
        self.state.stopped = True
        self.disable()

    def settle(self) -> None:
        """Jump to the commanded joint angles at rest; no effect of earlier motion remains."""
        self.arm.jump(self._command)
        self._target, self._slope = self._command, np.zeros(7)
        self._goal_m = self._travel_m = self._start_m = self.arm.finger_travel()
        self._still_steps, self._debt_s = 0, 0.0

    def stay(self) -> None:
        """Hold the present joint angles."""
        self._command = self._target = self.arm.joint_angles()
        self._slope = np.zeros(7)

    def _step(self) -> None:
        self._act_when_due()
        if self.time_s - self._debt_s - self._commanded_at > self.command_timeout_s:
            self._command = self._target
        gap = self._command - self._target
        change = np.where(np.abs(self._slope) * STEP_S < np.abs(gap), self._slope * STEP_S, gap)
        if (blocked := self.faults.blocked_joint) is not None:
            change[blocked] = 0.0
        self._target = self._target + change
        self.arm.command(self._target, change / STEP_S)
        self._press_fingers()
        self.arm.step()
        self._forces.append(self._table.world.push_on_arm())

    def _press_fingers(self) -> None:
        travel = self.arm.finger_travel()
        self._still_steps = self._still_steps + 1 if abs(travel - self._travel_m) < _STILL_M else 0
        self._travel_m = travel
        if self.held_out_m and travel <= self.held_out_m / 2 + _TOUCH_M:
            self.arm.move_fingers(max(self._opened_m(), self.held_out_m / 2))
        elif travel > self._goal_m + 1e-4:
            self.arm.squeeze()
        else:
            self.arm.move_fingers(self._opened_m())

    def _opened_m(self) -> float:
        """Target of the fingers while they open, slow at both ends, as in the simulated arm's `open_fingers`."""
        self._opening_steps += 1
        done = min(1.0, self._opening_steps * STEP_S / _OPENING_S)
        return self._start_m + (self._goal_m - self._start_m) * done**2 * (3 - 2 * done)

    def _act_when_due(self) -> None:
        due = [action for at, action in self._due if at <= self.time_s - self._debt_s]
        self._due = [(at, action) for at, action in self._due if at > self.time_s - self._debt_s]
        for action in due:
            action()


@dataclass(frozen=True, eq=False)
class TwinClock:
    """Simulated time: sleeping advances the robot and then calls `after_sleep`."""

    robot: TwinRobot
    after_sleep: Callable[[], None]

    def now(self) -> float:
        """Simulated seconds."""
        return self.robot.time_s

    def sleep(self, seconds: float) -> None:
        """Simulate `seconds`."""
        if seconds > 0:
            self.robot.advance(seconds)
            self.after_sleep()
