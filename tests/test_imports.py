"""The rooms are imported under one name; a bare import would make a second copy of every class."""

import ast
import builtins
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import tabletop_interaction

ROOT = Path(__file__).parents[1]
ROOMS = ("envs", "simulation", "real", "sim_assets", "segmentation", "agents", "reports", "benchmarks", "cli")
FILES = [path for room in (*ROOMS, "tests", "docs") for path in sorted((ROOT / room).rglob("*.py"))]
MODULES = sorted(
    {module.name for module in pkgutil.walk_packages(tabletop_interaction.__path__, "tabletop_interaction.")}
    | {
        ".".join(("tabletop_interaction", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
    }
)


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
    assert len(module.__doc__) > 20
    assert all(hasattr(module, exported) for exported in getattr(module, "__all__", ()))


@pytest.fixture(scope="module")
def errors():
    """Names of all exceptions that Python or a module of ours defines."""
    modules = [builtins, *(importlib.import_module(name) for name in MODULES)]
    return {
        name
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, BaseException)
    }


@pytest.mark.parametrize("name", MODULES)
def test_every_error_named_under_raises_exists(name, errors):
    text = Path(importlib.import_module(name).__file__).read_text()
    for section in re.findall(r"Raises:\n(.*?)(?:\n\n|\"\"\")", text, re.DOTALL):
        for names in re.findall(r"^\s+((?:\w+\.)?[A-Z]\w+(?:, (?:\w+\.)?[A-Z]\w+)*): ", section, re.MULTILINE):
            assert {each.split(".")[-1] for each in names.split(", ")} <= errors, (name, names)


def test_importing_the_package_registers_the_environment():
    import gymnasium

    assert tabletop_interaction.__version__
    assert "TabletopInteraction-v0" in gymnasium.registry
