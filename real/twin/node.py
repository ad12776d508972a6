"""The twin as a ROS 1 node, `python -m tabletop_interaction.real.twin.node`: cameras, joint states and parameters of a
Sawyer on a real master, in real time, for whatever connects over ROS.

| published | type | |
|---|---|---|
| /cameras/VIEW/image_raw | sensor_msgs/Image | rgb8, one topic a view |
| /robot/joint_states | sensor_msgs/JointState | 100 Hz, the arm away from the table |
| /robot/set_super_enable, _stop, _reset | std_msgs/Bool, Empty, Empty | listened to; what came of it is printed |
| robot_config/..., /manifest/robot_class | parameters | what `intera_interface` asks for |

All else of a Sawyer's speaks Rethink's own message types, which Debian does not have: the arm takes no commands here.
The twin in one process (`open_twin`) does.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Literal

import numpy as np
import tyro

from tabletop_interaction.errors import InvalidConfiguration, TabletopError
from tabletop_interaction.real import TWIN_LAB
from tabletop_interaction.real.arm.clock import MonotonicClock, Ticks
from tabletop_interaction.real.arm.settings import RATE_HZ
from tabletop_interaction.real.lab.config import load_lab
from tabletop_interaction.real.ros.master import check_master
from tabletop_interaction.real.ros.node import end_node, start_node
from tabletop_interaction.real.twin import Twin, open_twin
from tabletop_interaction.real.twin.node_lab import write_ros_lab
from tabletop_interaction.real.twin.node_switches import act, listen
from tabletop_interaction.real.twin.node_topics import Topics, advertise, check_no_robot, import_ros, set_parameters

_INTERRUPTED = 130


@dataclass(frozen=True)
class TwinNode:
    """Publish a simulated table's cameras and its arm's joints on a ROS 1 master until Ctrl-C.

    Example: python -m tabletop_interaction.real.twin.node --rate 10 --lab runs/ros-twin/lab.yaml
    """

    rate: float = 10.0
    """Pictures a second and view, up to 100."""
    split: Literal["train", "val", "test"] = "train"
    """Which objects and backgrounds the scene draws."""
    seed: int = 0
    """Of the scene."""
    lab: Path | None = None
    """Write the lab file that goes with the node there, for `tabletop doctor --config` and others."""

    def run(self) -> None:
        """Publish until a signal, the master or a newer twin ends it.

        Raises:
            InvalidConfiguration: a rate that cannot be, a lab file that is there already, ROS is not installed, or the
                master is a robot's.
            MasterUnreachable: no ROS master answers.
        """
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
            print(f"ended; {rate:.1f} pictures a second and view", flush=True)
        end_node(ros.rospy)


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and run; an error that is raised on purpose ends in one line."""
    options = tyro.cli(TwinNode, prog="python -m tabletop_interaction.real.twin.node", args=arguments)
    try:
        options.run()
    except TabletopError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED
    return 0


def _publish(twin: Twin, topics: Topics, rate: float, stopped: Event) -> float:
    """Simulate, publish and obey the switches until stopped; the pictures a second that came of it."""
    rospy, clock, switches = topics.ros.rospy, MonotonicClock(), listen(topics.ros)
    start, taken, ticks = clock.now(), 0, Ticks(clock, 1 / RATE_HZ)
    due = start
    while not (stopped.is_set() or rospy.is_shutdown()):
        for said in act(switches, twin.robot):
            print(said, flush=True)
        twin.robot.advance(1 / RATE_HZ)
        topics.publish_joints(twin.robot.joints())
        if clock.now() >= due:
            # What a picture shows must not be older than its stamp.
            stamp = rospy.Time.now()
            topics.publish_pictures(twin.table.observe(), stamp)
            taken, due = taken + 1, max(due, clock.now() - 1 / rate) + 1 / rate
        ticks.wait()
    return taken / max(clock.now() - start, 1e-9)


@contextmanager
def _signalled() -> Iterator[Event]:
    """Set by Ctrl-C or a request to end; a shell that starts it in the background may have switched Ctrl-C off."""
    stopped = Event()
    before = {each: signal.signal(each, lambda *_: stopped.set()) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


if __name__ == "__main__":
    sys.exit(main())
