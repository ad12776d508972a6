"""Exclusive use of one arm: two programs that command it in turn shake it, far beyond the limits that each keeps.

Three nets: a lock between the programs of this user on this machine, the publishers that the ROS master lists, and the
commands on the topic themselves, each with the name of its sender.
"""

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tabletop_interaction.errors import FolderInUse, RobotFault, RobotInUse
from tabletop_interaction.files import lock_file
from tabletop_interaction.real.arm.clock import Clock
from tabletop_interaction.real.ros.master import address_of, is_gone, publishers_of
from tabletop_interaction.real.ros.node import unsubscribe

COMMAND_TOPIC = "/robot/limb/right/joint_command"

_RECENT_S = 0.2
_ALONE = "end the other program, or wait for its end, then try again"


@contextmanager
def locked_arm(uri: str) -> Iterator[None]:
    """Hold the lock of the arm at the master `uri`; the kernel releases it when the process ends.

    Raises:
        RobotInUse: another program of this user on this machine has the lock; nothing was opened.
    """
    held = lock_file(lock_path(uri), blocking=False)
    try:
        held.__enter__()
    except FolderInUse as error:
        raise RobotInUse(
            f"another program on this machine uses the arm at {uri}; nothing was opened; {_ALONE}"
        ) from error
    try:
        yield
    finally:
        held.__exit__(None, None, None)


def lock_path(uri: str) -> Path:
    """The lock's file, the same for every name of the robot's address."""
    parts = urlsplit(uri)
    try:
        address = socket.gethostbyname(parts.hostname or "")
    except OSError:
        address = parts.hostname or ""
    # Not from the environment, which differs between shells, services and jobs of one user.
    shared = Path("/run/lock")
    folder = shared if os.access(shared, os.W_OK) else Path(tempfile.gettempdir())
    return folder / f"tabletop-interaction-{os.getuid()}" / f"arm-{address}-{parts.port}.lock"


def check_alone(uri: str, own: str, robot_nodes: tuple[str, ...] = ()) -> None:
    """Check that the master lists no other publisher of joint commands; nodes that were killed do not count.

    `own` is the name of this program's node, `robot_nodes` those of the robot itself.

    Raises:
        RobotInUse: it lists one.
        MasterUnreachable: it does not answer.
    """
    listed = set(publishers_of(COMMAND_TOPIC, uri)) - {own, *robot_nodes}
    if others := sorted(node for node in listed if not is_gone(node, uri)):
        raise RobotInUse(
            f"{', '.join(others)} may command the arm at {uri}, too ({COMMAND_TOPIC}); nothing was moved; {_ALONE}; a "
            "node that belongs to the robot itself goes into `safety: robot_nodes` of the lab file"
        )


def check_known(uri: str, own: str) -> None:
    """Check that the master still knows the node `own`; a master that does not answer is not judged here.

    Raises:
        RobotFault: it does not: it was restarted, as a robot does with its master, or this node was ended.
    """
    if address_of(own, uri) is None:
        raise RobotFault(
            f"the robot at {uri} was restarted, or this program's ROS node was ended: its messages no longer reach "
            "this program; nothing was moved; wait until the robot is ready, support what the gripper holds, end this "
            "program and start it again"
        )


class ForeignCommands:
    """Listens to the commands of the arm for those of other programs; ROS names the sender of each message."""

    def __init__(self, rospy: Any, clock: Clock) -> None:
        self._own = rospy.get_name()
        self._clock = clock
        self._last: tuple[str, float] | None = None
        self._subscriber = rospy.Subscriber(COMMAND_TOPIC, rospy.AnyMsg, self._receive, queue_size=10)

    @property
    def sender(self) -> str:
        """The program that sent a command within the last 0.2 s besides this one; empty if none did."""
        last = self._last
        return last[0] if last is not None and self._clock.now() - last[1] <= _RECENT_S else ""

    def close(self) -> None:
        """Unsubscribe."""
        unsubscribe(self._subscriber)

    def _receive(self, message: Any) -> None:
        sender = message._connection_header.get("callerid", "a program without a name")
        if sender != self._own:
            self._last = sender, self._clock.now()
