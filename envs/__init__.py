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
from tabletop_interaction.envs.record_reading import (
    InteractionTable,
    count_interactions,
    open_interactions,
    read_interactions,
)
from tabletop_interaction.envs.recording import RecordInteractions
from tabletop_interaction.envs.records import Interaction
from tabletop_interaction.envs.testing import check_backend
from tabletop_interaction.envs.views import View

__all__ = [
    "SPLITS",
    "Arena",
    "Backend",
    "Grasp",
    "GroundTruth",
    "Interaction",
    "InteractionTable",
    "ObjectState",
    "PickOutcome",
    "PickPlace",
    "RecordInteractions",
    "TabletopInteraction",
    "View",
    "check_backend",
    "count_interactions",
    "open_backend",
    "open_interactions",
    "read_interactions",
]
