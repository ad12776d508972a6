"""One simulation for all tests that reset it themselves, and a small scene for tests of the machinery around it."""

import numpy as np
import pytest

from tabletop_interaction.envs import open_backend
from tabletop_interaction.simulation import SimulationConfig


@pytest.fixture(scope="session")
def backend():
    """A simulation of the training split with a scene; a test that needs a certain scene resets it."""
    with open_backend("simulation") as backend:
        backend.reset(np.random.default_rng(4), new_scene=True)
        yield backend


@pytest.fixture(scope="session")
def small_scenes():
    """Scenes that are quick to draw, for tests of spaces, seeds and processes."""
    return SimulationConfig(objects_min=2, objects_max=3)
