"""The physics: grasps by friction, joint limits, the arm out of every view, and objects that are returned."""

import numpy as np
import pybullet
import pytest

from tabletop_interaction.benchmarks.ground_truth import grasp_from_truth
from tabletop_interaction.benchmarks.speed.interactions import resident_mb
from tabletop_interaction.envs import PickOutcome, open_backend
from tabletop_interaction.envs.gripper import GRIPPERS
from tabletop_interaction.errors import AlreadyHolding, InvalidConfiguration, NotReset, UnreachableTarget
from tabletop_interaction.sawyer.kinematics import forward
from tabletop_interaction.sawyer.model import FINGER_TRAVEL
from tabletop_interaction.simulation import SimulationConfig, open_simulation
from tabletop_interaction.simulation.arm import AWAY, BASE_XYZ, load_arm, time_path
from tabletop_interaction.simulation.cameras import ARENA, arena_views
from tabletop_interaction.simulation.client import BulletClient
from tabletop_interaction.simulation.renderer import tiny_render
from tabletop_interaction.simulation.scene import draw_light
from tabletop_interaction.simulation.world import has_fallen

LIGHT = draw_light(np.random.default_rng(0))
BASE_IN_OWN_AXES = np.array([BASE_XYZ[1], -BASE_XYZ[0], BASE_XYZ[2]])


def _free_point(backend):
    """A point of the arena with nothing near it."""
    positions = np.array([state.position[:2] for state in backend.object_states()])
    grid = np.array([(x, y) for x in np.linspace(-0.25, 0.25, 11) for y in np.linspace(-0.2, 0.2, 9)])
    return grid[np.linalg.norm(grid[:, None] - positions, axis=2).min(axis=1).argmax()]


def _position(backend, id_):
    return backend.object_states()[id_ - 1].position


def _tied_together(client):
    """The bodies of all constraints."""
    constraints = [client.getConstraintUniqueId(number) for number in range(client.getNumConstraints())]
    infos = [client.getConstraintInfo(constraint) for constraint in constraints]
    return {info[field] for info in infos for field in (0, 2)}


def test_an_aimed_pick_lifts_the_object_and_place_puts_it_where_asked(backend):
    backend.reset(np.random.default_rng(4), new_scene=True)
    target = _free_point(backend)
    state = backend.object_states()[0]
    grasp = grasp_from_truth(state)
    assert backend.pick(grasp.x, grasp.y, grasp.angle).outcome is PickOutcome.HELD
    assert _position(backend, state.id)[2] > 0.1
    backend.place(*target)
    after = _position(backend, state.id)
    assert np.linalg.norm(after[:2] - target) < 0.03
    assert after[2] < 0.1


def test_a_pick_at_an_empty_place_holds_nothing(backend):
    backend.reset(np.random.default_rng(4), new_scene=True)
    assert backend.pick(*_free_point(backend), 0.0).outcome is PickOutcome.NOTHING_THERE


def test_the_grasp_is_friction_not_attachment(backend):
    backend.reset(np.random.default_rng(4), new_scene=True)
    grasp = grasp_from_truth(backend.object_states()[0])
    assert backend.pick(grasp.x, grasp.y, grasp.angle).held
    world = backend._world
    assert _tied_together(world.client) == {world.arm.body}
    for link in world.arm.finger_links:
        world.client.changeDynamics(world.arm.body, link, lateralFriction=0.0)
    world.arm.hold(0.3)
    assert not world.touched_by_fingers()
    backend.reset(np.random.default_rng(4), new_scene=True)


def test_a_held_object_is_in_no_view(backend):
    backend.reset(np.random.default_rng(4), new_scene=True)
    state = backend.object_states()[0]
    grasp = grasp_from_truth(state)
    assert backend.pick(grasp.x, grasp.y, grasp.angle).held
    assert not any((instances == state.id).any() for instances in backend.instance_maps().values())
    backend.place(grasp.x, grasp.y)


def test_a_second_pick_while_holding_is_refused(backend):
    backend.reset(np.random.default_rng(4), new_scene=True)
    grasp = grasp_from_truth(backend.object_states()[0])
    assert backend.pick(grasp.x, grasp.y, grasp.angle).held
    with pytest.raises(AlreadyHolding, match="call place first"):
        backend.pick(0.0, 0.0, 0.0)
    backend.place(grasp.x, grasp.y)


@pytest.mark.parametrize("x", np.linspace(ARENA.x_min, ARENA.x_max, 4))
@pytest.mark.parametrize("y", np.linspace(ARENA.y_min, ARENA.y_max, 4))
def test_the_arm_reaches_all_of_the_arena_at_any_angle(backend, x, y):
    backend.reset(np.random.default_rng(4), new_scene=False)
    for angle in np.linspace(-np.pi / 2, np.pi / 2, 5):
        path = backend._world.arm.vertical_path(float(x), float(y), float(angle), 0.10, 0.009)
        for q, z in ((path[0], 0.10), (path[-1], 0.009)):
            np.testing.assert_allclose(forward(q)[:3, 3] + BASE_IN_OWN_AXES, [y, -x, z], atol=1e-3)


def test_joint_speeds_stay_within_the_arms_limits(backend):
    limits = np.array([1.74, 1.328, 1.957, 1.957, 3.485, 3.485, 4.545])
    for x, y in ((-0.3, -0.245), (0.3, 0.245), (0.0, 0.0)):
        path = backend._world.arm.vertical_path(x, y, 0.3, 0.10, 0.009)
        _, velocities = time_path(path, 0.05)
        assert (np.abs(velocities) < limits).all()


@pytest.mark.parametrize("gripper", GRIPPERS.values(), ids=GRIPPERS)
def test_the_parked_arm_with_open_fingers_is_in_no_view(gripper):
    client = BulletClient()
    arm = load_arm(client, gripper)
    moving = [j for j in range(client.getNumJoints(arm)) if client.getJointInfo(arm, j)[2] != pybullet.JOINT_FIXED]
    for joint, value in zip(moving, [*AWAY, gripper.travel_m, -gripper.travel_m], strict=True):
        client.resetJointState(arm, joint, value)
    slab = client.createVisualShape(pybullet.GEOM_BOX, halfExtents=[0.5, 0.42, 0.01])
    table = client.createMultiBody(0, -1, slab, [0, 0, -0.01])
    for view in arena_views():
        _, segmentation, _ = tiny_render(client, view, LIGHT)
        assert (segmentation == table).all(), view.name
    client.close()


def test_objects_outside_the_arena_are_returned_and_counted(backend):
    backend.reset(np.random.default_rng(4), new_scene=True)
    world = backend._world
    for id_, place in ((1, [0.0, 0.6, -0.5]), (2, [0.37, 0.0, 0.05])):
        world.client.resetBasePositionAndOrientation(world.bodies[id_], place, [0, 0, 0, 1])
    assert backend.reset(np.random.default_rng(0), new_scene=False) == 2
    assert world.strayed(ARENA) == []
    assert backend.reset(np.random.default_rng(0), new_scene=False) == 0


def test_a_sweep_pushes_an_object_along(backend):
    backend.reset(np.random.default_rng(4), new_scene=True)
    state = backend.object_states()[0]
    before = state.position[:2].copy()
    outwards = before / np.linalg.norm(before)
    start = np.clip(before + 0.09 * outwards, [-0.3, -0.245], [0.3, 0.245])
    backend.sweep(tuple(start), (0.0, 0.0))
    assert np.linalg.norm(_position(backend, state.id)[:2] - before) > 0.02


def test_a_reset_releases_the_held_object(backend):
    backend.reset(np.random.default_rng(4), new_scene=True)
    grasp = grasp_from_truth(backend.object_states()[0])
    assert backend.pick(grasp.x, grasp.y, grasp.angle).held
    backend.reset(np.random.default_rng(0), new_scene=False)
    assert max(state.position[2] for state in backend.object_states()) < 0.15


def test_every_object_of_a_scene_covers_well_over_1000_pixels_in_each_view(backend):
    for seed in range(3):
        backend.reset(np.random.default_rng(seed), new_scene=True)
        for name, instances in backend.instance_maps().items():
            for state in backend.object_states():
                assert (instances == state.id).sum() > 1000, (name, state.name)


@pytest.mark.parametrize("where", [(0.31, 0.0), (0.0, -0.3), (np.nan, 0.0)])
def test_points_outside_the_arena_are_refused(backend, where):
    with pytest.raises(UnreachableTarget, match="nothing was moved"):
        backend.pick(*where, 0.0)


@pytest.mark.parametrize(
    "settings",
    [{"objects_min": 0}, {"objects_min": 5, "objects_max": 4}, {"objects_max": 40}, {"noise_sigma": -1}],
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(InvalidConfiguration):
        SimulationConfig(**settings)


def test_memory_stays_flat_over_new_scenes(backend):
    def scenes(count):
        for seed in range(count):
            backend.reset(np.random.default_rng(seed), new_scene=True)
            backend.observe()
        return resident_mb()

    before = scenes(15)
    assert scenes(15) - before < 10


def test_a_sweep_while_holding_is_refused_and_keeps_the_grasp(backend):
    backend.reset(np.random.default_rng(4), new_scene=True)
    grasp = grasp_from_truth(backend.object_states()[0])
    assert backend.pick(grasp.x, grasp.y, grasp.angle).held
    with pytest.raises(AlreadyHolding, match="call place first"):
        backend.sweep((0.1, 0.1), (0.0, 0.0))
    assert backend._world.touched_by_fingers()
    backend.place(grasp.x, grasp.y)


def test_calls_before_the_first_reset_are_refused():
    with open_backend("simulation") as fresh:
        for call in (
            fresh.observe,
            fresh.third_person_picture,
            lambda: fresh.pick(0.0, 0.0, 0.0),
            lambda: fresh.sweep((0.1, 0.1), (0.0, 0.0)),
        ):
            with pytest.raises(NotReset, match="call reset first"):
                call()


@pytest.mark.parametrize("angle", [np.nan, np.inf])
def test_an_angle_that_is_not_finite_is_refused(backend, angle):
    backend.reset(np.random.default_rng(4), new_scene=True)
    with pytest.raises(UnreachableTarget, match="angle"):
        backend.pick(0.0, 0.0, angle)


@pytest.mark.parametrize(
    "settings",
    [
        {"object_names": ("train_00_box", "no_such_thing"), "objects_min": 1, "objects_max": 2},
        {"object_names": ("train_00_box",) * 8},
        {"object_names": ()},
        {"backgrounds": ("no_such_table",)},
        {"objects_max": 12},
    ],
)
def test_names_that_cannot_make_a_scene_are_refused_when_the_backend_opens(settings):
    with pytest.raises(InvalidConfiguration):
        open_backend("simulation", split="val", config=SimulationConfig(**settings))


def test_fingers_open_to_their_full_travel(backend):
    backend.reset(np.random.default_rng(4), new_scene=True)
    assert backend._world.arm.finger_travel() == pytest.approx(FINGER_TRAVEL, abs=2e-4)


def test_an_object_that_fell_off_the_table_is_in_no_picture(backend):
    backend.reset(np.random.default_rng(4), new_scene=True)
    state = backend.object_states()[0]
    assert (backend.instance_maps()["view_0"] == state.id).any()
    backend.world.put(state.id, (state.position + np.array([0.0, 0.0, -0.3]), state.quaternion_xyzw))
    assert not any((ids == state.id).any() for ids in backend.instance_maps().values())
    assert [id_ for id_, pose in backend.world.poses().items() if has_fallen(pose)] == [state.id]


@pytest.mark.parametrize(
    "move", [lambda b: b.pick("x", 0, 0), lambda b: b.place(0, 0, "x"), lambda b: b.sweep("ab", (0, 0))]
)
def test_a_target_that_is_no_number_is_refused_in_one_line(backend, move):
    with pytest.raises(UnreachableTarget, match="nothing was moved; accepted"):
        move(backend)


def test_an_unknown_split_is_refused_by_its_name():
    with pytest.raises(InvalidConfiguration, match="unknown split 'valid'; accepted are train, val, test"):
        open_simulation("valid", None)
