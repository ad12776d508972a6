"""Each module is imported under one name, documents itself, and loads no more than it needs."""

import ast
import builtins
import configparser
import importlib
import re
import subprocess
import sys
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest

import tabletop_interaction

ROOT = Path(__file__).parents[1]
CORE = ROOT / "tabletop_interaction"
TOP = ("envs", "simulation", "real", "sim_assets", "segmentation", "agents", "reports", "benchmarks", "cli")
SOURCES = [path for folder in (CORE, *(ROOT / name for name in TOP)) for path in sorted(folder.rglob("*.py"))]
FILES = [*SOURCES, *(path for name in ("tests", "docs") for path in sorted((ROOT / name).rglob("*.py")))]
SETUP = configparser.ConfigParser()
SETUP.read(ROOT / "setup.cfg")

# What a fresh process may load with each package; `real` and `simulation` may load PyBullet, which is theirs.
HEAVY = ("torch", "pybullet", "rospy", "ray", "matplotlib")
LOADS = {
    "": (),
    "sawyer": (),
    "envs": (),
    "simulation": ("pybullet",),
    "real": (),
    "sim_assets": (),
    "segmentation": (),
    "agents": (),
    "reports": (),
    "benchmarks": (),
    "cli": (),
    "cli.main": (),
}


def _module(path):
    """The name under which a file of the package is imported."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    parts = parts[:-1] if parts[-1] == "__init__" else parts
    return ".".join(parts if parts[0] == "tabletop_interaction" else ("tabletop_interaction", *parts))


MODULES = [_module(path) for path in SOURCES]


def test_the_walk_reaches_every_level():
    assert {"tabletop_interaction.files", "tabletop_interaction.sawyer.model"} <= set(MODULES)
    assert {"tabletop_interaction.real.twin", "tabletop_interaction.benchmarks.accuracy.placing"} <= set(MODULES)


def test_no_package_is_imported_by_its_bare_name():
    bare = []
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            bare += [(str(path), name) for name in names if name.split(".")[0] in TOP]
    assert bare == []


def test_every_module_opens_with_a_docstring_and_exports_what_it_names():
    modules = [importlib.import_module(name) for name in MODULES]
    assert [module.__name__ for module in modules if len(module.__doc__ or "") <= 20] == []
    exported = [(module, name) for module in modules for name in getattr(module, "__all__", ())]
    assert [(module.__name__, name) for module, name in exported if not hasattr(module, name)] == []


def test_every_error_named_under_raises_exists():
    modules = [builtins, *(importlib.import_module(name) for name in MODULES)]
    errors = {
        name
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, BaseException)
    }
    named = []
    for path in SOURCES:
        for section in re.findall(r"Raises:\n(.*?)(?:\n\n|\"\"\")", path.read_text(), re.DOTALL):
            for names in re.findall(r"^\s+((?:\w+\.)?[A-Z]\w+(?:, (?:\w+\.)?[A-Z]\w+)*): ", section, re.MULTILINE):
                named += [(str(path), each.split(".")[-1]) for each in names.split(", ")]
    assert len(named) > 100
    assert [(path, name) for path, name in named if name not in errors] == []


def test_a_class_name_stands_for_one_class():
    files = defaultdict(list)
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                files[node.name].append(str(path.relative_to(ROOT)))
    assert {name: found for name, found in files.items() if len(found) > 1} == {}


def test_every_package_of_the_tree_is_installed():
    packages = {_module(path) for path in SOURCES if path.name == "__init__.py"}
    folders = {_module(path.parent / "__init__.py") for path in SOURCES}
    assert folders == packages, "a folder of modules without __init__.py"
    assert set(SETUP["options"]["packages"].split()) == packages
    mapped = dict(line.split(" = ") for line in SETUP["options"]["package_dir"].strip().splitlines())
    assert mapped == {name: _folder(name) for name in packages}


def test_every_data_file_of_a_package_is_installed():
    shipped = {
        path
        for package, patterns in SETUP["options.package_data"].items()
        for pattern in patterns.split()
        for path in (ROOT / _folder(package)).glob(pattern)
    }
    data = {
        path
        for folder in (CORE, *(ROOT / name for name in TOP))
        for path in folder.rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc")
    }
    assert data - shipped == set()


def _folder(package):
    """The folder of a package, as setup.cfg names it."""
    name = package.removeprefix("tabletop_interaction.")
    inside_core = name == "tabletop_interaction" or (CORE / name.partition(".")[0]).is_dir()
    return package.replace(".", "/") if inside_core else name.replace(".", "/")


@pytest.mark.parametrize(("name", "may_load"), LOADS.items())
def test_importing_a_package_loads_no_more_than_it_needs(name, may_load):
    full_name = f"tabletop_interaction.{name}".rstrip(".")
    code = f"import sys, {full_name}; print(*(name for name in {HEAVY} if name in sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert set(loaded) <= set(may_load)


def test_the_contract_of_the_core_names_all_of_it():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (core,) = (contract for contract in contracts if contract["name"].startswith("the core imports none of ours"))
    inside = [path for path in CORE.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()]
    names = {f"tabletop_interaction.{path.stem}" for path in inside if path.stem != "__init__"}
    assert set(core["source_modules"]) == names
    assert {f"tabletop_interaction.{name}" for name in TOP} <= set(core["forbidden_modules"])


def test_importing_the_package_registers_the_environment():
    import gymnasium

    assert tabletop_interaction.__version__
    assert "TabletopInteraction-v0" in gymnasium.registry
