"""What an agent does with a mask: it picks its object up, or pushes it. The rest of learning is the same for both."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

import tabletop_interaction
from tabletop_interaction.agents.grasp import grasp_from_mask
from tabletop_interaction.agents.push import push_from_mask
from tabletop_interaction.arrays import Mask
from tabletop_interaction.envs import Arena, PickPlace, View
from tabletop_interaction.envs.actions import ACTION_SIZE, PUSH_SIZE
from tabletop_interaction.envs.backend import Primitive

ENVIRONMENT_IDS: Mapping[Primitive, str] = {
    "pick": f"{tabletop_interaction.__name__}:TabletopInteraction-v0",
    "push": f"{tabletop_interaction.__name__}:TabletopPushing-v0",
}
"""Environments by what one step of them is."""

ACTION_SIZES: Mapping[Primitive, int] = {"pick": ACTION_SIZE, "push": PUSH_SIZE}


@dataclass(frozen=True, eq=False)
class Aimed:
    """An action that moves the object at a mask.

    Attributes:
        action: float32, for the environment.
        xy: the object's centre, metres, arena frame.
    """

    action: NDArray[np.float32]
    xy: tuple[float, float]


class AimsAtMasks(Protocol):
    """Turns masks into actions."""

    def aim(self, mask: Mask, view: View, random: NDArray[np.float32]) -> Aimed | None:
        """The action that moves the object at a mask (H, W), not empty; None if it is out of reach.

        Args:
            random: a uniform action, for what the mask does not determine.
        """


@dataclass(frozen=True, eq=False)
class Picks:
    """Picks the object up, and places it at random."""

    arena: Arena

    def aim(self, mask: Mask, view: View, random: NDArray[np.float32]) -> Aimed | None:
        """See `AimsAtMasks`."""
        grasp = grasp_from_mask(mask, view)
        if not self.arena.contains(grasp.x, grasp.y):
            return None
        pick = PickPlace(grasp.x, grasp.y, grasp.angle, 0.0, 0.0).to_action(self.arena)[:3]
        return Aimed(np.concatenate([pick, random[3:]]), (grasp.x, grasp.y))


@dataclass(frozen=True, eq=False)
class Pushes:
    """Pushes the object off its place, in a random direction."""

    arena: Arena
    rng: np.random.Generator

    def aim(self, mask: Mask, view: View, random: NDArray[np.float32]) -> Aimed | None:
        """See `AimsAtMasks`."""
        grasp = grasp_from_mask(mask, view)
        if not self.arena.contains(grasp.x, grasp.y):
            return None
        push = push_from_mask(mask, view, self.arena, self.rng)
        return None if push is None else Aimed(push.to_action(self.arena), (grasp.x, grasp.y))


def aims_of(primitive: Primitive, arena: Arena, rng: np.random.Generator) -> AimsAtMasks:
    """What turns masks into actions of a primitive."""
    return Picks(arena) if primitive == "pick" else Pushes(arena, rng)
