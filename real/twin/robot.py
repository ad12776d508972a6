"""The twin's robot: the simulated arm behind the switches and commands that a Sawyer has, in simulated time.

It does in each simulation step what the robot's controller does: go towards the last command no faster than the speed
ratio allows, hold when stopped, press the fingers together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pybullet
from numpy.typing import NDArray

from tabletop_interaction.real.arm.settings import FULL_OPENING_M, RATE_HZ
from tabletop_interaction.real.twin.faults import TwinFaults
from tabletop_interaction.sawyer.kinematics import GRIPPER_TIP, MOST_SPEED
from tabletop_interaction.simulation import SimulationBackend
from tabletop_interaction.simulation.arm import STEP_S, SimulatedArm

FloatArray = NDArray[np.float64]

ESTOP_UP, ESTOP_PRESSED, ESTOP_RELEASED = 0, 1, 3

_STILL_M = 4e-5
_OPENING_S = 0.12
_GRIPPING_STEPS = 6
_DEAD_ZONE_M = 0.001
_LINK_NAME = 12


@dataclass
class AssemblyState:
    """The fields of `intera_core_msgs/RobotAssemblyState` that are asked for."""

    homed: bool = True
    ready: bool = True
    enabled: bool = True
    stopped: bool = False
    error: bool = False
    estop_button: int = ESTOP_UP
    estop_source: int = 0


class TwinRobot:
    """A Sawyer of PyBullet with its controller. Enabled and calibrated at first, as the operator leaves it.

    Args:
        table: a simulation with a scene; its arm is driven from here alone.
    """

    def __init__(self, table: SimulationBackend) -> None:
        self._table = table
        self.state = AssemblyState()
        self.faults = TwinFaults()
        self.speed_ratio = 0.3
        self.time_s = 0.0
        self._debt_s = 0.0
        self._command = self._target = self.arm.joint_angles()
        self._slope = np.zeros(7)
        self._goal_m = self._travel_m = self._start_m = self.arm.finger_travel()
        self._still_steps = self._opening_steps = 0
        self._forces: list[FloatArray] = []
        self._due: list[tuple[float, Callable[[], None]]] = []

    @property
    def arm(self) -> SimulatedArm:
        """The simulated arm; another one after each new scene."""
        return self._table.world.arm

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.time_s += seconds
        self._debt_s += seconds
        self._forces = []
        while self._debt_s > STEP_S / 2:
            self._debt_s -= STEP_S
            self._step()

    def at(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something when so much time has passed from now."""
        self._due.append((self.time_s + seconds, action))

    def command(self, q: FloatArray) -> None:
        """Take over joint angles (7,), to be reached by the time of the next command; refused while stopped."""
        if self.moves:
            most = self.speed_ratio * MOST_SPEED
            self._command, self._slope = q, np.clip((q - self._target) * RATE_HZ, -most, most)

    def move_fingers(self, opening: float) -> None:
        """Take over an opening of both fingers together, metres."""
        if self.moves and not self.faults.gripper_deaf:
            self._goal_m, self._still_steps = float(np.clip(opening, 0, FULL_OPENING_M)) / 2, 0
            self._start_m, self._opening_steps = min(self.arm.finger_travel(), self._goal_m), 0

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
        """Whether the fingers stand still before they came together as far as they shall."""
        return self._still_steps >= _GRIPPING_STEPS and self._travel_m > self._goal_m + _DEAD_ZONE_M

    @property
    def fingers_move(self) -> bool:
        """Whether the fingers moved in the last step."""
        return self._still_steps == 0

    def joints(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Angles, speeds and efforts (7,) of the joints."""
        return self.arm.joint_motion()

    def tip_position(self) -> FloatArray:
        """(3,) of the gripper's tip in the arm's base frame, from PyBullet, metres."""
        body, client = self.arm.body, self._table.world.client.id
        infos = (pybullet.getJointInfo(body, i, client) for i in range(pybullet.getNumJoints(body, client)))
        link = next(info[0] for info in infos if info[_LINK_NAME].decode() == GRIPPER_TIP)
        state = pybullet.getLinkState(body, link, computeForwardKinematics=1, physicsClientId=client)
        base = pybullet.getBasePositionAndOrientation(body, client)
        # A base with mass is told by its centre of mass.
        inertial = pybullet.getDynamicsInfo(body, -1, client)[3:5]
        frame = pybullet.multiplyTransforms(*base, *pybullet.invertTransform(*inertial))
        position, _ = pybullet.multiplyTransforms(*pybullet.invertTransform(*frame), state[4], state[5])
        return np.array(position)

    def tip_force(self) -> FloatArray:
        """(3,) N with which the arm and what it grips is pushed, mean over the last call of `advance`, base frame."""
        felt = np.mean(self._forces, axis=0) if self._forces else np.zeros(3)
        # The base's x axis points along the arena's y axis.
        return np.array([felt[1], -felt[0], felt[2]]) + self.faults.extra_force

    def press_estop(self) -> None:
        """The stop button goes down: the brakes hold every joint."""
        self.state.estop_button = ESTOP_PRESSED
        self.halt()

    def release_estop(self) -> None:
        """The stop button goes up; the robot stays stopped."""
        self.state.estop_button = ESTOP_RELEASED

    def halt(self) -> None:
        """Stop as the robot does by itself."""
        self.state.stopped, self.state.enabled = True, False
        self.stay()

    def settle(self) -> None:
        """Come to rest exactly where it was told to be: after that nothing is left of what happened before."""
        self.arm.jump(self._command)
        self._target, self._slope = self._command, np.zeros(7)
        self._goal_m = self._travel_m = self._start_m = self.arm.finger_travel()
        self._still_steps, self._debt_s = 0, 0.0

    def stay(self) -> None:
        """Let the arm stay where it is now."""
        self._command = self._target = self.arm.joint_angles()
        self._slope = np.zeros(7)

    def _step(self) -> None:
        self._act_when_due()
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
        if travel > self._goal_m + 1e-4:
            self.arm.squeeze()
        else:
            self.arm.move_fingers(self._opened_m())

    def _opened_m(self) -> float:
        """Where the fingers shall be on their way to open, slowly at both ends, as `Arm.open_fingers`."""
        self._opening_steps += 1
        done = min(1.0, self._opening_steps * STEP_S / _OPENING_S)
        return self._start_m + (self._goal_m - self._start_m) * done**2 * (3 - 2 * done)

    def _act_when_due(self) -> None:
        due = [action for at, action in self._due if at <= self.time_s - self._debt_s]
        self._due = [(at, action) for at, action in self._due if at > self.time_s - self._debt_s]
        for action in due:
            action()
