"""The table tops: names, pictures, and differences between them."""

from __future__ import annotations

import hashlib
import itertools
import subprocess
import sys

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tabletop_interaction.sim_assets import BACKGROUND_PX_PER_M, background_names, load_background
from tabletop_interaction.sim_assets.splits import CATALOGUE
from tabletop_interaction.sim_assets.tables import backgrounds

ALL_NAMES = [name for split in CATALOGUE for name in background_names(split)]


@pytest.fixture(scope="module")
def pictures() -> dict[str, NDArray[np.uint8]]:
    return {name: load_background(name) for name in ALL_NAMES}


@pytest.mark.parametrize(("split", "count"), [("train", 24), ("val", 6), ("test", 10), ("dev", 10)])
def test_a_split_has_as_many_table_tops_as_documented(split: str, count: int) -> None:
    names = background_names(split)
    assert len(names) == count
    assert all(name.startswith(split) for name in names)


def test_no_table_top_is_in_two_splits() -> None:
    assert len(set(ALL_NAMES)) == 50


def test_an_unknown_split_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="accepted are train, val, test, dev"):
        background_names("validation")


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ValueError, match="background_names"):
        load_background("train_99_gold")


def test_every_picture_covers_the_table_at_the_stated_scale(pictures: dict[str, NDArray[np.uint8]]) -> None:
    shape = (round(0.7 * BACKGROUND_PX_PER_M), round(0.8 * BACKGROUND_PX_PER_M), 3)
    assert shape == (840, 960, 3)
    assert all(picture.shape == shape and picture.dtype == np.uint8 for picture in pictures.values())


def test_a_picture_is_painted_once_and_read_only(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = load_background(ALL_NAMES[0])
    monkeypatch.delattr(backgrounds, "worn")
    np.testing.assert_array_equal(load_background(ALL_NAMES[0]), picture)
    with pytest.raises(ValueError, match="read-only"):
        picture[0, 0] = 0


@pytest.mark.parametrize("name", ["train_01_oak_planks", "train_23_bright_shapes", "test_05_floral_print"])
def test_painting_twice_gives_the_same_picture(name: str, pictures: dict[str, NDArray[np.uint8]]) -> None:
    backgrounds._compressed.cache_clear()
    np.testing.assert_array_equal(load_background(name), pictures[name])


@pytest.mark.parametrize("name", ["test_02_terrazzo", "dev_02_pebbles"])
def test_the_number_of_threads_changes_no_pixel(name: str) -> None:
    """Intel's distance transform in OpenCV differs with the number of threads, and with what ran before."""
    threads = cv2.getNumThreads()
    painted = []
    try:
        for count in (1, 4, 1):
            cv2.setNumThreads(count)
            backgrounds._compressed.cache_clear()
            painted.append(load_background(name))
    finally:
        cv2.setNumThreads(threads)
    for other in painted[1:]:
        np.testing.assert_array_equal(other, painted[0])


def test_another_process_paints_the_same_pictures(pictures: dict[str, NDArray[np.uint8]]) -> None:
    names = ["val_02_strand_board", "test_03_city_map"]
    program = (
        "import hashlib, sys\n"
        "from tabletop_interaction.sim_assets.tables.backgrounds import load_background\n"
        "for name in sys.argv[1:]: print(hashlib.sha256(load_background(name).tobytes()).hexdigest())"
    )
    printed = subprocess.run([sys.executable, "-c", program, *names], capture_output=True, text=True, check=True)
    assert printed.stdout.split() == [hashlib.sha256(pictures[name].tobytes()).hexdigest() for name in names]


def test_all_table_tops_differ(pictures: dict[str, NDArray[np.uint8]]) -> None:
    small = {
        name: cv2.resize(picture, (48, 42), interpolation=cv2.INTER_AREA).astype(float)
        for name, picture in pictures.items()
    }
    distances = {pair: np.abs(small[pair[0]] - small[pair[1]]).mean() for pair in itertools.combinations(small, 2)}
    nearest = min(distances, key=lambda pair: distances[pair])
    assert distances[nearest] > 8, nearest


def test_brightness_and_hue_vary_widely(pictures: dict[str, NDArray[np.uint8]]) -> None:
    means = np.array([picture[::4, ::4].mean(axis=(0, 1)) for picture in pictures.values()])
    luminance = means @ (0.299, 0.587, 0.114)
    assert luminance.min() < 75
    assert luminance.max() > 200
    assert luminance.std() > 35
    assert (means[:, 0] - means[:, 2]).min() < -40
    assert (means[:, 0] - means[:, 2]).max() > 80
    assert (means[:, 1] - means[:, 0]).max() > 30


@pytest.mark.parametrize("name", ALL_NAMES)
def test_a_table_top_has_texture_and_is_neither_black_nor_saturated(
    name: str, pictures: dict[str, NDArray[np.uint8]]
) -> None:
    picture = pictures[name][::3, ::3]
    assert 30 < picture.mean() < 235
    assert picture.std(axis=(0, 1)).max() > 5
    assert np.mean(picture.max(axis=2) < 8) < 0.1
    assert np.mean(picture.min(axis=2) > 250) < 0.1


@pytest.mark.parametrize("name", ALL_NAMES)
def test_detail_finer_than_a_camera_resolves_is_faint(name: str, pictures: dict[str, NDArray[np.uint8]]) -> None:
    grey = cv2.cvtColor(pictures[name], cv2.COLOR_RGB2GRAY).astype(np.float32)
    # A view has about 700 pixels a metre: this is what shrinking to that loses.
    shrunk = cv2.resize(grey, None, fx=700 / 1200, fy=700 / 1200, interpolation=cv2.INTER_AREA)
    lost = grey - cv2.resize(shrunk, grey.shape[::-1], interpolation=cv2.INTER_CUBIC)
    assert lost.std() < 0.35 * max(float(grey.std()), 20)
