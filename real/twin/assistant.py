"""The person beside the twin while its stop button is tried: does what the terminal asks of a person beside a robot."""

from tabletop_interaction.real.calibration.stop_button import Task
from tabletop_interaction.real.twin.robot import TwinRobot

_OBJECT_M = 0.02
_PRESSED_AFTER_S = 0.5


class TwinAssistant:
    """Prints each task and does it on the twin."""

    def __init__(self, robot: TwinRobot) -> None:
        self._robot = robot

    def __call__(self, task: Task) -> None:
        """Do a task."""
        print(f"{task.value}(The twin's assistant does it.)")
        if task is Task.GIVE:
            self._robot.held_out_m = _OBJECT_M
        elif task is Task.PRESS:
            self._robot.at(_PRESSED_AFTER_S, self._robot.press_estop)
        elif task is Task.RELEASE:
            self._robot.release_estop()
        else:
            self._robot.held_out_m = 0.0
