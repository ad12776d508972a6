"""Every backend fulfils the Backend protocol; check_backend names the rule that is broken."""

import numpy as np
import pytest

from tabletop_interaction.envs import open_backend
from tabletop_interaction.envs.testing import check_backend
from tabletop_interaction.errors import BackendContractError, InvalidConfiguration


def test_the_example_backend_of_the_docs_passes(painted_table):
    check_backend(painted_table, picks=20)


def test_the_simulation_passes():
    check_backend(lambda: open_backend("simulation"), picks=4)


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
        ("simulation", "train", {"objects": 4}, "unknown field .* 'objects'; accepted are objects_min"),
        ("simulation", "train", {"noise_sigma": "x"}, "noise_sigma is 'x'; accepted is"),
        (object(), "train", None, "lacks arena"),
    ],
)
def test_a_wrong_backend_is_refused_before_anything_opens(name, split, config, message):
    with pytest.raises(InvalidConfiguration, match=message):
        open_backend(name, split=split, config=config)
