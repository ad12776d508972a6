"""The person beside the robot: lays the table, puts back what fell off it, and has the last word on faults."""

from __future__ import annotations

import sys
import termios
from collections.abc import Callable
from typing import Protocol

import numpy as np

from tabletop_interaction.errors import RobotFault

Ask = Callable[[str], str]
"""Puts a question to a person and returns the answer; raises EOFError where nobody can answer."""

_YES = "yes"


class Operator(Protocol):
    """Whoever lays the table, and stands beside the arm."""

    @property
    def background(self) -> str:
        """Name of the table's surface now."""
        ...

    def lay_table(self, rng: np.random.Generator) -> None:
        """Lay a new scene; returns when it lies there. A person has no use for `rng`."""
        ...

    def bring_back(self, rng: np.random.Generator) -> int:
        """Put back what left the arena; returns how many objects that were."""
        ...

    def may_go_on(self, fault: RobotFault) -> bool:
        """Whether a fault is seen to, so that the motors may be enabled and the arm may leave the table."""
        ...


class Unattended:
    """Nobody is there: the table stays as it is.

    Args:
        background: name of the table's surface.
    """

    def __init__(self, background: str = "table") -> None:
        self.background = background

    def lay_table(self, rng: np.random.Generator) -> None:
        """Leave everything as it is."""

    def bring_back(self, rng: np.random.Generator) -> int:
        """Leave what fell off where it is."""
        return 0

    def may_go_on(self, fault: RobotFault) -> bool:
        """No: the arm waits for `SawyerBackend.acknowledge`."""
        return False


class AtConsole:
    """A person at the terminal, asked to do it and to press Enter.

    Args:
        background: name of the table's surface.
        ask: how the person is asked.
        scene: what shall be laid.
    """

    def __init__(
        self, background: str = "table", ask: Ask | None = None, scene: str = "other objects than before"
    ) -> None:
        self.background = background
        self._ask = ask or ask_afresh
        self._scene = scene

    def lay_table(self, rng: np.random.Generator) -> None:
        """Ask for a new scene and wait until it is there.

        Raises:
            RobotFault: nobody can answer.
        """
        self._answer(f"Lay the table: {self._scene}, well inside the arena. Step back and press Enter. ")

    def bring_back(self, rng: np.random.Generator) -> int:
        """Ask how many objects were put back; no number counts as none.

        Raises:
            RobotFault: nobody can answer.
        """
        answer = self._answer(
            "Put back what left the arena, step back and enter how many that were (Enter for none). "
        ).strip()
        return int(answer) if answer.isdecimal() else 0

    def may_go_on(self, fault: RobotFault) -> bool:
        """Tell what happened; only the whole word "yes" lets the arm go on; no answer is no."""
        try:
            answer = self._ask(
                f"The arm stopped. {fault}\n"
                f'Type "{_YES}" when the cause is seen to and everybody is out of reach. It stands for enable() and '
                "acknowledge(): the motors are enabled where they are not, and the arm rises and leaves the table. "
                "Anything else ends the command. "
            )
        except EOFError:
            return False
        return answer.strip().lower() == _YES

    def _answer(self, question: str) -> str:
        try:
            return self._ask(question)
        except EOFError as error:
            raise RobotFault(
                "laying the table: nobody answers at the terminal; the arm holds its position; run the command where "
                "a person can answer"
            ) from error


class BesideTwin:
    """A person beside a simulated table: it lays itself, and the person has the word on faults alone.

    Args:
        table: lays the table.
        person: is asked after a fault.
    """

    def __init__(self, table: Operator, person: Operator) -> None:
        self._table = table
        self._person = person

    @property
    def background(self) -> str:
        """Name of the table's surface now."""
        return self._table.background

    def lay_table(self, rng: np.random.Generator) -> None:
        """Let the table lay itself."""
        self._table.lay_table(rng)

    def bring_back(self, rng: np.random.Generator) -> int:
        """Let the table bring back what left the arena."""
        return self._table.bring_back(rng)

    def may_go_on(self, fault: RobotFault) -> bool:
        """The person's word."""
        return self._person.may_go_on(fault)


def ask_afresh(question: str) -> str:
    """The answer that a person gives to this question: what was typed before it was put answers nothing.

    Raises:
        EOFError: nobody can answer.
    """
    if sys.stdin is not None and sys.stdin.isatty():
        termios.tcflush(sys.stdin, termios.TCIFLUSH)
    return input(question)
