"""Acts by an inverse model: towards the goal's picture, one pick-and-place at a time, in the first view.

The greedy planner of Agrawal et al. 2016, section 4, would repeat a failed grasp for ever, because the picture does not
change. Ours samples where to pick from the model's distribution after a failure.
"""

from typing import Any

import numpy as np

from tabletop_interaction.agents.agent import Observation
from tabletop_interaction.agents.inverse.model import InverseModel, predict_action
from tabletop_interaction.agents.inverse.picture_actions import arena_actions, shrunk
from tabletop_interaction.arrays import Floats32
from tabletop_interaction.envs import Arena, PickOutcome, PickPlace, View
from tabletop_interaction.envs.rearrangement import goal_key
from tabletop_interaction.errors import NoGoal


class InverseAgent:
    """An agent without memory except `rng`, which samples where to pick after a failure.

    The model is in evaluation mode; of the views the first one is used.
    """

    def __init__(self, model: InverseModel, views: tuple[View, ...], arena: Arena, rng: np.random.Generator) -> None:
        self._model = model
        self._view = views[0]
        self._arena = arena
        self._rng = rng

    def act(self, observation: Observation, info: dict[str, Any]) -> Floats32:
        """Return the predicted action; a point beyond the arena is moved to its border.

        Args:
            observation: of `TabletopRearrangement`: the first view's picture, and `goal_0`.
            info: of the last reset or step; `pick_outcome` is read.

        Raises:
            NoGoal: the first view's goal is missing or blank.
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
        action = predict_action(self._model, now, wanted, self._rng if failed else None)
        return PickPlace.from_array(arena_actions(action, self._view, size)[0]).to_action(self._arena)
