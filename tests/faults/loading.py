"""Loads modules of the tests by their files, because the folders of tests are no packages."""

import importlib.util
from pathlib import Path
from typing import Any


def load_module(path: Path) -> Any:
    """Return a new module, made by running its file."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
