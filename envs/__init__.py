"""The environments and the Backend protocol; free of torch, PyBullet and ROS."""

from tabletop_interaction.envs.actions import PickPlace, Push
from tabletop_interaction.envs.backend import (
    SPLITS,
    Arena,
    Arranging,
    Backend,
    Grasp,
    GroundTruth,
    ObjectState,
    PickOutcome,
    Split,
    open_backend,
)
from tabletop_interaction.envs.goals import Arrangement, Goal, load_goal
from tabletop_interaction.envs.gripper import Gripper
from tabletop_interaction.envs.interaction import TabletopInteraction
from tabletop_interaction.envs.judges import Judge, JudgeMaker, Verdict
from tabletop_interaction.envs.observations import EXTRAS, STATE_FEATURES, state_array
from tabletop_interaction.envs.pushing import TabletopPushing
from tabletop_interaction.envs.rearrangement import TabletopRearrangement
from tabletop_interaction.envs.records.reading import (
    InteractionTable,
    count_interactions,
    open_interactions,
    read_interactions,
)
from tabletop_interaction.envs.records.row import Interaction
from tabletop_interaction.envs.records.wrapper import RecordInteractions
from tabletop_interaction.envs.testing import check_backend
from tabletop_interaction.envs.views import View

__all__ = [
    "EXTRAS", "SPLITS", "STATE_FEATURES", "Arena", "Arrangement", "Arranging", "Backend", "Goal", "Grasp", "Gripper",
    "GroundTruth", "Interaction", "InteractionTable", "Judge", "JudgeMaker", "ObjectState", "PickOutcome", "PickPlace",
    "Push", "RecordInteractions", "Split", "TabletopInteraction", "TabletopPushing", "TabletopRearrangement",
    "Verdict", "View", "check_backend", "count_interactions", "load_goal", "open_backend", "open_interactions",
    "read_interactions", "state_array",
]  # fmt: skip
