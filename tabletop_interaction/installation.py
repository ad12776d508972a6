"""Checks of the installation: Python, the versions of packages, the extras, and the folder of Ray's sockets.

Nothing is imported but the standard library and `packaging`, so that a broken package cannot end the checks.
"""

import os
import platform
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from importlib.metadata import PackageNotFoundError, metadata, version
from importlib.util import find_spec

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.extras import DISTRIBUTION, PURPOSES, extras, install_command, required
from tabletop_interaction.findings import Finding, found_by

OF_THE_ROBOT = {
    "intera_interface": "a real Sawyer; from the laboratory's ROS workspace, see docs/hardware.md",
    "rospy": "a real Sawyer and cameras behind ROS topics; see docs/hardware.md",
}
"""Modules that no package index has, and what they are for."""

PYBULLET = ("pybullet", "pybullet-arm64")
"""Distributions that provide the module pybullet: the first has wheels for Python 3.11, the other for newer ones."""

_OPENCV = (
    "opencv-contrib-python", "opencv-contrib-python-headless", "opencv-python", "opencv-python-headless",
)  # fmt: skip
_SOCKET_BYTES = 107 if sys.platform == "linux" else 103
# What Ray adds to the folder for temporary files; process numbers have up to seven digits.
_RAY_SOCKET = "ray/session_2026-01-01_00-00-00_000000_1234567/sockets/plasma_store"


def installed() -> Iterator[Finding]:
    """Check Python, every dependency of the package, its extras, and what they need of this machine."""
    yield from found_by("python", _python)
    yield from found_by(DISTRIBUTION, lambda: [Finding(DISTRIBUTION, True, version(DISTRIBUTION))])
    for name, requirement in required().items():
        yield from found_by(name, lambda requirement=requirement: [_required(requirement)])  # type: ignore[misc]
    yield from found_by("cv2", _opencv)
    yield from found_by("pybullet", lambda: _clash("pybullet", *PYBULLET))
    for extra in extras():
        yield from found_by(f"extra {extra}", lambda extra=extra: [_extra(extra)])  # type: ignore[misc]
    for module in OF_THE_ROBOT:
        yield from found_by(module, lambda module=module: [_of_the_robot(module)])  # type: ignore[misc]
    if find_spec("ray") is not None:
        yield from found_by("ray's sockets", _ray_folder)


def installed_versions(*names: str) -> dict[str, str]:
    """The versions of distributions, as records and models state them; pybullet is named as it was installed.

    Raises:
        PackageNotFoundError: one is not installed.
    """
    versions = {}
    for name in names:
        here = next(iter(_versions(*PYBULLET)), name) if name in PYBULLET else name
        versions[here] = version(here)
    return versions


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


def _required(requirement: Requirement) -> Finding:
    """As `_distribution`; a distribution of PyBullet may stand for the other."""
    found = _versions(*PYBULLET)
    if requirement.name not in PYBULLET or requirement.name in found or not found:
        return _distribution(requirement)
    ((name, number), *_) = found.items()
    return Finding(name, True, number)


def _opencv() -> Iterator[Finding]:
    """Whether one distribution alone provides the module cv2, and whether it can be imported."""
    if clash := list(_clash("cv2", *_OPENCV)):
        yield from clash
    else:
        yield Finding("cv2", True, f"{import_module('cv2').__version__}")


def _clash(module: str, *names: str) -> Iterator[Finding]:
    """A finding if more than one of the distributions that provide a module is there."""
    provided = _versions(*names)
    if len(provided) > 1:
        wanted = next((f"{name}{one.specifier}" for name, one in required().items() if name in names), names[0])
        yield Finding(
            module,
            False,
            f"{' and '.join(f'{name} {number}' for name, number in provided.items())} overwrite each other's module",
            f"`pip uninstall -y {' '.join(provided)}`, then `pip install '{wanted}'`",
        )


def _versions(*names: str) -> dict[str, str]:
    """The versions of those of the distributions that are there."""
    found = {}
    for name in names:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _extra(extra: str) -> Finding:
    """What is installed of an extra; what is missing is no error."""
    name, needed = f"extra {extra}", required(extra).values()
    missing = [one.name for one in needed if not _versions(one.name)]
    if missing:
        said = f"not installed: {', '.join(missing)}; for {PURPOSES[extra]}"
        return Finding(name, True, said, f"`{install_command(extra)}`")
    checked = [_distribution(one) for one in needed]
    if wrong := [one for one in checked if not one.ok]:
        said = ", ".join(f"{one.name} {one.said}" for one in wrong)
        return Finding(name, False, said, f"`{install_command(extra)}`")
    return Finding(name, True, ", ".join(f"{one.name} {one.said}" for one in checked))


def _of_the_robot(module: str) -> Finding:
    if find_spec(module) is None:
        return Finding(module, True, "not installed", f"for {OF_THE_ROBOT[module]}")
    # pip does not know a package of the ROS workspace.
    return Finding(module, True, "installed")


def _ray_folder() -> Iterator[Finding]:
    check_ray_folder()
    yield Finding("ray's sockets", True, "their paths are short enough")
