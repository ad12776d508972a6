"""A short film of the arm at work, in slow motion as the third-person camera sees it: the README's picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import imageio.v2 as imageio
import numpy as np

from tabletop_interaction.benchmarks.ground_truth import AimedAgent
from tabletop_interaction.envs import TabletopInteraction
from tabletop_interaction.simulation import SimulationBackend, SimulationConfig
from tabletop_interaction.simulation.backend import ARENA
from tabletop_interaction.simulation.cameras import arena_views
from tabletop_interaction.simulation.renderer import ComposedRenderer
from tabletop_interaction.simulation.world import World

_STEPS_A_FRAME = 18
_FRAME_MS = 110
_SIZE_PX = (360, 270)


def write_arm_film(path: Path, *, interactions: int = 3, seed: int = 3) -> Path:
    """Write an animated GIF of some pick-and-places aimed by ground truth; transits jump, as they do in the simulation.

    Args:
        path: the GIF.
        interactions: how many.
        seed: of the scene.
    """
    frames: list[Any] = []
    steps = 0

    def film() -> None:
        nonlocal steps
        steps += 1
        if filming and steps % _STEPS_A_FRAME == 0:
            picture = backend.third_person_picture()
            frames.append(np.asarray(cv2.resize(picture, _SIZE_PX, interpolation=cv2.INTER_AREA), np.uint8))

    filming = False
    views = arena_views(ARENA)
    backend = SimulationBackend("train", SimulationConfig(), World(film), ComposedRenderer(views), views)
    with backend:
        env = TabletopInteraction(backend)
        agent = AimedAgent(backend, np.random.default_rng(seed))
        observation, info = env.reset(seed=seed)
        filming = True
        for _ in range(interactions):
            observation, _, _, _, info = env.step(agent.act(observation, info))
    path.parent.mkdir(parents=True, exist_ok=True)
    imageio.mimwrite(path, list(frames), duration=_FRAME_MS, loop=0)
    return path
