"""What `tabletop doctor` says of this machine: which of our dependencies are installed, and whether pictures render."""

from __future__ import annotations

import platform
import re
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec

import numpy as np

from tabletop_interaction.errors import TabletopError
from tabletop_interaction.real.checks.diagnosis import Finding, refusal
from tabletop_interaction.real.checks.examination import within
from tabletop_interaction.simulation import open_simulation

DISTRIBUTION = "tabletop-interaction"

OPTIONAL = {
    "ray": "collecting and learning with --workers; `pip install 'tabletop-interaction[ray]'`",
    "ruckig": "the Sawyer and its twin; `pip install 'tabletop-interaction[sawyer]'`",
    "intera_interface": "a real Sawyer; from the laboratory's ROS workspace, see docs/hardware.md",
    "rospy": "a real Sawyer and cameras behind ROS topics; see docs/hardware.md",
}
"""Modules without which most works, and what they are for."""

RENDER_S = 60.0


def installed() -> Iterator[Finding]:
    """Python, every dependency that the package asks for, and the optional ones."""
    yield Finding("python", True, f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    for name in (DISTRIBUTION, *required()):
        yield _distribution(name)
    for module, purpose in OPTIONAL.items():
        yield _optional(module, purpose)


def required() -> list[str]:
    """Names of the distributions that ours asks for, extras aside."""
    lines = requires(DISTRIBUTION) or []
    return [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in lines if "extra ==" not in line]


def rendered(seed: int) -> Finding:
    """Whether the simulation opens and its pictures show something."""
    try:
        return within(RENDER_S, "the simulation", lambda: _render(seed))
    except TabletopError as error:
        return refusal("simulation", error)


def _render(seed: int) -> Finding:
    start = time.monotonic()
    with open_simulation("train", None) as backend:
        backend.reset(np.random.default_rng(seed), new_scene=True)
        pictures = backend.observe()
        renderer = backend.metadata["renderer"]
    took = f"{len(pictures)} pictures by {renderer} in {time.monotonic() - start:.1f} s"
    if blank := [name for name, picture in pictures.items() if picture.min() == picture.max()]:
        return Finding("simulation", False, f"{took}, of one colour: {', '.join(blank)}", "install pybullet anew")
    return Finding("simulation", True, f"{took}, none of them blank")


def _distribution(name: str) -> Finding:
    try:
        return Finding(name, True, version(name))
    except PackageNotFoundError:
        return Finding(name, False, "not installed", f"`pip install {name}`")


def _optional(module: str, purpose: str) -> Finding:
    # A package of the ROS workspace is no distribution that pip knows.
    if find_spec(module) is None:
        return Finding(module, True, f"not installed; for {purpose}")
    try:
        return Finding(module, True, version(module))
    except PackageNotFoundError:
        return Finding(module, True, "installed")
