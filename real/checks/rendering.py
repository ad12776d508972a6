"""Check of this machine: whether a backend's pictures render."""

import time
from collections.abc import Callable

import numpy as np

from tabletop_interaction.envs import Backend
from tabletop_interaction.findings import Finding
from tabletop_interaction.real.waiting import within

_RENDER_S = 60.0


def rendered(opened: Callable[[], Backend], seed: int) -> Finding:
    """Check that the simulation opens and that the pictures of a scene show something; raises what opening raises."""
    return within(_RENDER_S, "the simulation", lambda: _render(opened, seed))


def _render(opened: Callable[[], Backend], seed: int) -> Finding:
    start = time.monotonic()
    with opened() as backend:
        backend.reset(np.random.default_rng(seed), new_scene=True)
        pictures = backend.observe()
        renderer = backend.metadata["renderer"]
    took = f"{len(pictures)} pictures by {renderer} in {time.monotonic() - start:.1f} s"
    if blank := [name for name, picture in pictures.items() if picture.min() == picture.max()]:
        return Finding("simulation", False, f"{took}, of one colour: {', '.join(blank)}", "install pybullet again")
    return Finding("simulation", True, f"{took}, none of them blank")
