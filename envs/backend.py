"""The Backend protocol between the environments and a world: what a simulation and a robot can both do.

Arguments and results are numpy arrays and frozen dataclasses, never types of torch, ROS or PyBullet. Frame: the
arena's, in metres and radians (see `views`).
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Literal, Protocol, get_args, runtime_checkable

import numpy as np

from tabletop_interaction.arrays import Floats, Floats32, Ids, Picture
from tabletop_interaction.envs.views import View
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.extras import explaining
from tabletop_interaction.ranges import check_choice

Split = Literal["train", "val", "test", "dev"]
SPLITS: tuple[Split, ...] = get_args(Split)

Primitive = Literal["pick", "push"]
"""What one step of an environment is: a pick-and-place, or a push."""
PRIMITIVES: tuple[Primitive, ...] = get_args(Primitive)

Pictures = dict[str, Picture]


@dataclass(frozen=True)
class Arena:
    """The reachable rectangle of the table, metres; the frame's origin is the table's centre."""

    x_min: float
    x_max: float
    y_min: float
    y_max: float

    @property
    def centre(self) -> tuple[float, float]:
        """x, y of the middle, metres."""
        return (self.x_min + self.x_max) / 2, (self.y_min + self.y_max) / 2

    @property
    def half_size(self) -> tuple[float, float]:
        """Half the extent along x and y, metres."""
        return (self.x_max - self.x_min) / 2, (self.y_max - self.y_min) / 2

    def contains(self, x: float, y: float, margin: float = 0.0) -> bool:
        """Whether a point of the table lies inside, or at most `margin` metres outside."""
        return self.x_min - margin <= x <= self.x_max + margin and self.y_min - margin <= y <= self.y_max + margin


class PickOutcome(IntEnum):
    """Outcome of a pick, as the gripper measures it."""

    NO_PICK = 0
    """No pick was made (after a reset)."""
    HELD = 1
    """Something is held after the lift."""
    NOTHING_THERE = 2
    """The fingers closed without touching anything."""
    PUSHED_AWAY = 3
    """The fingers touched an object, but closed beside it."""
    SLIPPED = 4
    """An object was between the fingers and was lost during the lift."""
    BLOCKED = 5
    """The gripper descended onto an object and closed above the table without it."""
    UNREACHABLE = 6
    """The arm cannot reach the point; nothing was moved."""


@dataclass(frozen=True)
class Grasp:
    """Result of a pick: whether the gripper holds something, and if not, why."""

    outcome: PickOutcome

    @property
    def held(self) -> bool:
        """Whether the gripper measures that it holds something."""
        return self.outcome is PickOutcome.HELD


@runtime_checkable
class Backend(AbstractContextManager["Backend"], Protocol):
    """A table with a gripper above it and cameras around it.

    Every call leaves the arm out of every view. Errors are subclasses of `TabletopError`; `error.recoverable` says
    whether the backend can continue. As a context manager it closes itself. `check_backend` tests an implementation.
    """

    @property
    def arena(self) -> Arena:
        """The reachable rectangle of the table."""

    @property
    def views(self) -> tuple[View, ...]:
        """The cameras, in a fixed order."""

    @property
    def background(self) -> str:
        """Name of the current table top."""

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Plain JSON about the origin of the pictures: backend, renderer, versions, settings, split if any."""

    def observe(self) -> Pictures:
        """Current RGB pictures, uint8 (height, width, 3), one per view by name; moves nothing."""

    def pick(self, x: float, y: float, angle: float) -> Grasp:
        """Descend open at (x, y) metres with the closing axis at `angle` radians, close, lift, leave the views.

        Raises:
            UnreachableTarget: nothing was moved.
            AlreadyHolding: something is held; nothing was moved.
        """

    def place(self, x: float, y: float, angle: float | None = None) -> None:
        """Put down the held object, if any, at (x, y) metres, open, and leave the views.

        With an `angle`, radians, the object has turned since the pick by `angle` minus the pick's angle. None keeps
        the pick's closing axis; the gripper may then have turned by half a turn, and the object with it.

        Raises:
            UnreachableTarget: nothing was moved.
        """

    def sweep(self, start_xy: tuple[float, float], end_xy: tuple[float, float]) -> None:
        """Drag the closed gripper over the table from one point to another, metres.

        Raises:
            UnreachableTarget: nothing was moved.
            AlreadyHolding: something is held; nothing was moved.
        """

    def reset(self, rng: np.random.Generator, *, new_scene: bool) -> int:
        """Open the gripper and return the objects that left the arena, or with `new_scene` draw a scene from `rng`.

        On a robot the operator arranges a new scene, and `rng` is not used.

        Returns:
            number of objects that were returned from outside the arena.
        """

    def close(self) -> None:
        """Release all resources; calling it again does nothing."""


@dataclass(frozen=True, eq=False)
class ObjectState:
    """True pose and size of an object.

    Attributes:
        id: its number in the instance maps, 1 or more.
        name: its model's name.
        position: (3,) float64, centre of mass, metres, arena frame.
        quaternion_xyzw: (4,) float64, arena_from_object rotation.
        surface: (N, 3) float32 points of its surface, metres, the object's frame; none if unknown.
    """

    id: int
    name: str
    position: Floats
    quaternion_xyzw: Floats
    surface: Floats32 = field(default_factory=lambda: np.zeros((0, 3), np.float32))

    @property
    def size(self) -> Floats:
        """(3,) float64, extent along the object's own axes, metres; zeros if unknown."""
        return np.ptp(self.surface, axis=0).astype(np.float64) if len(self.surface) else np.zeros(3)


@runtime_checkable
class GroundTruth(Protocol):
    """Ground truth, which only a simulation has; for benchmarks and judges, never for agents."""

    @property
    def max_objects(self) -> int:
        """Most objects that a scene can have."""

    def object_states(self) -> tuple[ObjectState, ...]:
        """The objects of the scene, including held and fallen ones, in order of their ids."""

    def instance_maps(self) -> dict[str, Ids]:
        """(height, width) int32 per view: id of the visible object, 0 for the table."""

    def depth_maps(self) -> dict[str, Floats32]:
        """(height, width) float32 per view: distance along the camera's z axis, metres; 0 where nothing is seen."""


@runtime_checkable
class Arranging(Backend, GroundTruth, Protocol):
    """A backend that can put objects at given poses; for goals and benchmarks, never for agents."""

    def outlines(self) -> dict[int, Floats]:
        """(N, 2) corners x, y, metres, of each object's convex outline seen from above, by id."""

    def arrange(self, states: Sequence[ObjectState]) -> None:
        """Put these objects at these poses, at rest, and let the table settle; other objects stay.

        Raises:
            InvalidConfiguration: no object of the scene has such an id; nothing was moved.
            AlreadyHolding: something is held; nothing was moved.
        """


@runtime_checkable
class ThirdPerson(Protocol):
    """A backend with a picture that shows the arm."""

    def third_person_picture(self) -> Picture:
        """uint8 (H, W, 3) RGB picture of table and arm."""


def open_backend(name: str | Backend, *, split: str = "train", config: Any = None) -> Backend:
    """Open the backend of that name; an object with the Backend protocol is returned unchanged.

    Args:
        name: "simulation", "sawyer", or an object with the Backend protocol.
        split: objects and backgrounds of a simulation: "train", "val", "test" or "dev".
        config: a `SimulationConfig` or None for the defaults; for a Sawyer the path of its lab file, or "twin". Also
            the plain form of a `SimulationConfig` or a `Lab`: its fields as a dict, as JSON reads them.

    Raises:
        InvalidConfiguration: unknown name or split, or a configuration of another kind; nothing was opened.
        RobotUnavailable: the Sawyer cannot be reached; nothing was opened.
        MissingPackage: the extra for the Sawyer is not installed.
    """
    check_choice("split", split, SPLITS)
    if not isinstance(name, str):
        return _checked_backend(name, config)
    if name == "simulation":
        from tabletop_interaction.simulation import open_simulation

        return open_simulation(split, config)
    if name == "sawyer":
        with explaining():
            from tabletop_interaction.real import open_sawyer

            return open_sawyer(split, config)
    raise InvalidConfiguration(
        f"unknown backend {name!r}; accepted are 'simulation', 'sawyer' and an object with the Backend protocol"
    )


def _checked_backend(backend: Backend, config: Any) -> Backend:
    missing = [name for name in _BACKEND_NAMES if not hasattr(backend, name)]
    if missing:
        raise InvalidConfiguration(
            f"backend {type(backend).__name__} lacks {', '.join(missing)}; see the Backend protocol and check_backend"
        )
    if config is not None:
        raise InvalidConfiguration(
            "config was given with a Backend object; accepted is a backend's name with config, or an object without"
        )
    return backend


_BACKEND_NAMES = (
    "arena", "views", "background", "metadata", "observe", "pick", "place", "sweep", "reset", "close",
)  # fmt: skip
