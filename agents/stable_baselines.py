"""A policy of stable-baselines3 as an agent, and the pictures that it is trained on.

A baseline without objects: it maps pixels to actions and learns from `TabletopRearrangement`'s reward only.
`docs/examples/stable_baselines.py` trains one.
"""

import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import gymnasium as gym
import numpy as np
from gymnasium.wrappers import TransformObservation
from numpy.typing import NDArray
from stable_baselines3 import PPO

from tabletop_interaction.agents.agent import Observation
from tabletop_interaction.envs import Arena, View
from tabletop_interaction.envs.actions import ACTION_SIZE
from tabletop_interaction.errors import InvalidConfiguration

POLICY_PATH = Path("runs/stable-baselines/policy.zip")
"""Default path of the policy, in the example and in the agent."""
POLICY_VARIABLE = "TABLETOP_POLICY"
"""Environment variable with another path."""

_KEYS = ("view_0", "goal_0")
# A fifth of 350 x 430.
_HEIGHT, _WIDTH = 70, 86
_SHAPE = (_HEIGHT, _WIDTH, 3 * len(_KEYS))
_HOW_TO_TRAIN = (
    "train one with `python docs/examples/stable_baselines.py`, or name another file in the environment variable "
    f"{POLICY_VARIABLE}"
)


def policy_picture(observation: Observation) -> NDArray[np.uint8]:
    """uint8 (70, 86, 6): the first view now, RGB, and the goal's, so that the first convolution sees their difference.

    Args:
        observation: of `TabletopRearrangement`; `view_0` and `goal_0` are read.
    """
    small = [cv2.resize(observation[key], (_WIDTH, _HEIGHT), interpolation=cv2.INTER_AREA) for key in _KEYS]
    return np.concatenate(small, axis=2, dtype=np.uint8)


def with_policy_pictures(env: gym.Env[Any, Any]) -> gym.Env[Any, Any]:
    """The environment with `policy_picture` as observation, for `CnnPolicy` of stable-baselines3."""
    return TransformObservation(env, policy_picture, gym.spaces.Box(0, 255, _SHAPE, np.uint8))


class StableBaselinesAgent:
    """Acts by the mean action of a trained policy, without randomness.

    For `tabletop benchmark rearrangement --agents tabletop_interaction.agents.stable_baselines:StableBaselinesAgent`.
    The benchmark stores episodes by the agent's name: use another `--out` for another policy.

    The policy is read from the path in the environment variable `TABLETOP_POLICY`, or from
    `runs/stable-baselines/policy.zip`. Files of stable-baselines3 contain code that runs when they are read: use only
    files that you trust.

    Args:
        views, arena, rng: from the benchmark; not used.

    Raises:
        InvalidConfiguration: there is no such file, or it holds no PPO policy for these pictures.
    """

    def __init__(self, views: tuple[View, ...], arena: Arena, rng: np.random.Generator) -> None:
        path = Path(os.environ.get(POLICY_VARIABLE, POLICY_PATH))
        if not path.is_file():
            raise InvalidConfiguration(f"there is no policy {path}; {_HOW_TO_TRAIN}")
        self._policy = _loaded(path.resolve(), path.stat().st_mtime_ns)

    def act(self, observation: Observation, info: dict[str, Any]) -> NDArray[np.float32]:
        """The policy's mean action, clipped to the action box."""
        action, _ = self._policy.predict(policy_picture(observation), deterministic=True)
        return np.asarray(action, np.float32)


@lru_cache(maxsize=1)
def _loaded(path: Path, written_ns: int) -> PPO:
    """The policy in a file, read again when the file has changed."""
    try:
        policy = PPO.load(path, device="cpu")
    except (ValueError, KeyError, TypeError, AttributeError, AssertionError, RuntimeError) as error:
        raise InvalidConfiguration(f"{path} holds no policy that PPO can load ({error}); {_HOW_TO_TRAIN}") from error
    # stable-baselines3 moves the channels of pictures to the front.
    spaces = (policy.observation_space.shape, policy.action_space.shape)
    wanted = ((_SHAPE[2], *_SHAPE[:2]), (ACTION_SIZE,))
    if spaces != wanted:
        raise InvalidConfiguration(
            f"the policy of {path} turns {spaces[0]} into {spaces[1]}, not {wanted[0]} into {wanted[1]}; "
            f"{_HOW_TO_TRAIN}"
        )
    return policy
