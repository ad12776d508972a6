"""A policy of stable-baselines3 as an agent, and the pictures that it is trained on.

A baseline without objects: it maps pixels to actions and learns from `TabletopRearrangement`'s reward only.
`docs/examples/stable_baselines.py` trains one.
"""

import io
import json
import os
import pickle
import re
import zipfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from textwrap import shorten
from typing import Any

import cv2
import gymnasium as gym
import numpy as np
import torch
from gymnasium.wrappers import TransformObservation
from numpy.typing import NDArray
from stable_baselines3.common.policies import ActorCriticCnnPolicy, ActorCriticPolicy

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
_NETWORK_SHAPE = (_SHAPE[2], *_SHAPE[:2])
# In the zip file of stable-baselines3: JSON with pickled entries, which are not read, and the policy's weights.
_DATA, _WEIGHTS = "data", "policy.pth"
_CNN = "features_extractor.cnn."
_PLAIN_OPTIONS = (
    "net_arch",
    "use_sde",
    "ortho_init",
    "log_std_init",
    "full_std",
    "use_expln",
    "share_features_extractor",
)
_NOT_FOR_ACTING = (":type:", ":serialized:", "optimizer_class", "optimizer_kwargs")
_ACTIVATION = re.compile(r"<class 'torch\.nn\.modules\.activation\.(Tanh|ReLU|LeakyReLU|ELU|GELU|SiLU)'>")
_LARGEST_FILE = 1 << 30
_LONGEST_REASON = 200
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
    `runs/stable-baselines/policy.zip`. Only weights and plain values are read: a file from others runs no code, as it
    would in `PPO.load`. Policies with classes of their own are refused.

    Args:
        views, arena, rng: from the benchmark; not used.

    Raises:
        InvalidConfiguration: there is no such file, or it holds no policy of PPO or A2C for these pictures.
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
def _loaded(path: Path, written_ns: int) -> ActorCriticPolicy:
    """The policy in a file, read again when the file has changed."""
    try:
        with zipfile.ZipFile(path) as archive:
            _check_size(archive)
            data = dict(json.loads(archive.read(_DATA)))
            weights = torch.load(io.BytesIO(archive.read(_WEIGHTS)), map_location="cpu", weights_only=True)
        _check_spaces(data)
        policy = _built(_policy_options(data), has_convolutions=any(name.startswith(_CNN) for name in weights))
        policy.load_state_dict(weights)
    except InvalidConfiguration as error:
        raise InvalidConfiguration(f"{path} {error}; {_HOW_TO_TRAIN}") from None
    except pickle.UnpicklingError as error:
        # torch's own message goes on with advice to run the file's code.
        raise InvalidConfiguration(f"{path} holds other things than weights; {_HOW_TO_TRAIN}") from error
    except Exception as error:  # zipfile, json, torch and stable-baselines3 have dozens of classes for damaged files.
        reason = shorten(" ".join(f"{type(error).__name__}: {error}".split()), _LONGEST_REASON, placeholder=" ...")
        raise InvalidConfiguration(f"{path} holds no policy of PPO or A2C ({reason}); {_HOW_TO_TRAIN}") from error
    return policy


def _built(options: Mapping[str, Any], *, has_convolutions: bool) -> ActorCriticPolicy:
    """A policy without trained weights; stable-baselines3 moves the channels of pictures to the front."""
    pictures = gym.spaces.Box(0, 255, _NETWORK_SHAPE, np.uint8)
    actions = gym.spaces.Box(-1.0, 1.0, (ACTION_SIZE,), np.float32)
    kind = ActorCriticCnnPolicy if has_convolutions else ActorCriticPolicy
    policy: ActorCriticPolicy = kind(pictures, actions, lambda _: 0.0, **options)
    policy.set_training_mode(False)
    return policy


def _policy_options(data: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of the network that the file's JSON holds as plain values.

    Raises:
        InvalidConfiguration: others are there, which could only be unpickled; starts with a verb.
    """
    options = {name: value for name, value in (data.get("policy_kwargs") or {}).items() if name not in _NOT_FOR_ACTING}
    if named := _ACTIVATION.fullmatch(str(options.get("activation_fn"))):
        options["activation_fn"] = getattr(torch.nn, named[1])
    if unknown := [name for name in options if name not in (*_PLAIN_OPTIONS, *(("activation_fn",) if named else ()))]:
        raise InvalidConfiguration(
            f"sets {', '.join(unknown)} of its network, and restoring that would run code of the file; accepted are "
            f"policy_kwargs with {', '.join(_PLAIN_OPTIONS)} and torch's activation_fn"
        )
    return {**options, "use_sde": bool(data.get("use_sde"))}


def _check_spaces(data: Mapping[str, Any]) -> None:
    """Check the shapes that the file names. Raises InvalidConfiguration, which starts with a verb."""
    shapes = [tuple(data[name].get("_shape") or ()) for name in ("observation_space", "action_space")]
    if shapes != [_NETWORK_SHAPE, (ACTION_SIZE,)]:
        raise InvalidConfiguration(
            f"holds a policy that turns {shapes[0]} into {shapes[1]}, not {_NETWORK_SHAPE} into {(ACTION_SIZE,)}"
        )


def _check_size(archive: zipfile.ZipFile) -> None:
    """Raise InvalidConfiguration, which starts with a verb, for an archive that would fill the memory."""
    if (size := max(archive.getinfo(name).file_size for name in (_DATA, _WEIGHTS))) > _LARGEST_FILE:
        raise InvalidConfiguration(f"holds a file of {size} bytes; accepted are {_LARGEST_FILE}")
