"""Record the interactions of your own agent; `tabletop show runs/mine` draws them."""

import gymnasium as gym
import numpy as np
import tyro

from tabletop_interaction.envs import PickPlace, RecordInteractions


class LeftToRight:
    """Pick in the left half and place at the mirrored point; every object with `act` is an agent."""

    def __init__(self, arena, rng):
        self.arena, self.rng = arena, rng

    def act(self, observation, info):
        x, y = self.rng.uniform([self.arena.x_min, self.arena.y_min], [0.0, self.arena.y_max])
        return PickPlace(x, y, self.rng.uniform(-np.pi / 2, np.pi / 2), -x, y).to_action(self.arena)


def collect(out: str = "runs/mine", interactions: int = 50, seed: int = 0):
    """Record interactions of the agent into a folder."""
    env = RecordInteractions(gym.make("tabletop_interaction:TabletopInteraction-v0"), out)
    agent = LeftToRight(env.get_wrapper_attr("arena"), np.random.default_rng(seed))
    observation, info = env.reset(seed=seed)
    for _ in range(interactions):
        observation, _, _, truncated, info = env.step(agent.act(observation, info))
        if truncated:
            observation, info = env.reset()
    env.close()


if __name__ == "__main__":
    tyro.cli(collect)
