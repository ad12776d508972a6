"""How the episodes of the rearrangement benchmark are played; importing it does not import torch or PyBullet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tabletop_interaction.envs.goals import MOST_DISPLACED
from tabletop_interaction.errors import InvalidConfiguration

MOST_INTERACTIONS = 10
"""As the registration of TabletopRearrangement-v0 has it."""


@dataclass(frozen=True)
class Setting:
    """How all episodes of a folder are played.

    Attributes:
        model: Checkpoint of the network.
        fast: Three scales of the picture instead of seven: about two thirds of the time.
        features: Features that recognise objects: efficientnet-lite0, alexnet or trunk.
        displaced: Number of objects that stand elsewhere in the goal, 1 to 3; None draws it.
        most_interactions: Interactions after which an episode has failed.
        inverse_model: File of the inverse model, for the agent inverse.
    """

    model: str = "default"
    fast: bool = True
    features: str = "efficientnet-lite0"
    displaced: Literal[1, 2, 3] | None = None
    most_interactions: int = MOST_INTERACTIONS
    inverse_model: str | None = None

    def __post_init__(self) -> None:
        if self.displaced is not None and not 1 <= self.displaced <= MOST_DISPLACED:
            raise InvalidConfiguration(f"displaced is {self.displaced}; accepted are 1 to {MOST_DISPLACED} and None")
