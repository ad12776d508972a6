"""The gripper of a backend: the numbers by which grasps are planned and simulated."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, Protocol, get_args, runtime_checkable

from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.ranges import Range, check_fields


@dataclass(frozen=True)
class Gripper:
    """A parallel gripper with two flat pads; the defaults are the Sawyer's.

    Attributes:
        opening_m: Distance between the open pads, metres: the widest object that fits.
        closed_m: Distance between the closed pads, metres: a thinner object is not held.
        pad_m: Width of a pad across the closing axis, metres.
        force_n: Force of each finger, N.
        speed_m_s: Largest speed of a finger, m/s.
    """

    opening_m: Annotated[float, Range(0.02, 0.2, unit="m")] = 0.057166
    closed_m: Annotated[float, Range(0, 0.1, unit="m")] = 0.0155
    pad_m: Annotated[float, Range(0.005, 0.05, unit="m")] = 0.016
    force_n: Annotated[float, Range(1, 200, unit="N")] = 20.0
    speed_m_s: Annotated[float, Range(0.05, 1, unit="m/s")] = 0.25

    def __post_init__(self) -> None:
        check_fields(self)
        if self.opening_m - self.closed_m < 0.01:
            raise InvalidConfiguration(
                f"the gripper has opening_m {self.opening_m} and closed_m {self.closed_m}; accepted is an opening that "
                "is at least 0.01 m wider"
            )

    @property
    def travel_m(self) -> float:
        """Travel of each finger from closed to open, in whole micrometres."""
        return round((self.opening_m - self.closed_m) / 2, 6)


GripperName = Literal["sawyer", "wide"]
GRIPPER_NAMES: tuple[GripperName, ...] = get_args(GripperName)

GRIPPERS: Mapping[GripperName, Gripper] = {
    "sawyer": Gripper(),
    "wide": Gripper(opening_m=0.16, closed_m=0.01, pad_m=0.022, force_n=30.0, speed_m_s=0.35),
}
"""sawyer: Rethink's electric gripper. wide: fingers of a longer travel, for objects up to 160 mm wide."""


@runtime_checkable
class HasGripper(Protocol):
    """A backend that says which gripper it has; any other has the Sawyer's."""

    @property
    def gripper(self) -> Gripper:
        """The gripper."""


def gripper_of(backend: object) -> Gripper:
    """The gripper of a backend: its own, or the Sawyer's where the backend does not say."""
    return backend.gripper if isinstance(backend, HasGripper) else Gripper()
