"""Aimed picks and moved objects come from the true states of objects."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tabletop_interaction.benchmarks.ground_truth import AimedAgent, each_object, was_moved
from tabletop_interaction.envs import Arena, ObjectState
from tabletop_interaction.envs.actions import pick_place_from_action
from tabletop_interaction.sim_assets import load_object, object_names

ARENA = Arena(-0.3, 0.3, -0.2, 0.2)
NAME = object_names("train")[0]


def state(id_=1, x=0.0, degrees=0.0):
    turn = Rotation.from_euler("z", degrees, degrees=True).as_quat()
    return ObjectState(id_, NAME, np.array([x, 0.1, 0.02]), turn, load_object(NAME).vertices)


@pytest.mark.parametrize(("after", "moved"), [
    (state(x=0.0014), False), (state(x=0.0016), True), (state(degrees=1.9), False), (state(degrees=-2.1), True),
])  # fmt: skip
def test_an_object_is_moved_by_1_5_mm_or_2_degrees(after, moved):
    assert was_moved(state(), after) is moved


def test_only_objects_inside_the_arena_are_picked():
    backend = SimpleNamespace(arena=ARENA, object_states=lambda: (state(1, x=0.4), state(2, x=-0.1)))
    assert [(one.id, grasp.x) for one, grasp in each_object(backend)] == [(2, -0.1)]
    agent = AimedAgent(backend, np.random.default_rng(0))
    for _ in range(5):
        attempt = pick_place_from_action(agent.act({}, {}), ARENA)
        assert (attempt.pick_x, attempt.pick_y) == pytest.approx((-0.1, 0.1), abs=1e-6)
        assert ARENA.contains(attempt.place_x, attempt.place_y)
