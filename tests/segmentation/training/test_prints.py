"""Prints cover the table and nothing else, and depend on the seed only."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabletop_interaction.segmentation.training.prints import noise, printed, repeated

SIDE = 96


@pytest.fixture
def patches():
    rng = np.random.default_rng(6)
    return rng.integers(0, 256, (70, 50, 3)).astype(np.uint8), rng.integers(0, 256, (40, 130, 3)).astype(np.uint8)


@pytest.mark.parametrize("seed", range(24))
def test_a_print_covers_the_table_and_leaves_the_object(picture, patches, disc, seed):
    arguments = picture.copy(), disc.copy(), *(each.copy() for each in patches)
    result = printed(picture, disc, patches, np.random.default_rng(seed))
    changed = np.abs(result.astype(int) - picture).max(-1)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    inner = np.hypot(rows - 48, columns - 48) < 16
    assert changed[inner].max() <= 1
    assert np.median(changed[~disc]) > 5
    assert all((now == before).all() for now, before in zip((picture, disc, *patches), arguments, strict=True))


@pytest.mark.parametrize("share", [0, 1])
def test_nothing_or_all_of_a_crop_may_stay(picture, patches, share):
    kept = np.full((SIDE, SIDE), bool(share))
    result = printed(picture, kept, patches, np.random.default_rng(3))
    assert (result == picture).all() == bool(share)


def test_prints_depend_on_the_seed_only(picture, patches, disc):
    first, same, other = (printed(picture, disc, patches, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert (first == same).all()
    assert (first != other).any()


@given(st.integers(0, 2**32), st.integers(1, 60), st.integers(1, 60), st.integers(16, 64))
def test_a_repeated_patch_has_no_other_levels_than_its_picture(seed, height, width, side):
    grey = np.random.default_rng(seed).integers(100, 140, (height, width, 1)).astype(np.uint8)
    sheet = repeated(np.repeat(grey, 3, axis=2), side, (10.0, 40.0), np.random.default_rng(seed))
    assert sheet.shape == (side, side, 3)
    assert sheet.dtype == np.uint8
    assert sheet.min() >= grey.min() - 1
    assert sheet.max() <= grey.max() + 1


def test_a_patch_is_repeated():
    ramp = np.tile(np.arange(0, 240, 6, dtype=np.uint8)[None, :, None], (40, 1, 3))
    rows = [repeated(ramp, 400, (20.0, 21.0), np.random.default_rng(seed))[..., 0] for seed in range(8)]
    for sheet in rows:
        spectrum = np.abs(np.fft.fft2(sheet - sheet.mean()))
        # Few frequencies carry nearly all of a periodic sheet.
        assert np.sort(spectrum.ravel() ** 2)[::-1][:400].sum() > 0.8 * (spectrum**2).sum()


@given(st.integers(0, 2**32), st.integers(8, 128))
def test_noise_fills_a_square_and_depends_on_the_seed_only(seed, side):
    first, same = (noise(side, np.random.default_rng(seed)) for _ in range(2))
    assert first.shape == (side, side, 3)
    assert (first == same).all()


def test_noise_runs_along_either_axis():
    longer = set()
    for seed in range(60):
        sheet = noise(64, np.random.default_rng(seed)).astype(float)
        down, across = (float(np.abs(np.diff(sheet, axis=axis)).mean()) for axis in (0, 1))
        longer |= {"down"} if down < across / 2 else {"across"} if across < down / 2 else set()
    assert longer == {"down", "across"}


def test_noise_has_ramps_and_sharp_borders():
    counts = [len(np.unique(noise(64, np.random.default_rng(seed)).reshape(-1, 3), axis=0)) for seed in range(30)]
    assert min(counts) <= 4
    assert max(counts) > 30
