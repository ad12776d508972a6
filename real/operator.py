"""The operator beside the robot: lays the table, puts back objects that fell off, and decides after faults."""

import sys
import termios
from collections.abc import Callable
from typing import Protocol

import numpy as np

from tabletop_interaction.errors import GripperNotReady, RobotFault

Ask = Callable[[str], str]
"""Asks a person and returns the answer; raises EOFError if nobody can answer."""

_YES = "yes"


class Operator(Protocol):
    """Lays the table and decides after faults."""

    @property
    def background(self) -> str:
        """Name of the table's present surface."""
        ...

    def lay_table(self, rng: np.random.Generator) -> None:
        """Lay a new scene and return when it is ready. A person does not use `rng`."""
        ...

    def bring_back(self, rng: np.random.Generator) -> int:
        """Put back the objects that left the arena; returns their number."""
        ...

    def may_continue(self, fault: RobotFault) -> bool:
        """Whether the cause of a fault is removed, so that the motors may be enabled and the arm may leave."""
        ...

    def may_calibrate(self, error: GripperNotReady) -> bool:
        """Whether the gripper may be calibrated, which opens its fingers and drops what they hold."""
        ...


class Unattended:
    """Nobody is there: the table stays as it is."""

    def __init__(self, background: str = "table") -> None:
        self.background = background

    def lay_table(self, rng: np.random.Generator) -> None:
        """Change nothing."""

    def bring_back(self, rng: np.random.Generator) -> int:
        """Put nothing back."""
        return 0

    def may_continue(self, fault: RobotFault) -> bool:
        """No: the arm waits for `SawyerBackend.acknowledge`."""
        return False

    def may_calibrate(self, error: GripperNotReady) -> bool:
        """No: something may fall."""
        return False


class AtConsole:
    """A person at the terminal, who reads instructions and presses Enter; `scene` names the objects to lay."""

    def __init__(
        self, background: str = "table", ask: Ask | None = None, scene: str = "other objects than before"
    ) -> None:
        self.background = background
        self._ask = ask or ask_at_terminal
        self._scene = scene

    def lay_table(self, rng: np.random.Generator) -> None:
        """Ask for a new scene and wait until it is ready; raises RobotFault if nobody can answer."""
        self._answer(f"Lay the table: {self._scene}, well inside the arena. Step back and press Enter. ")

    def bring_back(self, rng: np.random.Generator) -> int:
        """Ask for the number of objects that were put back; an answer without a number counts as 0."""
        answer = self._answer(
            "Put back the objects that left the arena, step back and enter their number (Enter for none). "
        ).strip()
        return int(answer) if answer.isdecimal() else 0

    def may_continue(self, fault: RobotFault) -> bool:
        """Show the fault; only the whole word "yes" lets the arm continue; no answer means no."""
        return self._agrees(
            f"The arm stopped. {fault}\n"
            f'Type "{_YES}" when the cause is removed and everybody is out of reach. This stands for enable() and '
            "acknowledge(): the motors are enabled if they are off, and the arm rises and leaves the table. "
            "Anything else ends the command. "
        )

    def may_calibrate(self, error: GripperNotReady) -> bool:
        """Show the gripper's state; only the whole word "yes" lets it be calibrated; no answer means no."""
        return self._agrees(
            f"{error}\n"
            f'Type "{_YES}" to calibrate it now, when your hand supports what it holds and is off its fingers. The arm '
            "does not move. Anything else ends the command. "
        )

    def _agrees(self, question: str) -> bool:
        try:
            return self._ask(question).strip().lower() == _YES
        except EOFError:
            return False

    def _answer(self, question: str) -> str:
        try:
            return self._ask(question)
        except EOFError as error:
            raise RobotFault(
                "laying the table: nobody answers at the terminal; the arm holds its position; run the command where "
                "a person can answer"
            ) from error


class BesideTwin:
    """A person beside a simulated table: the table lays itself, the person decides after faults only."""

    def __init__(self, table: Operator, person: Operator) -> None:
        self._table = table
        self.lay_table = table.lay_table
        self.bring_back = table.bring_back
        self.may_continue = person.may_continue
        self.may_calibrate = person.may_calibrate

    @property
    def background(self) -> str:
        """Name of the table's present surface."""
        return self._table.background


def ask_at_terminal(question: str) -> str:
    """The answer that a person types after the question; earlier input is discarded. EOFError if nobody can."""
    if sys.stdin is not None and sys.stdin.isatty():
        termios.tcflush(sys.stdin, termios.TCIFLUSH)
    return input(question)
