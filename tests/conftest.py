"""What tests share: the example backend of the docs, which is also the fake that fast tests use."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def painted_table() -> Callable[..., Any]:
    """The class `PaintedTable` of docs/example_backend.py."""
    path = Path(__file__).parent.parent / "docs" / "example_backend.py"
    spec = importlib.util.spec_from_file_location("example_backend", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.PaintedTable
