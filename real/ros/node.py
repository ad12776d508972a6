"""This process as a ROS 1 node: start, unsubscribe and end in bounded time.

The master runs on the robot and ends with it. rospy then repeats a registration without end, and unregistering waits
minutes, also at the end of the process.
"""

import atexit
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from tabletop_interaction.errors import NoAnswer
from tabletop_interaction.real.waiting import within

INSTALLATION = (
    "install python3-rospy and python3-sensor-msgs and use a virtual environment made with /usr/bin/python3 -m venv "
    "--system-site-packages"
)
"""What to do if ROS cannot be imported."""

UNREGISTER_S = 2.0
"""Time allowed to unregister a topic or the node at the master."""


def start_node(rospy: Any, name: str, *, anonymous: bool = True) -> None:
    """Make this process a node unless it is one; the master is known to answer now, but may be gone at the end.

    An anonymous node has a number added to its name; otherwise a new node of the same name ends the older one.
    """
    if rospy.core.is_initialized():
        return
    rospy.init_node(name, anonymous=anonymous, disable_signals=True)
    _keep_terminal_free()
    # Registered last, run first: rospy's own shutdown at the end of the process then has nothing to do.
    atexit.register(end_node, rospy)


def end_node(rospy: Any) -> None:
    """Unregister the node; a second call does nothing."""
    _try(lambda: rospy.signal_shutdown("done"))


def unsubscribe(subscriber: Any) -> None:
    """Unsubscribe; nothing is received afterwards, even if the master does not answer."""
    _try(subscriber.unregister)


def _try(unregister: Callable[[], object]) -> None:
    with suppress(NoAnswer):
        within(UNREGISTER_S, "the ROS master", unregister)


def _keep_terminal_free() -> None:
    """Send what rospy and Rethink's SDK log to ROS's log file only: on a terminal it would mix with our questions.

    The file lies in ROS_LOG_DIR, by default ~/.ros/log. What matters to the operator is raised as an error.
    """
    logger = logging.getLogger("rosout")
    for handler in [each for each in logger.handlers if type(each).__name__ == "RosStreamHandler"]:
        logger.removeHandler(handler)
