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
        model: the network's checkpoint; true masks do not need it.
        fast: whether its proposals are the fast ones.
        features: what objects are recognised by, of `agents.features.FEATURES`.
        displaced: how many objects are displaced, 1 to 3; None for any of them, equally likely.
        most_interactions: after which an episode has failed.
        inverse_model: file of the inverse model; None where nobody plays who needs it.
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
