"""The PyBullet backend: world, arm, renderer."""

from tabletop_interaction.simulation.backend import SimulationBackend, open_simulation
from tabletop_interaction.simulation.config import SimulationConfig

__all__ = ["SimulationBackend", "SimulationConfig", "open_simulation"]
