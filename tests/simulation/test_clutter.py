"""Heaps and crowded tables: up to 20 objects that touch and lie on each other, the same for the same seed."""

from collections import Counter

import numpy as np
import pytest

from tabletop_interaction.benchmarks.ground_truth import each_object
from tabletop_interaction.envs import PickOutcome
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.simulation import SimulationConfig, open_simulation

HEAP = SimulationConfig(objects_min=10, objects_max=10, clutter=True)


@pytest.fixture(scope="module")
def heap():
    with open_simulation("test", HEAP) as backend:
        backend.reset(np.random.default_rng(1), new_scene=True)
        yield backend


def _deepest_m(backend):
    """How far any two objects reach into each other."""
    world = backend.world
    bodies = list(world.bodies.values())
    found = [c[8] for i, a in enumerate(bodies) for b in bodies[:i] for c in world.client.getClosestPoints(a, b, 0.001)]
    return -min(found, default=0.0)


def test_twenty_objects_of_fifteen_lie_on_a_heap_inside_the_arena_each_with_an_id():
    with open_simulation("test", SimulationConfig(20, 20, clutter=True)) as backend:
        backend.reset(np.random.default_rng(1), new_scene=True)
        states, maps = backend.object_states(), backend.instance_maps()
        assert backend.world.strayed(backend.arena) == []
    assert [state.id for state in states] == list(range(1, 21))
    assert sorted(Counter(state.name for state in states).values()) == [1] * 10 + [2] * 5
    ids = np.unique(np.concatenate([instances.ravel() for instances in maps.values()]))
    assert ids.tolist() == list(range(21))


def test_objects_of_a_heap_lie_on_each_other_and_at_rest(heap):
    heap.reset(np.random.default_rng(1), new_scene=True)
    world = heap.world
    assert sum(bool(world._riders(body)) for body in world.bodies.values()) > 2
    assert _deepest_m(heap) < 0.002
    before = {id_: position for id_, (position, _) in world.poses().items()}
    for id_, pose in world.poses().items():
        world.put(id_, pose)
    world.settle()
    assert max(np.linalg.norm(position - before[id_]) for id_, (position, _) in world.poses().items()) < 0.01


def test_a_heap_is_the_same_for_the_same_seed(heap):
    heap.reset(np.random.default_rng(5), new_scene=True)
    with open_simulation("test", HEAP) as other:
        other.reset(np.random.default_rng(5), new_scene=True)
        for mine, its in zip(heap.object_states(), other.object_states(), strict=True):
            assert mine.name == its.name
            np.testing.assert_array_equal(mine.position, its.position)
            np.testing.assert_array_equal(mine.quaternion_xyzw, its.quaternion_xyzw)


def test_objects_can_be_picked_from_a_heap_and_what_lay_on_them_falls(heap):
    heap.reset(np.random.default_rng(1), new_scene=True)
    outcomes = Counter()
    for _, grasp in each_object(heap):
        outcomes[heap.pick(grasp.x, grasp.y, grasp.angle).outcome] += 1
        heap.place(0.25, 0.2)
    assert outcomes[PickOutcome.HELD] >= 3
    for body in heap.world.bodies.values():
        heap.world.client.changeDynamics(body, -1, activationState=1)
    before = heap.world.poses()
    heap.world.settle()
    after = heap.world.poses()
    on_the_table = [id_ for id_, (position, _) in before.items() if position[2] > 0]
    assert max(before[id_][0][2] - after[id_][0][2] for id_ in on_the_table) < 0.01, "none hung in the air"


def test_an_object_that_lost_its_support_does_not_stay_in_the_air(heap):
    heap.reset(np.random.default_rng(1), new_scene=True)
    world = heap.world
    support = next(id_ for id_, body in world.bodies.items() if world._riders(body))
    (rider,) = [id_ for id_, body in world.bodies.items() if body == world._riders(world.bodies[support])[0]]
    height = world.poses()[rider][0][2]
    world.put(support, (np.array([0.27, 0.21, 0.05]), np.array([0, 0, 0, 1.0])))
    world.settle()
    assert world.poses()[rider][0][2] < height - 0.001


def test_more_objects_than_stand_beside_each_other_are_dropped_on_the_others():
    with open_simulation("train", SimulationConfig(20, 20)) as backend:
        backend.reset(np.random.default_rng(0), new_scene=True)
        dropped = [placement.dropped for placement in backend._scene.placements]
        assert 0 < sum(dropped) < 12
        assert backend.world.strayed(backend.arena) == []
        assert _deepest_m(backend) < 0.002


def test_more_objects_than_the_split_has_are_refused_with_what_to_do():
    with pytest.raises(InvalidConfiguration, match="use clutter") as caught:
        open_simulation("test", SimulationConfig(20, 20))
    assert "\n" not in str(caught.value)


def test_objects_that_left_the_arena_return_to_a_heap_without_reaching_into_it(heap):
    heap.reset(np.random.default_rng(1), new_scene=True)
    for id_ in (1, 2, 3):
        heap.world.put(id_, (np.array([0.38, 0.1 * id_, 0.05]), np.array([0, 0, 0, 1.0])))
    assert heap.reset(np.random.default_rng(0), new_scene=False) >= 3
    assert heap.world.strayed(heap.arena) == []
    assert _deepest_m(heap) < 0.002
