"""Every backend fulfils the Backend protocol; check_backend names the rule that is broken."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tabletop_interaction.benchmarks.ground_truth import grasp_from_truth
from tabletop_interaction.envs import open_backend
from tabletop_interaction.envs.testing import check_backend
from tabletop_interaction.errors import BackendContractError, InvalidConfiguration


def test_the_example_backend_of_the_docs_passes(painted_table):
    check_backend(painted_table, picks=20)


def test_the_simulation_passes():
    check_backend(lambda: open_backend("simulation"), picks=4)


@pytest.mark.parametrize("turn", [0.0, 0.5, np.pi / 2, -3.0])
def test_the_simulation_turns_a_placed_object_by_the_asked_angle(turn):
    with open_backend("simulation") as backend:
        backend.reset(np.random.default_rng(4), new_scene=True)
        start = backend.object_states()[0]
        grasp = grasp_from_truth(start)
        assert backend.pick(grasp.x, grasp.y, grasp.angle).held
        backend.place(0.2, -0.15, grasp.angle + turn)
        end = backend.object_states()[0]
    turned = Rotation.from_quat(end.quaternion_xyzw) * Rotation.from_quat(start.quaternion_xyzw).inv()
    error = turned * Rotation.from_euler("z", -turn)
    assert error.magnitude() < 0.05
    assert np.linalg.norm(end.position[:2] - (0.2, -0.15)) < 0.01


def test_a_backend_that_places_at_an_angle_of_nan_is_refused(painted_table):
    class AnyAngle(painted_table):
        def place(self, x, y, angle=None):
            super().place(x, y)

    with pytest.raises(BackendContractError, match="angle of NaN must raise UnreachableTarget"):
        check_backend(AnyAngle)


def test_a_backend_with_float_pictures_is_refused(painted_table):
    class FloatPictures(painted_table):
        def observe(self):
            return {name: picture / 255 for name, picture in super().observe().items()}

    with pytest.raises(BackendContractError, match="float64"):
        check_backend(FloatPictures)


def test_a_backend_that_picks_outside_the_arena_is_refused(painted_table):
    class Everywhere(painted_table):
        def _check(self, x, y):
            pass

    with pytest.raises(BackendContractError, match="UnreachableTarget"):
        check_backend(Everywhere)


def test_a_backend_with_a_blank_picture_is_refused(painted_table):
    class Blank(painted_table):
        def observe(self):
            return {name: np.zeros_like(picture) for name, picture in super().observe().items()}

    with pytest.raises(BackendContractError, match="blank"):
        check_backend(Blank)


@pytest.mark.parametrize(
    ("name", "split", "config", "message"),
    [
        ("gazebo", "train", None, "unknown backend 'gazebo'"),
        ("simulation", "training", None, "unknown split 'training'"),
        ("simulation", "train", ["objects_min"], "config is a list; accepted .* SimulationConfig"),
        ("simulation", "train", {"object_count": 4}, "unknown field .* 'object_count'; accepted are objects_min"),
        ("simulation", "train", {"noise_sigma": "x"}, "noise_sigma is 'x'; accepted is"),
        (object(), "train", None, "lacks arena"),
    ],
)
def test_a_wrong_backend_is_refused_before_anything_opens(name, split, config, message):
    with pytest.raises(InvalidConfiguration, match=message):
        open_backend(name, split=split, config=config)
