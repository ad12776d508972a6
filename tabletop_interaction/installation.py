"""Checks of the installation: Python, the versions of packages, OpenCV, and the folder of Ray's sockets.

Nothing is imported but the standard library and `packaging`, so that a broken package cannot end the checks.
"""

import os
import platform
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import PackageNotFoundError, distributions, metadata, requires, version
from importlib.util import find_spec

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.findings import Finding, found_by

DISTRIBUTION = "tabletop-interaction"

OPTIONAL = {
    "ray": "collecting and learning with --workers; `pip install 'tabletop-interaction[ray]'`",
    "ruckig": "the Sawyer and its twin; `pip install 'tabletop-interaction[sawyer]'`",
    "intera_interface": "a real Sawyer; from the laboratory's ROS workspace, see docs/hardware.md",
    "rospy": "a real Sawyer and cameras behind ROS topics; see docs/hardware.md",
}
"""Optional modules, and what they are for."""

_OPENCV = "opencv-"
_SOCKET_BYTES = 107 if sys.platform == "linux" else 103
# What Ray adds to the folder for temporary files; process numbers have up to seven digits.
_RAY_SOCKET = "ray/session_2026-01-01_00-00-00_000000_1234567/sockets/plasma_store"


def installed() -> Iterator[Finding]:
    """Check Python, every dependency of the package, the optional modules, and what they need of this machine."""
    yield from found_by("python", _python)
    yield from found_by(DISTRIBUTION, lambda: [Finding(DISTRIBUTION, True, version(DISTRIBUTION))])
    for name, requirement in required().items():
        yield from found_by(name, lambda requirement=requirement: [_distribution(requirement)])  # type: ignore[misc]
    yield from found_by("cv2", _opencv)
    for module in OPTIONAL:
        yield from found_by(module, lambda module=module: [_optional(module)])  # type: ignore[misc]
    if find_spec("ray") is not None:
        yield from found_by("ray's sockets", _ray_folder)


def required(extra: str = "") -> dict[str, Requirement]:
    """By name, what our distribution requires of others, or what an extra requires; empty if it is not installed."""
    try:
        lines = requires(DISTRIBUTION) or []
    except PackageNotFoundError:
        return {}
    found = [Requirement(line) for line in lines]
    if extra:
        found = [one for one in found if one.marker is not None and not one.marker.evaluate({"extra": ""})]
    return {one.name: one for one in found if one.marker is None or one.marker.evaluate({"extra": extra})}


def check_ray_folder() -> None:
    """Check that Ray's sockets fit into the folder for temporary files.

    Raises:
        InvalidConfiguration: a socket's path would be longer than the system accepts.
    """
    name = next((name for name in ("RAY_TMPDIR", "TMPDIR") if os.environ.get(name)), None)
    folder = os.path.abspath(os.environ[name] if name else "/tmp")
    found = len(os.fsencode(os.path.join(folder, _RAY_SOCKET)))
    if found > _SOCKET_BYTES:
        longest = _SOCKET_BYTES - len(_RAY_SOCKET) - 1
        raise InvalidConfiguration(
            f"{name} {folder} has {len(os.fsencode(folder))} bytes, and with it the paths of Ray's sockets up to "
            f"{found}, but the system accepts {_SOCKET_BYTES}; set RAY_TMPDIR to a folder of at most {longest} bytes, "
            "such as /tmp"
        )


def _python() -> Iterator[Finding]:
    found, wanted = platform.python_version(), SpecifierSet(metadata(DISTRIBUTION)["Requires-Python"] or "")
    said = f"{found} on {platform.system()} {platform.machine()}"
    if wanted.contains(found, prereleases=True):
        yield Finding("python", True, said)
    else:
        yield Finding("python", False, f"{said}; required is {wanted}", f"make an environment with Python {wanted}")


def _distribution(requirement: Requirement) -> Finding:
    """Whether a distribution is there in an accepted version."""
    wanted = f"{requirement.name}{requirement.specifier}"
    try:
        found = version(requirement.name)
    except PackageNotFoundError:
        return Finding(requirement.name, False, "not installed", f"`pip install '{wanted}'`")
    if requirement.specifier.contains(found, prereleases=True):
        return Finding(requirement.name, True, found)
    said = f"{found}; required is {requirement.specifier}"
    return Finding(requirement.name, False, said, f"`pip install '{wanted}'`")


def _opencv() -> Iterator[Finding]:
    """Whether one distribution alone provides the module cv2, and whether it can be imported."""
    found = {one.metadata["Name"]: one.version for one in distributions() if one.metadata["Name"]}
    provided = {name: number for name, number in sorted(found.items()) if name.lower().startswith(_OPENCV)}
    wanted = next((str(one) for name, one in required().items() if name.startswith(_OPENCV)), "opencv-python-headless")
    if len(provided) > 1:
        yield Finding(
            "cv2",
            False,
            f"{' and '.join(f'{name} {number}' for name, number in provided.items())} overwrite each other's module",
            f"`pip uninstall -y {' '.join(provided)}`, then `pip install '{wanted}'`",
        )
        return
    yield Finding("cv2", True, f"{import_module('cv2').__version__}")


def _optional(module: str) -> Finding:
    if find_spec(module) is None:
        return Finding(module, True, f"not installed; for {OPTIONAL[module]}")
    for extra in ("ray", "sawyer"):
        if module in (requirements := required(extra)):
            return _distribution(requirements[module])
    try:
        return Finding(module, True, version(module))
    except PackageNotFoundError:
        # pip does not know a package of the ROS workspace.
        return Finding(module, True, "installed")


def _ray_folder() -> Iterator[Finding]:
    check_ray_folder()
    yield Finding("ray's sockets", True, "their paths are short enough")
