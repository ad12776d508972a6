"""A tiny configuration, pictures of discs, and a finished run of both that tests may copy."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from tabletop_interaction.arrays import Mask, Picture
from tabletop_interaction.segmentation.config import NetworkConfig
from tabletop_interaction.segmentation.rle import rle_from_mask
from tabletop_interaction.segmentation.training.config import CropConfig, RunOptions, TrainingConfig
from tabletop_interaction.segmentation.training.examples import Example, ExampleSet
from tabletop_interaction.segmentation.training.run import train

SMALL = TrainingConfig(
    steps=6,
    batch_size=2,
    crops=CropConfig(crop_px=96, object_px=40, reach_px=8, margin_px=16),
    network=NetworkConfig(end_channels=8, code_channels=16, refining_channels=4),
)


@pytest.fixture(scope="session")
def small() -> TrainingConfig:
    return SMALL


@pytest.fixture(scope="session")
def discs() -> Callable[..., ExampleSet]:
    """discs(count=6): pictures of a grey table with one bright disc each."""
    return _discs


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a finished run of `small` on `discs()`."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield train(_discs(), tmp_path_factory.mktemp("finished") / "run", SMALL, RunOptions(data="discs")).parent
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def a_picture() -> Callable[..., tuple[Picture, Mask]]:
    """a_picture(box): a dark table with one bright box (x, y, width, height), and the box's mask."""
    return _a_picture


@pytest.fixture
def picture() -> Picture:
    """Noise of 96 x 96 px."""
    return np.random.default_rng(5).integers(60, 200, (96, 96, 3)).astype(np.uint8)


@pytest.fixture
def disc() -> Mask:
    """A disc of radius 20 px in the middle of `picture`."""
    rows, columns = np.mgrid[:96, :96]
    return np.asarray(np.hypot(rows - 48, columns - 48) < 20)


@pytest.fixture(scope="session")
def one_object() -> Callable[..., ExampleSet]:
    """one_object(complete=False): the default picture of `a_picture` as the only example."""

    def examples(complete: bool = False) -> ExampleSet:
        picture, mask = _a_picture()
        return ExampleSet((Example("p", (215.0, 160.0), rle_from_mask(mask)),), {"p": picture}, complete)

    return examples


def _a_picture(box: tuple[int, int, int, int] = (180, 140, 70, 40)) -> tuple[Picture, Mask]:
    x, y, width, height = box
    picture = np.full((350, 430, 3), 40, np.uint8)
    picture[y : y + height, x : x + width] = 220
    mask = np.zeros((350, 430), bool)
    mask[y : y + height, x : x + width] = True
    return picture, mask


def _discs(count: int = 6) -> ExampleSet:
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:120, :150]
    pictures, examples = {}, []
    for number in range(count):
        cx, cy = rng.uniform(40, 110), rng.uniform(40, 80)
        mask = np.hypot(x - cx, y - cy) < rng.uniform(16, 24)
        picture = rng.integers(60, 100, (120, 150, 3), dtype=np.uint8)
        picture[mask] = rng.integers(150, 255, 3)
        pictures[str(number)] = picture
        examples += [Example(str(number), (cx, cy), rle_from_mask(mask)), Example(str(number), (5.0, 5.0), None)]
    return ExampleSet(tuple(examples), pictures)
