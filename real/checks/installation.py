"""Checks of this machine: whether the package's dependencies are installed, and whether a backend's pictures render."""

import platform
import re
import time
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec

import numpy as np

from tabletop_interaction.envs import Backend
from tabletop_interaction.errors import TabletopError
from tabletop_interaction.real.checks.diagnosis import Finding, refusal
from tabletop_interaction.real.checks.examination import within

DISTRIBUTION = "tabletop-interaction"

OPTIONAL = {
    "ray": "collecting and learning with --workers; `pip install 'tabletop-interaction[ray]'`",
    "ruckig": "the Sawyer and its twin; `pip install 'tabletop-interaction[sawyer]'`",
    "intera_interface": "a real Sawyer; from the laboratory's ROS workspace, see docs/hardware.md",
    "rospy": "a real Sawyer and cameras behind ROS topics; see docs/hardware.md",
}
"""Optional modules, and what they are for."""

_RENDER_S = 60.0


def installed() -> Iterator[Finding]:
    """Check Python, every dependency of the package, and the optional modules."""
    yield Finding("python", True, f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    for name in (DISTRIBUTION, *required()):
        yield _distribution(name)
    for module, purpose in OPTIONAL.items():
        yield _optional(module, purpose)


def required() -> list[str]:
    """Names of the distributions that ours depends on, without extras."""
    lines = requires(DISTRIBUTION) or []
    return [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in lines if "extra ==" not in line]


def rendered(opened: Callable[[], Backend], seed: int) -> Finding:
    """Check that the simulation opens and that the pictures of a scene show something."""
    try:
        return within(_RENDER_S, "the simulation", lambda: _render(opened, seed))
    except TabletopError as error:
        return refusal("simulation", error)


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


def _distribution(name: str) -> Finding:
    try:
        return Finding(name, True, version(name))
    except PackageNotFoundError:
        return Finding(name, False, "not installed", f"`pip install {name}`")


def _optional(module: str, purpose: str) -> Finding:
    if find_spec(module) is None:
        return Finding(module, True, f"not installed; for {purpose}")
    try:
        return Finding(module, True, version(module))
    except PackageNotFoundError:
        # pip does not know a package of the ROS workspace.
        return Finding(module, True, "installed")
