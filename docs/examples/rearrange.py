"""Rearrange a table with our agent through `gym.make`: segment, match and move until it looks like the goal."""

import gymnasium as gym
import tyro

from tabletop_interaction.agents.features import FEATURES
from tabletop_interaction.agents.rearranging.matching import AppearanceMatcher
from tabletop_interaction.agents.rearranging.rearranger import Rearranger
from tabletop_interaction.segmentation import FAST, Segmenter


def rearrange(model: str = "default", displaced: int = 1, seed: int = 0):
    """Let our agent bring one table to what its goal picture shows."""
    env = gym.make("tabletop_interaction:TabletopRearrangement-v0", split="test", displaced=displaced)
    matcher = AppearanceMatcher(FEATURES["efficientnet-lite0"]())
    views, arena = env.get_wrapper_attr("views"), env.get_wrapper_attr("arena")
    agent = Rearranger(Segmenter.load(model, FAST), matcher, views, arena)
    observation, info = env.reset(seed=seed)
    over = False
    while not over:
        observation, reward, terminated, truncated, info = env.step(agent.act(observation, info))
        print(f"{agent.decision.move.purpose}: reward {reward:+.2f}, {info['goal_distance_px'][:displaced]} px to go")
        over = terminated or truncated
    env.close()
    return info


if __name__ == "__main__":
    tyro.cli(rearrange)
