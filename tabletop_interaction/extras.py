"""The extras of this distribution: which one brings a package that is missing, and the command that installs it here.

Nothing is imported but the standard library and `packaging`.
"""

import json
import os
import shlex
import shutil
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, distribution, metadata, requires
from pathlib import Path
from types import TracebackType
from urllib.parse import unquote, urlsplit

from packaging.requirements import Requirement

from tabletop_interaction.errors import MissingPackage

DISTRIBUTION = "tabletop-interaction"

PURPOSES = {
    "learn": "learning, segmenting and evaluating with our network, rearranging, and their reports",
    "films": "the film of `show`, where no ffmpeg is on the PATH",
    "rl": "agents of stable-baselines3",
    "ray": "collecting and learning with --workers 2 and more",
    "sawyer": "the Sawyer, its twin and its calibration",
    "export": "segmenters in ONNX files, run and written",
    "meshes": "objects from mesh files",
}
"""What each extra for users is for, in the order in which a missing package is looked up."""

_MODULES = {"scikit-image": "skimage"}
"""Modules that are not called as their distributions."""
_EXTRA_OF_PACKAGE = {"real": "sawyer", "sim_assets": "meshes"}
"""Of packages of ours whose requirements several extras share."""


def install_command(extra: str) -> str:
    """The command that installs an extra for the Python that runs: from its checkout if it is there, or by our name."""
    checkout = Path(__file__).parents[1]
    if not (checkout / "setup.cfg").is_file():
        return f"{_pip()} install {shlex.quote(f'{_installed_from() or DISTRIBUTION}[{extra}]')}"
    target = "." if checkout == _working_folder() else str(checkout)
    return f"{_pip()} install -e {shlex.quote(f'{target}[{extra}]')}"


def required(extra: str = "") -> dict[str, Requirement]:
    """By name, what our distribution requires of others here, or what an extra adds; empty if it is not installed.

    An extra that sums up others, such as `all`, has their requirements.
    """
    found = {}
    for one in _requirements():
        if one.marker is not None and not one.marker.evaluate({"extra": extra}):
            continue
        if extra and (one.marker is None or one.marker.evaluate({"extra": ""})):
            continue
        if one.name == DISTRIBUTION:
            for each in sorted(one.extras):
                found.update(required(each))
        else:
            found[one.name] = one
    return found


def extras() -> list[str]:
    """Names of the extras of `PURPOSES` that the installed distribution has."""
    try:
        named = metadata(DISTRIBUTION).get_all("Provides-Extra") or []
    except PackageNotFoundError:
        return []
    return [name for name in PURPOSES if name in named]


def explained(error: ImportError) -> MissingPackage | None:
    """The error in one line, with the command that installs what is missing; None if no extra brings it."""
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return None
    module = error.name.partition(".")[0]
    bringing = [name for name in extras() if module in (module_of(each) for each in required(name))]
    if not bringing:
        return None
    preferred = _EXTRA_OF_PACKAGE.get(_importer(error.__traceback__))
    extra = preferred if preferred in bringing else bringing[0]
    return MissingPackage(f"this needs {module}, which is not installed; run `{install_command(extra)}`")


@contextmanager
def explaining() -> Iterator[None]:
    """Explain a missing package of an extra in this block.

    Raises:
        MissingPackage: in place of a ModuleNotFoundError.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (reason := explained(error)) is None:
            raise
        raise reason from error


def module_of(distribution: str) -> str:
    """Name of the module that a distribution among our requirements provides."""
    return _MODULES.get(distribution, distribution.replace("-", "_").lower())


def _requirements() -> list[Requirement]:
    try:
        return [Requirement(line) for line in requires(DISTRIBUTION) or []]
    except PackageNotFoundError:
        return []


def _installed_from() -> Path | None:
    """The checkout from which pip installed a copy of this package, as `pip install .` does; None if it is gone."""
    try:
        noted = distribution(DISTRIBUTION).read_text("direct_url.json")
    except PackageNotFoundError:
        return None
    url = urlsplit(json.loads(noted)["url"]) if noted else None
    folder = Path(unquote(url.path)) if url is not None and url.scheme == "file" else None
    return folder if folder is not None and (folder / "setup.cfg").is_file() else None


def _pip() -> str:
    """The word for this Python's pip: another one may be the first on the PATH."""
    found = shutil.which("pip")
    if found is not None and os.path.dirname(found) == sysconfig.get_path("scripts"):
        return "pip"
    here = _working_folder()
    python = Path(sys.executable)
    shown = python.relative_to(here) if here is not None and python.is_relative_to(here) else python
    return f"{shlex.quote(str(shown))} -m pip"


def _working_folder() -> Path | None:
    try:
        return Path.cwd()
    except FileNotFoundError:
        return None


def _importer(traceback: TracebackType | None) -> str:
    """The package of ours whose code imported last, without the prefix; empty if it was none."""
    found = ""
    while traceback is not None:
        name = traceback.tb_frame.f_globals.get("__name__", "")
        if name.startswith("tabletop_interaction."):
            found = name.split(".")[1]
        traceback = traceback.tb_next
    return found
