"""Ground truth for benchmarks: aimed picks, and what each moment of an interaction truly shows.

Agents must not use it: a real robot does not have it. Frame: the arena's, metres and radians.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from scipy.spatial.transform import Rotation

from tabletop_interaction.agents.grasp import GraspPoint, minor_axis_angle
from tabletop_interaction.arrays import Floats32, Ids
from tabletop_interaction.envs import Arena, Backend, GroundTruth, ObjectState, PickPlace
from tabletop_interaction.envs.backend import Pictures

_DISPLACED_M = 0.0015
_DISPLACED_DEG = 2.0


class TruthfulBackend(Backend, GroundTruth, Protocol):
    """A backend that knows the ground truth: the simulation."""


@dataclass(frozen=True, eq=False)
class Snapshot:
    """One moment of the table.

    By view name: pictures, uint8 (H, W, 3) RGB, and the ids of their pixels' objects, int32 (H, W), 0 for the table.
    """

    pictures: Pictures
    instances: dict[str, Ids]
    states: tuple[ObjectState, ...]


def take_snapshot(backend: TruthfulBackend) -> Snapshot:
    """The table now."""
    return Snapshot(backend.observe(), backend.instance_maps(), backend.object_states())


def was_moved(old: ObjectState, new: ObjectState) -> bool:
    """Whether an object was displaced by 1.5 mm or 2 degrees or more."""
    turn = Rotation.from_quat(old.quaternion_xyzw).inv() * Rotation.from_quat(new.quaternion_xyzw)
    shift = float(np.linalg.norm(old.position - new.position))
    return shift >= _DISPLACED_M or float(np.rad2deg(turn.magnitude())) >= _DISPLACED_DEG


def turned_about_vertical(state: ObjectState, angle: float) -> ObjectState:
    """The object turned in place by an angle, radians."""
    turn = Rotation.from_euler("z", angle)
    return replace(state, quaternion_xyzw=(turn * Rotation.from_quat(state.quaternion_xyzw)).as_quat())


def grasp_from_truth(state: ObjectState) -> GraspPoint:
    """The centroid of an object, and the minor axis of its surface as seen from above."""
    rotation = Rotation.from_quat(state.quaternion_xyzw)
    points = rotation.apply(state.surface)[:, :2]
    outline = points - (points.min(0) + points.max(0)) / 2
    angle = minor_axis_angle(outline)
    return GraspPoint(float(state.position[0]), float(state.position[1]), angle)


def inside_arena(states: Sequence[ObjectState], arena: Arena) -> list[ObjectState]:
    """The objects that stand inside the arena."""
    return [state for state in states if arena.contains(float(state.position[0]), float(state.position[1]))]


def each_object(backend: TruthfulBackend) -> Iterator[tuple[ObjectState, GraspPoint]]:
    """Each object of the scene once, where it stands when its turn comes, with its grasp; those inside the arena."""
    for number in range(len(backend.object_states())):
        state = backend.object_states()[number]
        grasp = grasp_from_truth(state)
        if backend.arena.contains(grasp.x, grasp.y):
            yield state, grasp


def random_object(states: Sequence[ObjectState], arena: Arena, rng: np.random.Generator) -> GraspPoint:
    """The grasp of a random object inside the arena; at least one object has to be there."""
    inside = inside_arena(states, arena)
    return grasp_from_truth(inside[int(rng.integers(len(inside)))])


class AimedAgent:
    """An agent that picks a random object by the backend's ground truth and places it at a random point."""

    def __init__(self, backend: TruthfulBackend, rng: np.random.Generator) -> None:
        self._backend = backend
        self._rng = rng

    def act(self, observation: dict[str, Any], info: dict[str, Any]) -> Floats32:
        """See `Agent`; the pick is aimed at an object inside the arena."""
        arena = self._backend.arena
        place = self._rng.uniform([arena.x_min, arena.y_min], [arena.x_max, arena.y_max])
        grasp = random_object(self._backend.object_states(), arena, self._rng)
        return PickPlace(grasp.x, grasp.y, grasp.angle, place[0], place[1]).to_action(arena)
