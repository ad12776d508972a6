"""What an environment observes: the views' pictures and, from a simulation, the true state, depths and instance masks.

All but the pictures are ground truth, which a real robot does not have.
"""

from collections.abc import Collection, Sequence
from typing import Any, Literal, get_args

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from tabletop_interaction.arrays import Floats32
from tabletop_interaction.envs.backend import Backend, GroundTruth, ObjectState, Pictures
from tabletop_interaction.errors import BlankPicture, InvalidConfiguration
from tabletop_interaction.ranges import check_choice, check_value, shown
from tabletop_interaction.rotations import matrix_from_quaternion

Kind = Literal["pictures", "state", "both"]
KINDS: tuple[Kind, ...] = get_args(Kind)

Extra = Literal["depth", "instances"]
EXTRAS: tuple[Extra, ...] = get_args(Extra)

Observation = dict[str, NDArray[Any]]
"""Arrays by key: a view's name, `<view>_depth`, `<view>_instances`, `ground_truth_state` ..."""

STATE_KEY = "ground_truth_state"
GOAL_STATE_KEY = "ground_truth_goal"

STATE_FEATURES = (
    "present", "x", "y", "z", "r11", "r21", "r31", "r12", "r22", "r32", "size_x", "size_y", "size_z",
)  # fmt: skip
"""Columns of a state, metres where they have a unit; see `state_array`."""

MAX_DEPTH_M = 65.535
"""Greater depths are observed as 0; millimetres of 16 bits hold all others."""
MAX_ID = 2**16 - 1
"""Greatest id of an object in an instance map."""


def extra_key(view_name: str, extra: Extra) -> str:
    """The observation's key of a view's depths or instances."""
    return f"{view_name}_{extra}"


def in_order(extras: Collection[str]) -> tuple[Extra, ...]:
    """Extras without repetition, in the order of their columns and keys."""
    return tuple(extra for extra in EXTRAS if extra in extras)


def check_observation(observation: object, extras: object) -> None:
    """Refuse an unknown kind of observation or extra.

    Raises:
        InvalidConfiguration: says what came and what is accepted.
    """
    check_choice("observation", observation, KINDS)
    check_extras(extras)


def check_extras(extras: object) -> None:
    """Refuse an unknown extra; raises InvalidConfiguration."""
    check_value("extras", extras, tuple[str, ...])
    for extra in extras:  # type: ignore[attr-defined]
        check_choice("name in extras", extra, EXTRAS)


class Observer:
    """Observes a backend; moves nothing.

    Args:
        observation: "pictures", "state", or "both".
        extras: "depth" and "instances", in any order, observed for each view besides.

    Attributes:
        has_pictures, has_state: what is observed.

    Raises:
        InvalidConfiguration: as `check_observation`, or the backend has no ground truth to observe.
    """

    def __init__(self, backend: Backend, observation: Kind = "pictures", extras: Sequence[Extra] = ()) -> None:
        check_observation(observation, extras)
        self.has_pictures, self.has_state = observation != "state", observation != "pictures"
        self._backend = backend
        self._extras = in_order(extras)
        _check_names([view.name for view in backend.views], self._extras)
        if not self.has_state and not extras:
            return
        if not isinstance(backend, GroundTruth):
            raise InvalidConfiguration(
                f"observation {observation!r} with extras {shown(tuple(extras))} came, but {type(backend).__name__} "
                "has no ground truth to observe; use the simulation, or the observation 'pictures' without extras"
            )
        self._truth = backend
        self._slots = backend.max_objects

    def spaces(self) -> dict[str, gym.Space[Any]]:
        """The space of each key of `observe`, in the same order."""
        spaces: dict[str, gym.Space[Any]] = {}
        for view in self._backend.views if self.has_pictures else ():
            spaces[view.name] = gym.spaces.Box(0, 255, (view.height, view.width, 3), np.uint8)
        for extra in self._extras:
            high, dtype = (MAX_DEPTH_M, np.float32) if extra == "depth" else (MAX_ID, np.int32)
            for view in self._backend.views:
                key = extra_key(view.name, extra)
                spaces[key] = gym.spaces.Box(0, high, (view.height, view.width), dtype)
        if self.has_state:
            spaces[STATE_KEY] = self.state_space()
        return spaces

    def state_space(self) -> gym.spaces.Box:
        """Of `state`."""
        return gym.spaces.Box(-1.0, 1.0, (self._slots, len(STATE_FEATURES)), np.float32)

    def observe(self) -> Observation:
        """The current table without the arm.

        Raises:
            BlankPicture: a camera's picture is uniform.
        """
        found: Observation = {}
        if self.has_pictures:
            found.update(self._backend.observe())
            _check_not_blank(found)
        if "depth" in self._extras:
            depths = self._truth.depth_maps()
            found.update((extra_key(name, "depth"), _bounded(each)) for name, each in depths.items())
        if "instances" in self._extras:
            ids = self._truth.instance_maps()
            found.update((extra_key(name, "instances"), np.array(each, np.int32)) for name, each in ids.items())
        if self.has_state:
            found[STATE_KEY] = self.state(self._truth.object_states())
        return found

    def state(self, states: Sequence[ObjectState]) -> Floats32:
        """`state_array` with as many slots as a scene of the backend can have objects."""
        return state_array(states, self._slots)

    def pictures_of(self, observation: Observation) -> Pictures:
        """The views' pictures in an observation; empty if none are observed."""
        return {view.name: observation[view.name] for view in self._backend.views} if self.has_pictures else {}


def state_array(states: Sequence[ObjectState], slots: int) -> Floats32:
    """(slots, 13) float32 in -1 to 1: true poses and sizes, one object a row.

    | columns | meaning |
    |---|---|
    | `present` | 1 for an object of the scene, held and fallen ones included; an empty slot is 0 throughout |
    | `x`, `y`, `z` | centre of mass, metres, arena frame |
    | `r11` ... `r32` | first and second column of the rotation matrix arena_from_object |
    | `size_x`, `size_y`, `size_z` | extent along the object's own axes, metres |

    The six numbers of the rotation change continuously with it, unlike angles and quaternions (Zhou et al. 2019, "On
    the Continuity of Rotation Representations in Neural Networks"). Values beyond 1 m, as of an object that fell off
    the table, are clipped. Slots are in order of the objects' ids, which stay the same within a scene.

    Raises:
        InvalidConfiguration: there are more objects than slots.
    """
    if len(states) > slots:
        raise InvalidConfiguration(f"the scene has {len(states)} objects; accepted are the backend's {slots} at most")
    rows = np.zeros((slots, len(STATE_FEATURES)), np.float32)
    for row, state in zip(rows, states, strict=False):
        rotation = matrix_from_quaternion(state.quaternion_xyzw)
        row[:] = np.concatenate([[1.0], state.position, rotation[:, 0], rotation[:, 1], state.size])
    return np.clip(rows, -1.0, 1.0)


def _check_names(views: Sequence[str], extras: Sequence[Extra]) -> None:
    """Raise InvalidConfiguration where a view's name is the key of something else."""
    keys = {extra_key(name, extra) for name in views for extra in extras} | {STATE_KEY, GOAL_STATE_KEY}
    if taken := sorted(keys.intersection(views)):
        raise InvalidConfiguration(f"a view is called {taken[0]!r}, the key of another observation; rename the view")


def _bounded(depths: Floats32) -> Floats32:
    return np.where(depths <= MAX_DEPTH_M, depths, 0).astype(np.float32)


def _check_not_blank(pictures: Pictures) -> None:
    for name, picture in pictures.items():
        if picture.min() == picture.max():
            raise BlankPicture(f"{name} is uniformly grey level {picture.max()}; check the camera, then reset")
