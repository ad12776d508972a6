"""A seed gives the same pictures and states, to the bit, with every Python and both distributions of PyBullet."""

import hashlib
import platform
import sys

import gymnasium as gym
import numpy as np
import pytest

# What Python 3.11 with PyBullet 3.2.7 gave. An intended change of pictures or physics changes them, and with them the
# name of the renderer or the versions in the ids.
PICTURES_AND_STATES = {
    "TabletopInteraction-v0": ["0edb5cbe4490d152", "7bc62736c4e9d7fe", "d21a1cb7c907b328"],
    "TabletopPushing-v0": ["0edb5cbe4490d152", "880f293613b293ad", "ca4e15c9582d0ee0"],
    "TabletopRearrangement-v0": ["9797a0f58ca9e3c1", "577657905a822fc0", "07076a110ca92aad"],
}


def _digest(observation: dict[str, np.ndarray]) -> str:
    return hashlib.sha256(b"".join(observation[name].tobytes() for name in sorted(observation))).hexdigest()[:16]


@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64",
    reason="other processors and C libraries round differently",
)
@pytest.mark.parametrize(("name", "expected"), PICTURES_AND_STATES.items())
def test_pictures_and_states_are_those_of_every_python(name: str, expected: list[str]) -> None:
    with gym.make(f"tabletop_interaction:{name}", observation="both", extras=("depth", "instances")) as env:
        env.action_space.seed(0)
        observation, _ = env.reset(seed=0)
        found = [_digest(observation)]
        for _ in range(2):
            observation, *_ = env.step(env.action_space.sample())
            found.append(_digest(observation))
    assert found == expected
