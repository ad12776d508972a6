"""Acts as an inverse model believes: towards the goal's picture, one pick-and-place at a time (Agrawal et al. 2016,
section 4, the greedy planner). Only the first view is looked at.

Greedy alone would try a grasp that failed again and again, since the picture is as before. Ours draws where to pick
from the model's beliefs after a failure.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabletop_interaction.agents.agent import Observation
from tabletop_interaction.agents.inverse.model import Beliefs, InverseModel, believe
from tabletop_interaction.agents.inverse.picture_actions import arena_actions, shrunk
from tabletop_interaction.envs import Arena, PickOutcome, PickPlace, View
from tabletop_interaction.envs.rearrangement import goal_key
from tabletop_interaction.errors import NoGoal


class InverseAgent:
    """See the module. It remembers nothing between two calls but what `rng` has given.

    Args:
        model: in evaluation mode, see `load_inverse_model`.
        views: the cameras; the first one counts.
        arena: the rectangle that actions span.
        rng: draws where to pick after a failure.

    Attributes:
        beliefs: what the last `act` acted on; None before the first.
    """

    def __init__(self, model: InverseModel, views: tuple[View, ...], arena: Arena, rng: np.random.Generator) -> None:
        self._model = model
        self._view = views[0]
        self._arena = arena
        self._rng = rng
        self.beliefs: Beliefs | None = None

    def act(self, observation: Observation, info: dict[str, Any]) -> NDArray[np.float32]:
        """What leads from the picture now to the goal's; a point beyond the arena is moved to its border.

        Args:
            observation: of `TabletopRearrangement`: the first view's picture, and `goal_0`.
            info: of the last reset or step; `pick_outcome` is read.

        Raises:
            NoGoal: there is no goal's picture of the first view, or it shows nothing.
        """
        goal = observation.get(goal_key(0))
        if goal is None or goal.min() == goal.max():
            raise NoGoal(
                f"the observation has {', '.join(sorted(observation))}, and no goal_0 that shows anything; give one, "
                "as TabletopRearrangement does"
            )
        size = self._model.config.size
        failed = info["pick_outcome"] not in (PickOutcome.NO_PICK, PickOutcome.HELD)
        now, wanted = shrunk(observation[self._view.name], size), shrunk(goal, size)
        self.beliefs = believe(self._model, now, wanted, self._rng if failed else None)
        pick_place = PickPlace.from_array(arena_actions(self.beliefs.action, self._view, size)[0])
        return pick_place.to_action(self._arena)
