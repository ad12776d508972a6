"""The twin as a ROS 1 node, `python -m tabletop_interaction.real.twin.node`: cameras, joint states and parameters of a
Sawyer on a real master, in real time.

| published | type | |
|---|---|---|
| /cameras/VIEW/image_raw | sensor_msgs/Image | rgb8, one topic per view |
| /robot/joint_states | sensor_msgs/JointState | 100 Hz, the arm away from the table |
| /robot/set_super_enable, _stop, _reset | std_msgs/Bool, Empty, Empty | subscribed; the result is printed |
| robot_config/..., /manifest/robot_class | parameters | those that `intera_interface` reads |

All other topics of a Sawyer use Rethink's own message types, which Debian does not have: the arm takes no commands
here. The twin in one process (`open_twin`) does.
"""

import importlib
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event
from typing import Any, Literal

import numpy as np
import tyro

from tabletop_interaction.arrays import Floats, Picture
from tabletop_interaction.envs.backend import Pictures
from tabletop_interaction.envs.views import View
from tabletop_interaction.errors import InvalidConfiguration, MissingPackage
from tabletop_interaction.program import exit_status, parsed
from tabletop_interaction.real.arm.clock import MonotonicClock, Ticks
from tabletop_interaction.real.arm.driver import JOINT_STATES_TOPIC
from tabletop_interaction.real.arm.settings import RATE_HZ
from tabletop_interaction.real.lab.file import read_lab_file, update_lab_file
from tabletop_interaction.real.lab.lab import TWIN_LAB, load_lab
from tabletop_interaction.real.ros.master import check_master
from tabletop_interaction.real.ros.node import INSTALLATION, end_node, start_node
from tabletop_interaction.real.twin import Twin, open_twin
from tabletop_interaction.real.twin.robot import TwinRobot
from tabletop_interaction.real.twin.stand_ins import PARAMETERS, PUBLISHED_JOINTS

Action = Callable[[TwinRobot], str]
"""Acts on the robot and returns the result as text."""

MARK = "/tabletop_twin"
"""The parameter that marks the master of a twin."""


@dataclass(frozen=True)
class TwinNode:
    """Publish a simulated table's cameras and its arm's joints on a ROS 1 master until Ctrl-C.

    Example: python -m tabletop_interaction.real.twin.node --rate 10 --lab runs/ros-twin/lab.yaml
    """

    rate: float = 10.0
    """Pictures per second and view, up to 100."""
    split: Literal["train", "val", "test", "dev"] = "train"
    """Objects and backgrounds of the scene."""
    seed: int = 0
    """Seed of the scene."""
    lab: Path | None = None
    """New lab file for this node, for `tabletop doctor --config` and other commands."""

    def run(self) -> None:
        """Publish until a signal, the master or a newer twin ends it."""
        if not 0 < self.rate <= RATE_HZ:
            raise InvalidConfiguration(f"rate {self.rate:g} came; accepted is more than 0 and up to {RATE_HZ} Hz")
        ros, uri = import_ros(), check_master()
        check_no_robot(ros.rospy)
        if self.lab is not None:
            write_ros_lab(self.lab, datetime.now(UTC))
        start_node(ros.rospy, "tabletop_twin", anonymous=False)
        with _signalled() as stopped, closing(open_twin(self.split, load_lab(TWIN_LAB).views)) as twin:
            set_parameters(ros.rospy)
            twin.operator.lay_table(np.random.default_rng(self.seed))
            topics = advertise(ros, twin.table.views)
            names = " ".join(publisher.name for publisher in topics.pictures.values())
            print(f"publishing at {uri}: {names} at {self.rate:g} Hz; Ctrl-C ends it", flush=True)
            rate = _publish(twin, topics, self.rate, stopped)
            print(f"ended; {rate:.1f} pictures per second and view", flush=True)
        end_node(ros.rospy)


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and run; an error of this package ends in one line. Returns the exit status."""
    program = "python -m tabletop_interaction.real.twin.node"
    return exit_status(
        lambda: parsed(lambda: tyro.cli(TwinNode, prog=program, args=arguments), f"`{program} --help`").run()
    )


def write_ros_lab(path: Path, now: datetime) -> None:
    """Write the twin's lab file with the node's topics as cameras and a robot behind ROS, calibrated `now`.

    Raises:
        InvalidConfiguration: the file exists; nothing was written.
    """
    if path.exists():
        raise InvalidConfiguration(
            f"{path} exists and may be a calibrated laboratory; name another file, or omit --lab if it belongs to this "
            "node"
        )
    twin, calibrated = read_lab_file(TWIN_LAB).plain, {"calibrated_at": now.isoformat()}
    update_lab_file(
        path,
        {
            **twin,
            "driver": "intera",
            "cameras": {
                # Rendered pictures of a table at rest are equal.
                view: {**camera, "kind": "ros", "source": picture_topic(view), "frozen_after": 0}
                for view, camera in twin["cameras"].items()
            },
            "intrinsics": {view: {**entry, **calibrated} for view, entry in twin["intrinsics"].items()},
            "views": {view: {**entry, **calibrated} for view, entry in twin["views"].items()},
            "robot": {**twin["robot"], **calibrated},
        },
    )


@dataclass(frozen=True)
class RosModules:
    """rospy, and the modules `sensor_msgs.msg` and `std_msgs.msg`."""

    rospy: Any
    sensor_msgs: Any
    std_msgs: Any


def import_ros() -> RosModules:
    """Import the modules; MissingPackage if one is not installed in this Python."""
    try:
        return RosModules(*(importlib.import_module(name) for name in ("rospy", "sensor_msgs.msg", "std_msgs.msg")))
    except ImportError as error:
        raise MissingPackage(f"the twin's node needs ROS 1 ({error}); {INSTALLATION}") from error


def check_no_robot(rospy: Any) -> None:
    """Refuse, by InvalidConfiguration, a master that belongs to a robot."""
    if not rospy.has_param(MARK) and any(rospy.has_param(name) for name in PARAMETERS):
        raise InvalidConfiguration(
            "this master belongs to a robot, whose joint states a twin must not replace; nothing was published; start "
            "another master (`rosmaster --core -p 11312`) and set ROS_MASTER_URI to it"
        )


def set_parameters(rospy: Any) -> None:
    """Set the parameters that `intera_interface` reads, and the mark of a twin."""
    for name, value in {MARK: True, **PARAMETERS}.items():
        rospy.set_param(name, value)


def picture_topic(view: str) -> str:
    """The topic of a view's pictures."""
    return f"/cameras/{view}/image_raw"


@dataclass(frozen=True, eq=False)
class Topics:
    """The publishers of joints and, by view, of pictures; made by `advertise`."""

    ros: RosModules
    joints: Any
    pictures: Mapping[str, Any]

    def publish_joints(self, joints: tuple[Floats, ...]) -> None:
        """Send angles, speeds and efforts (7,), stamped now."""
        position, velocity, effort = ([0.0, *column.tolist()] for column in joints)
        message = self.ros.sensor_msgs.JointState(
            name=list(PUBLISHED_JOINTS), position=position, velocity=velocity, effort=effort
        )
        message.header.stamp = self.ros.rospy.Time.now()
        self.joints.publish(message)

    def publish_pictures(self, pictures: Pictures, stamp: Any) -> None:
        """Send one picture per view, uint8 (H, W, 3) RGB, exposed at `stamp` (`rospy.Time`)."""
        for view, picture in pictures.items():
            self.pictures[view].publish(self._image(view, picture, stamp))

    def _image(self, view: str, picture: Picture, stamp: Any) -> Any:
        height, width, channels = picture.shape
        message = self.ros.sensor_msgs.Image(
            height=height, width=width, encoding="rgb8", step=channels * width, data=picture.tobytes()
        )
        message.header.stamp, message.header.frame_id = stamp, view
        return message


def advertise(ros: RosModules, views: tuple[View, ...]) -> Topics:
    """Advertise the topics; a slow reader gets only the newest message."""
    publisher, sensor = ros.rospy.Publisher, ros.sensor_msgs
    return Topics(
        ros,
        publisher(JOINT_STATES_TOPIC, sensor.JointState, queue_size=1),
        {view.name: publisher(picture_topic(view.name), sensor.Image, queue_size=1) for view in views},
    )


def listen(ros: RosModules) -> SimpleQueue[Action]:
    """Subscribe to the switches; their actions wait in the queue, because PyBullet needs one thread."""
    waiting: SimpleQueue[Action] = SimpleQueue()

    def switch(topic: str, message_type: Any, action_of: Callable[[Any], Action]) -> None:
        ros.rospy.Subscriber(topic, message_type, lambda message: waiting.put(action_of(message)), queue_size=10)

    switch("/robot/set_super_enable", ros.std_msgs.Bool, lambda message: enable if message.data else disable)
    switch("/robot/set_super_stop", ros.std_msgs.Empty, lambda message: stop)
    switch("/robot/set_super_reset", ros.std_msgs.Empty, lambda message: reset)
    return waiting


def act(waiting: SimpleQueue[Action], robot: TwinRobot) -> Iterator[str]:
    """Run the waiting actions in order; yields their results."""
    while True:
        try:
            action = waiting.get_nowait()
        except Empty:
            return
        yield action(robot)


def enable(robot: TwinRobot) -> str:
    """Switch the motors on, unless stopped."""
    if robot.state.stopped:
        return "stays disabled: it is stopped; reset it first"
    robot.state.enabled = True
    return "enabled"


def disable(robot: TwinRobot) -> str:
    """Switch the motors off."""
    robot.disable()
    return "disabled"


def stop(robot: TwinRobot) -> str:
    """Stop as the stop button does."""
    robot.halt()
    return "stopped"


def reset(robot: TwinRobot) -> str:
    """Clear a stop."""
    refusal = robot.clear_stop()
    return f"not reset: {refusal}" if refusal else "reset"


def _publish(twin: Twin, topics: Topics, rate: float, stopped: Event) -> float:
    """Simulate, publish and act on the switches until stopped; returns the achieved pictures per second."""
    rospy, clock, switches = topics.ros.rospy, MonotonicClock(), listen(topics.ros)
    start, taken, ticks = clock.now(), 0, Ticks(clock, 1 / RATE_HZ)
    due = start
    while not (stopped.is_set() or rospy.is_shutdown()):
        for result in act(switches, twin.robot):
            print(result, flush=True)
        twin.robot.advance(1 / RATE_HZ)
        topics.publish_joints(twin.robot.joints())
        if clock.now() >= due:
            # A picture must not be older than its stamp.
            stamp = rospy.Time.now()
            topics.publish_pictures(twin.table.observe(), stamp)
            taken, due = taken + 1, max(due, clock.now() - 1 / rate) + 1 / rate
        ticks.wait()
    return taken / max(clock.now() - start, 1e-9)


@contextmanager
def _signalled() -> Iterator[Event]:
    """An event that Ctrl-C and SIGTERM set, also if the shell has disabled Ctrl-C for a background process."""
    stopped = Event()
    before = {each: signal.signal(each, lambda *_: stopped.set()) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


if __name__ == "__main__":
    sys.exit(main())
