"""The package's network as an ONNX file, written once, by the command."""

from pathlib import Path

import pytest

from tabletop_interaction.cli.main import main


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exported") / "model.onnx"
    assert main(["export", "--model", "default", "--out", str(path)]) == 0
    return path
