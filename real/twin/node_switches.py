"""What the twin's node listens to: a Sawyer's switches, as far as `std_msgs` carries them.

Messages arrive in rospy's threads and wait until the node's own loop acts on them: PyBullet has one caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from typing import Any

from tabletop_interaction.real.twin.intera_stand_in import RobotEnable
from tabletop_interaction.real.twin.node_topics import RosModules
from tabletop_interaction.real.twin.robot import TwinRobot

Action = Callable[[TwinRobot], str]
"""Acts on the robot, and says what became of it."""


def listen(ros: RosModules) -> SimpleQueue[Action]:
    """Subscribe to the switches; what is thrown waits in the queue."""
    waiting: SimpleQueue[Action] = SimpleQueue()

    def switch(topic: str, message_type: Any, action_of: Callable[[Any], Action]) -> None:
        ros.rospy.Subscriber(topic, message_type, lambda message: waiting.put(action_of(message)), queue_size=10)

    switch("/robot/set_super_enable", ros.std_msgs.Bool, lambda message: enable if message.data else disable)
    switch("/robot/set_super_stop", ros.std_msgs.Empty, lambda message: stop)
    switch("/robot/set_super_reset", ros.std_msgs.Empty, lambda message: reset)
    return waiting


def act(waiting: SimpleQueue[Action], robot: TwinRobot) -> Iterator[str]:
    """Do what waits, one after the other; what became of each."""
    while True:
        try:
            action = waiting.get_nowait()
        except Empty:
            return
        yield action(robot)


def enable(robot: TwinRobot) -> str:
    """Give the motors power, unless stopped."""
    if robot.state.stopped:
        return "stays disabled: it is stopped; reset it first"
    robot.state.enabled = True
    return "enabled"


def disable(robot: TwinRobot) -> str:
    """Take the motors' power away."""
    RobotEnable(robot).disable()
    return "disabled"


def stop(robot: TwinRobot) -> str:
    """Stop as the button does."""
    robot.halt()
    return "stopped"


def reset(robot: TwinRobot) -> str:
    """Clear a stop."""
    try:
        RobotEnable(robot).reset()
    except OSError as refusal:
        return f"not reset: {refusal.strerror}"
    return "reset"
