"""The PyBullet backend: world, arm, cameras and renderer."""

import os


def _import_pybullet_quietly() -> None:
    """Import PyBullet without the build time that its C code prints to standard error."""
    kept = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            import pybullet  # noqa: F401
        finally:
            os.dup2(kept, 2)
            os.close(kept)


_import_pybullet_quietly()

from tabletop_interaction.sim_assets import MeshObject, PictureTable  # noqa: E402
from tabletop_interaction.simulation.backend import SimulationBackend, open_simulation  # noqa: E402
from tabletop_interaction.simulation.cameras import arena_views, look_at, orbit, top_down  # noqa: E402
from tabletop_interaction.simulation.scene import SimulationConfig  # noqa: E402

__all__ = [
    "MeshObject", "PictureTable", "SimulationBackend", "SimulationConfig", "arena_views", "look_at", "open_simulation",
    "orbit", "top_down",
]  # fmt: skip
