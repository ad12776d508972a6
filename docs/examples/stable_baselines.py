"""Train PPO of stable-baselines3 on TabletopRearrangement-v0, from pixels and reward alone.

    python docs/examples/stable_baselines.py --steps 4096
    tabletop benchmark rearrangement --agents random tabletop_interaction.agents.stable_baselines:StableBaselinesAgent

The first command resumes a run. PPO resumes from one small checkpoint file; SAC uses each step more often, but needs a
replay buffer of hundreds of MB to resume.

Some thousand steps teach almost nothing: the reward is progress towards the goal, and a random pick seldom moves the
right object, and then usually away from its goal. This is a baseline that does not know objects.
"""

from dataclasses import dataclass
from pathlib import Path

import gymnasium as gym
import tyro
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv

from tabletop_interaction.agents.stable_baselines import POLICY_PATH, with_policy_pictures
from tabletop_interaction.files import atomic_path
from tabletop_interaction.simulation import SimulationConfig, arena_views


@dataclass(frozen=True)
class Options:
    """Train a policy, or resume its training."""

    out: Path = POLICY_PATH.parent
    """Folder of policy.zip and of TensorBoard's curves."""
    steps: int = 4096
    """Interactions in total, rounded up to whole rollouts."""
    seed: int = 0
    """Seed of the scenes, the network and its exploration."""
    workers: int = 2
    """Tables at once, each in its own process; a step takes some tenths of a second of physics."""
    rollout: int = 128
    """Interactions of each table between two updates."""


class KeepPolicy(BaseCallback):
    """Write the policy before each rollout and at the end; a kill leaves it whole."""

    def __init__(self, path):
        super().__init__()
        self.path = path

    def _on_step(self):
        return True

    def _on_rollout_start(self):
        with atomic_path(self.path) as temporary:
            self.model.save(temporary)

    _on_training_end = _on_rollout_start


def make_table():
    # The policy sees the first camera only: three times as many pictures would be rendered for nothing.
    config = SimulationConfig(views=arena_views()[:1])
    return with_policy_pictures(gym.make("tabletop_interaction:TabletopRearrangement-v0", split="train", config=config))


def new_or_begun(path, env, options):
    size = {"n_steps": options.rollout, "batch_size": min(64, options.rollout * options.workers)}
    if not path.exists():
        return PPO("CnnPolicy", env, seed=options.seed, tensorboard_log=str(options.out), verbose=1, **size)
    model = PPO.load(path, env, **size)  # this unpickles: only a file of your own
    model.set_random_seed(options.seed + model.num_timesteps)  # other scenes than in the first session
    return model


def train(options):
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / POLICY_PATH.name
    env = make_vec_env(make_table, options.workers, vec_env_cls=SubprocVecEnv if options.workers > 1 else DummyVecEnv)
    model = new_or_begun(path, env, options)
    model.learn(options.steps - model.num_timesteps, KeepPolicy(path), reset_num_timesteps=False)
    env.close()
    print(f"{model.num_timesteps} interactions: {path}")


if __name__ == "__main__":
    train(tyro.cli(Options, description=__doc__))
