"""The rooms are imported under one name; a bare import would make a second copy of every class."""

import ast
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import tabletop_interaction

ROOT = Path(__file__).parents[1]
ROOMS = ("envs", "simulation", "sim_assets", "segmentation", "agents", "benchmarks", "cli")
FILES = [path for room in (*ROOMS, "tests", "docs") for path in sorted((ROOT / room).rglob("*.py"))]
MODULES = [
    f"tabletop_interaction.{room}.{module.name}" for room in ROOMS for module in pkgutil.iter_modules([ROOT / room])
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_room_is_imported_by_its_bare_name(path):
    for node in ast.walk(ast.parse(path.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        assert not [name for name in names if name.split(".")[0] in ROOMS]


@pytest.mark.parametrize("name", MODULES)
def test_every_module_opens_with_a_docstring_and_exports_what_it_names(name):
    module = importlib.import_module(name)
    assert module.__doc__
    assert all(hasattr(module, exported) for exported in getattr(module, "__all__", ()))


@pytest.mark.parametrize("name", MODULES)
def test_every_error_named_under_raises_exists(name):
    module = importlib.import_module(name)
    known = {**vars(__builtins__ if not isinstance(__builtins__, dict) else importlib.import_module("builtins"))}
    known |= vars(importlib.import_module("tabletop_interaction.envs.errors")) | vars(module)
    for section in re.findall(r"Raises:\n((?:\s+[A-Z]\w+(?:, [A-Z]\w+)*: .*\n)+)", Path(module.__file__).read_text()):
        for names in re.findall(r"^\s+([A-Z]\w+(?:, [A-Z]\w+)*): ", section, re.MULTILINE):
            assert all(each in known for each in names.split(", ")), (name, names)


def test_importing_the_package_registers_the_environment():
    import gymnasium

    assert tabletop_interaction.__version__
    assert "TabletopInteraction-v0" in gymnasium.registry
