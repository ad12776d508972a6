"""Try the stop button while the gripper holds an object: a person presses, the program records the gripper."""

import math
from collections.abc import Callable
from enum import Enum

from tabletop_interaction.errors import CalibrationRejected
from tabletop_interaction.real.arm.clock import Clock
from tabletop_interaction.real.arm.driver import SawyerDriver
from tabletop_interaction.real.arm.gripping import close_fingers, grips, open_fingers
from tabletop_interaction.real.arm.settings import SawyerSettings
from tabletop_interaction.real.calibration.arm_response import Grip, StopButton
from tabletop_interaction.real.operator import ask_at_terminal

_PRESS_S = 120.0
_AFTER_S = 3.0
_PERIOD_S = 0.02
_TRIES = 3


class Task(Enum):
    """What a person does beside the robot, as the question at the terminal."""

    GIVE = "Hold a soft object between the open fingers, keep your hand clear, and press Enter: the gripper closes. "
    PRESS = "Let go of the object. Press Enter, then press the stop button. "
    RELEASE = "Release the stop button and press Enter: the motors are enabled; the arm does not move. "
    TAKE = "Hold the object and press Enter: the gripper opens. "


Assistant = Callable[[Task], None]
"""Has a task done and returns then; after PRESS the button may follow a little later."""


def by_person(task: Task) -> None:
    """Ask the person at the terminal.

    Raises:
        CalibrationRejected: nobody answers.
    """
    try:
        ask_at_terminal(task.value)
    except EOFError as error:
        raise CalibrationRejected(
            "trying the stop button: nobody answers at the terminal; nothing was written; run the command where a "
            "person can answer, or give --no-stop-button"
        ) from error


def try_stop_button(
    driver: SawyerDriver, clock: Clock, settings: SawyerSettings, assistant: Assistant = by_person
) -> StopButton:
    """Grip an object, have the button pressed and released, and enable the motors; the arm gets no command.

    Raises:
        RobotFault: the gripper does not open or close, or the robot cannot be enabled.
        CalibrationRejected: nothing was gripped, or the button was not pressed in time; nothing was written.
    """
    _grip(driver, clock, settings, assistant)
    held = _gripper(driver, settings)
    assistant(Task.PRESS)
    _wait_for_button(driver, clock)
    clock.sleep(_AFTER_S)
    stopped = _gripper(driver, settings)
    assistant(Task.RELEASE)
    driver.enable()
    clock.sleep(_AFTER_S)
    enabled = _gripper(driver, settings)
    assistant(Task.TAKE)
    open_fingers(driver, clock, settings)
    return StopButton(held, stopped, enabled)


def _grip(driver: SawyerDriver, clock: Clock, settings: SawyerSettings, assistant: Assistant) -> None:
    for _ in range(_TRIES):
        open_fingers(driver, clock, settings)
        assistant(Task.GIVE)
        if close_fingers(driver, clock, settings):
            return
    open_fingers(driver, clock, settings)
    raise CalibrationRejected(
        f"the gripper held nothing after {_TRIES} tries; nothing was written; use an object of 10 to 30 mm that is "
        "not too soft, or give --no-stop-button"
    )


def _wait_for_button(driver: SawyerDriver, clock: Clock) -> None:
    for _ in range(round(_PRESS_S / _PERIOD_S)):
        state = driver.state()
        if state.estop_pressed or state.stopped:
            return
        clock.sleep(_PERIOD_S)
    raise CalibrationRejected(
        f"the robot reported no stop within {_PRESS_S:.0f} s; nothing was written; if the button was pressed, do not "
        "use this robot before it is repaired"
    )


def _gripper(driver: SawyerDriver, settings: SawyerSettings) -> Grip:
    state = driver.gripper()
    if not math.isfinite(state.opening):
        raise CalibrationRejected("the gripper reports no opening; nothing was written; switch it off and on")
    force = round(state.force, 2) if math.isfinite(state.force) else None
    return Grip(round(state.opening, 5), force, grips(state, settings.gripper))
