"""Run the same agent on a robot: only `backend` and `config` change. The default lab file is a simulated Sawyer's."""

from pathlib import Path

import gymnasium as gym
import numpy as np
import tyro

from tabletop_interaction.agents.learning.actor import HypothesisAgent
from tabletop_interaction.envs import PickOutcome, RecordInteractions
from tabletop_interaction.real import TWIN_LAB
from tabletop_interaction.segmentation import FAST, Segmenter


def explore(lab: Path = TWIN_LAB, out: str = "runs/robot", interactions: int = 5, seed: int = 0):
    """Record interactions of the hypothesis agent on a robot or its twin."""
    table = gym.make("tabletop_interaction:TabletopInteraction-v0", backend="sawyer", config=lab)
    env = RecordInteractions(table, out)
    views, arena = env.get_wrapper_attr("views"), env.get_wrapper_attr("arena")
    agent = HypothesisAgent(Segmenter.load("default", FAST), views, arena, np.random.default_rng(seed))
    observation, info = env.reset(seed=seed)
    for _ in range(interactions):
        observation, _, _, truncated, info = env.step(agent.act(observation, info))
        print(PickOutcome(info["pick_outcome"]).name, info["pick_place"].round(3))
        if truncated:
            observation, info = env.reset()
    env.close()


if __name__ == "__main__":
    tyro.cli(explore)
