"""The Sawyer behind the Backend protocol, on its twin: the same contract, the same interactions as in simulation."""

from dataclasses import replace
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tabletop_interaction.benchmarks.ground_truth import grasp_from_truth
from tabletop_interaction.envs import GroundTruth, PickOutcome, check_backend, open_backend
from tabletop_interaction.errors import (
    AlreadyHolding,
    InvalidConfiguration,
    NotReset,
    ObstacleCollision,
    UnreachableTarget,
)
from tabletop_interaction.real import TWIN_LAB, SawyerBackend, open_sawyer
from tabletop_interaction.real.arm.obstacles import BoxInArena
from tabletop_interaction.real.arm.settings import FULL_OPENING_M
from tabletop_interaction.real.lab.file import read_lab_file, update_lab_file
from tabletop_interaction.real.lab.lab import load_lab
from tabletop_interaction.real.opening import lab_of
from tabletop_interaction.real.operator import AtConsole
from tabletop_interaction.simulation.arm import AWAY, BASE_XYZ, STEP_S
from tabletop_interaction.simulation.cameras import ARENA, arena_views


@pytest.fixture
def laid(table):
    """The table with the scene of seed 4."""
    table.backend.reset(np.random.default_rng(4), new_scene=True)
    return table


def _first(table):
    return grasp_from_truth(table.twin.table.object_states()[0])


def _free_point(table):
    """A point of the arena with nothing near it."""
    positions = np.array([state.position[:2] for state in table.twin.table.object_states()])
    grid = np.array([(x, y) for x in np.linspace(-0.25, 0.25, 11) for y in np.linspace(-0.2, 0.2, 9)])
    return grid[np.linalg.norm(grid[:, None] - positions, axis=2).min(axis=1).argmax()]


def _aimed(table):
    grasp = _first(table)
    return grasp.x, grasp.y, grasp.angle


def test_the_twin_passes_the_contract(quick_lab):
    check_backend(lambda: open_sawyer("train", quick_lab), picks=2)


def test_the_twins_lab_file_is_the_simulations_table():
    lab = load_lab(TWIN_LAB)
    assert (lab.driver, lab.arena) == ("twin", ARENA)
    for ours, theirs in zip(lab.views, arena_views(), strict=True):
        assert ours.name == theirs.name
        assert ours.intrinsics == pytest.approx(theirs.intrinsics)
        assert ours.camera_from_arena == pytest.approx(theirs.camera_from_arena)
    assert np.linalg.inv(lab.base_from_arena)[:3, 3] == pytest.approx(BASE_XYZ)


def test_friction_alone_holds_a_picked_object_until_it_is_placed(laid):
    grasp = _first(laid)
    assert laid.backend.pick(grasp.x, grasp.y, grasp.angle).outcome is PickOutcome.HELD
    assert laid.twin.table.object_states()[0].position[2] > 0.1
    laid.backend.place(0.2, -0.15)
    after = laid.twin.table.object_states()[0].position
    assert np.linalg.norm(after[:2] - (0.2, -0.15)) < 0.03
    assert after[2] < 0.1


@pytest.mark.parametrize("turn", [0.0, 1.2, -3.0])
def test_a_placed_object_is_turned_by_the_asked_angle(laid, turn):
    grasp, start = _first(laid), laid.twin.table.object_states()[0]
    assert laid.backend.pick(grasp.x, grasp.y, grasp.angle).held
    laid.backend.place(0.2, -0.15, grasp.angle + turn)
    end = laid.twin.table.object_states()[0]
    turned = Rotation.from_quat(end.quaternion_xyzw) * Rotation.from_quat(start.quaternion_xyzw).inv()
    assert (turned * Rotation.from_euler("z", -turn)).magnitude() < 0.1


def test_a_pick_beside_all_objects_holds_nothing(laid):
    assert laid.backend.pick(*_free_point(laid), 0.0).outcome is PickOutcome.NOTHING_THERE


def test_every_call_leaves_the_arm_out_of_every_view(laid):
    backend, robot = laid.backend, laid.twin.robot
    grasp = _first(laid)
    for call in (
        lambda: backend.pick(grasp.x, grasp.y, grasp.angle),
        lambda: backend.place(0.1, 0.1),
        lambda: backend.sweep((-0.3, -0.245), (0.0, 0.0)),
        lambda: backend.reset(np.random.default_rng(4), new_scene=False),
    ):
        call()
        assert robot.arm.joint_angles() == pytest.approx(AWAY, abs=0.03)


def test_joint_commands_stay_within_the_rated_speeds(laid, monkeypatch):
    sent, command = [], laid.twin.robot.command
    monkeypatch.setattr(laid.twin.robot, "command", lambda q: (sent.append(q), command(q)))
    laid.backend.pick(0.2, 0.1, 0.5)
    speeds = np.abs(np.diff(sent, axis=0)) * 100
    assert (speeds.max(axis=0) < 1.02 * 0.95 * np.array([1.74, 1.328, 1.957, 1.957, 3.485, 3.485, 4.545])).all()
    assert len(sent) > 300


@pytest.mark.parametrize("seed", [0, 3])
def test_the_same_seed_gives_the_same_interaction_as_the_simulation(table, seed):
    with open_backend("simulation") as simulation:
        simulation.reset(np.random.default_rng(seed), new_scene=True)
        table.backend.reset(np.random.default_rng(seed), new_scene=True)
        number, target = 1, _free_point(table)
        before = [each.position for each in simulation.object_states()]
        assert np.array_equal(before, [each.position for each in table.twin.table.object_states()])
        grasp = grasp_from_truth(simulation.object_states()[number])
        outcomes = [backend.pick(grasp.x, grasp.y, grasp.angle).outcome for backend in (simulation, table.backend)]
        assert outcomes[0] is outcomes[1] is PickOutcome.HELD
        simulation.place(*target)
        table.backend.place(*target)
        after = [each.position for each in simulation.object_states()]
        ours = [each.position for each in table.twin.table.object_states()]
    assert np.linalg.norm(np.subtract(after, ours), axis=1).max() < 0.012


def test_the_environment_opens_by_its_documented_line(quick_lab):
    with gym.make("tabletop_interaction:TabletopInteraction-v0", backend="sawyer", config=quick_lab) as env:
        observation, info = env.reset(seed=4)
        assert set(observation) == {f"view_{i}" for i in range(4)}
        assert env.unwrapped.backend.metadata["driver"] == "twin"
        after, reward, _, _, info = env.step(env.action_space.sample())
        assert reward == float(info["grasped"])
        assert after["view_0"].shape == (350, 430, 3)


def test_the_same_seed_gives_the_same_pictures_after_a_dirty_episode(laid):
    def played():
        laid.backend.reset(np.random.default_rng(5), new_scene=True)
        laid.backend.pick(*_aimed(laid))
        laid.backend.place(0.1, -0.1)
        return laid.backend.observe()

    first = played()
    laid.backend.sweep((-0.3, -0.245), (0.0, 0.0))
    again = played()
    assert all(np.array_equal(first[name], again[name]) for name in first)


def test_the_twins_fingers_open_as_gently_as_the_simulations(laid):
    robot, arm = laid.twin.robot, laid.twin.robot.arm
    laid.backend._arm.close()
    closed = arm.finger_travel()
    simulated, driven = [], []
    arm_step = arm.step
    arm.step = lambda: (arm_step(), simulated.append(arm.finger_travel()))
    arm.open_fingers()
    del arm.step
    arm.set_fingers(closed)
    robot.settle()
    robot.move_fingers(FULL_OPENING_M)
    for _ in simulated:
        robot.advance(STEP_S)
        driven.append(arm.finger_travel())
    assert simulated[len(simulated) // 4] < 0.25 * simulated[-1]
    assert driven == pytest.approx(simulated, abs=1e-3)


def test_a_second_pick_or_a_sweep_while_holding_is_refused_and_nothing_moves(laid):
    grasp = _first(laid)
    assert laid.backend.pick(grasp.x, grasp.y, grasp.angle).held
    time = laid.twin.clock.now()
    for call in (lambda: laid.backend.pick(0.0, 0.0, 0.0), lambda: laid.backend.sweep((0.1, 0.1), (0.0, 0.0))):
        with pytest.raises(AlreadyHolding, match="call place first"):
            call()
    assert laid.twin.clock.now() == time
    laid.backend.place(grasp.x, grasp.y)


@pytest.mark.parametrize(
    "call", [("pick", 0.31, 0.0, 0.0), ("pick", 0.0, 0.0, np.nan), ("place", 0.0, 0.3), ("place", 0.0, 0.0, np.nan)]
)
def test_an_unreachable_target_is_refused_before_anything_moves_and_leaves_no_fault(laid, call):
    name, *where = call
    time = laid.twin.clock.now()
    with pytest.raises(UnreachableTarget, match="nothing was moved") as caught:
        getattr(laid.backend, name)(*where)
    assert caught.value.recoverable
    assert laid.twin.clock.now() == time
    laid.backend.observe()


def test_a_table_out_of_reach_is_refused_before_anything_moves(quick_lab):
    far = quick_lab.base_from_arena.copy()
    far[0, 3] += 0.6
    with open_sawyer("train", replace(quick_lab, base_from_arena=far)) as backend:
        backend.reset(np.random.default_rng(0), new_scene=False)
        with pytest.raises(UnreachableTarget, match="cannot be brought"):
            backend.pick(0.0, 0.2, 0.0)


def test_a_path_that_meets_an_obstacle_is_refused_before_anything_moves(quick_lab):
    post = BoxInArena(centre=(0.1, 0.1, 0.1), size=(0.04, 0.04, 0.2))
    with open_sawyer("train", replace(quick_lab, obstacles={"post": post})) as backend:
        backend.reset(np.random.default_rng(0), new_scene=False)
        moved_at, here = backend._arm.stopped_at, backend._arm.here
        with pytest.raises(ObstacleCollision, match=r"from post .* nothing was moved") as caught:
            backend.pick(0.12, 0.1, 0.0)
        assert caught.value.recoverable
        assert (backend._arm.stopped_at, backend._arm.here.tolist()) == (moved_at, here.tolist())
        assert backend.metadata["obstacles"]["post"]["size"] == (0.04, 0.04, 0.2)
        backend.pick(-0.2, -0.1, 0.0)


def test_observing_and_moving_before_the_first_reset_are_refused(open_twin_table):
    with open_twin_table().backend as fresh:
        for call in (fresh.observe, lambda: fresh.pick(0, 0, 0), lambda: fresh.place(0, 0)):
            with pytest.raises(NotReset, match="call reset first"):
                call()


@pytest.mark.parametrize(
    ("config", "message"),
    [(None, "takes the path of a lab file"), ({"arena": 1}, "lab file"), ("no/such/lab.yaml", "no lab file")],
)
def test_without_a_lab_file_nothing_is_opened(config, message):
    with pytest.raises(InvalidConfiguration, match=message):
        open_backend("sawyer", config=config)


@pytest.mark.parametrize("word", ["twin", Path("twin")])
def test_the_word_twin_stands_for_the_packaged_laboratory(word):
    lab = lab_of(word)
    assert lab.driver == "twin"
    assert lab.arena == ARENA


def test_a_twin_knows_the_truth_and_a_robot_does_not(table, quick_lab):
    assert not isinstance(table.backend, GroundTruth)
    with open_backend("sawyer", config=quick_lab) as twin:
        assert isinstance(twin, GroundTruth)
        twin.reset(np.random.default_rng(4), new_scene=True)
        ids = {state.id for state in twin.object_states()}
        seen = twin.instance_maps()["view_0"]
        assert set(np.unique(seen)) <= {0, *ids}
        assert len(ids) <= twin.max_objects
        assert twin.depth_maps()["view_0"].shape == seen.shape


def test_a_person_beside_a_twin_decides_on_faults_and_lays_no_table(quick_lab):
    with open_sawyer("train", quick_lab, AtConsole(ask=lambda question: pytest.fail(question))) as twin:
        twin.reset(np.random.default_rng(4), new_scene=True)
        assert twin.metadata["operator"] == "BesideTwin"


def test_with_wrong_settings_in_the_lab_file_nothing_is_opened(tmp_path):
    path = tmp_path / "lab.yaml"
    update_lab_file(path, {**read_lab_file(TWIN_LAB).plain, "motion": {"speed_ratio": 3}})
    with pytest.raises(InvalidConfiguration, match="speed_ratio is 3"):
        open_sawyer("train", path)


def test_the_metadata_is_plain_json_with_the_settings_and_the_calibration(table):
    import json

    about = json.loads(json.dumps(table.backend.metadata))
    assert about["backend"] == "sawyer"
    assert about["settings"]["motion"]["speed_ratio"] == 0.95
    assert about["calibrations"][-1]["what"] == "base of the robot"


def test_the_public_names_are_there():
    from tabletop_interaction.real import InteraDriver

    assert issubclass(SawyerBackend, object)
    assert InteraDriver.__name__ == "InteraDriver"
