"""The parts of `rospy` and `intera_interface` that the driver calls, with their names and behaviour, for the twin."""

import math
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from tabletop_interaction.real.arm.driver import COLLISION_TOPIC, FORCE_TOPIC, JOINT_STATES_TOPIC, ROBOT_TOPIC
from tabletop_interaction.real.twin.robot import TwinRobot
from tabletop_interaction.sawyer.kinematics import GRIPPER_TIP
from tabletop_interaction.sawyer.model import ARM_JOINT_NAMES

PARAMETERS: Mapping[str, Any] = {
    "robot_config/right_config/joint_names": list(ARM_JOINT_NAMES),
    "/robot_config/assembly_names": ["right", "torso", "head"],
    "/manifest/robot_class": "sawyer",
}
"""The parameters that `intera_interface` reads."""

PUBLISHED_JOINTS = ("head_pan", *ARM_JOINT_NAMES)
"""The joints of a message on /robot/joint_states, in the robot's order."""


class ROSException(Exception):
    """As rospy's."""


MESSAGES = SimpleNamespace(
    EndpointState=object, CollisionDetectionState=object, RobotAssemblyState=object, IONodeStatus=object
)
"""The module `intera_core_msgs.msg`: the twin's messages have the fields and need no class."""

STD_MESSAGES = SimpleNamespace(Bool=object, Empty=object)
"""The module `std_msgs.msg`."""


class TwinRospy:
    """`rospy` in one process and without a master: the topics that protect, and a few parameters."""

    ROSException = ROSException
    AnyMsg = object

    def __init__(self, robot: TwinRobot) -> None:
        self._robot = robot
        self._subscribed: dict[object, tuple[str, Callable[[Any], None]]] = {}
        self.core = SimpleNamespace(is_initialized=lambda: True)
        self.parameters = dict(PARAMETERS)

    def get_param(self, name: str, default: Any = None) -> Any:
        """A parameter, or the default."""
        return self.parameters.get(name, default)

    def get_name(self) -> str:
        """The name of this node."""
        return "/twin"

    def get_time(self) -> float:
        """Simulated seconds, as in the stamps of the messages."""
        return self._robot.time_s

    def wait_for_message(self, topic: str, kind: Any, timeout: float) -> SimpleNamespace:
        """The next message about the joints or the hand; ROSException on a silent topic."""
        if topic in self._robot.faults.silent:
            raise ROSException(f"timeout exceeded while waiting for message on topic {topic}")
        if topic == JOINT_STATES_TOPIC:
            return self._joints()
        return SimpleNamespace(devices=[SimpleNamespace(name="right_gripper")])

    def Publisher(self, topic: str, kind: Any, queue_size: int) -> SimpleNamespace:
        """One of the robot's switches; it takes effect at once, and is reported with the next messages."""
        robot = self._robot
        act = {"robot/set_super_enable": robot.enable, "robot/set_super_reset": robot.clear_stop}
        return SimpleNamespace(publish=lambda *on: act[topic]())

    def Subscriber(self, topic: str, kind: Any, callback: Callable[[Any], None], **options: Any) -> SimpleNamespace:
        """Subscribe to a topic until `unregister` is called."""
        key = object()
        self._subscribed[key] = topic, callback
        return SimpleNamespace(unregister=lambda: self._subscribed.pop(key, None))

    def publish(self) -> None:
        """Send one message on every topic that the faults do not silence."""
        for topic, make in (
            (JOINT_STATES_TOPIC, self._joints),
            (FORCE_TOPIC, self._endpoint),
            (COLLISION_TOPIC, lambda: SimpleNamespace(collision_state=self._robot.faults.collided)),
            (ROBOT_TOPIC, lambda: self._robot.state),
        ):
            if topic not in self._robot.faults.silent:
                self.send(topic, make())

    def send(self, topic: str, message: Any) -> None:
        """Send one message on a topic."""
        for subscribed, callback in list(self._subscribed.values()):
            if subscribed == topic:
                callback(message)

    def _joints(self) -> SimpleNamespace:
        heads = (self._robot.faults.head_turn, 0.0, 0.0)
        columns = [[head, *values.tolist()] for head, values in zip(heads, self._robot.joints(), strict=True)]
        if JOINT_STATES_TOPIC in self._robot.faults.not_finite:
            columns[0][-1] = math.nan
        fields = dict(zip(("position", "velocity", "effort"), columns, strict=True))
        stamp = SimpleNamespace(to_sec=lambda time_s=self._robot.time_s: time_s)
        return SimpleNamespace(header=SimpleNamespace(stamp=stamp), name=list(PUBLISHED_JOINTS), **fields)

    def _endpoint(self) -> SimpleNamespace:
        force = self._robot.tip_force()
        if FORCE_TOPIC in self._robot.faults.not_finite:
            force = force * math.nan
        return SimpleNamespace(wrench=SimpleNamespace(force=Xyz(*force.tolist())))


class Xyz(NamedTuple):
    """x, y, z of `geometry_msgs`."""

    x: float
    y: float
    z: float


def intera_stand_in(robot: TwinRobot) -> SimpleNamespace:
    """The module `intera_interface` in front of a robot."""
    return SimpleNamespace(
        RobotEnable=lambda versioned=False: SimpleNamespace(state=lambda: robot.state),
        Limb=lambda limb="right": _limb(robot),
    )


def _limb(robot: TwinRobot) -> SimpleNamespace:
    def tip_state(tip_name: str) -> SimpleNamespace | None:
        if tip_name != GRIPPER_TIP:
            return None
        return SimpleNamespace(pose=SimpleNamespace(position=Xyz(*robot.tip_position().tolist())))

    def set_joint_position_speed(speed: float) -> None:
        robot.speed_ratio = float(np.clip(speed, 0.0, 1.0))

    def set_joint_positions(positions: Mapping[str, float]) -> None:
        robot.command(np.array([positions[name] for name in ARM_JOINT_NAMES]))

    return SimpleNamespace(
        tip_state=tip_state,
        set_joint_position_speed=set_joint_position_speed,
        set_command_timeout=lambda timeout: setattr(robot, "command_timeout_s", float(timeout)),
        set_joint_positions=set_joint_positions,
    )


def io_stand_in(robot: TwinRobot) -> SimpleNamespace:
    """The module `intera_io` in front of a robot's gripper."""
    signals: Mapping[str, Callable[[], Any]] = {
        "position_response_m": lambda: robot.opening,
        "force_response_n": lambda: 20.0 if robot.gripping else 0.0,
        "is_gripping": lambda: robot.gripping,
        "has_error": lambda: robot.faults.gripper_error,
        "is_calibrated": lambda: not robot.faults.gripper_uncalibrated,
    }
    commands: Mapping[str, Callable[[float], None]] = {
        "position_m": robot.move_fingers,
        # The twin's fingers have one speed, and press with full force or not at all.
        "speed_mps": lambda speed: None,
        "reboot": lambda on: robot.reboot_gripper(),
        "calibrate": lambda on: robot.calibrate_gripper(),
    }
    device = SimpleNamespace(
        state=SimpleNamespace(time=SimpleNamespace(to_sec=lambda: robot.time_s)),
        get_signal_value=lambda name: signals[name](),
        set_signal_value=lambda name, value: commands[name](value),
    )
    return SimpleNamespace(IODeviceInterface=lambda node, name: device)
