"""Motions that are not simulated: nothing is touched on them, and they change no object."""

import numpy as np
import pytest

from tabletop_interaction.benchmarks.ground_truth import each_object, grasp_from_truth
from tabletop_interaction.envs import PickOutcome
from tabletop_interaction.simulation import SimulationBackend, SimulationConfig, open_simulation
from tabletop_interaction.simulation.arm import split_path
from tabletop_interaction.simulation.renderer import ComposedRenderer
from tabletop_interaction.simulation.scene import catalogue_of
from tabletop_interaction.simulation.world import World

TOUCHING_M = 5e-4
CONFIGS = {
    "apart": SimulationConfig(),
    "heap in a tray": SimulationConfig(8, 8, clutter=True, tray=True),
    "wide gripper": SimulationConfig(gripper="wide"),
}


@pytest.fixture(scope="module", params=CONFIGS.values(), ids=CONFIGS)
def table(request):
    with open_simulation("train", request.param) as backend:
        yield backend


def _poses(backend):
    return {state.id: (*state.position, *state.quaternion_xyzw) for state in backend.object_states()}


def _touched(world):
    """The bodies that the arm touches, as Bullet finds them for the present joint angles."""
    bodies = set(range(world.client.getNumBodies())) - {world.arm.body}
    return {body for body in bodies if world.client.getClosestPoints(world.arm.body, body, TOUCHING_M)}


def _count_steps(backend):
    """A list that grows with each step that is simulated from now on."""
    world, steps = backend.world, []
    step = world.client.stepSimulation
    world.client.stepSimulation = lambda: (steps.append(1), step())
    return steps


@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_touched_on_the_part_of_a_descent_that_is_called_free(table, seed):
    rng = np.random.default_rng(seed)
    table.reset(rng, new_scene=True)
    world, arena, shares = table.world, table.arena, []
    for _ in range(12):
        x, y = rng.uniform([arena.x_min, arena.y_min], [arena.x_max, arena.y_max]).tolist()
        path = world.arm.vertical_path(x, y, float(rng.uniform(-1.5, 1.5)), 0.25, 0.009)
        world.arm.jump(path[0])
        shares.append(world.free_share(path))
        for share in np.linspace(0, shares[-1], 6):
            world.arm.jump(split_path(path, share)[0][-1])
            assert not _touched(world)
        if shares[-1] == 1:
            world.arm.set_fingers(world.arm.full_travel - world.room_between_fingers())
            assert not _touched(world)
            world.arm.set_fingers(world.arm.full_travel)
    assert max(shares) > 0.5


def test_a_free_way_up_touches_nothing_and_an_object_in_the_way_is_seen(backend):
    backend.reset(np.random.default_rng(4), new_scene=True)
    world, arm = backend.world, backend.world.arm
    seen = set()
    for _, grasp in each_object(backend):
        for shift in (0.0, 0.02):
            path = arm.vertical_path(grasp.x + shift, grasp.y, grasp.angle, 0.085, 0.012)
            arm.jump(path[-1])
            world.client.performCollisionDetection()
            seen.add(free := world.is_way_up_free())
            for q in arm.way_up(path) if free else ():
                arm.jump(q)
                assert not _touched(world)
    assert seen == {True, False}


def test_objects_that_are_not_touched_keep_their_poses_to_the_bit(backend):
    backend.reset(np.random.default_rng(4), new_scene=True)
    for _ in range(3):
        (state, *_), before = backend.object_states(), _poses(backend)
        grasp = grasp_from_truth(state)
        assert backend.pick(grasp.x, grasp.y, grasp.angle).held
        backend.place(grasp.x, grasp.y)
        after = _poses(backend)
        assert all(after[id_] == pose for id_, pose in before.items() if id_ != state.id)
        assert after[state.id] != before[state.id]


def test_a_pick_at_an_empty_place_simulates_few_steps_and_moves_nothing(backend):
    backend.reset(np.random.default_rng(4), new_scene=True)
    positions = np.array([state.position[:2] for state in backend.object_states()])
    grid = np.array([(x, y) for x in np.linspace(-0.25, 0.25, 11) for y in np.linspace(-0.2, 0.2, 9)])
    x, y = grid[np.linalg.norm(grid[:, None] - positions, axis=2).min(axis=1).argmax()].tolist()
    before, steps = _poses(backend), _count_steps(backend)
    assert backend.pick(x, y, 0.3).outcome is PickOutcome.NOTHING_THERE
    assert _poses(backend) == before
    assert len(steps) < 25
    del backend.world.client.stepSimulation


def test_an_interaction_is_the_same_when_its_steps_are_observed():
    """The free parts of a motion are shown to an observer, who must not change where objects come to lie."""
    config, poses, observed = SimulationConfig(), [], []
    for on_step in (None, lambda: observed.append(1)):
        views, catalogue = config.cameras, catalogue_of(config)
        renderer = ComposedRenderer(views)
        with SimulationBackend("train", config, catalogue, World(on_step), renderer, views) as backend:
            backend.reset(np.random.default_rng(4), new_scene=True)
            observed.clear()
            steps = _count_steps(backend)
            for (_, grasp), to in zip(each_object(backend), [(0.1, 0.1), (-0.1, 0.1)], strict=False):
                assert backend.pick(grasp.x, grasp.y, grasp.angle).held
                backend.place(*to)
            backend.sweep((-0.3, 0.0), (0.0, 0.0))
            poses.append(_poses(backend))
    assert poses[0] == poses[1]
    assert len(observed) > len(steps) + 30


def test_a_path_is_split_at_a_share_of_its_height():
    with open_simulation("train", SimulationConfig(1, 1)) as backend:
        backend.reset(np.random.default_rng(0), new_scene=True)
        arm = backend.world.arm
        path = arm.vertical_path(0.1, -0.1, 1.2, 0.085, 0.009)
        for share in (0.0, 0.3, 1.0):
            upper, lower = split_path(path, share)
            np.testing.assert_array_equal(upper[-1], lower[0])
            np.testing.assert_array_equal([upper[0], lower[-1]], [path[0], path[-1]])
            arm.jump(lower[0])
            assert arm.height_above(path[-1]) == pytest.approx((1 - share) * 0.076, abs=2e-4)
