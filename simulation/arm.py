"""The Sawyer in PyBullet: joint motors that follow a path at 240 Hz, and two fingers of limited force.

World frame = arena frame. A free-space transit jumps (the arm is out of view and touches nothing); whatever may touch
something is simulated step by step.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pybullet
from numpy.typing import NDArray

from tabletop_interaction.sawyer.kinematics import HOME, forward, straight_down_path
from tabletop_interaction.sawyer.model import (
    ARM_JOINT_NAMES,
    FINGER_JOINT_NAMES,
    FINGER_TRAVEL,
    JOINTS,
    write_sawyer_urdf,
)

FloatArray = NDArray[np.float64]

STEP_S = 1 / 240
BASE_XYZ = (0.0, -0.575, 0.10)
"""Where the arm's base stands, arena frame, metres; its x axis points along the arena's y."""

_BASE_YAW = np.pi / 2
_LIMITS = [joint.limits for joint in JOINTS if joint.name in ARM_JOINT_NAMES and joint.limits is not None]
_ARM_FORCES = [limits.effort for limits in _LIMITS]
_MOST_SPEED = 0.98 * np.array([limits.velocity for limits in _LIMITS])
_FINGER_FORCE_N = 20.0
_FINGER_SPEED = 0.25
_RACK_FORCE_N = 2 * _FINGER_FORCE_N
_RACK_STIFFNESS = 0.2
_RAMP = 0.2
_PAD_FRICTION = 1.4
_PAD_SPINNING_FRICTION = 0.01
# Fields of PyBullet's joint info.
_JOINT_NAME, _LINK_NAME = 1, 12

_FINGER_LINKS = (
    ("right_gripper_l_finger", "right_gripper_l_finger_tip"),
    ("right_gripper_r_finger", "right_gripper_r_finger_tip"),
)

AWAY = HOME + np.array([2.7, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
"""Joint angles with the arm turned back from the table, out of every view."""


class Arm:
    """The arm and its gripper in one PyBullet client.

    Args:
        client: the PyBullet client to load it into.
        on_step: called after every simulation step.
    """

    def __init__(self, client: int, on_step: Callable[[], None] | None = None) -> None:
        self._client = client
        self._on_step = on_step
        self.body = load_arm(client)
        joints = _indices_by_name(self.body, client, _JOINT_NAME)
        self._arm_joints = [joints[name] for name in ARM_JOINT_NAMES]
        self.fingers = [joints[name] for name in FINGER_JOINT_NAMES]
        links = _indices_by_name(self.body, client, _LINK_NAME)
        self.sides = tuple(frozenset(links[name] for name in names) for names in _FINGER_LINKS)
        self.finger_links = self.sides[0] | self.sides[1]
        self._opening = FINGER_TRAVEL
        self._set_friction()
        self._couple_fingers()
        self.jump(AWAY)
        self.set_fingers(FINGER_TRAVEL)

    def joint_angles(self) -> FloatArray:
        """(7,) measured joint angles, radians."""
        states = pybullet.getJointStates(self.body, self._arm_joints, physicsClientId=self._client)
        return np.array([state[0] for state in states])

    def joint_motion(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """(7,) each: measured joint angles, radians, speeds, rad/s, and the motors' torques, N m."""
        states = pybullet.getJointStates(self.body, self._arm_joints, physicsClientId=self._client)
        return np.array([s[0] for s in states]), np.array([s[1] for s in states]), np.array([s[3] for s in states])

    def all_joint_positions(self) -> list[float]:
        """Position of every joint of the body, fixed ones too, in PyBullet's order."""
        count = pybullet.getNumJoints(self.body, physicsClientId=self._client)
        states = pybullet.getJointStates(self.body, range(count), physicsClientId=self._client)
        return [state[0] for state in states]

    def vertical_path(self, x: float, y: float, angle: float, z_from: float, z_to: float) -> FloatArray:
        """Joint angles (n, 7) of a straight way down at (x, y), arena frame.

        Raises:
            UnreachableTarget: the arm cannot follow it.
        """
        base_z = BASE_XYZ[2]
        return straight_down_path(y - BASE_XYZ[1], -x, z_from - base_z, z_to - base_z, angle - _BASE_YAW, HOME)

    def jump(self, q: FloatArray) -> None:
        """Set the arm's joints at once; the fingers keep their opening."""
        for joint, angle in zip(self._arm_joints, q, strict=True):
            pybullet.resetJointState(self.body, joint, angle, 0.0, physicsClientId=self._client)
        self.command(q, np.zeros(7))

    def set_fingers(self, opening: float) -> None:
        """Set each finger's travel at once, metres (0 closed, `FINGER_TRAVEL` open)."""
        for joint, sign in zip(self.fingers, (1, -1), strict=True):
            pybullet.resetJointState(self.body, joint, sign * opening, 0.0, physicsClientId=self._client)
        self._opening = opening
        self._command_fingers()

    def follow(
        self, path: FloatArray, seconds: float, stop: Callable[[], bool] | None = None, squeeze: bool = False
    ) -> bool:
        """Stream a joint path (n, 7) through the motors, slowly at both ends.

        Args:
            path: waypoints, at any distance from each other.
            seconds: how long it takes, where the joints are fast enough.
            stop: asked every few steps; True ends the motion where it is.
            squeeze: whether the fingers go on closing meanwhile.

        Returns:
            whether it came to the end of the path.
        """
        targets, velocities = time_path(path, seconds)
        for step, (target, velocity) in enumerate(zip(targets, velocities, strict=True), start=1):
            self.command(target, velocity)
            if squeeze:
                self.squeeze()
            self.step()
            if stop is not None and step % 3 == 0 and stop():
                self.command(self.joint_angles(), np.zeros(7))
                return False
        return True

    def rise(self, path: FloatArray, seconds: float, squeeze: bool = False) -> None:
        """Go back up a path (n, 7) that was come down, from wherever the arm is on it."""
        here = self.joint_angles()
        height = forward(here)[2, 3]
        above = [q for q in path[::-1] if forward(q)[2, 3] > height]
        self.follow(np.array([here, *above]), seconds, squeeze=squeeze)

    def close_fingers(self, most_seconds: float = 0.25) -> None:
        """Close with limited force until the fingers stand still."""
        still = 0
        for _ in range(round(most_seconds / STEP_S)):
            before = self._opening
            self.squeeze()
            self.step()
            still = still + 1 if abs(self.finger_travel() - before) < 2e-5 else 0
            if still > 4:
                return

    def open_fingers(self, seconds: float = 0.12) -> None:
        """Open to the widest, slowly at both ends: pads that leave at speed throw what they let go."""
        start = self.finger_travel()
        steps = round(seconds / STEP_S)
        for done in np.arange(1, steps + 1) / steps:
            self.move_fingers(start + (FINGER_TRAVEL - start) * float(done**2 * (3 - 2 * done)))
            self.step()

    def hold(self, seconds: float) -> None:
        """Let time pass with the arm where it is and the fingers pressing."""
        for _ in range(round(seconds / STEP_S)):
            self.squeeze()
            self.step()

    def finger_travel(self) -> float:
        """Mean travel of the two fingers, metres: 0 closed, `FINGER_TRAVEL` open."""
        (left, *_), (right, *_) = pybullet.getJointStates(self.body, self.fingers, physicsClientId=self._client)
        return float((left - right) / 2)

    def command(self, q: FloatArray, velocity: FloatArray) -> None:
        """Let the joint motors go to `q` (7,) radians at `velocity` (7,) rad/s in the steps that follow."""
        pybullet.setJointMotorControlArray(
            self.body,
            self._arm_joints,
            pybullet.POSITION_CONTROL,
            targetPositions=q,
            targetVelocities=velocity,
            forces=_ARM_FORCES,
            positionGains=[0.3] * 7,
            velocityGains=[1.0] * 7,
            physicsClientId=self._client,
        )

    def squeeze(self) -> None:
        """Let both fingers press inwards from where they are."""
        self._opening = self.finger_travel()
        self._command_fingers(inwards=_FINGER_SPEED * STEP_S * 4)

    def move_fingers(self, travel: float) -> None:
        """Let the fingers go to a travel, metres, and stay there in the steps that follow."""
        self._opening = travel
        self._command_fingers()

    def step(self) -> None:
        """One step of 1/240 s."""
        pybullet.stepSimulation(physicsClientId=self._client)
        if self._on_step is not None:
            self._on_step()

    def _command_fingers(self, inwards: float = 0.0) -> None:
        target = self._opening - inwards
        pybullet.setJointMotorControlArray(
            self.body,
            self.fingers,
            pybullet.POSITION_CONTROL,
            targetPositions=[target, -target],
            forces=[_FINGER_FORCE_N] * 2,
            positionGains=[0.3] * 2,
            physicsClientId=self._client,
        )

    def _set_friction(self) -> None:
        for link in self.finger_links:
            pybullet.changeDynamics(
                self.body,
                link,
                lateralFriction=_PAD_FRICTION,
                spinningFriction=_PAD_SPINNING_FRICTION,
                physicsClientId=self._client,
            )

    def _couple_fingers(self) -> None:
        """What one finger travels the other does, by one rack: two motors of equal force would let both drift."""
        origin = [0, 0, 0]
        rack = pybullet.createConstraint(
            self.body,
            self.fingers[0],
            self.body,
            self.fingers[1],
            pybullet.JOINT_GEAR,
            [0, 1, 0],
            origin,
            origin,
            physicsClientId=self._client,
        )
        pybullet.changeConstraint(
            rack, gearRatio=1, maxForce=_RACK_FORCE_N, erp=_RACK_STIFFNESS, physicsClientId=self._client
        )


def load_arm(client: int) -> int:
    """Load the Sawyer where it stands; returns its PyBullet id."""
    with tempfile.TemporaryDirectory() as folder:
        urdf = write_sawyer_urdf(Path(folder) / "sawyer.urdf")
        return int(
            pybullet.loadURDF(
                str(urdf),
                BASE_XYZ,
                pybullet.getQuaternionFromEuler([0, 0, _BASE_YAW]),
                useFixedBase=True,
                physicsClientId=client,
            )
        )


def _indices_by_name(body: int, client: int, name_field: int) -> dict[str, int]:
    """PyBullet's index of each joint, and of the link behind it, by the name in that field of its joint info."""
    count = pybullet.getNumJoints(body, physicsClientId=client)
    infos = [pybullet.getJointInfo(body, i, physicsClientId=client) for i in range(count)]
    return {info[name_field].decode(): info[0] for info in infos}


def time_path(path: FloatArray, seconds: float) -> tuple[FloatArray, FloatArray]:
    """Joint targets and velocities (steps, 7) along a path (n, 7) in `seconds`, or longer where a joint is too slow.

    It starts and ends at rest: the speed rises over the first fifth of the time and falls over the last.
    """
    steps = max(2, round(seconds / STEP_S))
    targets, velocities = _sampled(path, steps)
    haste = float(np.max(np.abs(velocities) / _MOST_SPEED))
    if haste > 1:
        targets, velocities = _sampled(path, int(np.ceil(steps * haste * 1.02)))
    return targets, velocities


def _sampled(path: FloatArray, steps: int) -> tuple[FloatArray, FloatArray]:
    speed = np.interp((np.arange(steps) + 0.5) / steps, [0, _RAMP, 1 - _RAMP, 1], [0, 1, 1, 0])
    # By length, not by number: a first waypoint close by would be crept to, and the arm then torn away sideways.
    lengths = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    along = np.cumsum(speed) / speed.sum() * lengths[-1]
    targets = np.stack([np.interp(along, lengths, path[:, joint]) for joint in range(path.shape[1])], axis=1)
    return targets, np.diff(targets, axis=0, prepend=path[:1]) / STEP_S
