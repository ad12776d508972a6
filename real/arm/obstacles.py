"""Boxes that the arm keeps away from: camera posts, walls, trays, the operator's side. A section of the lab file.

Metres and radians, the arena's frame.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from tabletop_interaction.arrays import Floats
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.ranges import Range, check_fields
from tabletop_interaction.real.arm.settings import ArenaPoint
from tabletop_interaction.sawyer.obstacles import Obstacle, obstacle_at

Side = Annotated[float, Range(0.001, 20)]


@dataclass(frozen=True)
class BoxInArena:
    """One entry of section "obstacles": give `centre` and `size`, or `corners`.

    Attributes:
        centre: x, y, z of the box's middle.
        size: its sides along x, y, z before it is turned.
        corners: two opposite corners before it is turned, in any order.
        yaw_rad: its turn about the vertical through its middle, counter-clockwise from above.
        clearance_m: distance that every part of the arm, and what it holds, keeps from the box.
    """

    centre: ArenaPoint | None = None
    size: tuple[Side, Side, Side] | None = None
    corners: tuple[ArenaPoint, ArenaPoint] | None = None
    yaw_rad: Annotated[float, Range(-2 * math.pi, 2 * math.pi)] = 0.0
    clearance_m: Annotated[float, Range(0.005, 0.5)] = 0.03

    def __post_init__(self) -> None:
        check_fields(self)
        given = [name for name in ("centre", "size", "corners") if getattr(self, name) is not None]
        if given not in (["centre", "size"], ["corners"]):
            raise InvalidConfiguration(
                f"{' and '.join(given) or 'neither centre nor corners'} came; accepted are centre and size, or two "
                "opposite corners, metres in the arena's frame"
            )
        if self.corners is not None and not (self.sides >= 0.001).all():
            raise InvalidConfiguration(
                f"the corners {self.corners} are {self.sides.tolist()} m apart along x, y, z; at least 0.001 m is "
                "accepted along each"
            )

    @property
    def sides(self) -> Floats:
        """(3,) lengths of the sides."""
        sides = np.abs(np.subtract(*self.corners)) if self.corners is not None else self.size
        return np.asarray(sides, np.float64)

    @property
    def arena_from_box(self) -> Floats:
        """(4, 4) from the box's frame, the origin at its middle and the axes along its sides."""
        cosine, sine = math.cos(self.yaw_rad), math.sin(self.yaw_rad)
        pose = np.eye(4)
        pose[:2, :2] = [[cosine, -sine], [sine, cosine]]
        pose[:3, 3] = np.mean(self.corners, axis=0) if self.corners is not None else np.array(self.centre)
        return pose


def obstacles_of(boxes: Mapping[str, BoxInArena], base_from_arena: Floats) -> tuple[Obstacle, ...]:
    """The boxes in the frame of the arm's base, by their names."""
    return tuple(
        obstacle_at(name, box.sides.tolist(), base_from_arena @ box.arena_from_box, box.clearance_m)
        for name, box in boxes.items()
    )
