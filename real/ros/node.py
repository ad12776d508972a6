"""This process as a ROS 1 node: started and ended, and its topics left, in bounded time.

The master runs on the robot and goes with it. rospy then repeats a registration for ever and waits minutes for a
farewell, at the end of the process too.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable
from threading import Thread
from typing import Any

INSTALLATION = (
    "install python3-rospy and python3-sensor-msgs and use a virtual environment made with /usr/bin/python3 -m venv "
    "--system-site-packages"
)
"""What to do where ROS cannot be imported."""

FAREWELL_S = 2.0
"""How long the master may take to hear that a topic or the whole node is left."""


def start_node(rospy: Any, name: str, *, anonymous: bool = True) -> None:
    """Make this process a node unless it is one; the master is known to answer, and need not when the process ends.

    Args:
        rospy: the module.
        name: of the node.
        anonymous: whether a number is added, so that several of that name can run; else the newest ends the others.
    """
    if rospy.core.is_initialized():
        return
    rospy.init_node(name, anonymous=anonymous, disable_signals=True)
    # Last in, first out: rospy's own farewell at the end of the process finds it said.
    atexit.register(end_node, rospy)


def end_node(rospy: Any) -> None:
    """Take the node off the master; again is harmless."""
    _try_for(FAREWELL_S, lambda: rospy.signal_shutdown("its work is done"))


def unsubscribe(subscriber: Any) -> None:
    """Leave a topic; nothing is received after that, even where the master does not hear of it."""
    _try_for(FAREWELL_S, subscriber.unregister)


def _try_for(seconds: float, say: Callable[[], object]) -> None:
    farewell = Thread(target=say, name="farewell to the ROS master", daemon=True)
    farewell.start()
    farewell.join(seconds)
