"""What tests share: the example backend of the docs, which is also the fake that fast tests use; photos of a board."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def painted_table() -> Callable[..., Any]:
    """The class `PaintedTable` of docs/example_backend.py."""
    return _load(Path(__file__).parent.parent / "docs" / "example_backend.py").PaintedTable


@pytest.fixture(scope="session")
def photograph_board() -> Callable[..., Any]:
    """The function `photograph` of board_photos.py, which stands for a camera and a printed board."""
    return _load(Path(__file__).parent / "board_photos.py").photograph


def _load(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
