"""The environments and the seam to the world: no torch, no PyBullet, no ROS."""

from tabletop_interaction.envs.actions import PickPlace
from tabletop_interaction.envs.backend import (
    SPLITS,
    Arena,
    Backend,
    Grasp,
    GroundTruth,
    ObjectState,
    PickOutcome,
    open_backend,
)
from tabletop_interaction.envs.interaction import TabletopInteraction
from tabletop_interaction.envs.testing import check_backend
from tabletop_interaction.envs.views import View

__all__ = [
    "SPLITS",
    "Arena",
    "Backend",
    "Grasp",
    "GroundTruth",
    "ObjectState",
    "PickOutcome",
    "PickPlace",
    "TabletopInteraction",
    "View",
    "check_backend",
    "open_backend",
]
