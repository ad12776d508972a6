"""Grippers of the simulated arm: the same grasps by friction with other openings, and what agents know of them."""

import numpy as np
import pytest

from tabletop_interaction.agents.rearranging.grasps import GripperShape
from tabletop_interaction.benchmarks.ground_truth import each_object
from tabletop_interaction.envs import Gripper, TabletopInteraction
from tabletop_interaction.envs.gripper import GRIPPERS, gripper_of
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.sawyer.model import FINGER_TRAVEL, sawyer_urdf
from tabletop_interaction.simulation import SimulationConfig, open_simulation
from tabletop_interaction.simulation.grippers import arm_urdf
from tabletop_interaction.simulation.scene import config_from_plain, config_to_plain


@pytest.fixture(scope="module")
def wide():
    config = SimulationConfig(objects_min=1, objects_max=1, gripper="wide")
    with open_simulation("train", config) as backend:
        backend.reset(np.random.default_rng(4), new_scene=True)
        yield backend


def _opening_m(backend):
    """Distance between the pads, measured in the simulation."""
    world = backend.world
    (left, *_), (right, *_) = ([link for link in side if link not in world.arm.fingers] for side in world.arm.sides)
    found = world.client.getClosestPoints(world.arm.body, world.arm.body, 1.0, left, right)
    return min(point[8] for point in found)


def test_the_sawyers_own_gripper_is_the_published_one():
    assert arm_urdf(GRIPPERS["sawyer"]) == sawyer_urdf()
    assert GRIPPERS["sawyer"].travel_m == FINGER_TRAVEL


@pytest.mark.parametrize("name", GRIPPERS)
def test_pads_open_and_close_to_the_distances_of_the_gripper(name):
    with open_simulation("train", SimulationConfig(1, 1, gripper=name)) as backend:
        backend.reset(np.random.default_rng(0), new_scene=True)
        assert _opening_m(backend) == pytest.approx(GRIPPERS[name].opening_m, abs=1e-4)
        backend.world.arm.set_fingers(0.0)
        assert _opening_m(backend) == pytest.approx(GRIPPERS[name].closed_m, abs=1e-4)


def test_a_wide_grasp_is_won_by_friction_and_placed(wide):
    ((_, grasp),) = each_object(wide)
    assert wide.pick(grasp.x, grasp.y, grasp.angle).held
    world = wide.world
    constraints = [world.client.getConstraintUniqueId(number) for number in range(world.client.getNumConstraints())]
    assert {world.client.getConstraintInfo(one)[field] for one in constraints for field in (0, 2)} == {world.arm.body}
    wide.place(0.1, 0.1)
    assert np.linalg.norm(wide.object_states()[0].position[:2] - (0.1, 0.1)) < 0.03


def test_agents_learn_the_opening_from_the_environment_and_not_from_the_backend(wide):
    with_wide = TabletopInteraction(wide)
    assert GripperShape.of(with_wide.unwrapped.gripper).opening_m == 0.16
    assert GripperShape.of(gripper_of(object())) == GripperShape()


@pytest.mark.parametrize("gripper", ["sawyer", "wide", Gripper(opening_m=0.1)])
def test_a_configuration_with_a_gripper_survives_json(gripper):
    config = SimulationConfig(gripper=gripper)
    assert config_from_plain(config_to_plain(config)) == config


def test_a_configuration_of_the_first_version_is_described_as_then():
    assert list(config_to_plain(SimulationConfig())) == [
        "objects_min", "objects_max", "noise_sigma", "exposure_jitter", "shadows", "object_names", "backgrounds",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SimulationConfig(gripper="broad"), "accepted is one of sawyer, wide or a Gripper"),
        (lambda: config_from_plain({"gripper": {"fingers": 3}}), "unknown field of a Gripper 'fingers'"),
        (lambda: Gripper(opening_m=0.05, closed_m=0.045), "at least 0.01 m wider"),
        (lambda: Gripper(force_n=0), "force_n is 0; accepted is 1 to 200 N"),
    ],
)
def test_a_gripper_that_cannot_be_is_refused_in_one_line(make, message):
    with pytest.raises(InvalidConfiguration, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)
