"""The person beside the robot: lays another scene, and puts back what fell off the table."""

from __future__ import annotations

from typing import Protocol

import numpy as np


class Operator(Protocol):
    """Whoever lays the table."""

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


class AtConsole:
    """A person at the terminal, asked to do it and to press Enter.

    Args:
        background: name of the table's surface.
    """

    def __init__(self, background: str = "table") -> None:
        self.background = background

    def lay_table(self, rng: np.random.Generator) -> None:
        """Ask for a new scene and wait until it is there."""
        input("Lay other objects on the table, well inside the arena, step back and press Enter. ")

    def bring_back(self, rng: np.random.Generator) -> int:
        """Ask how many objects were put back; no number counts as none."""
        answer = input("Put back what left the arena, step back and enter how many that were (Enter for none). ")
        return int(answer) if answer.strip().isdigit() else 0
