"""A thin stand-in for Rethink's `intera_interface` on the robot's topics: the calls that the driver makes.

It has the names, waits, queues and habits of the SDK that matter here: getters return old values for ever, making
a `Gripper` reboots and calibrates a gripper with an error, and commands of the fingers wait for an acknowledgement.
"""

import errno
import json
from collections import namedtuple
from typing import Any

import rospy
from intera_core_msgs.msg import (
    CollisionDetectionState,
    EndpointState,
    EndpointStates,
    HeadState,
    IONodeConfiguration,
    IONodeStatus,
    JointCommand,
    RobotAssemblyState,
)
from intera_core_msgs.srv import SolvePositionFK, SolvePositionIK
from intera_io import IODeviceInterface
from intera_waiting import wait_for
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool, Empty, Float64

Xyz = namedtuple("Xyz", ["x", "y", "z"])


class RobotEnable:
    """The state of the robot and its switches."""

    def __init__(self, versioned: bool = False) -> None:
        self._state = None
        self._state_sub = rospy.Subscriber("robot/state", RobotAssemblyState, self._on_state)
        wait_for(lambda: self._state is not None, 10.0, "Failed to get robot state on robot/state")

    def state(self) -> Any:
        """The newest RobotAssemblyState."""
        return self._state

    def enable(self) -> None:
        """Clear a stop, then switch the motors on."""
        if self._state.stopped:
            self.reset()
        self._toggle(True)

    def disable(self) -> None:
        """Switch the motors off."""
        self._toggle(False)

    def stop(self) -> None:
        """Stop the robot."""
        publisher = rospy.Publisher("robot/set_super_stop", Empty, queue_size=10)
        wait_for(lambda: self._state.stopped, 5.0, "Failed to stop the robot", body=publisher.publish)

    def reset(self) -> None:
        """Clear a stop."""
        if not self._state.stopped:
            raise OSError(errno.EREMOTEIO, "Failed to Reset due to lack of Error State.")
        if self._state.estop_button == RobotAssemblyState.ESTOP_BUTTON_PRESSED:
            raise OSError(errno.EREMOTEIO, "Failed to Reset: E-Stop Engaged")
        publisher = rospy.Publisher("robot/set_super_reset", Empty, queue_size=10)
        rospy.loginfo("Resetting robot...")
        wait_for(self._is_reset, 5.0, "Failed to reset robot.", body=publisher.publish)

    def _is_reset(self) -> bool:
        state = self._state
        return not (state.stopped or state.error or state.estop_button or state.estop_source)

    def _toggle(self, on: bool) -> None:
        publisher = rospy.Publisher("robot/set_super_enable", Bool, queue_size=10)
        failure = f"Failed to {'en' if on else 'dis'}able robot"
        wait_for(lambda: self._state.enabled == on, 5.0, failure, body=lambda: publisher.publish(on))
        rospy.loginfo("Robot Enabled" if on else "Robot Disabled")

    def _on_state(self, message: Any) -> None:
        self._state = message


class Limb:
    """The arm: state by topic, commands by topic."""

    def __init__(self, limb: str = "right") -> None:
        if limb not in rospy.get_param("/robot_config/assembly_names"):
            rospy.logerr(f"Cannot detect limb {limb} on this robot.")
            return
        self._joint_names = rospy.get_param(f"robot_config/{limb}_config/joint_names")
        self._angles: dict[str, float] = {}
        self._velocities: dict[str, float] = {}
        self._efforts: dict[str, float] = {}
        self._endpoint = self._tips = None
        self._collided = False
        space = f"/robot/limb/{limb}/"
        self._pub_speed_ratio = rospy.Publisher(f"{space}set_speed_ratio", Float64, latch=True, queue_size=10)
        self._pub_joint_cmd = rospy.Publisher(f"{space}joint_command", JointCommand, tcp_nodelay=True, queue_size=1)
        self._pub_timeout = rospy.Publisher(f"{space}joint_command_timeout", Float64, latch=True, queue_size=10)
        for topic, kind, receive in (
            (f"{space}endpoint_state", EndpointState, self._on_endpoint),
            (f"{space}tip_states", EndpointStates, self._on_tips),
            (f"{space}collision_detection_state", CollisionDetectionState, self._on_collision),
            ("/robot/joint_states", JointState, self._on_joints),
        ):
            rospy.Subscriber(topic, kind, receive, queue_size=1, tcp_nodelay=True)
        services = f"ExternalTools/{limb}/PositionKinematicsNode/"
        self._iksvc = rospy.ServiceProxy(f"{services}IKService", SolvePositionIK)
        self._fksvc = rospy.ServiceProxy(f"{services}FKService", SolvePositionFK)
        rospy.wait_for_service(f"{services}IKService", 5.0)
        rospy.wait_for_service(f"{services}FKService", 5.0)
        failure = f"{limb.capitalize()} limb init failed to get current"
        wait_for(lambda: bool(self._angles), 5.0, f"{failure} joint_states from /robot/joint_states")
        wait_for(lambda: self._endpoint is not None, 5.0, f"{failure} endpoint_state from {space}endpoint_state")
        wait_for(lambda: self._tips is not None, 5.0, f"{failure} tip_states from {space}tip_states")

    def joint_names(self) -> list[str]:
        """The joints from base to hand."""
        return self._joint_names

    def joint_angles(self) -> dict[str, float]:
        """Radians by joint."""
        return dict(self._angles)

    def joint_velocities(self) -> dict[str, float]:
        """rad/s by joint."""
        return dict(self._velocities)

    def joint_efforts(self) -> dict[str, float]:
        """N m by joint."""
        return dict(self._efforts)

    def endpoint_effort(self) -> dict[str, Xyz]:
        """Force, N, and torque, N m, at the active tip."""
        wrench = self._endpoint.wrench
        return {
            name: Xyz(*(getattr(part, axis) for axis in "xyz"))
            for name, part in (("force", wrench.force), ("torque", wrench.torque))
        }

    def tip_state(self, tip_name: str) -> Any:
        """The EndpointState of a tip, or None."""
        names = self._tips.names
        return self._tips.states[names.index(tip_name)] if tip_name in names else None

    def has_collided(self) -> bool:
        """Whether the robot reports a collision."""
        return self._collided

    def set_joint_position_speed(self, speed: float = 0.3) -> None:
        """Fraction of the rated speeds in position mode."""
        self._pub_speed_ratio.publish(Float64(speed))

    def set_command_timeout(self, timeout: float) -> None:
        """Seconds after the last command at which the arm holds."""
        self._pub_timeout.publish(Float64(timeout))

    def set_joint_positions(self, positions: dict[str, float]) -> None:
        """Command joint angles."""
        message = JointCommand(mode=JointCommand.POSITION_MODE)
        message.names, message.position = list(positions), list(positions.values())
        message.header.stamp = rospy.Time.now()
        self._pub_joint_cmd.publish(message)

    def exit_control_mode(self, timeout: float = 0.2) -> None:
        """Command the present joint angles in position mode."""
        self.set_command_timeout(timeout)
        self.set_joint_positions(self.joint_angles())

    def _on_joints(self, message: Any) -> None:
        for number, name in enumerate(message.name):
            if name in self._joint_names:
                self._angles[name] = message.position[number]
                self._velocities[name] = message.velocity[number]
                self._efforts[name] = message.effort[number]

    def _on_endpoint(self, message: Any) -> None:
        self._endpoint = message

    def _on_tips(self, message: Any) -> None:
        self._tips = message

    def _on_collision(self, message: Any) -> None:
        self._collided = message.collision_state


class Gripper:
    """The electric gripper. Making one reboots and calibrates a gripper with an error: what it holds falls."""

    MAX_POSITION, MIN_POSITION = 0.041667, 0.0

    def __init__(self, ee_name: str = "right_gripper", calibrate: bool = True) -> None:
        self.name = ee_name
        self.gripper_io = IODeviceInterface("end_effector", ee_name)
        if self.has_error():
            self.reboot()
            calibrate = True
        if calibrate and not self.is_calibrated():
            self.calibrate()

    def reboot(self) -> None:
        """Switch it off and on; it loses its calibration."""
        self.gripper_io.set_signal_value("reboot", True)

    def calibrate(self) -> bool:
        """Move the fingers to both ends."""
        self.gripper_io.set_signal_value("calibrate", True)
        return wait_for(self.is_calibrated, 5.0)

    def stop(self) -> None:
        """Stop the fingers."""
        self.gripper_io.set_signal_value("go", False)

    def has_error(self) -> Any:
        """Whether it reports an error."""
        return self.gripper_io.get_signal_value("has_error")

    def is_calibrated(self) -> Any:
        """Whether it is calibrated."""
        return self.gripper_io.get_signal_value("is_calibrated")

    def is_gripping(self) -> Any:
        """Whether something stops the fingers."""
        return self.gripper_io.get_signal_value("is_gripping")

    def is_moving(self) -> Any:
        """Whether the fingers move."""
        return self.gripper_io.get_signal_value("is_moving")

    def get_position(self) -> Any:
        """Opening, metres."""
        return self.gripper_io.get_signal_value("position_response_m")

    def get_force(self) -> Any:
        """Force, N."""
        return self.gripper_io.get_signal_value("force_response_n")

    def set_position(self, position: float) -> None:
        """Command an opening, metres."""
        self.gripper_io.set_signal_value("position_m", position)

    def open(self, position: float = MAX_POSITION) -> None:
        """Open."""
        self.set_position(position)

    def close(self, position: float = MIN_POSITION) -> None:
        """Close."""
        self.set_position(position)

    def set_cmd_velocity(self, speed: float) -> None:
        """Speed of the fingers, m/s."""
        self.gripper_io.set_signal_value("speed_mps", speed)


class Head:
    """The head's pan angle."""

    def __init__(self) -> None:
        self._state = None
        self._sub_state = rospy.Subscriber("/robot/head/head_state", HeadState, self._on_state)
        wait_for(lambda: self._state is not None, 5.0, "Failed to get current head state from /robot/head/head_state")

    def pan(self) -> float:
        """Radians, 0 ahead."""
        return float(self._state.pan)

    def _on_state(self, message: Any) -> None:
        self._state = message


def get_current_gripper_interface() -> Gripper:
    """The gripper that the robot reports; OSError after 5 s without one."""
    states, configurations = [], []
    subscribers = [
        rospy.Subscriber("/io/end_effector/state", IONodeStatus, lambda message: states.extend(message.devices)),
        rospy.Subscriber(
            "/io/end_effector/config", IONodeConfiguration, lambda message: configurations.extend(message.devices)
        ),
    ]
    failure = "Failed to get gripper. No gripper attached on the robot."
    wait_for(lambda: bool(states and configurations), 5.0, failure)
    for subscriber in subscribers:
        subscriber.unregister()
    name, status = states[0].name, states[0].status.tag
    kind = json.loads(next(each.config for each in configurations if each.name == name))["props"]["type"]
    if kind != "ElectricParallelGripper":
        raise OSError(errno.ENODEV, f"the stand-in has no interface to a {kind}")
    return Gripper(name, status in ("down", "unready"))
