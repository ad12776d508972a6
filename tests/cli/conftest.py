"""Fixtures of the command line's tests: an untrained network on disk, and benchmark sets of one picture each."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tabletop_interaction.benchmarks.segmentation.label_sets import SETS, make_set
from tabletop_interaction.segmentation.checkpoints import save_checkpoint
from tabletop_interaction.segmentation.network import DeepMask


@pytest.fixture(scope="session")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network with random weights."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("untrained") / "model.safetensors"
    save_checkpoint(DeepMask().eval(), path, metadata={"steps": 0})
    return path


@pytest.fixture
def tiny_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every benchmark set has one picture only, and a seed of its own."""
    for name, spec in list(SETS.items()):
        monkeypatch.setitem(SETS, name, replace(spec, pictures=1, seed=spec.seed + 1000))


@pytest.fixture(scope="session")
def labelled_picture(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """COCO JSON of one picture, and the pictures' folder."""
    folder = make_set(replace(SETS["val"], pictures=1), tmp_path_factory.mktemp("labelled"))
    return folder.labels, folder.images


@pytest.fixture(autouse=True)
def single_threaded(one_thread: None) -> None:
    """Networks are small here, and tests run beside each other: one thread each."""
