"""A tray: four low walls around the objects, with the table top as its floor. Frame: the arena's, metres.

It is part of the scene and not an object: its pixels have the instance id 0, as those of the table.
"""

from dataclasses import dataclass

import numpy as np

from tabletop_interaction.arrays import Floats
from tabletop_interaction.envs.backend import Arena

WALL_M = 0.012
HEIGHT_M = 0.03
BESIDE_M = 0.03
"""Distance of the walls from the points that the gripper may reach."""

_COLOURS = ((0.36, 0.40, 0.46), (0.72, 0.70, 0.66), (0.20, 0.30, 0.48), (0.55, 0.20, 0.17), (0.30, 0.42, 0.30))


@dataclass(frozen=True, eq=False)
class Box:
    """An upright box: its centre (3,) and half of its size (3,), metres."""

    centre: Floats
    half_size: Floats


@dataclass(frozen=True, eq=False)
class Tray:
    """Four walls, and their colour, RGB in 0 to 1."""

    walls: tuple[Box, ...]
    colour: tuple[float, float, float]

    @property
    def corners(self) -> Floats:
        """(32, 3) corners of the walls."""
        signs = np.array(np.meshgrid((-1, 1), (-1, 1), (-1, 1))).reshape(3, -1).T
        return np.concatenate([wall.centre + signs * wall.half_size for wall in self.walls])


def draw_tray(rng: np.random.Generator, table: Arena) -> Tray:
    """A tray of a random colour whose outside is a rectangle of the table that all cameras see."""
    return Tray(_walls(table), _COLOURS[int(rng.integers(len(_COLOURS)))])


def arena_in_tray(table: Arena) -> Arena:
    """The arena of a table with a tray: the walls are 30 mm beside it."""
    inset = WALL_M + BESIDE_M
    return Arena(table.x_min + inset, table.x_max - inset, table.y_min + inset, table.y_max - inset)


def _walls(table: Arena) -> tuple[Box, ...]:
    """Two walls along y at the ends of x, and between them two along x."""
    (x, y), (half_x, half_y) = table.centre, table.half_size
    ends = [(x + side * (half_x - WALL_M / 2), y, WALL_M / 2, half_y) for side in (-1, 1)]
    sides = [(x, y + side * (half_y - WALL_M / 2), half_x - WALL_M, WALL_M / 2) for side in (-1, 1)]
    return tuple(
        Box(np.array([at_x, at_y, HEIGHT_M / 2]), np.array([size_x, size_y, HEIGHT_M / 2]))
        for at_x, at_y, size_x, size_y in (*ends, *sides)
    )
