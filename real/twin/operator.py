"""The twin's operator: lays the scenes that the simulation would draw from the same random generator."""

from __future__ import annotations

import numpy as np

from tabletop_interaction.errors import RobotFault
from tabletop_interaction.real.twin.robot import TwinRobot
from tabletop_interaction.simulation import SimulationBackend


class TwinOperator:
    """See `Operator`.

    Args:
        table: what is laid.
        robot: its arm stays where it is meanwhile.
    """

    def __init__(self, table: SimulationBackend, robot: TwinRobot) -> None:
        self._table = table
        self._robot = robot

    @property
    def background(self) -> str:
        """Name of the table's surface now."""
        return self._table.background

    def lay_table(self, rng: np.random.Generator) -> None:
        """Draw a scene and lay it."""
        self._table.reset(rng, new_scene=True)
        self._robot.settle()

    def bring_back(self, rng: np.random.Generator) -> int:
        """Put back what left the arena, at free places."""
        return self._table.reset(rng, new_scene=False)

    def may_go_on(self, fault: RobotFault) -> bool:
        """No: nobody is there; the arm waits for `SawyerBackend.acknowledge`."""
        return False
