"""The stand-in robot as a ROS 1 node, `python -m sawyer_stand_in.node`: topics, services and parameters of a Sawyer.

Each line of its input is an order: JSON sets faults (`{"silent": ["joint_states"]}`, see `robot.Faults`), a word calls
a method of `robot.Robot` (`press`, `release`, `heal`), and `log SECONDS` prints what was received since that time of
`time.monotonic()`. Each order is answered by one line.
"""

import json
import sys
import time
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any

import numpy as np
import rospy
from geometry_msgs.msg import PoseStamped
from intera_core_msgs.msg import (
    CollisionDetectionState,
    EndpointState,
    EndpointStates,
    HeadPanCommand,
    HeadState,
    IOComponentCommand,
    IOComponentConfiguration,
    IOComponentStatus,
    IODataStatus,
    IODeviceConfiguration,
    IODeviceStatus,
    IONodeConfiguration,
    IONodeStatus,
    IOStatus,
    JointCommand,
    JointLimits,
    RobotAssemblyState,
)
from intera_core_msgs.srv import SolvePositionFK, SolvePositionFKResponse, SolvePositionIK, SolvePositionIKResponse
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Bool, Float64
from std_msgs.msg import Empty as Nothing

from sawyer_stand_in.robot import PICTURE_HW, PRESSED, VIEWS, Robot
from tabletop_interaction.real.twin.stand_ins import PARAMETERS, PUBLISHED_JOINTS
from tabletop_interaction.sawyer.kinematics import GRIPPER_TIP, HIGHEST, LOWEST, MAX_ACCELERATION, MAX_SPEED, forward
from tabletop_interaction.sawyer.model import ARM_JOINT_NAMES

RATE_HZ = 100
_LIMB = "/robot/limb/right/"
_GRIPPER = "right_gripper"
_IO = "/io/end_effector"
_KEPT = 60 * RATE_HZ
_ACKNOWLEDGED = 20
_NAN = float("nan")


class Node:
    """The robot's topics; one thread moves the robot and publishes, others receive."""

    def __init__(self) -> None:
        self.robot = Robot()
        self.lock = Lock()
        self.commands: deque[dict[str, Any]] = deque(maxlen=_KEPT)
        self.trace: deque[tuple[float, list[float]]] = deque(maxlen=_KEPT)
        self.acknowledged: deque[Any] = deque(maxlen=_ACKNOWLEDGED)
        self.started = rospy.Time.now()
        self.noise = np.random.default_rng(0)
        self.last: dict[str, Any] = {}
        self.topics: list[tuple[str, Any, int, Callable[[], Any]]] = []
        self._publish("/robot/joint_states", JointState, 1, self._joints)
        self._publish("/robot/state", RobotAssemblyState, 1, self._assembly)
        self._publish(f"{_LIMB}endpoint_state", EndpointState, 1, self._endpoint)
        self._publish(f"{_LIMB}tip_states", EndpointStates, 2, self._tips)
        self._publish(f"{_LIMB}collision_detection_state", CollisionDetectionState, 2, self._collision)
        self._publish("/robot/head/head_state", HeadState, 10, self._head)
        self._publish("/robot/joint_limits", JointLimits, 100, self._limits)
        self._publish(f"{_IO}/{_GRIPPER}/state", IODeviceStatus, 4, self._gripper, "gripper")
        self._publish(f"{_IO}/{_GRIPPER}/config", IODeviceConfiguration, 50, self._gripper_config, "gripper_config")
        self._publish(f"{_IO}/state", IONodeStatus, 20, self._end_effectors, "end_effectors")
        self._publish(f"{_IO}/config", IONodeConfiguration, 50, self._end_effector_config, "end_effector_config")
        for view in VIEWS:
            self._publish(f"/cameras/{view}/image_raw", Image, 10, lambda view=view: self._picture(view), view)
        self._subscribe()

    def run(self) -> None:
        """Move and publish until the master or the input ends."""
        orders: SimpleQueue[str] = SimpleQueue()
        Thread(target=lambda: [orders.put(line) for line in sys.stdin], daemon=True).start()
        before, tick = time.monotonic(), 0
        while not rospy.is_shutdown():
            with self.lock:
                self._obey(orders)
                now = time.monotonic()
                self.robot.advance(now - before, now)
                before = now
                self.trace.append((now, [*self.robot.arm.q.tolist(), self.robot.gripper.opening]))
                due = [
                    (publisher, self._sent(name, make))
                    for name, publisher, every, make in self.topics
                    if tick % (every * self.robot.faults.slow) == 0
                ]
            for publisher, message in due:
                if message is not None:
                    publisher.publish(message)
            tick += 1
            time.sleep(max(0.0, before + 1 / RATE_HZ - time.monotonic()))

    def _publish(self, topic: str, kind: Any, every: int, make: Callable[[], Any], name: str = "") -> None:
        """Send what `make` returns in each `every`-th tick; `name` is the topic's name in the faults."""
        publisher = rospy.Publisher(topic, kind, queue_size=1, tcp_nodelay=True)
        self.topics.append((name or topic.rpartition("/")[2], publisher, every, make))

    def _sent(self, name: str, make: Callable[[], Any]) -> Any:
        faults = self.robot.faults
        if name in faults.silent or name in faults.dark_views:
            return None
        if name not in faults.repeated:
            self.last[name] = make()
        return self.last[name]

    def _subscribe(self) -> None:
        def subscribe(topic: str, kind: Any, act: Callable[[Any], None], queue_size: int = 10) -> None:
            def receive(message: Any) -> None:
                with self.lock:
                    act(message)

            rospy.Subscriber(topic, kind, receive, queue_size=queue_size, tcp_nodelay=True)

        subscribe(f"{_LIMB}joint_command", JointCommand, self._command, 1000)
        subscribe(f"{_LIMB}set_speed_ratio", Float64, lambda ratio: setattr(self.robot.arm, "speed_ratio", ratio.data))
        subscribe(f"{_LIMB}joint_command_timeout", Float64, lambda s: setattr(self.robot.arm, "timeout_s", s.data))
        subscribe("/robot/set_super_stop", Nothing, lambda _: self.robot.stop())
        subscribe("/robot/set_super_reset", Nothing, lambda _: self.robot.reset())
        subscribe("/robot/set_super_enable", Bool, lambda on: self.robot.enable() if on.data else self.robot.disable())
        subscribe(
            "/robot/head/command_head_pan", HeadPanCommand, lambda pan: setattr(self.robot.faults, "head", pan.target)
        )
        subscribe(f"{_IO}/{_GRIPPER}/command", IOComponentCommand, self._set_gripper)
        services = "/ExternalTools/right/PositionKinematicsNode/"
        rospy.Service(f"{services}FKService", SolvePositionFK, _forward)
        rospy.Service(f"{services}IKService", SolvePositionIK, lambda _: SolvePositionIKResponse(result_type=[-1]))

    def _obey(self, orders: "SimpleQueue[str]") -> None:
        while True:
            try:
                order = orders.get_nowait().strip()
            except Empty:
                return
            if order.startswith("{"):
                for name, value in json.loads(order).items():
                    assert hasattr(self.robot.faults, name), name
                    setattr(self.robot.faults, name, value)
            elif order.startswith("log"):
                print(f"log {json.dumps(self._log(float(order.split()[1])))}", flush=True)
                continue
            else:
                getattr(self.robot, order)()
            print(f"done {time.monotonic():.6f}", flush=True)

    def _log(self, since: float) -> dict[str, Any]:
        gripper = self.robot.gripper
        return {
            "commands": [each for each in self.commands if each["time"] >= since],
            "trace": [each for each in self.trace if each[0] >= since],
            "opening": gripper.opening,
            "holds": gripper.holds,
            "opened": gripper.opened,
            "enabled": self.robot.enabled,
        }

    def _command(self, message: Any) -> None:
        now = time.monotonic()
        self.commands.append(
            {
                "time": now,
                "sent": message.header.stamp.to_sec() - time.time() + now,
                "number": message.header.seq,
                "mode": message.mode,
                "from": message._connection_header["callerid"],
                "names": list(message.names),
                "position": list(message.position),
                "q": self.robot.arm.q.tolist(),
            }
        )
        takes = self.robot.motors and message.mode == JointCommand.POSITION_MODE
        if takes and np.isfinite(message.position).all():
            by_name = dict(zip(message.names, message.position, strict=True))
            self.robot.arm.command(np.array([by_name[name] for name in ARM_JOINT_NAMES]), now)

    def _set_gripper(self, message: Any) -> None:
        faults = self.robot.faults
        if faults.gripper_deaf or message.time in self.acknowledged:
            return
        self.acknowledged.append(message.time)
        for signal, value in json.loads(message.args).get("signals", {}).items():
            self.robot.gripper.set(signal, value["data"][0])

    def _now(self) -> Any:
        return rospy.Time.now() + rospy.Duration(self.robot.faults.clock_s)

    def _joints(self) -> Any:
        faults, arm = self.robot.faults, self.robot.arm
        seen = time.monotonic() - faults.delay_s
        q = arm.q.tolist() if not faults.delay_s else next((q[:7] for t, q in self.trace if t >= seen), arm.q.tolist())
        message = JointState(name=list(PUBLISHED_JOINTS), position=[faults.head, *q])
        message.velocity, message.effort = [0.0, *arm.velocity.tolist()], [0.0] * len(message.name)
        if faults.no_velocities:
            message.velocity, message.effort = [], []
        if faults.mixed_joints:
            message.name, message.position = [*message.name[::-1], "torso_t0"], [*message.position[::-1], 0.0]
            message.velocity, message.effort = [*message.velocity[::-1], 0.0], [0.0] * len(message.name)
        if "joint_states" in faults.nan:
            message.position = [_NAN] * len(message.position)
        if "joint_states" in faults.zero:
            message.position = [0.0] * len(message.position)
        if "joint_states" in faults.half:
            message.position = message.position[: len(message.position) // 2]
        message.header.stamp = self._now() - rospy.Duration(0.0 if faults.hides_delay else faults.delay_s)
        return message

    def _assembly(self) -> Any:
        robot = self.robot
        return RobotAssemblyState(
            homed=True,
            ready=robot.motors,
            enabled=robot.enabled,
            stopped=robot.stopped,
            error=robot.error,
            estop_button=robot.button,
            estop_source=int(robot.stopped) * (1 if robot.button == PRESSED else 4),
        )

    def _endpoint(self) -> Any:
        message, faults = EndpointState(valid=True), self.robot.faults
        message.header.stamp = self._now()
        message.header.frame_id = "base"
        _set_pose(message.pose, self.robot.tip)
        message.pose.position.z += faults.tip_m
        force = np.array(faults.force) + self.noise.normal(0, faults.noise_n, 3)
        if "endpoint_state" in faults.nan:
            force = np.full(3, _NAN)
        message.wrench.force.x, message.wrench.force.y, message.wrench.force.z = force.tolist()
        return message

    def _tips(self) -> Any:
        message = EndpointStates(names=[GRIPPER_TIP], states=[self._endpoint()])
        message.header.stamp = self._now()
        return message

    def _collision(self) -> Any:
        message = CollisionDetectionState(collision_state=self.robot.faults.collided)
        message.header.stamp = self._now()
        return message

    def _head(self) -> Any:
        return HeadState(pan=self.robot.faults.head, panMode=HeadState.ACTIVE_MODE)

    def _limits(self) -> Any:
        columns = (LOWEST, HIGHEST, MAX_SPEED, MAX_ACCELERATION, np.zeros(7))
        return JointLimits(list(ARM_JOINT_NAMES), *(column.tolist() for column in columns))

    def _gripper(self) -> Any:
        gripper, faults = self.robot.gripper, self.robot.faults
        error = gripper.error or faults.gripper_error
        tag = IOStatus.ERROR if error else IOStatus.READY if gripper.calibrated else IOStatus.UNREADY
        values = {
            "has_error": error,
            "is_calibrated": gripper.calibrated,
            "is_moving": gripper.moving,
            "is_gripping": gripper.gripping,
            "position_response_m": _NAN if "gripper" in faults.nan else gripper.opening,
            "force_response_n": 20.0 if gripper.gripping else 0.0,
            "position_m": gripper.goal,
            "speed_mps": gripper.speed_m_s,
            "dead_zone_m": 0.002,
            "calibrate": False,
            "reboot": False,
            "go": True,
        }
        return IODeviceStatus(
            time=self._now(),
            device=IOComponentStatus(_GRIPPER, IOStatus(tag=tag)),
            signals=[_signal(name, value) for name, value in values.items()],
            commands=list(self.acknowledged),
            responses=[""] * len(self.acknowledged),
        )

    def _gripper_config(self) -> Any:
        return IODeviceConfiguration(time=self.started, device=_gripper_component())

    def _end_effectors(self) -> Any:
        device = self._gripper().device
        return IONodeStatus(
            time=self._now(), node=IOComponentStatus("end_effector", IOStatus(tag=IOStatus.READY)), devices=[device]
        )

    def _end_effector_config(self) -> Any:
        return IONodeConfiguration(
            time=self.started,
            node=IOComponentConfiguration("end_effector", "{}"),
            devices=[_gripper_component()],
        )

    def _picture(self, view: str) -> Any:
        height, width = PICTURE_HW
        pixels = np.clip(np.linspace(40, 200, 3 * width) + self.noise.normal(0, 1, (height, 3 * width)), 0, 255)
        if view in self.robot.faults.frozen_views:
            pixels = np.broadcast_to(np.linspace(40, 200, 3 * width), (height, 3 * width))
        message = Image(height=height, width=width, encoding="rgb8", step=3 * width)
        message.data, message.header.stamp = pixels.astype(np.uint8).tobytes(), self._now()
        return message


def _gripper_component() -> Any:
    return IOComponentConfiguration(_GRIPPER, json.dumps({"props": {"type": "ElectricParallelGripper"}}))


def _signal(name: str, value: float) -> Any:
    role = "output" if name in ("position_m", "speed_mps", "calibrate", "reboot", "go") else "input"
    kind = {"type": "bool" if isinstance(value, bool) else "float", "role": role}
    return IODataStatus(name, json.dumps(kind), json.dumps([value]), IOStatus(tag=IOStatus.READY))


def _set_pose(pose: Any, base_from_link: Any) -> None:
    pose.position.x, pose.position.y, pose.position.z = base_from_link[:3, 3].tolist()
    turn = Rotation.from_matrix(base_from_link[:3, :3]).as_quat().tolist()
    pose.orientation.x, pose.orientation.y, pose.orientation.z, pose.orientation.w = turn


def _forward(request: Any) -> Any:
    """FKService: poses of the asked links, base frame."""
    answer = SolvePositionFKResponse()
    for joints, link in zip(request.configuration, request.tip_names, strict=True):
        by_name = dict(zip(joints.name, joints.position, strict=True))
        stamped = PoseStamped()
        _set_pose(stamped.pose, forward(np.array([by_name[name] for name in ARM_JOINT_NAMES]), link))
        answer.pose_stamp.append(stamped)
    answer.isValid = [True] * len(answer.pose_stamp)
    answer.inCollision = [False] * len(answer.pose_stamp)
    return answer


def main() -> None:
    """Start the node; it says `ready` when all topics exist."""
    rospy.init_node("sawyer_stand_in", disable_signals=True)
    for name, value in PARAMETERS.items():
        rospy.set_param(name, value)
    node = Node()
    print("ready", flush=True)
    node.run()


if __name__ == "__main__":
    main()
