"""The Sawyer in PyBullet: joint motors that follow a path at 240 Hz, and two fingers of limited force.

World frame = arena frame. Free-space transits set the joints at once, since the arm is out of view and touches nothing.
Every motion that may touch something is simulated step by step.
"""

from collections.abc import Callable

import numpy as np
import pybullet

from tabletop_interaction.arrays import Floats
from tabletop_interaction.envs.gripper import Gripper
from tabletop_interaction.files import scratch_path
from tabletop_interaction.sawyer.kinematics import HOME, facing, forward, half_turn, straight_down_path
from tabletop_interaction.sawyer.model import (
    ARM_JOINT_NAMES,
    FINGER_JOINT_NAMES,
    JOINTS,
)
from tabletop_interaction.simulation.client import BulletClient
from tabletop_interaction.simulation.grippers import arm_urdf

STEP_S = 1 / 240
BASE_XYZ = (0.0, -0.575, 0.10)
"""Position of the arm's base, arena frame, metres; its x axis points along the arena's y."""

AWAY = HOME + np.array([2.7, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
"""Joint angles with the arm turned back from the table, out of every view."""

_BASE_YAW = np.pi / 2
_LIMITS = [joint.limits for joint in JOINTS if joint.name in ARM_JOINT_NAMES and joint.limits is not None]
_ARM_FORCES = [limits.effort for limits in _LIMITS]
_MAX_SPEED = 0.98 * np.array([limits.velocity for limits in _LIMITS])
# Times of closing and opening, in units of the time that a finger takes at its full speed.
_CLOSING_TIMES, _OPENING_TIMES = 3.0, 1.44
_RACK_STIFFNESS = 0.2
_RAMP = 0.2
_PAD_FRICTION = 1.4
_PAD_SPINNING_FRICTION = 0.01
_FINGER_LINKS = (
    ("right_gripper_l_finger", "right_gripper_l_finger_tip"),
    ("right_gripper_r_finger", "right_gripper_r_finger_tip"),
)
# Fields of PyBullet's joint info.
_JOINT_NAME, _LINK_NAME = 1, 12


class SimulatedArm:
    """The arm and its gripper in one PyBullet client; `on_step` is called after every simulation step."""

    def __init__(
        self, client: BulletClient, on_step: Callable[[], None] | None = None, gripper: Gripper | None = None
    ) -> None:
        self._client = client
        self._on_step = on_step
        self._gripper = gripper or Gripper()
        self.body = load_arm(client, self._gripper, visible=False)
        joints = _indices_by_name(client, self.body, _JOINT_NAME)
        self._arm_joints = [joints[name] for name in ARM_JOINT_NAMES]
        self.fingers = [joints[name] for name in FINGER_JOINT_NAMES]
        links = _indices_by_name(client, self.body, _LINK_NAME)
        self.sides = tuple(frozenset(links[name] for name in names) for names in _FINGER_LINKS)
        self.finger_links = self.sides[0] | self.sides[1]
        self._opening = self.full_travel
        for link in self.finger_links:
            client.changeDynamics(
                self.body, link, lateralFriction=_PAD_FRICTION, spinningFriction=_PAD_SPINNING_FRICTION
            )
        self._couple_fingers()
        self.jump(AWAY)
        self.set_fingers(self.full_travel)

    @property
    def full_travel(self) -> float:
        """Travel of each finger when open, metres."""
        return self._gripper.travel_m

    def joint_angles(self) -> Floats:
        """(7,) measured joint angles, radians."""
        return self.joint_motion()[0]

    def joint_motion(self) -> tuple[Floats, Floats, Floats]:
        """Measured joint angles (7,) rad, speeds (7,) rad/s, and the motors' torques (7,) N m."""
        states = self._client.getJointStates(self.body, self._arm_joints)
        return np.array([s[0] for s in states]), np.array([s[1] for s in states]), np.array([s[3] for s in states])

    def all_joint_positions(self) -> list[float]:
        """Position of every joint of the body, fixed joints included, in PyBullet's order."""
        joints = range(self._client.getNumJoints(self.body))
        return [state[0] for state in self._client.getJointStates(self.body, joints)]

    def vertical_path(
        self, x: float, y: float, angle: float, z_from: float, z_to: float, *, exact: bool = False
    ) -> Floats:
        """Joint angles (n, 7) of a straight vertical path at (x, y), arena frame, metres.

        Without `exact`, the fingers' line may lie half a turn from `angle`.

        Raises:
            UnreachableTarget: the arm cannot follow the path.
        """
        base_z, angle = BASE_XYZ[2], angle - _BASE_YAW
        path = straight_down_path(y - BASE_XYZ[1], -x, z_from - base_z, z_to - base_z, angle, HOME)
        return facing(path, angle) if exact else path

    def half_turn(self, q: Floats, angle: float) -> float:
        """See `kinematics.half_turn`; `angle` in the arena's frame."""
        return half_turn(q, angle - _BASE_YAW)

    def jump(self, q: Floats) -> None:
        """Set the arm's joints at once; the fingers keep their opening."""
        for joint, angle in zip(self._arm_joints, q, strict=True):
            self._client.resetJointState(self.body, joint, angle, 0.0)
        self.command(q, np.zeros(7))

    def set_fingers(self, opening: float) -> None:
        """Set each finger's travel at once, metres (0 closed, `full_travel` open)."""
        for joint, sign in zip(self.fingers, (1, -1), strict=True):
            self._client.resetJointState(self.body, joint, sign * opening, 0.0)
        self.move_fingers(opening)

    def follow(
        self, path: Floats, seconds: float, stop: Callable[[], bool] | None = None, squeeze: bool = False
    ) -> bool:
        """Stream a joint path (n, 7) through the motors, slowly at both ends.

        Args:
            seconds: duration; longer where a joint is too slow.
            stop: polled every third step; True ends the motion at the current pose.
            squeeze: whether the fingers keep closing during the motion.

        Returns:
            whether the arm reached the end of the path.
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

    def rise(self, path: Floats, seconds: float, squeeze: bool = False) -> None:
        """Follow a descending path (n, 7) back up, from the arm's current height."""
        here = self.joint_angles()
        height = forward(here)[2, 3]
        above = [q for q in path[::-1] if forward(q)[2, 3] > height]
        self.follow(np.array([here, *above]), seconds, squeeze=squeeze)

    def height_above(self, q: Floats) -> float:
        """Metres by which the hand is higher now than at joint angles `q` (7,)."""
        return float(forward(self.joint_angles())[2, 3] - forward(q)[2, 3])

    def close_fingers(self) -> None:
        """Close with limited force until the fingers stop moving."""
        still = 0
        for _ in range(self._steps_of(_CLOSING_TIMES)):
            before = self._opening
            self.squeeze()
            self.step()
            still = still + 1 if abs(self.finger_travel() - before) < 2e-5 else 0
            if still > 4:
                return

    def open_fingers(self) -> None:
        """Open fully, slowly at both ends: pads that separate at full speed throw the object."""
        start = self.finger_travel()
        steps = self._steps_of(_OPENING_TIMES)
        for done in np.arange(1, steps + 1) / steps:
            self.move_fingers(start + (self.full_travel - start) * float(done**2 * (3 - 2 * done)))
            self.step()

    def hold(self, seconds: float) -> None:
        """Keep the arm in place and the fingers pressing for some time."""
        for _ in range(round(seconds / STEP_S)):
            self.squeeze()
            self.step()

    def finger_travel(self) -> float:
        """Mean travel of the two fingers, metres: 0 closed, `full_travel` open."""
        (left, *_), (right, *_) = self._client.getJointStates(self.body, self.fingers)
        return float((left - right) / 2)

    def command(self, q: Floats, velocity: Floats) -> None:
        """Set the joint motors' targets for the next steps: `q` (7,) radians, `velocity` (7,) rad/s."""
        self._client.setJointMotorControlArray(
            self.body,
            self._arm_joints,
            pybullet.POSITION_CONTROL,
            targetPositions=q,
            targetVelocities=velocity,
            forces=_ARM_FORCES,
            positionGains=[0.3] * 7,
            velocityGains=[1.0] * 7,
        )

    def squeeze(self) -> None:
        """Let both fingers press inwards from their current travel."""
        self._opening = self.finger_travel()
        self._command_fingers(inwards=self._gripper.speed_m_s * STEP_S * 4)

    def move_fingers(self, travel: float) -> None:
        """Set the fingers' target travel, metres, for the next steps."""
        self._opening = travel
        self._command_fingers()

    def step(self) -> None:
        """One step of 1/240 s."""
        self._client.stepSimulation()
        if self._on_step is not None:
            self._on_step()

    def _steps_of(self, times: float) -> int:
        """Steps in so many times of a finger's whole travel at full speed."""
        return round(times * self.full_travel / self._gripper.speed_m_s / STEP_S)

    def _command_fingers(self, inwards: float = 0.0) -> None:
        target = self._opening - inwards
        self._client.setJointMotorControlArray(
            self.body,
            self.fingers,
            pybullet.POSITION_CONTROL,
            targetPositions=[target, -target],
            forces=[self._gripper.force_n] * 2,
            positionGains=[0.3] * 2,
        )

    def _couple_fingers(self) -> None:
        """Couple the fingers by a rack, so that both travel equally; two motors of equal force let both drift."""
        left, right = self.fingers
        origin = [0, 0, 0]
        rack = self._client.createConstraint(
            self.body, left, self.body, right, pybullet.JOINT_GEAR, [0, 1, 0], origin, origin
        )
        self._client.changeConstraint(rack, gearRatio=1, maxForce=2 * self._gripper.force_n, erp=_RACK_STIFFNESS)


def load_arm(client: BulletClient, gripper: Gripper | None = None, *, visible: bool = True) -> int:
    """Load the Sawyer with a gripper, its own by default, at its place beside the table; returns its PyBullet id.

    Args:
        visible: whether it is drawn in pictures.
    """
    flags = 0 if visible else pybullet.URDF_IGNORE_VISUAL_SHAPES
    orientation = pybullet.getQuaternionFromEuler([0, 0, _BASE_YAW])
    with scratch_path(".urdf") as urdf:
        urdf.write_text(arm_urdf(gripper or Gripper()), encoding="utf-8")
        return int(client.loadURDF(str(urdf), BASE_XYZ, orientation, useFixedBase=True, flags=flags))


def _indices_by_name(client: BulletClient, body: int, name_field: int) -> dict[str, int]:
    """PyBullet's index of each joint, and of the link behind it, by the name in that field of its joint info."""
    infos = [client.getJointInfo(body, index) for index in range(client.getNumJoints(body))]
    return {info[name_field].decode(): info[0] for info in infos}


def time_path(path: Floats, seconds: float) -> tuple[Floats, Floats]:
    """Joint targets and velocities (steps, 7) along a path (n, 7) in `seconds`, or longer where a joint is too slow.

    The motion starts and ends at rest: the speed rises over the first fifth of the time and falls over the last.
    """
    steps = max(2, round(seconds / STEP_S))
    targets, velocities = _sampled(path, steps)
    excess = float(np.max(np.abs(velocities) / _MAX_SPEED))
    if excess > 1:
        targets, velocities = _sampled(path, int(np.ceil(steps * excess * 1.02)))
    return targets, velocities


def _sampled(path: Floats, steps: int) -> tuple[Floats, Floats]:
    speed = np.interp((np.arange(steps) + 0.5) / steps, [0, _RAMP, 1 - _RAMP, 1], [0, 1, 1, 0])
    # Time is proportional to length, not to the number of waypoints: a close first waypoint would otherwise be
    # approached too slowly, and the next one too fast.
    lengths = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    along = np.cumsum(speed) / speed.sum() * lengths[-1]
    targets = np.stack([np.interp(along, lengths, path[:, joint]) for joint in range(path.shape[1])], axis=1)
    return targets, np.diff(targets, axis=0, prepend=path[:1]) / STEP_S
